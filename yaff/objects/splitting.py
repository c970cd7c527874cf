"""Dividing a solid by planes until its parts are nearly convex, by volume.

CoACD stops when no part is deeper than a threshold, which for a thin curved wall still leaves parts several times
thicker than the wall. Here the part whose hull holds the most empty space is cut by the plane that frees most of it,
again and again, until the hulls together hold hardly more than the solid.
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


def split_to_ratio(parts: Sequence[Manifold], ratio: float, most_parts: int) -> list[Manifold]:
    """Parts cut further until their hulls together have at most ``ratio`` times their volume, or are ``most_parts``.

    Args:
        parts: solids that do not overlap.
        ratio: of the sum of the hulls' volumes to the sum of the parts'.
        most_parts: no more parts than this.
    """
    whole = sum(part.volume() for part in parts)
    queue: list[tuple[float, int, Manifold]] = []
    serial = 0

    def push(part: Manifold) -> float:
        nonlocal serial
        volume = part.volume()
        if volume < _CRUMB * whole:
            return 0.0
        waste = part.hull().volume() - volume
        heapq.heappush(queue, (-waste, serial, part))
        serial += 1
        return waste

    waste = 0.0
    for part in parts:
        for body in part.decompose():
            waste += push(body)
    done: list[Manifold] = []
    while queue and waste > (ratio - 1.0) * whole and len(queue) + len(done) < most_parts:
        negative, _, part = heapq.heappop(queue)
        halves = _best_cut(part)
        if halves is None:
            done.append(part)
            continue
        waste += negative
        for half in halves:
            waste += push(half)
    return done + [part for _, _, part in sorted(queue)]


def _best_cut(part: Manifold) -> list[Manifold] | None:
    """The connected bodies on both sides of the plane that leaves the least empty space in their hulls."""
    points = np.asarray(part.to_mesh().vert_properties[:, :3], np.float64)
    best, chosen = part.hull().volume() * 0.999, None
    for normal in _directions(points):
        heights = points @ normal
        low, high = float(heights.min()), float(heights.max())
        for place in _PLACES:
            above, below = part.split_by_plane(tuple(normal), low + place * (high - low))
            if above.is_empty() or below.is_empty():
                continue
            left = above.hull().volume() + below.hull().volume()
            if left < best:
                best, chosen = left, (above, below)
    if chosen is None:
        return None
    return [body for half in chosen for body in half.decompose()]


def _directions(points: Float[Array, "n 3"]) -> Float[Array, "k 3"]:
    """The axes of the frame and the principal axes of the points."""
    _, axes = np.linalg.eigh(np.cov(points.T))
    return np.concatenate([np.eye(3), axes.T])
