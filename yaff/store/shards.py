"""Shards: the annotations of one scene in one HDF5 file that stands alone.

Written in pieces of bounded size; read through one memory map of the file, so that random access costs a page and
no HDF5 handle crosses a process boundary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float32, Int

from yaff.errors import FormatError, InputError
from yaff.scene.projection import compose_wrist_pairs
from yaff.store.atomic import atomic_file
from yaff.store.columns import GRASP_COLUMNS, SHARD_FORMAT, SHARD_GROUPS
from yaff.store.content import ShardContent
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.hdf5 import NewFile, create_column, create_file, dataset_of, group_of, open_file, plain, write_table
from yaff.store.layouts import LAYOUTS, Layout, Wrist, annotation_columns, layout_named
from yaff.store.schema import check_structure

Array = np.ndarray

CHUNK_ROWS = 1 << 16
"""Annotations written at a time: 13 MB of the full layout."""

_ATTRIBUTES = {"layout", "scene", "split_names", "objects", "hand", "inputs"}

REASONS = ("neighbour", "table", "unreachable")
"""Why a candidate is not feasible: codes 1, 2, 3."""


@dataclass(frozen=True)
class ShardRecord:
    """What the manifest says of one shard."""

    file: str
    scene: int
    bytes: int
    sha256: str
    inputs: str
    frames: int
    instances: int
    arrangements: int
    candidates: int
    grasps: int
    annotations: int
    infeasible: Mapping[str, int]
    """Candidates that did not become annotations, per arrangement and placement, by reason."""

    def document(self) -> dict[str, Any]:
        """The record as JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, path: Path | str) -> ShardRecord:
        """The record of a shard on disk; reads the whole file for its digest.

        Raises:
            MissingFileError, FormatError: as :meth:`ShardReader.open`.
        """
        reader = ShardReader.open(path, thorough=False)
        return cls.describe(reader, digest_file(reader.path))

    @classmethod
    def describe(cls, reader: ShardReader, sha256: str) -> ShardRecord:
        """The record of an open shard whose digest is known."""
        codes = reader["placements/code_count"].sum(axis=0, dtype=np.int64)
        return cls(
            file=reader.path.name,
            scene=reader.scene,
            bytes=reader.path.stat().st_size,
            sha256=sha256,
            inputs=reader.inputs,
            frames=len(reader["frames/frame"]),
            instances=len(reader["instances/object_index"]),
            arrangements=len(reader["arrangements/representative"]),
            candidates=len(reader["candidates/grasp"]),
            grasps=len(reader["grasps/grasp_type"]),
            annotations=len(reader),
            infeasible={reason: int(codes[code]) for code, reason in enumerate(REASONS, start=1)},
        )


def shard_name(scene: int) -> str:
    """The file name of a scene's shard."""
    return f"shard-{scene:05d}.h5"


def write_shard(path: Path | str, layout: str, content: ShardContent) -> None:
    """Write a shard, whole or not at all; the same content makes the same bytes.

    Args:
        path: where, by convention :func:`shard_name` in the dataset's folder.
        layout: ``compact``, ``wrist`` or ``full``.
        content: what it holds.

    Raises:
        InputError: an unknown layout, NaN, or numbers that do not fit their column.
        StorageError: the disk refused.
    """
    chosen = layout_named(layout)
    attributes = {
        "layout": chosen.name,
        "scene": int(content.table.scene),
        "split_names": canonical_json(list(content.splits)),
        "objects": canonical_json(dict(content.objects)),
        "hand": canonical_json(asdict(content.hand)),
        "inputs": content.inputs,
    }
    with atomic_file(path) as temporary, create_file(temporary, SHARD_FORMAT, attributes) as file:
        values = _table_values(content)
        for name, columns in SHARD_GROUPS.items():
            write_table(file.root.create_group(name), columns, values[name])
        _write_annotations(file, chosen, content)


def _table_values(content: ShardContent) -> dict[str, Mapping[str, Any]]:
    table = content.table
    splits = np.zeros(len(table), np.uint32)
    for bit, member in enumerate(content.splits.values()):
        splits |= np.asarray(member, bool).astype(np.uint32) << np.uint32(bit)
    instances: dict[str, Any] = {
        "object_index": table.object_index,
        "T_camera_object": table.Ts_camera_object,
        "placement": content.placement,
        "annotation_start": content.annotation_start,
    }
    if content.visibility is not None:
        instances["visibility"] = content.visibility
    return {
        "frames": {
            "scene": np.full(len(table), table.scene, np.int32),
            "frame": table.frames,
            "intrinsics": table.intrinsics,
            "arrangement": content.arrangement,
            "splits": splits,
            "instance_start": table.instance_start,
        },
        "instances": instances,
        "arrangements": {
            "representative": content.representative,
            "plane": content.plane,
            "plane_known": content.plane_known.astype(np.uint8),
        },
        "placements": {
            "arrangement": content.placement_arrangement,
            "object_index": content.placement_object,
            "candidate_start": content.candidate_start,
            "code_count": content.code_count,
            "type_count": content.type_count,
        },
        "candidates": {
            "grasp": content.candidate_grasp,
            "code": content.candidate_code,
            "clearance": content.candidate_clearance,
        },
        "grasps": content.grasps,
    }


def _write_annotations(file: NewFile, layout: Layout, content: ShardContent) -> None:
    group = file.root.create_group("annotations")
    start = content.annotation_start
    columns = {c.name: create_column(group, c, int(start[-1])) for c in annotation_columns(layout.name)}
    feasible_start = content.feasible_start
    feasible_grasp = content.candidate_grasp[content.feasible]
    poses, grasps = content.table.Ts_camera_object, content.grasps
    for first, last in _pieces(start):
        rows = slice(int(start[first]), int(start[last]))
        counts = np.diff(start[first : last + 1])
        instance = np.repeat(np.arange(last - first), counts)
        # row of the annotation within its placement's list, then in all lists
        within = np.arange(rows.start, rows.stop) - np.repeat(start[first:last], counts)
        grasp = feasible_grasp[np.repeat(feasible_start[content.placement[first:last]], counts) + within]

        def compose(piece: slice = slice(first, last), instance: Array = instance, grasp: Array = grasp) -> Wrist:
            return camera_wrist(poses[piece], instance, grasps, grasp)

        def pose(grasp: Array = grasp) -> Array:
            return grasps["pose"][grasp]

        columns["grasp"][rows] = grasp
        for name, values in layout.encode(compose, pose).items():
            columns[name][rows] = values.astype(np.float32, copy=False)
        file.check()


def _pieces(start: Array) -> Iterator[tuple[int, int]]:
    """Ranges of instances with at most CHUNK_ROWS annotations, or one instance where that has more."""
    first, count = 0, len(start) - 1
    while first < count:
        last = int(np.searchsorted(start, start[first] + CHUNK_ROWS, side="right")) - 1
        last = min(max(last, first + 1), count)
        if start[last] > start[first]:
            yield first, last
        first = last


def camera_wrist(poses: Array, instance: Array, grasps: Mapping[str, Array], grasp: Array) -> Wrist:
    """Wrist rotation and translation in the camera frame for pairs (row of ``poses``, row of ``grasps``).

    The root joint J0 depends on the hand's shape, so it is a column of the grasps: ``t' = Q (J0 + t) + q - J0`` is
    composed with the joint as translation and no root, and J0 taken off again.
    """
    root = np.asarray(grasps["root"], np.float64)
    joint = root + np.asarray(grasps["translation"], np.float64)
    rotation, moved = compose_wrist_pairs(poses, instance, grasps["wrist_rotation"], joint, grasp, np.zeros(3))
    return rotation, moved - root[grasp]


def _looks_right(file: h5py.File, attributes: Mapping[str, Any]) -> bool:
    """Whether datasets have the names, dtypes and shapes that the layout asks for."""
    if attributes.get("layout") not in LAYOUTS or not set(attributes) >= _ATTRIBUTES:
        return False
    groups = {**SHARD_GROUPS, "annotations": annotation_columns(attributes["layout"])}
    for name, columns in groups.items():
        for column in columns:
            data = file.get(f"{name}/{column.name}")
            if data is None and column.optional:
                continue
            if not isinstance(data, h5py.Dataset) or data.shape[1:] != column.shape or data.dtype != column.dtype:
                return False
    return True


class ShardReader:
    """One shard, its columns as arrays on a memory map: ``reader["instances/T_camera_object"]``.

    Everything it holds is picklable or reopened, so that it may cross to another process by fork or by spawn.
    """

    def __init__(self, path: Path, attributes: Mapping[str, Any], places: Mapping[str, tuple[Any, ...]]) -> None:
        self.path = path
        self.layout: Layout = layout_named(attributes["layout"])
        self.scene: int = attributes["scene"]
        self.inputs: str = attributes["inputs"]
        self.split_names: tuple[str, ...] = tuple(json.loads(attributes["split_names"]))
        self.objects: dict[str, int] = json.loads(attributes["objects"])
        self.hand: dict[str, str] = json.loads(attributes["hand"])
        self._attributes, self._places = attributes, places
        self._columns: dict[str, Array] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self._attributes, self._places)

    @classmethod
    def open(cls, path: Path | str, *, thorough: bool = True) -> ShardReader:
        """A shard on disk.

        Args:
            path: the file.
            thorough: whether to hold all of its structure against the schema. If not, names, dtypes and shapes of the
                datasets are compared, and the schema is asked only where they differ; a tenth of the time, for the
                shards of a dataset whose manifest and index have been checked.

        Raises:
            MissingFileError: there is no such file.
            FormatError: it is truncated, another kind of file, of another schema version, or its structure is not
                that of a shard, naming the dataset.
        """
        path = Path(path)
        places: dict[str, tuple[Any, ...]] = {}
        with open_file(path, SHARD_FORMAT) as file:
            attributes = {name: plain(value) for name, value in file.attrs.items()}
            if thorough or not _looks_right(file, attributes):
                check_structure(file, "shard")
            groups = {**SHARD_GROUPS, "annotations": annotation_columns(attributes["layout"])}
            for name, columns in groups.items():
                group = group_of(file, name)
                for column in columns:
                    if not column.optional or column.name in group:
                        data = dataset_of(group, column.name)
                        places[f"{name}/{column.name}"] = (data.id.get_offset(), data.dtype.str, data.shape)
        size = path.stat().st_size
        for name, (offset, dtype, shape) in places.items():
            if offset is not None and offset + np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64)) > size:
                raise FormatError("data beyond the end of the file", where=f"{path}:/{name}", remedy="copy it again")
        return cls(path, attributes, places)

    def __len__(self) -> int:
        return self._places["annotations/grasp"][2][0]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Array:
        """A column, read-only: ``GROUP/NAME`` as in the file."""
        if name not in self._columns:
            if name not in self._places:
                raise InputError(f"no column {name!r}", where=self.path, remedy=f"one of {', '.join(self._places)}")
            self._columns[name] = self._column(name)
        return self._columns[name]

    def _column(self, name: str) -> Array:
        offset, dtype, shape = self._places[name]
        if 0 in shape:
            return np.empty(shape, dtype)
        if offset is None:  # chunked or compressed by another program: slower, the same values
            with open_file(self.path, SHARD_FORMAT) as file:
                return dataset_of(file, name)[...]
        return np.ndarray(shape, dtype, buffer=self._map, offset=offset)

    @cached_property
    def _map(self) -> np.memmap:
        return np.memmap(self.path, np.uint8, "r")

    @cached_property
    def _stored(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.layout.columns)

    def instance_of(self, rows: Int[Array, "k"]) -> Int[Array, "k"]:
        """The instance of each annotation."""
        return np.searchsorted(self["instances/annotation_start"], rows, side="right") - 1

    def frame_row_of(self, instances: Int[Array, "k"]) -> Int[Array, "k"]:
        """The row of ``/frames`` of each instance."""
        return np.searchsorted(self["frames/instance_start"], instances, side="right") - 1

    def gather(self, rows: Int[Array, "k"]) -> dict[str, Array]:
        """What is stored for each of these annotations: of its frame, its instance, its grasp and itself."""
        rows = np.asarray(rows, np.int64)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise InputError(f"annotation {rows.max()} of {len(self)}", where=self.path)
        instance = self.instance_of(rows)
        frame = self.frame_row_of(instance)
        grasp = self["annotations/grasp"][rows]
        result = {
            "scene": self["frames/scene"][frame],
            "frame": self["frames/frame"][frame],
            "intrinsics": self["frames/intrinsics"][frame],
            "object_index": self["instances/object_index"][instance],
            "T_camera_object": self["instances/T_camera_object"][instance],
        }
        for name in ("grasp_type", "library_row", "pose", "shape", "root", "wrist_rotation", "translation"):
            result[f"grasp/{name}"] = self._grasps[name][grasp]
        for name in self._stored:
            result[f"stored/{name}"] = self[f"annotations/{name}"][rows]
        return result

    @cached_property
    def _grasps(self) -> dict[str, Array]:
        """The grasps in memory: a few hundred rows that every annotation refers to."""
        return {column.name: np.array(self[f"grasps/{column.name}"]) for column in GRASP_COLUMNS}

    def parameters(self, first: int = 0, last: int | None = None) -> Float32[Array, "k 51"]:
        """All 51 parameters, camera frame, of annotations ``first`` to ``last``: wrist rotation, pose, translation."""
        last = len(self) if last is None else last
        grasp = self["annotations/grasp"][first:last]
        stored = {name: self[f"annotations/{name}"][first:last] for name in self._stored}

        def compose() -> Wrist:
            start = self["instances/annotation_start"]
            begin, end = self.instance_of(np.array([first, last - 1])) if last > first else (0, -1)
            counts = np.diff(np.clip(start[begin : end + 2], first, last))
            poses = self["instances/T_camera_object"][begin : end + 1]
            return camera_wrist(poses, np.repeat(np.arange(end + 1 - begin), counts), self._grasps, grasp)

        return self.layout.parameters(stored, compose, lambda: self._grasps["pose"][grasp])
