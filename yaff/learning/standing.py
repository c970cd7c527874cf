"""How recorded objects stand on their tables, and objects set down like that, without a simulation.

People set most things upright, which hardly any drop ends in; and measured poses have objects some millimetres in the
table or over it and some degrees off the face they rest on, which for flat ones decides what a finger can get under.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from scipy.spatial import ConvexHull

from yaff.geometry.transforms import make_transform
from yaff.learning.instances import InstanceTable
from yaff.objects import ObjectModel

Array = np.ndarray

STANDING = 0.01
"""An object whose lowest point is nearer to the table than this stands on it, metres."""
LEANING = np.radians(12.0)
"""What stands on a table but farther from every face on which it can rest leans on something, radians."""
WITHIN = 0.16
"""Metres round the middle of the table within which objects are set down."""
APART = 0.002
"""Metres between what objects cover of the table."""
TRIES = 30
"""Places that are tried for an object before it is left out."""


@dataclass(frozen=True, eq=False)
class Standings:
    """How ``s`` recorded objects stand."""

    object_index: Int64[Array, "s"]
    up: Float64[Array, "s 3"]
    """Normal of the table, frame of the object."""
    height: Float64[Array, "s"]
    """Of the lowest point over the table (metres; negative: in it)."""
    tilt: Float64[Array, "s"]
    """Angle to the nearest face on which the object can rest, radians."""

    @classmethod
    def of(cls, table: InstanceTable, models: Sequence[ObjectModel]) -> Standings:
        """Of every placement of the table's rows whose plane is known and that stands on it."""
        by_index = {model.index: model for model in models}
        placements, first = np.unique(table.placement[table.rows], return_index=True)
        index = table.object_index[table.rows[first]]
        known = table.plane_known[placements] & np.isin(index, list(by_index))
        placements, index = placements[known], index[known]
        planes = table.plane[placements]
        height = np.zeros(len(index))
        tilt = np.zeros(len(index))
        for k, (plane, number) in enumerate(zip(planes, index.tolist(), strict=True)):
            model = by_index[number]
            height[k] = (np.asarray(model.solid.vertices) @ plane[:3]).min() + plane[3]
            tilt[k] = np.arccos(np.clip(model.tables[:, :3] @ plane[:3], -1.0, 1.0)).min()
        stands = np.abs(height) < STANDING
        return cls(index[stands].astype(np.int64), planes[stands, :3], height[stands], tilt[stands])

    def draw(self, model: ObjectModel, rng: np.random.Generator) -> tuple[Float64[Array, "3"], float]:
        """Up in the frame of an object, and how far its lowest point is over the table.

        Half of them are as one that was recorded of the object, half on any face, tilted and sunk as any that was
        recorded; level and on the table where nothing was.
        """
        own = np.flatnonzero(self.object_index == model.index)
        if len(own) and rng.uniform() < 0.5:
            k = int(rng.choice(own))
            return self.up[k], float(self.height[k])
        up = rng.choice(model.tables)[:3]
        level = np.flatnonzero(self.tilt < LEANING)
        if not len(level):
            return up, 0.0
        k = int(rng.choice(level))
        side = _sideways(up, rng)
        return np.cos(self.tilt[k]) * up + np.sin(self.tilt[k]) * side, float(self.height[k])


def set_down(
    models: Sequence[ObjectModel], standings: Standings, rng: np.random.Generator
) -> tuple[Int64[Array, "k"], Float64[Array, "k 4 4"]]:
    """Objects beside each other on z = 0, as recorded ones stand.

    What finds no room is left out.

    Args:
        models: the objects, in the order in which they are set down.
        standings: how recorded ones stand.
        rng: decides.

    Returns:
        Places in ``models`` of those that are there, and their poses ``Ts_world_object``, metres.
    """
    kept: list[int] = []
    poses: list[Float64[Array, "4 4"]] = []
    covered: list[Float64[Array, "_ 2"]] = []
    for place, model in enumerate(models):
        hull = np.asarray(model.solid.convex_hull.vertices, np.float64)
        for _ in range(TRIES):
            up, height = standings.draw(model, rng)
            side = _sideways(up, rng)
            rotation = np.stack([side, np.cross(up, side), up])
            angle, radius = rng.uniform(0.0, 2.0 * np.pi), WITHIN * np.sqrt(rng.uniform())
            turned = hull @ rotation.T
            middle = rotation @ model.centre_of_mass
            lift = height - turned[:, 2].min()
            origin = np.array([radius * np.cos(angle) - middle[0], radius * np.sin(angle) - middle[1], lift])
            outline = turned[ConvexHull(turned[:, :2]).vertices, :2] + origin[:2]
            if all(separate(outline, other, APART) for other in covered):
                kept.append(place)
                poses.append(make_transform(rotation, origin))
                covered.append(outline)
                break
    return np.array(kept, np.int64), np.stack(poses)


def separate(one: Float[Array, "n 2"], other: Float[Array, "m 2"], gap: float) -> bool:
    """Whether a side of one of two convex outlines (corners in order) has the other beyond it by more than a gap."""
    for corners in (one, other):
        along = np.roll(corners, -1, axis=0) - corners
        normals = np.stack([along[:, 1], -along[:, 0]]) / np.linalg.norm(along, axis=1)
        a, b = one @ normals, other @ normals
        if ((a.min(0) > b.max(0) + gap) | (b.min(0) > a.max(0) + gap)).any():
            return True
    return False


def _sideways(up: Float64[Array, "3"], rng: np.random.Generator) -> Float64[Array, "3"]:
    """A random unit vector across another."""
    side = np.cross(up, rng.normal(size=3))
    return side / np.linalg.norm(side)
