"""The shapes of a dataset's objects as a network sees them: points, normals and symmetries, stacked over objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from yaff.errors import InputError
from yaff.objects import ObjectModel
from yaff.objects.surface import farthest_first

Array = np.ndarray

CLOUD_POINTS = 1024
"""Points kept of each surface."""
MOST_SYMMETRIES = 36


@dataclass(frozen=True, eq=False)
class ObjectClouds:
    """Surfaces of ``o`` objects, each in its own frame, metres. An object's *slot* is its row here."""

    names: tuple[str, ...]
    slot_of_index: Int64[Array, "256"]
    """Slot of an object's number in files; -1 where the object is not here."""
    points: Float32[Array, "o p 3"]
    """In the order of farthest-point sampling: the first few are spread as evenly as all of them."""
    normals: Float32[Array, "o p 3"]
    symmetries: Float32[Array, "o s 4 4"]
    """Rigid motions that leave the shape as it is, the identity first; the identity again where there are fewer."""
    symmetry_count: Int64[Array, "o"]

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def of(cls, models: Sequence[ObjectModel], count: int = CLOUD_POINTS) -> ObjectClouds:
        """The clouds of objects, in their order."""
        slots = np.full(256, -1, np.int64)
        points = np.zeros((len(models), count, 3), np.float32)
        normals = np.zeros_like(points)
        symmetries = np.tile(np.eye(4, dtype=np.float32), (len(models), MOST_SYMMETRIES, 1, 1))
        counts = np.ones(len(models), np.int64)
        for slot, model in enumerate(models):
            slots[model.index] = slot
            surface = np.asarray(model.surface_points)
            rows = np.resize(farthest_first(surface, min(count, len(surface))), count)
            points[slot], normals[slot] = surface[rows], np.asarray(model.surface_normals)[rows]
            motions = np.asarray(model.symmetries)[:MOST_SYMMETRIES]
            symmetries[slot, : len(motions)] = motions
            counts[slot] = len(motions)
        return cls(tuple(model.name for model in models), slots, points, normals, symmetries, counts)

    def slots(self, objects: Mapping[str, int]) -> None:
        """Check that every object of a dataset (number by name) is here.

        Raises:
            InputError: naming those that are missing.
        """
        if missing := sorted(set(objects) - set(self.names)):
            raise InputError(f"no shapes of {', '.join(missing)}", remedy="load every object of the dataset")
