"""Where an object can be held between two sides: pairs of opposing surface points and the thickness between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from yaff.objects import ObjectModel

Array = np.ndarray


@dataclass(frozen=True)
class OppositionPairs:
    """``m`` pairs of surface points that face away from each other, object frame, metres."""

    first: Float[Array, "m 3"]
    second: Float[Array, "m 3"]
    thickness: Float[Array, "m"]
    """Distance between the two points: what the hand has to span."""

    def __len__(self) -> int:
        return len(self.thickness)


def opposition_pairs(obj: ObjectModel, count: int, largest_angle: float, rng: np.random.Generator) -> OppositionPairs:
    """Pairs found by rays from surface points along a direction near their inward normal.

    Every exit of a ray counts, so that a mug is offered by its wall, by its handle and across its whole body.

    Args:
        obj: the object.
        count: surface points that rays start from.
        largest_angle: most angle between either surface normal and the axis of the pair, radians.
        rng: source of the choice of points and of the tilt of the rays.
    """
    rows = rng.choice(len(obj.surface_points), size=count, replace=count > len(obj.surface_points))
    origins = np.asarray(obj.surface_points, np.float64)[rows]
    normals = np.asarray(obj.surface_normals, np.float64)[rows]
    tilt = rng.normal(scale=0.5 * largest_angle / np.sqrt(2.0), size=(count, 3))
    directions = -normals + tilt - np.sum(tilt * normals, axis=1, keepdims=True) * normals
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits: Any = obj.solid.ray.intersects_id(  # three arrays when locations are asked for
        origins + 1e-4 * directions, directions, multiple_hits=True, return_locations=True
    )
    faces, rays = np.asarray(hits[0], np.intp), np.asarray(hits[1], np.intp)
    places = np.asarray(hits[2], np.float64).reshape(-1, 3)
    exit_cosine = np.sum(np.asarray(obj.solid.face_normals)[faces] * directions[rays], axis=1)
    entry_cosine = -np.sum(normals[rays] * directions[rays], axis=1)
    limit = np.cos(largest_angle)
    thickness = np.linalg.norm(places - origins[rays], axis=1)
    good = (exit_cosine > limit) & (entry_cosine > limit) & (thickness > 5e-4)
    # rays come back in no promised order
    order = np.lexsort((thickness[good], rays[good]))
    rays, places, thickness = rays[good][order], places[good][order], thickness[good][order]
    return OppositionPairs(first=origins[rays], second=places, thickness=thickness)
