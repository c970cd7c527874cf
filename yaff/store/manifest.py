"""``manifest.json``: what a folder of shards holds, from what it was made, and the digest of every file in it.

It is written last; a folder without it is a build that has not ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yaff.errors import FormatError, MissingFileError
from yaff.scene.frames import BadFrame
from yaff.store.atomic import write_bytes
from yaff.store.columns import DATASET_FORMAT, SCHEMA_VERSIONS
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.hdf5 import check_header
from yaff.store.index import INDEX_NAME, DatasetIndex, write_index
from yaff.store.schema import check_document
from yaff.store.shards import REASONS, ShardRecord

MANIFEST_NAME = "manifest.json"

_COUNTS = ("frames", "instances", "arrangements", "candidates", "grasps", "annotations")


@dataclass(frozen=True)
class Sources:
    """From what a dataset was made."""

    library: str = ""
    """Digest of the grasp library."""
    meshes: Mapping[str, str] | None = None
    """Digest of each object's mesh."""
    configuration: Mapping[str, Any] | None = None
    versions: Mapping[str, str] | None = None
    bad_frames: Sequence[BadFrame] = ()
    """Frames that were left out."""


@dataclass(frozen=True)
class Manifest:
    """The manifest of a dataset, checked against its schema."""

    path: Path
    document: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path | str) -> Manifest:
        """The manifest of a folder (or its path).

        Raises:
            MissingFileError: there is none: no dataset, or a build that has not ended.
            FormatError: no JSON, another schema version, or not as its schema says.
        """
        path = Path(folder)
        path = path if path.name == MANIFEST_NAME else path / MANIFEST_NAME
        if not path.is_file():
            raise MissingFileError(
                f"no {MANIFEST_NAME}: not a dataset, or a build that has not ended",
                where=path.parent,
                remedy="run the build again; it goes on where it stopped",
            )
        try:
            document = json.loads(path.read_bytes())
        except ValueError as error:
            raise FormatError(f"not JSON: {error}", where=path, remedy="build it again") from error
        check_header(document if isinstance(document, dict) else {}, DATASET_FORMAT, path)
        check_document(document, "manifest", path)
        return cls(path, document)

    @property
    def folder(self) -> Path:
        """Where the manifest and the shards are."""
        return self.path.parent

    @property
    def layout(self) -> str:
        """Name of the layout of all shards: a key of :data:`yaff.store.layouts.LAYOUTS`."""
        return self.document["layout"]

    @property
    def shards(self) -> tuple[ShardRecord, ...]:
        """What is recorded of each shard, in the order of the index: by scene, then by name."""
        return tuple(ShardRecord(**record) for record in self.document["shards"])

    @property
    def totals(self) -> Mapping[str, Any]:
        """Counts over all shards."""
        return self.document["totals"]

    @property
    def bad_frames(self) -> tuple[BadFrame, ...]:
        """Frames that were left out, and why."""
        return tuple(BadFrame(**frame) for frame in self.document["bad_frames"])


def finish_dataset(folder: Path | str, records: Sequence[ShardRecord], sources: Sources | None = None) -> Manifest:
    """Make a folder of shards a dataset: write ``index.h5``, then ``manifest.json``.

    Args:
        folder: where the shards are.
        records: one for each shard, in any order; they are sorted by scene.
        sources: from what the dataset was made.

    Raises:
        FormatError: shards that do not belong together.
        StorageError: the disk refused.
    """
    folder, sources = Path(folder), sources or Sources()
    ordered = sorted(records, key=lambda record: (record.scene, record.file))
    write_index(folder, [record.file for record in ordered])
    index = DatasetIndex.open(folder / INDEX_NAME)
    splits = index["frames/splits"]
    totals: dict[str, Any] = {"shards": len(ordered)}
    totals |= {name: sum(getattr(record, name) for record in ordered) for name in _COUNTS}
    totals["infeasible"] = {reason: sum(r.infeasible[reason] for r in ordered) for reason in REASONS}
    document = {
        "format": DATASET_FORMAT,
        "schema_version": SCHEMA_VERSIONS[DATASET_FORMAT],
        "layout": index.layout,
        "totals": totals,
        "shards": [record.document() for record in ordered],
        "index": index_entry(folder),
        "splits": {
            name: int(np.count_nonzero(splits >> np.uint32(bit) & np.uint32(1)))
            for bit, name in enumerate(index.split_names)
        },
        "hand": index.hand,
        "objects": index.objects,
        "meshes": dict(sources.meshes or {}),
        "library": sources.library,
        "configuration": dict(sources.configuration or {}),
        "versions": dict(sources.versions or {}),
        "bad_frames": [asdict(frame) for frame in sources.bad_frames],
    }
    write_manifest(folder, document)
    return Manifest.open(folder)


def index_entry(folder: Path) -> dict[str, Any]:
    """What the manifest says of the index of a folder."""
    path = folder / INDEX_NAME
    return {"file": INDEX_NAME, "bytes": path.stat().st_size, "sha256": digest_file(path)}


def write_manifest(folder: Path, document: Mapping[str, Any]) -> None:
    """Write the manifest of a folder, whole or not at all.

    Raises:
        FormatError: the document is not as its schema says.
        StorageError: the disk refused.
    """
    path = folder / MANIFEST_NAME
    check_document(dict(document), "manifest", path)
    write_bytes(path, (canonical_json(document, indent=2) + "\n").encode())
