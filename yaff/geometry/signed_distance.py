"""Signed distance to an object's surface, sampled on a regular grid and looked up by trilinear interpolation.

Negative inside the solid, metres, object frame. The grid is filled by :func:`yaff.geometry.distance_field.build`.

Both look-ups (NumPy and torch) run the same kernel, ``torch.nn.functional.grid_sample``, which is many times faster
than indexing the eight corners in NumPy. Outside the grid the value at the nearest point of the box is continued by
the distance to the box: never less than the true distance (triangle inequality) and growing with unit slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from yaff.errors import InputError

Array = np.ndarray

# Points looked up at once by the NumPy interface: bounds the memory of the intermediate arrays.
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class SignedDistanceGrid:
    """Signed distances at the nodes ``origin + spacing * (i, j, k)``.

    Raises:
        InputError: if the arrays have the wrong shape or hold NaN or infinity.
    """

    origin: Float[Array, "3"]
    """Position of node (0, 0, 0), metres, object frame."""
    spacing: float
    """Distance between neighbouring nodes, metres, equal along the three axes."""
    values: Float[Array, "nx ny nz"]
    """Signed distance at the nodes, metres, float32, negative inside."""

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

    @property
    def upper(self) -> Float[Array, "3"]:
        """Position of the last node, metres, object frame."""
        return self.origin + self.spacing * (np.array(self.values.shape) - 1)

    @cached_property
    def _lookup(self) -> TorchSignedDistance:
        return TorchSignedDistance(self)

    def __getstate__(self) -> dict[str, object]:
        return {"origin": self.origin, "spacing": self.spacing, "values": self.values}

    def distance(self, points: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Signed distance at points (metres, object frame), metres, float64."""
        points = np.asarray(points)
        flat = points.reshape(-1, 3)
        result = np.zeros(len(flat))
        with torch.no_grad():
            for start in range(0, len(flat), _CHUNK):
                rows = slice(start, start + _CHUNK)
                result[rows] = self._lookup(_as_tensor(flat[rows])).numpy()
        return result.reshape(points.shape[:-1])

    def distance_and_gradient(
        self, points: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
        """Signed distance (metres) and the unit direction in which it grows fastest, outward from the solid.

        The direction is the normalised gradient of the interpolant; where that vanishes (on a ridge exactly half-way
        between two surfaces) it points away from the middle of the grid, so that it is a unit vector everywhere.
        """
        points = np.asarray(points)
        flat = points.reshape(-1, 3)
        distance = np.zeros(len(flat))
        gradient = np.zeros((len(flat), 3))
        for start in range(0, len(flat), _CHUNK):
            rows = slice(start, start + _CHUNK)
            with torch.enable_grad():
                chunk = _as_tensor(flat[rows]).requires_grad_(True)
                value = self._lookup(chunk)
                (slope,) = torch.autograd.grad(value.sum(), chunk)
            distance[rows] = value.detach().numpy()
            gradient[rows] = slope.numpy()
        length = np.linalg.norm(gradient, axis=-1, keepdims=True)
        flat_spots = length[:, 0] < 1e-6
        if flat_spots.any():
            away = flat[flat_spots] - 0.5 * (self.origin + self.upper) + 1e-12
            gradient[flat_spots] = away
            length[flat_spots] = np.linalg.norm(away, axis=-1, keepdims=True)
        return distance.reshape(points.shape[:-1]), (gradient / length).reshape(points.shape)


class TorchSignedDistance:
    """The same signed distance as a differentiable torch function ``(*batch, 3) -> (*batch)``.

    Args:
        grid: the sampled distances.
        dtype: floating type of points, values and result.
        device: where the values live; points must be there too.
    """

    def __init__(
        self,
        grid: SignedDistanceGrid,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.dtype = dtype
        self.device = torch.device(device)
        self._values = torch.tensor(grid.values, dtype=dtype, device=device)[None, None]
        self._lower = torch.tensor(grid.origin, dtype=dtype, device=device)
        self._upper = torch.tensor(grid.upper, dtype=dtype, device=device)
        self._centre = 0.5 * (self._lower + self._upper)
        self._half = 0.5 * (self._upper - self._lower)

    def __call__(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """Signed distance at points (metres, object frame), metres."""
        points = points.to(self.dtype)
        flat = points.reshape(-1, 3)
        # grid_sample wants the fastest axis first: (z, y, x) of a grid stored (x, y, z).
        scaled = ((flat - self._centre) / self._half).flip(-1)
        value = torch.nn.functional.grid_sample(
            self._values, scaled[None, :, None, None, :], padding_mode="border", align_corners=True
        ).reshape(-1)
        excess = flat - torch.minimum(torch.maximum(flat, self._lower), self._upper)
        squared = (excess * excess).sum(-1)
        outside = squared > 0.0
        # The square root is taken where it has a gradient; inside the box the term is exactly zero.
        beyond = torch.where(outside, torch.where(outside, squared, 1.0).sqrt(), 0.0)
        return (value + beyond).reshape(points.shape[:-1])


def _as_tensor(points: Float[Array, "n 3"]) -> Float[Tensor, "n 3"]:
    return torch.from_numpy(np.ascontiguousarray(points, np.float32))
