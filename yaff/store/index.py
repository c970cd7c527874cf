"""``index.h5``: all shards of a dataset as one file.

Bulky columns are HDF5 virtual datasets over the shards, by relative path, so that the folder may be moved. Offsets and
row numbers of the small tables, and what selections are made by, are copied and rewritten to count over all shards. Row
numbers in virtual datasets (``annotations/grasp``) stay those of the shard, to which ``/shards/grasp_start`` is added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Int64, Shaped

from yaff.errors import FormatError, InputError
from yaff.store.atomic import atomic_file
from yaff.store.columns import (
    INDEX_FORMAT,
    INDEX_SHARDS,
    SHARD_GROUPS,
    Column,
    is_virtual,
)
from yaff.store.hashing import canonical_json
from yaff.store.hdf5 import (
    column_attributes,
    create_file,
    dataset_of,
    open_file,
    plain,
    read_texts,
    write_attributes,
    write_column,
    write_table,
)
from yaff.store.layouts import annotation_columns
from yaff.store.schema import check_structure
from yaff.store.shards import ShardReader

Array = np.ndarray

INDEX_NAME = "index.h5"


def write_index(folder: Path | str, files: Sequence[str]) -> None:
    """Write ``index.h5`` over these shards of a folder, in the order given.

    Raises:
        FormatError: shards of different layouts, hands or splits, or that name objects differently.
        StorageError: the disk refused.
    """
    folder = Path(folder)
    readers = [ShardReader.open(folder / name, thorough=False) for name in files]
    attributes = common_attributes(readers)
    groups = {**SHARD_GROUPS, "annotations": annotation_columns(attributes["layout"])}
    starts = row_offsets(readers)
    encoded = {key: value if isinstance(value, str) else canonical_json(value) for key, value in attributes.items()}
    with atomic_file(folder / INDEX_NAME) as temporary, create_file(temporary, INDEX_FORMAT, encoded) as file:
        shards: dict[str, Any] = {"file": list(files)}
        shards |= {f"{name[:-1]}_start": start for name, start in starts.items()}
        write_table(file.root.create_group("shards"), INDEX_SHARDS, shards)
        for name, columns in groups.items():
            group = file.root.create_group(name)
            for column in columns:
                if column.optional and not all(f"{name}/{column.name}" in reader for reader in readers):
                    continue
                if is_virtual(name, column):
                    _write_virtual(group, column, f"{name}/{column.name}", readers, starts[name])
                else:
                    write_column(group, column, counted_over_all(column, name, readers, starts))


def common_attributes(readers: Sequence[ShardReader]) -> dict[str, Any]:
    """What all shards of a dataset must agree on: layout, splits, hand; and the objects of all of them.

    Raises:
        FormatError: naming the first shard that differs.
    """
    if not readers:
        raise InputError("a dataset needs at least one shard", remedy="choose scenes that exist")
    first = readers[0]
    objects: dict[str, int] = {}
    for reader in readers:
        for what in ("split_names", "hand"):
            if getattr(reader, what) != getattr(first, what):
                raise FormatError(f"{what} differs from {first.path.name}", where=reader.path, remedy="build it again")
        if reader.layout.name != first.layout.name:
            raise FormatError(
                f"layout {reader.layout.name}, where {first.path.name} is {first.layout.name}",
                where=reader.path,
                remedy="one folder holds one layout: build into another folder",
            )
        for name, index in reader.objects.items():
            if objects.setdefault(name, index) != index:
                raise FormatError(
                    f"object {name} has index {index}, elsewhere {objects[name]}",
                    where=reader.path,
                    remedy="build it again",
                )
    return {
        "layout": first.layout.name,
        "split_names": list(first.split_names),
        "objects": dict(sorted(objects.items(), key=lambda item: item[1])),
        "hand": first.hand,
    }


def row_offsets(readers: Sequence[ShardReader]) -> dict[str, Int64[Array, "s1"]]:
    """For each group, the first row of each shard among those of all, and their number at the end."""
    groups = {**SHARD_GROUPS, "annotations": annotation_columns(readers[0].layout.name)}
    result = {}
    for group, columns in groups.items():
        name = next(column.name for column in columns if not column.dimension.endswith("+1"))
        counts = [len(reader[f"{group}/{name}"]) for reader in readers]
        result[group] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return result


def _write_virtual(group: h5py.Group, column: Column, name: str, readers: Sequence[ShardReader], start: Array) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)  # create_virtual_dataset would store the time of day
    properties.set_layout(h5py.h5d.VIRTUAL)
    properties.set_obj_track_times(False)
    shape = (int(start[-1]), *column.shape)
    for k, reader in enumerate(readers):
        rows = int(start[k + 1] - start[k])
        if rows:
            here, there = h5py.h5s.create_simple(shape), h5py.h5s.create_simple((rows, *column.shape))
            here.select_hyperslab((int(start[k]), *(0 for _ in column.shape)), (rows, *column.shape))
            properties.set_virtual(here, reader.path.name.encode(), name.encode(), there)
    parent, _, last = column.name.rpartition("/")
    where = group.require_group(parent) if parent else group
    kind = h5py.h5t.py_create(np.dtype(column.dtype).newbyteorder("<"), logical=True)
    space = h5py.h5s.create_simple(shape)
    dataset = h5py.Dataset(h5py.h5d.create(where.id, last.encode(), kind, space, properties))
    write_attributes(dataset, column_attributes(column))


def counted_over_all(
    column: Column, group: str, readers: Sequence[ShardReader], starts: Mapping[str, Int64[Array, "s1"]]
) -> Shaped[Array, "rows *shape"]:
    """A column of all shards, one after the other; row numbers and offsets counted over all.

    Args:
        column: of numbers; texts have no rows to count.
        group: of the column, without a slash: ``frames``, ``instances``, ...
        readers: of the shards, in the order of the index.
        starts: from :func:`row_offsets`.
    """
    parts, offsets = [], column.dimension.endswith("+1")
    for k, reader in enumerate(readers):
        values = reader[f"{group}/{column.name}"]
        if column.points_to:
            values = values.astype(np.int64) + starts[column.points_to][k]
        parts.append(values[:-1] if offsets else values)
    if offsets:
        parts.append(starts[column.points_to][-1:])
    return np.concatenate(parts)


class DatasetIndex:
    """The small tables of ``index.h5``, each read when first asked for."""

    def __init__(self, path: Path, attributes: Mapping[str, str]) -> None:
        self.path = path
        self._attributes = attributes
        self.layout: str = attributes["layout"]
        self.split_names: tuple[str, ...] = tuple(json.loads(attributes["split_names"]))
        self.objects: dict[str, int] = json.loads(attributes["objects"])
        self.hand: dict[str, str] = json.loads(attributes["hand"])
        self._cache: dict[str, Array] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self._attributes)

    @classmethod
    def open(cls, path: Path | str) -> DatasetIndex:
        """The index of a dataset.

        Raises:
            MissingFileError: there is no such file.
            FormatError: it is truncated, another kind of file, of another schema version, or its structure is not
                that of an index.
        """
        path = Path(path)
        with open_file(path, INDEX_FORMAT) as file:
            check_structure(file, "index")
            return cls(path, {name: plain(value) for name, value in file.attrs.items()})

    def __contains__(self, name: str) -> bool:
        with open_file(self.path, INDEX_FORMAT) as file:
            return name in file

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Names of the shards."""
        with open_file(self.path, INDEX_FORMAT) as file:
            return read_texts(dataset_of(file, "shards/file"))

    def __getitem__(self, name: str) -> Shaped[Array, "rows *shape"]:
        """A dataset of the index, whole, as ``GROUP/NAME``; meant for the small ones."""
        if name not in self._cache:
            with open_file(self.path, INDEX_FORMAT) as file:
                self._cache[name] = dataset_of(file, name)[...]
        return self._cache[name]
