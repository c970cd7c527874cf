"""Bringing files of earlier schema versions to those that this program writes.

What has changed since:

- **library 2, shard 2**: grasps have ``measures/shaken`` and ``measures/fingertip_force``. For version 1, an object was
  shaken in the directions in which it moved at all (physics never gives an exact zero); the force was not measured: 0.
- **index 2**: what selections are made by is copied from the shards. **index 3**: over shards of version 2.

A file takes the place of the old one whole or not at all, and is byte for byte what this program would have written. A
migration that was killed goes on when it is started again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from yaff.errors import FormatError, MissingFileError
from yaff.grasp.batch import MEASURES, Grasps
from yaff.store.atomic import atomic_file, write_bytes
from yaff.store.columns import (
    INDEX_FORMAT,
    LIBRARY_COLUMNS,
    LIBRARY_FORMAT,
    SCHEMA_VERSIONS,
    SHARD_FORMAT,
    SHARD_GROUPS,
    Column,
)
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.hdf5 import (
    column_document,
    create_column,
    create_file,
    dataset_of,
    describe,
    group_of,
    open_any_version,
    plain,
    read_texts,
    write_table,
)
from yaff.store.index import INDEX_NAME, write_index
from yaff.store.layouts import annotation_columns
from yaff.store.library import MIGRATED, GraspLibrary
from yaff.store.manifest import MANIFEST_NAME, Manifest, index_entry, write_manifest
from yaff.store.schema import check_document
from yaff.store.shards import CHUNK_ROWS

Array = np.ndarray

JOURNAL_NAME = ".yaff-migration.json"
"""In a folder whose migration has not ended: the digest of each shard that was written."""

SINCE_VERSION_2: Mapping[str, Callable[[Mapping[str, Shaped[Array, "_ ..."]]], Shaped[Array, "_"]]] = {
    "measures/shaken": lambda of: (of["measures/shake_translation"] != 0) | (of["measures/shake_rotation"] != 0),
    "measures/fingertip_force": lambda of: np.zeros(len(of["measures/epsilon"])),
}
"""Columns of grasps that version 1 of libraries and shards lacks, and what they are there."""


@dataclass(frozen=True)
class Migration:
    """What was done to one file."""

    file: str
    before: int
    after: int


def migrate_library(path: Path | str) -> Migration:
    """Bring a grasp library to the version that this program writes.

    Its metadata then says from what file it was made (``migrated``: version and SHA-256), so that a review of that file
    stays one of this library.

    Raises:
        MissingFileError: there is no such file.
        FormatError: it is truncated, another kind of file, of a version that this program does not know, or its
            structure is not that of a library.
        StorageError: the disk refused.
    """
    path = Path(path)
    after = SCHEMA_VERSIONS[LIBRARY_FORMAT]
    with open_any_version(path, LIBRARY_FORMAT) as (file, before):
        if before == after:
            return Migration(path.name, before, after)
        grasps = {name: f"objects/{name}" for name in map(str, group_of(file, "objects"))}
        _check(file, "library", list(grasps.values()))
        batches = {name: _grasps(name, group_of(file, group)) for name, group in grasps.items()}
        metadata = json.loads(dataset_of(file, "metadata")[()])
    GraspLibrary.write(path, batches, {**metadata, MIGRATED: {"schema_version": before, "sha256": digest_file(path)}})
    return Migration(path.name, before, after)


def migrate_shard(path: Path | str, written: Callable[[str], None] | None = None) -> Migration:
    """Bring one shard to the version that this program writes.

    Args:
        path: the shard.
        written: told the SHA-256 of the new file just before it takes the place of the old one.

    Raises:
        MissingFileError, FormatError, StorageError: as :func:`migrate_library`.
    """
    path = Path(path)
    after = SCHEMA_VERSIONS[SHARD_FORMAT]
    with open_any_version(path, SHARD_FORMAT) as (old, before):
        if before == after:
            return Migration(path.name, before, after)
        _check(old, "shard", ["grasps"])
        attributes = {name: plain(value) for name, value in old.attrs.items()}
        head = {name: attributes[name] for name in ("layout", "scene", "split_names", "objects", "hand", "inputs")}
        with atomic_file(path) as temporary:
            with create_file(temporary, SHARD_FORMAT, head) as new:
                for name, columns in SHARD_GROUPS.items():
                    write_table(new.root.create_group(name), columns, _values(group_of(old, name), columns))
                group = new.root.create_group("annotations")
                columns = annotation_columns(head["layout"])
                sources = [dataset_of(old, f"annotations/{column.name}") for column in columns]
                targets = [create_column(group, c, len(s)) for c, s in zip(columns, sources, strict=True)]
                for source, target in zip(sources, targets, strict=True):
                    for first in range(0, len(source), CHUNK_ROWS):
                        target[first : first + CHUNK_ROWS] = source[first : first + CHUNK_ROWS]
                    new.check()
            if written is not None:
                written(digest_file(temporary))
    return Migration(path.name, before, after)


def migrate_dataset(folder: Path | str, progress: Callable[[str], None] | None = None) -> tuple[Migration, ...]:
    """Bring a folder of shards to the versions that this program writes: shards, index and manifest.

    Call it only while holding :func:`yaff.store.atomic.build_lock`.

    Args:
        folder: with a ``manifest.json``.
        progress: told the name of each file before it is looked at.

    Returns:
        the files that were written anew.

    Raises:
        MissingFileError: there is no dataset, or a file is missing that its manifest lists.
        FormatError: a file of a version that this program does not know, or whose bytes are not those that the manifest
            lists; the files before it are migrated, and stay so.
        StorageError: the disk refused.
    """
    folder, announce = Path(folder), progress or (lambda name: None)
    manifest = Manifest.open(folder)
    with open_any_version(folder / INDEX_NAME, INDEX_FORMAT) as (_, index_before):
        pass
    journal = _Journal(folder / JOURNAL_NAME)
    done, records = [], []
    for record in manifest.shards:
        announce(record.file)
        path = folder / record.file
        with open_any_version(path, SHARD_FORMAT) as (_, version):
            old = version < SCHEMA_VERSIONS[SHARD_FORMAT]
        expected = record.sha256 if old else journal.get(record.file, record.sha256)
        if (old or record.file in journal) and digest_file(path) != expected:
            raise FormatError(
                "its bytes are not those that were written",
                where=path,
                remedy="copy it again or build the dataset again; `yaff verify` on its folder checks the others",
            )
        if old:
            done.append(migrate_shard(path, lambda digest, name=record.file: journal.add(name, digest)))
        sha256 = journal.get(record.file, record.sha256)
        records.append({**record.document(), "sha256": sha256, "bytes": path.stat().st_size})
    index_after = SCHEMA_VERSIONS[INDEX_FORMAT]
    if done or journal or index_before != index_after:
        announce(INDEX_NAME)
        write_index(folder, [record.file for record in manifest.shards])
        write_manifest(folder, {**manifest.document, "shards": records, "index": index_entry(folder)})
        done.append(Migration(INDEX_NAME, index_before, index_after))
        journal.end()
    return tuple(done)


def migrate_path(path: Path | str, progress: Callable[[str], None] | None = None) -> tuple[Migration, ...]:
    """Bring a library, a shard on its own, or a folder of shards to the versions of this program.

    Returns:
        the files that were written anew; empty if there was nothing to do.

    Raises:
        MissingFileError, FormatError, StorageError: as :func:`migrate_library` and :func:`migrate_dataset`.
    """
    path = Path(path)
    if path.name in (MANIFEST_NAME, INDEX_NAME):
        path = path.parent
    if path.is_dir():
        return migrate_dataset(path, progress)
    with suppress(OSError), h5py.File(path, "r") as file:
        if plain(file.attrs.get("format", "")) == SHARD_FORMAT:
            if (path.parent / MANIFEST_NAME).exists():
                raise FormatError(
                    "this shard belongs to a dataset, whose manifest lists its digest",
                    where=path,
                    remedy=f"yaff migrate {path.parent}",
                )
            file.close()
            return _changed(migrate_shard(path))
    return _changed(migrate_library(path))


def _changed(migration: Migration) -> tuple[Migration, ...]:
    return () if migration.before == migration.after else (migration,)


class _Journal(dict[str, str]):
    """Digests of the shards that a migration has written, on disk before each takes its place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        super().__init__(json.loads(path.read_bytes()) if path.exists() else {})

    def add(self, name: str, digest: str) -> None:
        self[name] = digest
        write_bytes(self._path, canonical_json(self).encode())

    def end(self) -> None:
        self._path.unlink(missing_ok=True)


def _check(file: h5py.File, schema: str, groups: Sequence[str]) -> None:
    """Refuse a file that would not be what the schema says if it had the version and the columns added since.

    Raises:
        FormatError: naming the dataset.
    """
    document = describe(file)
    document["attributes"]["schema_version"] = SCHEMA_VERSIONS[document["attributes"]["format"]]
    columns = {column.name: column for column in LIBRARY_COLUMNS}
    for name in groups:
        node = document
        for part in name.split("/"):
            node = node["groups"].get(part, {"groups": {}, "datasets": {}})
        datasets = node["groups"].get("measures", {"datasets": {}})["datasets"]
        for added in SINCE_VERSION_2:
            datasets.setdefault(added.rpartition("/")[2], column_document(columns[added]))
    check_document(document, schema, Path(file.filename))


def _values(group: h5py.Group, columns: Sequence[Column]) -> dict[str, Any]:
    """The columns of a group, with those that its version lacks."""
    values: dict[str, Any] = {}
    for column in columns:
        if column.name in group:
            dataset = dataset_of(group, column.name)
            values[column.name] = read_texts(dataset) if column.text else dataset[...]
        elif column.name in SINCE_VERSION_2:
            values[column.name] = SINCE_VERSION_2[column.name](values).astype(column.dtype)
        elif not column.optional:
            raise MissingFileError(f"no dataset {column.name}", where=f"{group.file.filename}:{group.name}")
    return values


def _grasps(name: str, group: h5py.Group) -> Grasps:
    values = _values(group, LIBRARY_COLUMNS)
    measures = {key: values.pop(f"measures/{key}") for key in MEASURES}
    return Grasps(object_name=name, measures=measures, **values)
