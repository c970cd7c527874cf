"""Signed distance to an object's surface: sampled by :func:`yaff.geometry.distance_field.build`, looked up here.

Negative inside the solid, metres, object frame. The samples are a regular grid (:attr:`SignedDistanceGrid.values`),
finer where the distance bends; :mod:`yaff.geometry.blocks` says how they lie in memory and how they are looked up, in
NumPy, in torch (:mod:`yaff.geometry.torch_signed_distance`), and for several objects at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from yaff.errors import InputError
from yaff.geometry.blocks import BLOCK, Blocks, look_up, look_up_with_gradient, packed

if TYPE_CHECKING:
    from yaff.geometry.torch_signed_distance import TorchSignedDistance

__all__ = ["SignedDistanceGrid", "TorchSignedDistance", "nodes_of_blocks"]

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SignedDistanceGrid:
    """Signed distances at the nodes ``origin + spacing * (i, j, k)``, and between them.

    Raises:
        InputError: if the arrays have the wrong shape or hold NaN or infinity.
    """

    origin: Float[Array, "3"]
    """Position of node (0, 0, 0), metres, object frame."""
    spacing: float
    """Distance between neighbouring nodes, metres, equal along the three axes."""
    values: Float[Array, "nx ny nz"]
    """Signed distance at the nodes, metres, float32, negative inside."""
    blocks: Blocks = field(default=None, repr=False)  # type: ignore[assignment]
    """What is looked up; the grid itself in blocks when not given."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin", np.asarray(self.origin, np.float64))
        object.__setattr__(self, "spacing", float(self.spacing))
        object.__setattr__(self, "values", np.ascontiguousarray(self.values, np.float32))
        if self.origin.shape != (3,) or self.values.ndim != 3 or min(self.values.shape) < 2:
            raise InputError(
                f"a signed distance grid needs an origin (3,) and values of at least (2, 2, 2), "
                f"not {self.origin.shape} and {self.values.shape}"
            )
        if not (self.spacing > 0.0 and np.isfinite(self.origin).all() and np.isfinite(self.values).all()):
            raise InputError("a signed distance grid holds NaN, infinity, or a spacing that is not positive")
        if self.blocks is None:
            object.__setattr__(self, "blocks", _blocks_of(self.origin, self.spacing, self.values))

    @property
    def upper(self) -> Float[Array, "3"]:
        """Position of the last node, metres, object frame."""
        return self.origin + self.spacing * (np.array(self.values.shape) - 1)

    def distance(self, points: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Signed distance at points (metres, object frame), metres; float32 for float32 points, else float64."""
        points = np.asarray(points)
        return look_up(self.blocks, _flat(points)).reshape(points.shape[:-1])

    def distance_and_gradient(
        self, points: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
        """Signed distance (metres) and the unit direction in which it grows fastest, outward from the solid.

        The direction is the normalised gradient of the interpolant; where that vanishes (on a ridge exactly half-way
        between two surfaces) it points away from the middle of the grid, so that it is a unit vector everywhere.
        """
        points = np.asarray(points)
        flat = _flat(points)
        distance, gradient = look_up_with_gradient(self.blocks, flat)
        length = np.sqrt(np.einsum("ij,ij->i", gradient, gradient))[:, None]
        flat_spots = length[:, 0] < 1e-6
        if flat_spots.any():
            away = flat[flat_spots] - 0.5 * (self.origin + self.upper) + 1e-12
            gradient[flat_spots] = away
            length[flat_spots] = np.linalg.norm(away, axis=-1, keepdims=True)
        return distance.reshape(points.shape[:-1]), (gradient / length).reshape(points.shape)


def _flat(points: Float[Array, "*batch 3"]) -> Float[Array, "n 3"]:
    single = points.dtype == np.float32
    return np.ascontiguousarray(points, np.float32 if single else np.float64).reshape(-1, 3)


def _blocks_of(origin: Float[Array, "3"], spacing: float, values: Float[Array, "nx ny nz"]) -> Blocks:
    """A grid as it stands, in blocks of its own spacing or, if it is too small for that, of one cell."""
    cells = np.array(values.shape) - 1
    edge = BLOCK if not (cells % BLOCK).any() else 2 if not (cells % 2).any() else 1
    level = np.full(tuple(cells // edge), int(edge).bit_length() - 1, np.int64)
    return packed(origin, edge * spacing, level, {int(edge).bit_length() - 1: nodes_of_blocks(values, edge)})


def nodes_of_blocks(values: Float[Array, "nx ny nz"], edge: int, step: int = 1) -> Float[Array, "b s"]:
    """The nodes of each block of ``edge`` cells, every ``step``-th, neighbouring blocks sharing those between them."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (edge + 1,) * 3)[::edge, ::edge, ::edge]
    chosen = windows[..., ::step, ::step, ::step]
    return np.ascontiguousarray(chosen).reshape(-1, (edge // step + 1) ** 3)


def __getattr__(name: str) -> Any:  # torch takes seconds to import, and most of what looks distances up does without
    if name == "TorchSignedDistance":
        return import_module("yaff.geometry.torch_signed_distance").TorchSignedDistance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
