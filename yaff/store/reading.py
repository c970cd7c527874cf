"""Reading a dataset of shards: selections without a scan, random access in batches, and an iterator without PyTorch.

Whatever the layout, an annotation is read as the same sample::

    scene, frame, object, object_index, grasp_type, library_row     what it is of
    intrinsics (3, 3)                                               pixels
    T_camera_object (4, 4), T_camera_hand (4, 4)                    metres
    wrist_rotation (3,), pose (45,), translation (3,)               MANO, camera frame: radians, radians, metres
    shape (10,)                                                     MANO
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int64

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.store.columns import TYPES
from yaff.store.index import INDEX_NAME, DatasetIndex
from yaff.store.layouts import LAYOUTS, Wrist
from yaff.store.manifest import Manifest
from yaff.store.shards import ShardReader, camera_wrist

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


class ShardSet:
    """A dataset on disk. Nothing but small tables is read until annotations are asked for; pickles as its path."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.manifest = Manifest.open(self.folder)
        self.index = DatasetIndex.open(self.folder / INDEX_NAME)
        if self.index.layout != self.manifest.layout or len(self) != self.manifest.totals["annotations"]:
            raise FormatError(
                f"{INDEX_NAME} and {self.manifest.path.name} are of different builds",
                where=self.folder,
                remedy="run the build again",
            )
        self._readers: dict[int, ShardReader] = {}

    @classmethod
    def open(cls, folder: Path | str) -> ShardSet:
        """A dataset on disk.

        Raises:
            MissingFileError: there is none, or its build has not ended.
            FormatError: manifest or index are truncated, of another schema version, or not as their schemas say.
        """
        return cls(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.folder,)

    def __len__(self) -> int:
        """Number of annotations."""
        return int(self._annotation_start[-1])

    @property
    def layout(self) -> str:
        return self.index.layout

    @property
    def objects(self) -> dict[str, int]:
        """Index of each object by name."""
        return self.index.objects

    @property
    def split_names(self) -> tuple[str, ...]:
        return self.index.split_names

    @cached_property
    def _annotation_start(self) -> Int64[Array, "s1"]:
        return self.index["shards/annotation_start"]

    @cached_property
    def _names(self) -> Array:
        """Object names by index."""
        names = np.full(256, "", dtype=f"U{max(map(len, self.objects), default=1)}")
        names[list(self.objects.values())] = list(self.objects)
        return names

    def reader(self, shard: int) -> ShardReader:
        """The reader of a shard, opened when first asked for.

        Raises:
            MissingFileError: the shard is not there.
            FormatError: it is truncated, or not the one the index was made of.
        """
        if shard not in self._readers:
            path = self.folder / self.index.files[shard]
            if not path.is_file():
                raise MissingFileError(
                    f"the manifest lists {path.name}, which is missing",
                    where=path,
                    remedy="copy it again, or run the build again",
                )
            reader = ShardReader.open(path)
            expected = int(self._annotation_start[shard + 1] - self._annotation_start[shard])
            if len(reader) != expected or reader.layout.name != self.layout:
                raise FormatError(
                    f"{len(reader)} annotations in layout {reader.layout.name}; the index says {expected} "
                    f"in layout {self.layout}",
                    where=path,
                    remedy="it is of another build: run the build again",
                )
            self._readers[shard] = reader
        return self._readers[shard]

    def select(
        self,
        split: str | None = None,
        types: Sequence[int] | None = None,
        objects: Sequence[str] | None = None,
        scenes: Sequence[int] | None = None,
    ) -> Selection:
        """The annotations of a split, of some types, objects and scenes; None means all of them.

        Decided from the small tables of the index; no annotation is read.

        Raises:
            InputError: an unknown split, type, object or scene, naming those there are.
        """
        start = self.index["instances/annotation_start"] if types is None else None
        if split is None and types is None and objects is None and scenes is None:
            return Selection(None, np.array([0, len(self)], np.int64), None)
        chosen_types = None if types is None else self._checked_types(types)
        if start is not None:
            counts = np.diff(start)
        else:
            columns = np.array(chosen_types, np.int64) - 1
            per_placement = self.index["placements/type_count"][:, columns].sum(axis=1, dtype=np.int64)
            counts = per_placement[self.index["instances/placement"]]
        keep = counts > 0
        if objects is not None:
            keep &= np.isin(self.index["instances/object_index"], self._checked_objects(objects))
        if split is not None or scenes is not None:
            keep &= np.repeat(self._frames_of(split, scenes), np.diff(self.index["frames/instance_start"]))
        instances = np.flatnonzero(keep)
        offsets = np.concatenate([[0], np.cumsum(counts[instances])]).astype(np.int64)
        return Selection(instances, offsets, chosen_types)

    def _checked_types(self, types: Sequence[int]) -> tuple[int, ...]:
        if unknown := [t for t in types if not 1 <= t <= TYPES]:
            raise InputError(f"grasp types {unknown} do not exist", remedy="types are numbered 1 to 33")
        return tuple(sorted({int(t) for t in types}))

    def _checked_objects(self, objects: Sequence[str]) -> list[int]:
        if isinstance(objects, str):
            objects = [objects]
        if unknown := [name for name in objects if name not in self.objects]:
            raise InputError(f"no objects {unknown} in this dataset", remedy=f"it has {', '.join(self.objects)}")
        return [self.objects[name] for name in objects]

    def _frames_of(self, split: str | None, scenes: Sequence[int] | None) -> Array:
        keep = np.ones(len(self.index["frames/scene"]), bool)
        if split is not None:
            if split not in self.split_names:
                raise InputError(
                    f"no split {split!r} in this dataset",
                    where=self.folder,
                    remedy=f"it has {', '.join(self.split_names) or 'none: it was built without image sets'}",
                )
            keep &= (self.index["frames/splits"] >> np.uint32(self.split_names.index(split)) & np.uint32(1)) == 1
        if scenes is not None:
            if unknown := sorted(set(scenes) - set(self.index["frames/scene"].tolist())):
                raise InputError(f"no scenes {unknown} in this dataset", where=self.folder)
            keep &= np.isin(self.index["frames/scene"], list(scenes))
        return keep

    def rows(self, selection: Selection, positions: Int[Array, "k"]) -> Int64[Array, "k"]:
        """Annotation rows over all shards of these positions of a selection.

        Raises:
            InputError: a position out of range.
        """
        positions = np.asarray(positions, np.int64)
        if len(positions) and (positions.min() < 0 or positions.max() >= len(selection)):
            raise InputError(f"position {positions.max()} of {len(selection)}", where=self.folder)
        if selection.instances is None:
            return positions
        place = np.searchsorted(selection.start, positions, side="right") - 1
        instance, within = selection.instances[place], positions - selection.start[place]
        if selection.types is not None:
            within = self._ranks_within(selection.types, self.index["instances/placement"][instance], within)
        return self.index["instances/annotation_start"][instance] + within

    def _ranks_within(self, types: tuple[int, ...], placement: Array, within: Array) -> Array:
        """Position, among all annotations of an instance, of its ``within``-th of these types."""
        starts = self.index["shards/placement_start"]
        shard = np.searchsorted(starts, placement, side="right") - 1
        result = np.empty_like(within)
        for k in np.unique(shard).tolist():
            here = shard == k
            first, ranks = self._typed_ranks(k, types)
            result[here] = ranks[first[placement[here] - starts[k]] + within[here]]
        return result

    def _typed_ranks(self, shard: int, types: tuple[int, ...]) -> tuple[Array, Array]:
        key = (shard, types)
        if key not in self._ranks:
            reader = self.reader(shard)
            start = reader["placements/candidate_start"]
            placement = np.repeat(np.arange(len(start) - 1), np.diff(start))
            feasible = reader["candidates/code"] == 0
            running = np.cumsum(feasible) - 1
            before = np.concatenate([[0], np.cumsum(feasible)])[start[:-1]]
            kinds = reader["grasps/grasp_type"][reader["candidates/grasp"]]
            wanted = np.flatnonzero(feasible & np.isin(kinds, types))
            first = np.searchsorted(placement[wanted], np.arange(len(start) - 1))
            self._ranks[key] = first, (running[wanted] - before[placement[wanted]])
        return self._ranks[key]

    @cached_property
    def _ranks(self) -> dict[tuple[int, tuple[int, ...]], tuple[Array, Array]]:
        return {}

    def batch(self, rows: Int[Array, "k"]) -> dict[str, Array]:
        """Samples of annotation rows over all shards, stacked, in the order of ``rows``; see the head of this page.

        Transforms are float64, the hand's parameters float32.

        Raises:
            InputError: a row out of range.
            MissingFileError, FormatError: a shard that is missing, truncated, or of another build.
        """
        rows = np.asarray(rows, np.int64)
        outside = rows[(rows < 0) | (rows >= len(self))]
        if len(outside):
            raise InputError(f"annotation {outside[0]} of {len(self)}", where=self.folder)
        shard = np.searchsorted(self._annotation_start, rows, side="right") - 1
        used = np.unique(shard).tolist()
        if len(used) == 1:
            raw = self.reader(used[0]).gather(rows - self._annotation_start[used[0]])
        else:
            order = np.argsort(shard, kind="stable")
            parts = [self.reader(k).gather(rows[shard == k] - self._annotation_start[k]) for k in used]
            raw = _scattered(parts, order) if parts else _nothing(self)
        return self._finish(raw)

    def _finish(self, raw: Mapping[str, Array]) -> dict[str, Array]:
        stored = {name.removeprefix("stored/"): v for name, v in raw.items() if name.startswith("stored/")}
        grasps = {name.removeprefix("grasp/"): v for name, v in raw.items() if name.startswith("grasp/")}

        def compose() -> Wrist:
            every = np.arange(len(raw["scene"]))
            return camera_wrist(raw["T_camera_object"], every, grasps, every)

        rotation, translation = LAYOUTS[self.layout].decode(stored, compose)
        hand = make_transform(rotation_from_axis_angle(rotation), grasps["root"] + translation)
        return {
            "scene": raw["scene"],
            "frame": raw["frame"],
            "object": self._names[raw["object_index"]],
            "object_index": raw["object_index"],
            "grasp_type": grasps["grasp_type"],
            "library_row": grasps["library_row"],
            "intrinsics": raw["intrinsics"],
            "T_camera_object": raw["T_camera_object"],
            "T_camera_hand": hand,
            "wrist_rotation": np.ascontiguousarray(rotation),
            "pose": grasps["pose"],
            "translation": np.ascontiguousarray(translation),
            "shape": grasps["shape"],
        }

    def sample(self, row: int) -> dict[str, Any]:
        """One annotation: as :meth:`batch`, without the leading dimension; scalars are Python's."""
        return unstacked(self.batch(np.array([row])), 0)

    def parameters(self, first: int = 0, last: int | None = None) -> Float32[Array, "k 51"]:
        """All 51 parameters, camera frame, of consecutive annotations: wrist rotation, pose, translation.

        Memory is 204 bytes an annotation: ask for pieces.
        """
        last = len(self) if last is None else last
        if not 0 <= first <= last <= len(self):
            raise InputError(f"annotations {first} to {last} of {len(self)}", where=self.folder)
        start = self._annotation_start
        parts = []
        for k in range(len(start) - 1):
            begin, end = max(first, int(start[k])), min(last, int(start[k + 1]))
            if begin < end:
                parts.append(self.reader(k).parameters(begin - int(start[k]), end - int(start[k])))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([np.empty((0, 51), np.float32), *parts])


def _scattered(parts: Sequence[Mapping[str, Array]], order: Array) -> dict[str, Array]:
    """Parts in the order of their shards, brought back into the order asked for."""
    result = {}
    for name in parts[0]:
        joined = np.concatenate([part[name] for part in parts])
        values = np.empty_like(joined)
        values[order] = joined
        result[name] = values
    return result


def _nothing(shards: ShardSet) -> Mapping[str, Array]:
    return shards.reader(0).gather(np.zeros(0, np.int64))


def unstacked(batch: Mapping[str, Array], row: int) -> dict[str, Any]:
    """One sample of a batch; scalars are Python's."""
    return {name: v[row].item() if v.ndim == 1 else v[row] for name, v in batch.items()}


def iterate(
    folder: Path | str,
    batch_size: int = 1024,
    *,
    split: str | None = None,
    types: Sequence[int] | None = None,
    objects: Sequence[str] | None = None,
    generator: np.random.Generator | None = None,
) -> Iterator[dict[str, Array]]:
    """Batches of samples as NumPy arrays, without PyTorch; in the order of the files, or shuffled.

    Args:
        folder: the dataset.
        batch_size: annotations in a batch; the last one may be smaller.
        split, types, objects: as :meth:`ShardSet.select`.
        generator: shuffles the annotations when given.
    """
    shards = ShardSet.open(folder)
    selection = shards.select(split, types, objects)
    order = None if generator is None else generator.permutation(len(selection))
    for first in range(0, len(selection), batch_size):
        positions = np.arange(first, min(first + batch_size, len(selection)))
        yield shards.batch(shards.rows(selection, positions if order is None else order[positions]))
