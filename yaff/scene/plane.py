"""A plane with a free side."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64

from yaff.errors import InputError

Array = np.ndarray


@dataclass(frozen=True)
class Plane:
    """The points with ``normal @ p + offset == 0``; the normal points up, into free space."""

    normal: Float64[Array, "3"]
    """Unit vector."""
    offset: float
    """Metres."""
    source: str = "given"
    """Where it comes from: ``given``, ``objects`` or ``depth``."""
    residual: float | None = None
    """Root mean square distance (metres) of the evidence it was fitted to; None when it was not fitted."""

    def __post_init__(self) -> None:
        if not np.isfinite(self.normal).all() or abs(float(np.linalg.norm(self.normal)) - 1.0) > 1e-6:
            raise InputError(f"a plane's normal must have length one, not {self.normal}")

    def height(self, points: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Metres above the plane, negative below."""
        return np.asarray(points @ self.normal + self.offset)

    def transformed(self, T_target_source: Float[Array, "4 4"]) -> Plane:
        """The same plane in another frame."""
        normal = T_target_source[:3, :3] @ self.normal
        normal /= np.linalg.norm(normal)
        return replace(self, normal=normal, offset=float(self.offset - normal @ T_target_source[:3, 3]))

    @classmethod
    def fit(
        cls, points: Float[Array, "n 3"], weights: Float[Array, "n"] | None = None, *, up: Float[Array, "3"]
    ) -> Plane:
        """Total least squares: through the weighted mean, normal of least variance, on the side of ``up``.

        Raises:
            InputError: fewer than three points, or points on a line.
        """
        points = np.asarray(points, np.float64)
        w = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)
        if len(points) < 3 or w.sum() <= 0:
            raise InputError(f"{len(points)} points do not fix a plane")
        w = w / w.sum()
        mean = w @ points
        centred = points - mean
        variance, axes = np.linalg.eigh((centred * w[:, None]).T @ centred)
        if variance[1] <= 1e-12:
            raise InputError("points on a line do not fix a plane")
        normal = axes[:, 0] if axes[:, 0] @ up >= 0 else -axes[:, 0]
        return cls(
            normal=normal,
            offset=float(-normal @ mean),
            source="given",
            residual=float(np.sqrt(max(variance[0], 0.0))),
        )
