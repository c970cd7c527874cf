"""Signed distance to an object's surface: sampled by :func:`yaff.geometry.distance_field.build`, looked up here.

Negative inside the solid, metres, object frame. The samples are a regular grid (:attr:`SignedDistanceGrid.values`),
finer where the distance bends; :mod:`yaff.geometry.blocks` says how they lie in memory and how they are looked up, in
NumPy, in torch, and for several objects at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from yaff.errors import InputError
from yaff.geometry.blocks import BLOCK, Blocks, TorchBlocks, joined, look_up, look_up_with_gradient, packed

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


class TorchSignedDistance:
    """The same signed distance as a differentiable torch function ``(*batch, 3) -> (*batch)``.

    On the processor by the kernel that NumPy uses, elsewhere by torch's own operations. Several grids may be given;
    then each point says which it asks.

    Args:
        grid: the sampled distances of one object, or of several.
        dtype: floating type of points and result.
        device: where the samples live; points must be there too.
    """

    def __init__(
        self,
        grid: SignedDistanceGrid | Sequence[SignedDistanceGrid],
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.dtype = dtype
        self.device = torch.device(device)
        grids = [grid] if isinstance(grid, SignedDistanceGrid) else list(grid)
        self._count = len(grids)
        self._blocks = grids[0].blocks if len(grids) == 1 else joined([one.blocks for one in grids])
        self._elsewhere = None if self.device.type == "cpu" else TorchBlocks(self._blocks, dtype, self.device)

    def __call__(
        self, points: Float[Tensor, "*batch 3"], which: Int[Tensor, "*#batch"] | None = None
    ) -> Float[Tensor, "*batch"]:
        """Signed distance at points (metres, object frame), metres.

        Args:
            points: where.
            which: of which of several objects, 0 the first; the first without it. Broadcast against the points.

        Raises:
            InputError: if there is no such object.
        """
        points = points.to(self.dtype)
        flat = points.reshape(-1, 3)
        rows = None if which is None else which.broadcast_to(points.shape[:-1]).reshape(-1)
        if rows is not None and len(rows) and not (int(rows.min()) >= 0 and int(rows.max()) < self._count):
            raise InputError(f"points ask for objects {int(rows.min())} to {int(rows.max())} of {self._count}")
        if self._elsewhere is not None:
            first = torch.zeros(len(flat), dtype=torch.long, device=self.device) if rows is None else rows
            value = self._elsewhere(flat, first)
        else:
            value: Any = _LookUp.apply(flat, self._blocks, rows)
        return value.reshape(points.shape[:-1])


class _LookUp(torch.autograd.Function):
    """The compiled look-up, its gradient kept for the way back."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, blocks: Blocks, which: Tensor | None) -> Tensor:
        places = points.detach().contiguous().numpy()
        rows = None if which is None else which.numpy()
        if not ctx.needs_input_grad[0]:
            return torch.from_numpy(look_up(blocks, places, rows))
        value, slope = look_up_with_gradient(blocks, places, rows)
        ctx.save_for_backward(torch.from_numpy(slope))
        return torch.from_numpy(value)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore
        (slope,) = ctx.saved_tensors
        return gradients[0][:, None] * slope, None, None
