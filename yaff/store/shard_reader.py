"""Reading one shard, in any layout, through a memory map of the file.

Random access costs a page, and no HDF5 handle stays open or crosses a process boundary.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Float32, Int, Integer, Shaped

from yaff.errors import FormatError, InputError
from yaff.scene.projection import compose_wrist_pairs
from yaff.store.columns import GRASP_COLUMNS, SHARD_FORMAT, SHARD_GROUPS, Column
from yaff.store.hdf5 import dataset_of, open_file, plain
from yaff.store.layouts import LAYOUTS, Layout, Wrist, annotation_columns, layout_named
from yaff.store.schema import check_structure

Array = np.ndarray

_ATTRIBUTES = {"layout", "scene", "split_names", "objects", "hand", "inputs"}


def camera_wrist(
    poses: Float[Array, "i 4 4"],
    instance: Integer[Array, "k"],
    grasps: Mapping[str, Shaped[Array, "g ..."]],
    grasp: Integer[Array, "k"],
) -> Wrist:
    """Wrist rotation and translation in the camera frame for pairs (row of ``poses``, row of ``grasps``).

    The root joint J0 depends on the hand's shape, so it is a column of the grasps: ``t' = Q (J0 + t) + q - J0`` is
    composed with the joint as translation and no root, and J0 taken off again.

    Args:
        poses: ``T_camera_object``, metres.
        instance: row of ``poses`` for each pair.
        grasps: at least the columns ``root``, ``wrist_rotation`` and ``translation`` of ``/grasps``, object frame.
        grasp: row of ``grasps`` for each pair.

    Returns:
        Axis-angle (k, 3) in radians and translation (k, 3) in metres, float64.
    """
    root = np.asarray(grasps["root"], np.float64)
    joint = root + np.asarray(grasps["translation"], np.float64)
    rotation, moved = compose_wrist_pairs(poses, instance, grasps["wrist_rotation"], joint, grasp, np.zeros(3))
    return rotation, moved - root[grasp]


def _columns_of(layout: str) -> Mapping[str, Sequence[Column]]:
    return {**SHARD_GROUPS, "annotations": annotation_columns(layout)}


def _places(file: h5py.File, attributes: Mapping[str, Any]) -> dict[str, tuple[Any, ...]] | None:
    """Offset, dtype and shape of every dataset; None where one is not as the layout asks for."""
    if attributes.get("layout") not in LAYOUTS or not set(attributes) >= _ATTRIBUTES:
        return None
    places: dict[str, tuple[Any, ...]] = {}
    for group, columns in _columns_of(attributes["layout"]).items():
        for column in columns:
            name = f"{group}/{column.name}"
            try:  # h5py's own objects would take three times as long
                data = h5py.h5d.open(file.id, name.encode())
            except (KeyError, TypeError):
                if column.optional:
                    continue
                return None
            if data.shape[1:] != column.shape or len(data.shape) == 0 or data.dtype != column.dtype:
                return None
            places[name] = (data.get_offset(), data.dtype.str, data.shape)
    return places


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
        with open_file(path, SHARD_FORMAT) as file:
            attributes = {name: plain(value) for name, value in file.attrs.items()}
            places = _places(file, attributes)
            if thorough or places is None:
                check_structure(file, "shard")
        if places is None:  # the schema let pass what is not one of its columns
            raise FormatError("not the datasets of a shard", where=path, remedy="build it again")
        size = path.stat().st_size
        for name, (offset, dtype, shape) in places.items():
            if offset is not None and offset + np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64)) > size:
                raise FormatError("data beyond the end of the file", where=f"{path}:/{name}", remedy="copy it again")
        return cls(path, attributes, places)

    def __len__(self) -> int:
        return self._places["annotations/grasp"][2][0]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> Shaped[Array, "rows *shape"]:
        """A column, read-only: ``GROUP/NAME`` as in the file.

        Raises:
            InputError: there is no such column, naming those there are.
        """
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

    def read(self, name: str, first: int, last: int) -> Shaped[Array, "rows *shape"]:
        """Consecutive rows of a column, read and not mapped: what is read once should not stay resident.

        Args:
            name: ``GROUP/NAME`` as in the file.
            first: first row.
            last: the row after the last one.

        Raises:
            InputError: there is no such column.
        """
        offset, dtype, shape = self._places.get(name, (None, "u1", ()))
        if offset is None or last <= first:
            return np.array(self[name][first:last])
        width = int(np.prod(shape[1:], dtype=np.int64))
        begin = offset + first * width * np.dtype(dtype).itemsize
        return np.fromfile(self.path, dtype, (last - first) * width, offset=begin).reshape(-1, *shape[1:])

    def release(self) -> None:
        """Let go of the memory map; it is made again when something is asked for."""
        self._columns.clear()
        self.__dict__.pop("_map", None)

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

    def gather(self, rows: Int[Array, "k"]) -> dict[str, Shaped[Array, "k ..."]]:
        """What is stored for each of these annotations: of its frame, its instance, its grasp and itself.

        Columns of the grasp are in the object frame and named ``grasp/NAME``; those of the layout are in the camera
        frame and named ``stored/NAME``.

        Raises:
            InputError: a row out of range.
        """
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
        """All 51 parameters, camera frame, of annotations ``first`` to ``last``: wrist rotation, pose, translation.

        Raises:
            InputError: no such range of annotations.
        """
        last = len(self) if last is None else last
        if not 0 <= first <= last <= len(self):
            raise InputError(f"annotations {first} to {last} of {len(self)}", where=self.path)
        grasp = self.read("annotations/grasp", first, last)
        stored = {name: self.read(f"annotations/{name}", first, last) for name in self._stored}

        def compose() -> Wrist:
            start = self["instances/annotation_start"]
            begin, end = self.instance_of(np.array([first, last - 1])) if last > first else (0, -1)
            counts = np.diff(np.clip(start[begin : end + 2], first, last))
            poses = self["instances/T_camera_object"][begin : end + 1]
            return camera_wrist(poses, np.repeat(np.arange(end + 1 - begin), counts), self._grasps, grasp)

        return self.layout.parameters(stored, compose, lambda: self._grasps["pose"][grasp])
