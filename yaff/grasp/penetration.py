"""How far and how much the hand goes through the object."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.grasp.interfaces import SignedDistance
from yaff.grasp.skin import SkinSamples

Array = np.ndarray

CURVATURE_STEP = 0.0025
"""Metres: step of the second differences that measure the surface's curvature; above the spacing of the grids."""


def max_penetration(samples: SkinSamples) -> Float[Array, "n"]:
    """Depth (metres) of the deepest skin point inside the object, 0 for a hand outside; over vertices and samples."""
    deepest = np.maximum(-samples.vertex_distance.min(axis=1, initial=0.0), 0.0)
    np.maximum.at(deepest, samples.grasp, -samples.distance)
    return deepest


def intersection_volume(
    samples: SkinSamples, sdf: SignedDistance, *, curvature_step: float = CURVATURE_STEP
) -> Float[Array, "n"]:
    """Volume (cubic metres) shared by hand and object, by columns of the object on the skin inside it.

    By the divergence theorem with the field ``depth * (-g)``, ``g`` the outward unit gradient: skin with normal ``N``
    and area ``A`` at depth ``s`` carries a column of volume ``A (-g . N) s`` up to the surface, negative where the
    skin faces out (so that a finger wholly inside counts its own volume). Exact for a half-space. A curved surface
    widens or narrows the column: with ``K`` the divergence of ``g`` (the sum of principal curvatures) its length
    ``s`` becomes ``s + K s^2 / 2``, exact to second order. Good to some 10 % where skin crosses a sharp edge.
    """
    inside = np.flatnonzero(samples.distance < 0.0)
    if not len(inside):
        return np.zeros(samples.n)
    depth = -samples.distance[inside]
    bend = _divergence(sdf, samples.point[inside], -depth, curvature_step) * depth
    facing = -np.sum(samples.gradient[inside] * samples.skin_normal[inside], axis=1)
    columns = samples.area[inside] * facing * depth * (1.0 + 0.5 * np.clip(bend, -1.0, 2.0))
    volume = np.bincount(samples.grasp[inside], columns, minlength=samples.n)
    return np.maximum(volume, 0.0)


def _divergence(sdf: SignedDistance, points: Array, distance: Array, step: float) -> Array:
    """Laplacian of the distance (1/m) by second differences."""
    offsets = step * np.concatenate([np.eye(3), -np.eye(3)])
    around = sdf.distance(points[:, None] + offsets)
    return (around.sum(axis=1) - 6.0 * distance) / step**2
