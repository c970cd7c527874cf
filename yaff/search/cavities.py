"""The object as a hand that wraps it meets it: its cavities filled, its handles still open.

A point in the hollow of a mug sees the surface nearly all round, a point in the hole of its handle only in the plane of
the handle. What sees surface in more than :data:`ENCLOSED` of all directions is filled.
"""

from __future__ import annotations

from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float
from scipy.ndimage import distance_transform_edt, map_coordinates

from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.objects import ObjectModel

Array = np.ndarray

ENCLOSED = 0.55
"""Share of the directions that meet surface from which a point counts as inside."""
_SPACING = 0.004
"""Metres between the points that are looked at."""
_DIRECTIONS = 64
_LEAST_VOLUME = 2e-5
"""Cubic metres of hollow below which an object is left as it is."""

_FILLED: WeakKeyDictionary[SignedDistanceGrid, SignedDistanceGrid] = WeakKeyDictionary()


def field_of(obj: ObjectModel, interior: Literal["as_is", "filled"]) -> SignedDistanceGrid:
    """The signed distance that a type of this interior is refined against; filled ones are made once."""
    if interior == "as_is":
        return obj.sdf
    if obj.sdf not in _FILLED:
        _FILLED[obj.sdf] = filled(obj.sdf)
    return _FILLED[obj.sdf]


def filled(grid: SignedDistanceGrid) -> SignedDistanceGrid:
    """The field of the solid and its cavities together, on the same grid.

    Outside and on the outer surface it is the field it was given; in what was filled, and in the wall round it, it is
    the distance to the outside, negative, to within half the spacing of the points looked at.
    """
    counts = np.ceil((grid.upper - grid.origin) / _SPACING).astype(int) + 1
    axes = [grid.origin[k] + _SPACING * np.arange(counts[k]) for k in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    distance = grid.distance(points)
    # walls thinner than the spacing must not fall between the points
    solid = distance < 0.5 * _SPACING
    hollow = np.zeros_like(solid)
    free = np.flatnonzero(~solid & _within_hull_of(solid))
    if len(free) * _SPACING**3 > _LEAST_VOLUME:
        hollow.flat[free] = enclosure(grid, points.reshape(-1, 3)[free]) > ENCLOSED
    if hollow.sum() * _SPACING**3 < _LEAST_VOLUME:
        return grid
    whole = np.pad(solid | hollow, 1)
    depth = distance_transform_edt(whole, sampling=_SPACING)[1:-1, 1:-1, 1:-1]  # type: ignore[index]
    index = [np.arange(n) * grid.spacing / _SPACING for n in grid.values.shape]
    fine = map_coordinates(depth, np.meshgrid(*index, indexing="ij"), order=1, mode="nearest")
    # a cell of the coarse grid is left to the field itself, so that the outer surface stays where it was
    inside = np.where(fine > 1.5 * _SPACING, _SPACING - fine, np.inf)
    return SignedDistanceGrid(grid.origin, grid.spacing, np.minimum(grid.values, inside).astype(np.float32))


def enclosure(grid: SignedDistanceGrid, points: Float[Array, "n 3"]) -> Float[Array, "n"]:
    """Share of the directions in which the surface is met from each point, by sphere tracing (Hart 1996)."""
    k = np.arange(_DIRECTIONS) + 0.5
    polar, around = np.arccos(1.0 - 2.0 * k / _DIRECTIONS), np.pi * (1.0 + 5.0**0.5) * k
    directions = np.column_stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)])
    reach = float(np.linalg.norm(grid.upper - grid.origin))
    met = np.zeros(len(points))
    for direction in directions:
        alive = np.arange(len(points))
        travelled = np.zeros(len(points))
        while len(alive):
            distance = grid.distance(points[alive] + travelled[alive, None] * direction)
            met[alive[distance < 0.5 * grid.spacing]] += 1.0
            travelled[alive] += distance + 0.25 * grid.spacing
            place = points[alive] + travelled[alive, None] * direction
            stays = ((place > grid.origin) & (place < grid.upper)).all(axis=1) & (travelled[alive] < reach)
            alive = alive[(distance >= 0.5 * grid.spacing) & stays]
    return met / _DIRECTIONS


def _within_hull_of(solid: Array) -> Array:
    """Cells between solid cells along at least two of the grid's axes: only there can a hollow be."""
    between = np.zeros(solid.shape, np.int8)
    for axis in range(3):
        before = np.logical_or.accumulate(solid, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(solid, axis), axis=axis), axis)
        between += before & after
    return between >= 2
