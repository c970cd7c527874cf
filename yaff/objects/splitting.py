"""Dividing a solid by planes until its parts are nearly convex, and convex bodies for parts that are not quite.

CoACD stops when no part is deeper than a threshold, which for a thin curved wall still leaves parts several times
thicker than the wall. Here the part whose hull is padded thickest with empty space is cut by the plane that frees most
of it, again and again.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from manifold3d import Manifold

Array = np.ndarray

_PLACES = (0.2, 0.35, 0.5, 0.65, 0.8)
"""Where along a part planes are tried, share of its length."""
_CRUMB = 2e-4
"""Parts with less than this share of the solid's volume are left out."""
_FULL = 0.97
"""A part that fills this share of its hull is convex enough."""
_THINNEST = 0.25
"""A hull is flattened to no less than this share of its thickness."""
_SURPLUS = 1.04
"""Volume given to flattened hulls over their parts', for what corners cut away."""


def split(
    parts: Sequence[Manifold],
    whole: float,
    padding: float,
    most_parts: int,
    ratio: float = 1.0,
    directions: Float[Array, "k 3"] | None = None,
) -> list[Manifold]:
    """Parts cut further until their hulls fit.

    Args:
        parts: solids that do not overlap.
        whole: volume of the solid that they are parts of, cubic metres.
        padding: no part's hull need hold a layer of empty space thinner than this, metres.
        most_parts: no more parts than this.
        ratio: it is also enough when all hulls together have at most this many times the parts' volume.
        directions: normals of the planes that are tried; the frame's and each part's principal axes without them.
    """
    queue: list[tuple[float, int, float, Manifold]] = []
    serial, waste, volume = 0, 0.0, 0.0

    def push(part: Manifold) -> float:
        nonlocal serial
        inside = part.volume()
        if inside < _CRUMB * whole:
            return 0.0
        empty = part.hull().volume() - inside
        heapq.heappush(queue, (-empty / (0.5 * part.surface_area()), serial, empty, part))
        serial += 1
        return empty

    for part in parts:
        for body in part.decompose():
            waste += push(body)
            volume += body.volume()
    done: list[Manifold] = []
    while queue and -queue[0][0] > padding and len(queue) + len(done) < most_parts:
        if waste <= (ratio - 1.0) * volume:
            break
        _, _, empty, part = heapq.heappop(queue)
        halves = _best_cut(part, _directions(part) if directions is None else directions)
        if halves is None:
            done.append(part)
            continue
        waste += sum(push(half) for half in halves) - empty
    return done + [part for *_, part in sorted(queue, key=lambda item: item[:2])]


def fitted_hull(part: Manifold) -> Manifold:
    """A convex solid of nearly the part's volume: its hull, flattened along its thinnest direction where it is padded.

    The hull of a piece of curved wall is thicker than the wall by the rise of its arc. Flattened about the wall's
    middle it is a plate as thick as the wall, off by half of that rise at most.
    """
    hull = part.hull()
    inside, middle = _volume_and_middle(part)
    volume, centre = _volume_and_middle(hull)
    if inside > _FULL * volume:
        return hull
    mesh = hull.to_mesh64()
    points = np.asarray(mesh.vert_properties[:, :3], np.float64)
    corners = points[np.asarray(mesh.tri_verts)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    large = length > 0.02 * length.max()
    normals = normals[large] / length[large, None]
    thin = normals[np.ptp(points @ normals.T, axis=0).argmin()]
    share = min(max(_SURPLUS * inside / volume, _THINNEST), 1.0)
    return Manifold.hull_points(middle + (points - centre) @ (np.eye(3) + (share - 1.0) * np.outer(thin, thin)))


def _volume_and_middle(solid: Manifold) -> tuple[float, Float[Array, "3"]]:
    mesh = solid.to_mesh64()
    points = np.asarray(mesh.vert_properties[:, :3], np.float64)
    about = points.mean(axis=0)
    corners = points[np.asarray(mesh.tri_verts)] - about
    volumes = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6.0
    return float(volumes.sum()), about + volumes @ corners.sum(axis=1) / (4.0 * volumes.sum())


def _best_cut(part: Manifold, directions: Float[Array, "k 3"]) -> list[Manifold] | None:
    """The connected bodies on both sides of the plane that leaves the least empty space in their hulls."""
    points = np.asarray(part.to_mesh().vert_properties[:, :3], np.float64)
    best, chosen = part.hull().volume() * 0.999, None
    for normal in directions:
        heights = points @ normal
        low, high = float(heights.min()), float(heights.max())
        for place in _PLACES:
            above, below = part.split_by_plane((normal[0], normal[1], normal[2]), low + place * (high - low))
            if above.is_empty() or below.is_empty():
                continue
            left = above.hull().volume() + below.hull().volume()
            if left < best:
                best, chosen = left, (above, below)
    if chosen is None:
        return None
    return [body for half in chosen for body in half.decompose()]


def _directions(part: Manifold) -> Float[Array, "k 3"]:
    """The axes of the frame and the principal axes of the part's corners."""
    points = np.asarray(part.to_mesh().vert_properties[:, :3], np.float64)
    _, axes = np.linalg.eigh(np.cov(points.T))
    return np.concatenate([np.eye(3), axes.T])
