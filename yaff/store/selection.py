"""Which annotations of a dataset are asked for, decided from the small tables of the index without a scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from yaff.errors import InputError
from yaff.store.columns import TYPES
from yaff.store.index import DatasetIndex
from yaff.store.shards import ShardReader

Array = np.ndarray


@dataclass(frozen=True)
class Selection:
    """Annotations that were asked for, numbered from 0: those of ``types`` in ``instances``."""

    instances: Int64[Array, "m"] | None
    """Rows of ``/instances`` over all shards, ascending; None for all."""
    start: Int64[Array, "m1"]
    """First position of each instance's annotations, ``(m + 1,)``."""
    types: tuple[int, ...] | None
    """Grasp types, ascending; None for all."""

    def __len__(self) -> int:
        return int(self.start[-1])


def select(
    index: DatasetIndex,
    split: str | None = None,
    types: Sequence[int] | None = None,
    objects: Sequence[str] | None = None,
    scenes: Sequence[int] | None = None,
) -> Selection:
    """The annotations of a split, of some types, objects and scenes; None means all of them.

    Raises:
        InputError: an unknown split, type, object or scene, naming those there are.
    """
    if split is None and types is None and objects is None and scenes is None:
        return Selection(None, index["shards/annotation_start"][[0, -1]], None)
    chosen_types = None if types is None else _checked_types(types)
    if chosen_types is None:
        counts = np.diff(index["instances/annotation_start"])
    else:
        columns = np.array(chosen_types, np.int64) - 1
        per_placement = index["placements/type_count"][:, columns].sum(axis=1, dtype=np.int64)
        counts = per_placement[index["instances/placement"]]
    keep = counts > 0
    if objects is not None:
        keep &= np.isin(index["instances/object_index"], _checked_objects(index, objects))
    if split is not None or scenes is not None:
        keep &= np.repeat(_frames(index, split, scenes), np.diff(index["frames/instance_start"]))
    instances = np.flatnonzero(keep)
    offsets = np.concatenate([[0], np.cumsum(counts[instances])]).astype(np.int64)
    return Selection(instances, offsets, chosen_types)


def _checked_types(types: Sequence[int]) -> tuple[int, ...]:
    if unknown := [t for t in types if not 1 <= t <= TYPES]:
        raise InputError(f"grasp types {unknown} do not exist", remedy="types are numbered 1 to 33")
    return tuple(sorted({int(t) for t in types}))


def _checked_objects(index: DatasetIndex, objects: Sequence[str]) -> list[int]:
    names = [objects] if isinstance(objects, str) else list(objects)
    if unknown := [name for name in names if name not in index.objects]:
        raise InputError(f"no objects {unknown} in this dataset", remedy=f"it has {', '.join(index.objects)}")
    return [index.objects[name] for name in names]


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


def typed_ranks(reader: ShardReader, types: tuple[int, ...]) -> tuple[Int64[Array, "p"], Int64[Array, "r"]]:
    """For each placement of a shard, which of its annotations are of these types.

    Returns:
        first: for each placement, where its ranks begin.
        ranks: positions among all annotations of an instance of the placement, ascending.
    """
    start = reader["placements/candidate_start"]
    placement = np.repeat(np.arange(len(start) - 1), np.diff(start))
    feasible = reader["candidates/code"] == 0
    running = np.concatenate([[0], np.cumsum(feasible)])
    kinds = reader["grasps/grasp_type"][reader["candidates/grasp"]]
    wanted = np.flatnonzero(feasible & np.isin(kinds, types))
    first = np.searchsorted(placement[wanted], np.arange(len(start) - 1))
    return first, running[wanted] - running[start[placement[wanted]]]
