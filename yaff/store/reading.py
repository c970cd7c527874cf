"""Reading a dataset of shards: selections without a scan, random access in batches, and an iterator without PyTorch.

Whatever the layout, an annotation is read as the same sample::

    scene, frame, object, object_index, grasp_type, library_row     what it is of
    intrinsics (3, 3)                                               pixels
    T_camera_object (4, 4), T_camera_hand (4, 4)                    metres
    wrist_rotation (3,), pose (45,), translation (3,)               MANO, camera frame: radians, radians, metres
    shape (10,)                                                     MANO
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int, Int64, Shaped

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.store.columns import GRASP_COLUMNS
from yaff.store.index import INDEX_NAME, DatasetIndex
from yaff.store.layouts import LAYOUTS, Wrist
from yaff.store.manifest import Manifest
from yaff.store.selection import Filters, Selection, select
from yaff.store.shards import ShardReader, camera_wrist

Array = np.ndarray

_GRASP_COLUMNS = {"grasp_type", "library_row", "pose", "shape", "root", "wrist_rotation", "translation"}
"""What a sample needs of its grasp."""


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
        """Name of the layout of all shards; samples are the same in all."""
        return self.index.layout

    @property
    def objects(self) -> dict[str, int]:
        """Index of each object by name."""
        return self.index.objects

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that selections may ask for, in the order of their bits in ``/frames/splits``."""
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
            reader = ShardReader.open(path, thorough=False)
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

    def select(self, filters: Filters | None = None, **asked: Any) -> Selection:
        """The annotations that are asked for, by :class:`Filters` or by its fields as keywords.

        Decided from the small tables of the index; no shard is opened.

        Raises:
            InputError: an unknown split, type, object, scene or state, naming those there are; visibility that the
                dataset does not hold.
        """
        return select(self.index, replace(filters or Filters(), **asked))

    def rows(self, selection: Selection, positions: Int[Array, "k"]) -> Int64[Array, "k"]:
        """Annotation rows over all shards of these positions of a selection.

        Raises:
            InputError: a position out of range.
        """
        positions = np.asarray(positions, np.int64)
        if len(positions) and (positions.min() < 0 or positions.max() >= len(selection)):
            raise InputError(f"position {positions.max()} of {len(selection)}", where=self.folder)
        place = np.searchsorted(selection.start, positions, side="right") - 1
        instance, within = selection.instances[place], positions - selection.start[place]
        if selection.ranks is not None:
            first = selection.ranks.first[self.index["instances/placement"][instance]]
            within = selection.ranks.rank[first + within]
        return self.index["instances/annotation_start"][instance] + within

    def batch(self, rows: Int[Array, "k"]) -> dict[str, Shaped[Array, "k ..."]]:
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
        instance = np.searchsorted(self.index["instances/annotation_start"], rows, side="right") - 1
        frame = np.searchsorted(self.index["frames/instance_start"], instance, side="right") - 1
        n = len(rows)
        poses, intrinsics = np.empty((n, 4, 4)), np.empty((n, 3, 3))
        grasp = np.empty(n, np.int64)
        columns = LAYOUTS[self.layout].columns
        stored = {column.name: np.empty((n, *column.shape), column.dtype) for column in columns}
        shard = np.searchsorted(self._annotation_start, rows, side="right") - 1
        order = np.argsort(shard, kind="stable")
        used, begin = np.unique(shard[order], return_index=True)
        for k, first, last in zip(used.tolist(), begin, [*begin[1:], n], strict=bool(n)):
            here = order[first:last]
            reader, local = self.reader(k), rows[here] - self._annotation_start[k]
            grasp[here] = reader["annotations/grasp"][local] + self._grasp_start[k]
            first_instance, first_frame = self._first_rows[k]
            poses[here] = reader["instances/T_camera_object"][instance[here] - first_instance]
            intrinsics[here] = reader["frames/intrinsics"][frame[here] - first_frame]
            for name, values in stored.items():
                values[here] = reader[f"annotations/{name}"][local]
            self._load_grasps(k)
        grasps = {name: values[grasp] for name, values in self._grasps.items()}

        def compose() -> Wrist:
            return camera_wrist(poses, np.arange(n), grasps, np.arange(n))

        rotation, translation = LAYOUTS[self.layout].decode(stored, compose)
        objects = self.index["instances/object_index"][instance]
        return {
            "scene": self.index["frames/scene"][frame],
            "frame": self.index["frames/frame"][frame],
            "object": self._names[objects],
            "object_index": objects,
            "grasp_type": grasps["grasp_type"],
            "library_row": grasps["library_row"],
            "intrinsics": intrinsics,
            "T_camera_object": poses,
            "T_camera_hand": make_transform(rotation_from_axis_angle(rotation), grasps["root"] + translation),
            "wrist_rotation": np.ascontiguousarray(rotation),
            "pose": grasps["pose"],
            "translation": np.ascontiguousarray(translation),
            "shape": grasps["shape"],
        }

    @cached_property
    def _grasp_start(self) -> Int64[Array, "s1"]:
        return self.index["shards/grasp_start"]

    @cached_property
    def _first_rows(self) -> list[tuple[int, int]]:
        """First instance and first frame of each shard."""
        starts = (self.index[f"shards/{name}_start"].tolist() for name in ("instance", "frame"))
        return list(zip(*starts, strict=True))

    @cached_property
    def _grasps(self) -> dict[str, Array]:
        """The grasps of all shards; those of a shard are filled in when it is first read."""
        wanted = {column.name: column for column in GRASP_COLUMNS if column.name in _GRASP_COLUMNS}
        total = int(self._grasp_start[-1])
        return {name: np.zeros((total, *c.shape), c.dtype) for name, c in wanted.items()}

    @cached_property
    def _loaded(self) -> set[int]:
        return set()

    def _load_grasps(self, shard: int) -> None:
        if shard not in self._loaded:
            rows = slice(int(self._grasp_start[shard]), int(self._grasp_start[shard + 1]))
            for name, values in self._grasps.items():
                values[rows] = self.reader(shard)[f"grasps/{name}"]
            self._loaded.add(shard)

    def sample(self, row: int) -> dict[str, Any]:
        """One annotation: as :meth:`batch`, without the leading dimension; scalars are Python's."""
        return unstacked(self.batch(np.array([row])), 0)

    def parameters(self, first: int = 0, last: int | None = None) -> Float32[Array, "k 51"]:
        """All 51 parameters, camera frame, of consecutive annotations: wrist rotation, pose, translation.

        Memory is 204 bytes an annotation: ask for pieces.

        Raises:
            InputError: no such range of annotations.
            MissingFileError, FormatError: a shard that is missing, truncated, or of another build.
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


def unstacked(batch: Mapping[str, Shaped[Array, "k ..."]], row: int) -> dict[str, Any]:
    """One sample of a batch; scalars are Python's."""
    return {name: v[row].item() if v.ndim == 1 else v[row] for name, v in batch.items()}


def iterate(
    folder: Path | str,
    batch_size: int = 1024,
    *,
    generator: np.random.Generator | None = None,
    **asked: Any,
) -> Iterator[dict[str, Shaped[Array, "_ ..."]]]:
    """Batches of samples as NumPy arrays, without PyTorch; in the order of the files, or shuffled.

    Args:
        folder: the dataset.
        batch_size: annotations in a batch; the last one may be smaller.
        generator: shuffles the annotations when given.
        asked: fields of :class:`~yaff.store.selection.Filters`: split, types, objects, scenes, min_epsilon, ...

    Raises:
        InputError: a filter that the dataset does not know, naming those it does.
        MissingFileError, FormatError: no dataset, or one that is truncated or of another build.
    """
    shards = ShardSet.open(folder)
    selection = shards.select(**asked)
    order = None if generator is None else generator.permutation(len(selection))
    for first in range(0, len(selection), batch_size):
        positions = np.arange(first, min(first + batch_size, len(selection)))
        yield shards.batch(shards.rows(selection, positions if order is None else order[positions]))
