"""Which annotations of a dataset are asked for, decided from the small tables of the index without a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from yaff.errors import InputError
from yaff.grasp.batch import ReviewState
from yaff.store.columns import TYPES
from yaff.store.index import DatasetIndex

Array = np.ndarray


@dataclass(frozen=True)
class Filters:
    """What is asked of an annotation; None asks nothing."""

    split: str | None = None
    """A split of the source dataset: ``train``, ``val``, ``keyframe`` in YCB-Video."""
    types: Sequence[int] | None = None
    """Grasp types, Feix numbers."""
    objects: Sequence[str] | None = None
    """Names of objects."""
    scenes: Sequence[int] | None = None
    """Numbers of scenes."""
    min_epsilon: float | None = None
    """Least Ferrari-Canny epsilon."""
    max_penetration: float | None = None
    """Largest depth of skin inside the object, metres."""
    states: Sequence[int] | None = None
    """Review states, values of :class:`yaff.grasp.batch.ReviewState`."""
    min_visibility: float | None = None
    """Least share of the object that is seen, 0 to 1; needs a dataset that was projected with visibility."""

    @property
    def of_grasps(self) -> bool:
        """Whether something is asked of the grasp, not only of the instance."""
        return any(v is not None for v in (self.types, self.min_epsilon, self.max_penetration, self.states))


@dataclass(frozen=True)
class Ranks:
    """For each placement, which of its annotations are of the grasps asked for."""

    first: Int64[Array, "p1"]
    """Where the ranks of each placement begin, ``(p + 1,)``."""
    rank: Int64[Array, "r"]
    """Positions among all annotations of an instance of the placement, ascending."""


@dataclass(frozen=True)
class Selection:
    """Annotations that were asked for, numbered from 0."""

    instances: Int64[Array, "m"]
    """Rows of ``/instances`` over all shards that have such annotations, ascending."""
    start: Int64[Array, "m1"]
    """First position of each instance's annotations, ``(m + 1,)``."""
    ranks: Ranks | None = None
    """Which annotations of an instance; None for all."""

    def __len__(self) -> int:
        return int(self.start[-1])


def select(index: DatasetIndex, filters: Filters | None = None) -> Selection:
    """The annotations that the filters let pass.

    Raises:
        InputError: an unknown split, type, object, scene or state, naming those there are; visibility that the dataset
            does not hold.
    """
    filters = filters or Filters()
    ranks = _ranks(index, filters) if filters.of_grasps else None
    if ranks is None:
        counts = np.diff(index["instances/annotation_start"])
    else:
        counts = np.diff(ranks.first)[index["instances/placement"]]
    keep = counts > 0
    if filters.objects is not None:
        keep &= np.isin(index["instances/object_index"], _checked_objects(index, filters.objects))
    if filters.split is not None or filters.scenes is not None:
        keep &= np.repeat(_frames(index, filters.split, filters.scenes), np.diff(index["frames/instance_start"]))
    if filters.min_visibility is not None:
        keep &= _visibility(index) >= filters.min_visibility
    instances = np.flatnonzero(keep)
    return Selection(instances, np.concatenate([[0], np.cumsum(counts[instances])]).astype(np.int64), ranks)


def _checked_types(types: Sequence[int]) -> list[int]:
    if unknown := [t for t in types if not 1 <= t <= TYPES]:
        raise InputError(f"grasp types {unknown} do not exist", remedy="types are numbered 1 to 33")
    return sorted({int(t) for t in types})


def _checked_states(states: Sequence[int]) -> list[int]:
    known = {int(state): state.name for state in ReviewState}
    if unknown := [int(s) for s in states if int(s) not in known]:
        names = ", ".join(f"{number} {name.lower().replace('_', ' ')}" for number, name in known.items())
        raise InputError(f"review states {unknown} do not exist", remedy=f"there are {names}")
    return sorted({int(s) for s in states})


def _checked_objects(index: DatasetIndex, objects: Sequence[str]) -> list[int]:
    names = [objects] if isinstance(objects, str) else list(objects)
    if unknown := [name for name in names if name not in index.objects]:
        raise InputError(f"no objects {unknown} in this dataset", remedy=f"it has {', '.join(index.objects)}")
    return [index.objects[name] for name in names]


def _visibility(index: DatasetIndex) -> Array:
    if "instances/visibility" not in index:
        raise InputError(
            "this dataset does not say what is visible",
            where=index.path.parent,
            remedy="project again with --visibility",
        )
    return index["instances/visibility"]


def _frames(index: DatasetIndex, split: str | None, scenes: Sequence[int] | None) -> Bool[Array, "f"]:
    """The frames of a split and of some scenes."""
    keep = np.ones(len(index["frames/scene"]), bool)
    if split is not None:
        if split not in index.split_names:
            raise InputError(
                f"no split {split!r} in this dataset",
                where=index.path.parent,
                remedy=f"it has {', '.join(index.split_names) or 'none: it was built without image sets'}",
            )
        bit = np.uint32(index.split_names.index(split))
        keep &= (index["frames/splits"] >> bit & np.uint32(1)) == 1
    if scenes is not None:
        known = np.unique(index["frames/scene"]).tolist()
        if unknown := sorted(set(scenes) - set(known)):
            raise InputError(f"no scenes {unknown} in this dataset", remedy=f"it has {known}")
        keep &= np.isin(index["frames/scene"], list(scenes))
    return keep


def _ranks(index: DatasetIndex, filters: Filters) -> Ranks:
    keep = np.ones(len(index["grasps/grasp_type"]), bool)
    if filters.types is not None:
        keep &= np.isin(index["grasps/grasp_type"], _checked_types(filters.types))
    if filters.states is not None:
        keep &= np.isin(index["grasps/review_state"], _checked_states(filters.states))
    if filters.min_epsilon is not None:
        keep &= index["grasps/measures/epsilon"] >= filters.min_epsilon
    if filters.max_penetration is not None:
        keep &= index["grasps/measures/max_penetration"] <= filters.max_penetration
    start = index["placements/candidate_start"]
    placement = np.repeat(np.arange(len(start) - 1), np.diff(start))
    feasible = index["candidates/code"] == 0
    running = np.concatenate([[0], np.cumsum(feasible)])
    wanted = np.flatnonzero(feasible & keep[index["candidates/grasp"]])
    first = np.searchsorted(placement[wanted], np.arange(len(start)))
    return Ranks(first, running[wanted] - running[start[placement[wanted]]])
