"""Points in balls, so that the nearest of them to a solid is found without looking at most of them.

A signed distance changes by no more than the way walked, so its value at the middle of a ball bounds its values at all
points inside. Only balls that may hold a point below the limit asked for, and below what another ball is sure to hold,
are opened. What is skipped is known not to matter: the answer is that of looking at every point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer

Array = np.ndarray

PointDistance = Callable[[Float[Array, "k 3"]], Float[Array, "k"]]
"""Distance of ``k`` points to something, metres."""

_GROWTH = float(np.sqrt(2.0))
"""How much faster than the way walked a distance may grow where a grid continues it beyond its box: along the box by
the distance inside it, and away from the box by the distance to it."""


def spread_points(points: Float[Array, "v 3"], count: int) -> Int64[Array, "c"]:
    """Indices of points spread evenly, by farthest-point sampling from point 0; sorted."""
    chosen = np.zeros(min(count, len(points)), np.int64)
    distance = np.full(len(points), np.inf)
    for k in range(1, len(chosen)):
        distance = np.minimum(distance, np.sum((points - points[chosen[k - 1]]) ** 2, axis=1))
        chosen[k] = distance.argmax()
    return np.sort(chosen)


def balls(points: Float[Array, "v 3"], count: int) -> Int64[Array, "c w"]:
    """Points in ``count`` sets of neighbours: indices, each set filled up to the largest with its own first member."""
    middles = points[spread_points(points, count)]
    owner = ((points[:, None] - middles[None]) ** 2).sum(-1).argmin(1)
    sets = [np.flatnonzero(owner == k) for k in range(len(middles))]
    sets = [members for members in sets if len(members)]
    width = max(map(len, sets))
    return np.stack([np.concatenate([m, np.full(width - len(m), m[0])]) for m in sets])


@dataclass(frozen=True)
class BallCover:
    """``n`` clouds of ``v`` points each, and the sets that balls are laid round; one frame, metres."""

    points: Float64[Array, "n v 3"]
    """The clouds, all in the same order of points, so that one set of members serves them all."""
    members: Int64[Array, "c w"]
    """Indices of the points of each ball; see :func:`balls`."""

    @cached_property
    def centre(self) -> Float64[Array, "n c 3"]:
        """Middles of the balls."""
        return self.points[:, self.members].mean(axis=2)

    @cached_property
    def radius(self) -> Float64[Array, "n c"]:
        """Radii of the balls."""
        reach = self.points[:, self.members] - self.centre[:, :, None]
        return np.sqrt(np.einsum("ncwi,ncwi->ncw", reach, reach).max(axis=2))

    @cached_property
    def outer_centre(self) -> Float64[Array, "n 3"]:
        """Middle of a ball round each whole cloud."""
        return self.centre.mean(axis=1)

    @cached_property
    def outer_radius(self) -> Float64[Array, "n"]:
        """Radius of a ball round each whole cloud."""
        way = self.centre - self.outer_centre[:, None]
        return (np.sqrt(np.einsum("nci,nci->nc", way, way)) + self.radius).max(axis=1)

    def nearest(
        self,
        rows: Integer[Array, "r"],
        limit: Float[Array, "r"],
        box_distance: PointDistance,
        distance: PointDistance,
        spacing: float,
    ) -> Float64[Array, "r"]:
        """Least distance of each of these clouds to a solid, where it is below ``limit``; elsewhere anything above.

        Args:
            rows: clouds.
            limit: metres; one for each row.
            box_distance: distance of points (k, 3) to a box round the solid: never more than that to the solid.
            distance: signed distance of points (k, 3) to the solid.
            spacing: of the grid that ``distance`` interpolates, which errs by less than this.
        """
        result = np.full(len(rows), np.inf)
        reach = limit + spacing
        near = np.flatnonzero(box_distance(self.outer_centre[rows]) - self.outer_radius[rows] <= reach)
        if not len(near):
            return result
        centre, radius = self.centre[rows[near]], self.radius[rows[near]]
        gap = box_distance(centre.reshape(-1, 3)).reshape(radius.shape) - radius
        first, ball = np.nonzero(gap <= reach[near, None])
        if not len(first):
            return result
        at_centre, slack = distance(centre[first, ball]), _GROWTH * radius[first, ball] + 2.0 * spacing
        bound = limit[near].astype(np.float64)
        np.minimum.at(bound, first, at_centre + slack)
        opened = at_centre - slack <= bound[first]
        first, ball = first[opened], ball[opened]
        if not len(first):
            return result
        points = self.points[rows[near[first]][:, None], self.members[ball]]
        lowest = distance(points.reshape(-1, 3)).reshape(len(first), -1).min(axis=1)
        cloud, start = np.unique(first, return_index=True)  # `first` ascends
        result[near[cloud]] = np.minimum.reduceat(lowest, start)
        return result
