"""The grasp library: all grasps of all objects in one HDF5 file, one group per object.

``/metadata`` is a text, a JSON object (hand, mesh digests, configuration, versions); ``/objects/NAME`` holds
the datasets of :data:`yaff.store.columns.LIBRARY_COLUMNS`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from yaff.errors import FormatError, InputError
from yaff.grasp.batch import MEASURES, Grasps
from yaff.store.atomic import atomic_file
from yaff.store.columns import LIBRARY_COLUMNS, LIBRARY_FORMAT, METADATA
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.hdf5 import (
    create_file,
    dataset_of,
    group_of,
    open_file,
    read_texts,
    write_attributes,
    write_scalar_text,
    write_table,
)
from yaff.store.schema import check_structure

Array = np.ndarray

MIGRATED = "migrated"
"""Key of the metadata of a library that was migrated: version and SHA-256 of the file it was made from."""


class GraspLibrary(Mapping[str, Grasps]):
    """Grasps by object name, read when asked for. Objects are in the order of their names.

    Open one with :meth:`open`; the file is checked then, and not held open between reads.
    """

    def __init__(self, path: Path, counts: Mapping[str, int], metadata: Mapping[str, Any]) -> None:
        self.path = path
        self.counts = dict(counts)
        """Number of grasps of each object."""
        self.metadata = dict(metadata)
        """Hand, mesh digests, configuration and versions, as given when it was written."""
        self._read = lru_cache(maxsize=None)(self._read_uncached)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self.counts, self.metadata)

    @classmethod
    def open(cls, path: Path | str) -> GraspLibrary:
        """A library on disk.

        Raises:
            MissingFileError: there is no such file.
            FormatError: it is truncated, another kind of file, of another schema version, or its structure is not
                that of a library, naming the dataset.
        """
        path = Path(path)
        with open_file(path, LIBRARY_FORMAT) as file:
            check_structure(file, "library")
            metadata = _metadata(file, path)
            objects = group_of(file, "objects")
            counts = {name: _checked_length(group_of(objects, name), path) for name in map(str, objects)}
        return cls(path, counts, metadata)

    @classmethod
    def write(cls, path: Path | str, grasps: Mapping[str, Grasps], metadata: Mapping[str, Any]) -> GraspLibrary:
        """Write a library, whole or not at all; the same content makes the same bytes.

        Args:
            path: where; missing folders are made.
            grasps: by object name; an object that was searched in vain has an empty batch.
            metadata: a JSON object; by convention ``hand`` (name, side, digest), ``meshes`` (digest by object),
                ``configuration`` and ``versions``.

        Raises:
            InputError: a batch under another object's name, without measures, with NaN, or with a type out of 1..33.
            StorageError: the disk refused.
        """
        path = Path(path)
        for name, batch in grasps.items():
            check_grasps(name, batch)
        document = canonical_json(metadata)
        with atomic_file(path) as temporary, create_file(temporary, LIBRARY_FORMAT, {}) as file:
            write_scalar_text(file.root, METADATA, document)
            objects = file.root.create_group("objects")
            for name in sorted(grasps):
                group = objects.create_group(name)
                write_attributes(group, {"object": name})
                write_table(group, LIBRARY_COLUMNS, library_values(grasps[name]))
        return cls.open(path)

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the objects, in order."""
        return tuple(self.counts)

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return digest_file(self.path)

    @property
    def identity(self) -> str:
        """SHA-256 of the file as it was first written: that of the old file, if it was migrated since."""
        return str(self.metadata.get(MIGRATED, {}).get("sha256") or self.digest)

    def __getitem__(self, name: str) -> Grasps:
        if name not in self.counts:
            raise InputError(
                f"no object {name!r} in this library",
                where=self.path,
                remedy=f"it holds {', '.join(self.counts) or 'no objects'}",
            )
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self.counts

    def __iter__(self) -> Iterator[str]:
        return iter(self.counts)

    def __len__(self) -> int:
        return len(self.counts)

    def _read_uncached(self, name: str) -> Grasps:
        with open_file(self.path, LIBRARY_FORMAT) as file:
            group = group_of(file, f"objects/{name}")
            values: dict[str, Any] = {}
            for column in LIBRARY_COLUMNS:
                dataset = dataset_of(group, column.name)
                values[column.name] = read_texts(dataset) if column.text else dataset[...]
        measures = {key: values.pop(f"measures/{key}") for key in MEASURES}
        return Grasps(object_name=name, measures=measures, **values)


def read_metadata(path: Path | str) -> dict[str, Any]:
    """The metadata of a library, which is not checked otherwise: a hundredth of the time of opening it.

    Raises:
        MissingFileError: there is no such file.
        FormatError: it is truncated, another kind of file, or of another schema version.
    """
    with open_file(path, LIBRARY_FORMAT) as file:
        return _metadata(file, Path(path)) if "metadata" in file else {}


def check_grasps(name: str, batch: Grasps) -> None:
    """Refuse a batch that cannot be stored.

    Raises:
        InputError: naming object, field and row.
    """
    if batch.object_name != name:
        raise InputError(f"grasps of {batch.object_name!r} under the name {name!r}")
    if not name or "/" in name or name in (".", ".."):
        raise InputError(f"an object cannot be named {name!r} in a file")
    if missing := sorted(set(MEASURES) - set(batch.measures)):
        raise InputError(
            f"grasps without measures: {', '.join(missing)}", where=name, remedy="measure them before they are stored"
        )
    types = np.asarray(batch.grasp_type)
    bad = (types < 1) | (types > 33)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"grasp type {types[row]} is not one of 1 to 33", where=f"{name}, row {row}")


def library_values(batch: Grasps) -> dict[str, Any]:
    """The columns of a batch by name."""
    values = {c.name: getattr(batch, c.name) for c in LIBRARY_COLUMNS if not c.name.startswith("measures/")}
    return values | {f"measures/{name}": batch.measures[name] for name in MEASURES}


def _metadata(file: h5py.File, path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(dataset_of(file, "metadata")[()])
    except ValueError as error:
        raise FormatError(f"metadata is not JSON: {error}", where=path, remedy="build it again") from error
    if not isinstance(metadata, dict):
        raise FormatError("metadata is not a JSON object", where=path, remedy="build it again")
    return metadata


def _checked_length(group: h5py.Group, path: Path) -> int:
    n = len(dataset_of(group, "grasp_type"))
    for column in LIBRARY_COLUMNS:
        rows = len(dataset_of(group, column.name))
        if rows != n:
            raise FormatError(
                f"{rows} rows where grasp_type has {n}",
                where=f"{path}:{group.name}/{column.name}",
                remedy="build it again",
            )
    return n
