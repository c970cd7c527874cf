"""What is installed in the user's data folder: ``ycb/NNN_name/`` and ``own/NAME/``, each with its record.

``installed.json`` lies beside the files it speaks of, so that both come and go in one rename.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jsonschema import Draft202012Validator

from yaff.errors import FormatError
from yaff.objects.catalogue import CatalogueEntry, symmetries_of
from yaff.objects.obj_files import MESH_FILE
from yaff.resources import schema

RECORD_FILE = "installed.json"
YCB, OWN = "ycb", "own"
"""Folders below the data folder: scans of the 21, and a user's own objects."""


@dataclass(frozen=True)
class FileRecord:
    """A file as it was installed."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, data: bytes) -> FileRecord:
        """The record of a content."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True)
class ArchiveRecord:
    """A downloaded archive."""

    sha256: str
    bytes: int
    known: bool
    """Whether the checksum was known before, or taken on trust the first time."""


@dataclass(frozen=True)
class OwnRecord:
    """What the catalogue would say of a user's own object."""

    index: int
    mass: float
    dimensions: tuple[float, float, float]
    symmetry: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class InstalledMesh:
    """The record of an installed object."""

    name: str
    layout: str
    origin: str
    licence: str
    frame: str
    scale: float
    offset: tuple[float, float, float]
    files: Mapping[str, FileRecord]
    notes: tuple[str, ...] = ()
    archive: ArchiveRecord | None = None
    object: OwnRecord | None = None

    @property
    def digest(self) -> str:
        """sha256 over the names and checksums of the files."""
        text = ";".join(f"{name} {self.files[name].sha256}" for name in sorted(self.files))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> bytes:
        """The content of ``installed.json``."""
        document = {"schema_version": 1, **asdict(self)}
        for optional in ("archive", "object"):
            if document[optional] is None:
                del document[optional]
        return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()

    def entry(self) -> CatalogueEntry:
        """The catalogue entry of a user's own object."""
        assert self.object is not None
        own = self.object
        return CatalogueEntry(
            name=self.name,
            index=own.index,
            bop_index=own.index,
            mass=own.mass,
            dimensions=own.dimensions,
            ycb_offset=np.zeros(3),
            bop_offset=np.zeros(3),
            symmetries=symmetries_of([dict(part) for part in own.symmetry]),
            licence=self.licence,
            sources={"mass": "given by the user", "mesh": self.origin},
        )


def read_record(folder: Path) -> InstalledMesh | None:
    """The record of an installed object, or none where nothing is installed.

    Raises:
        FormatError: a record that is damaged.
    """
    path = folder / RECORD_FILE
    remedy = f"yaff assets install --force --objects {folder.name}" if folder.parent.name == YCB else None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise FormatError(f"the record cannot be read: {error}", where=path, remedy=remedy) from error
    problem = next(iter(Draft202012Validator(schema("installed")).iter_errors(document)), None)
    if problem is not None or document["name"] != folder.name:
        what = problem.message if problem is not None else f"it speaks of {document['name']}"
        raise FormatError(f"the record is not valid: {what}", where=path, remedy=remedy or "remove the folder")
    own = document.get("object")
    return InstalledMesh(
        name=document["name"],
        layout=document["layout"],
        origin=document["origin"],
        licence=document["licence"],
        frame=document["frame"],
        scale=document["scale"],
        offset=tuple(document["offset"]),
        files={name: FileRecord(**entry) for name, entry in document["files"].items()},
        notes=tuple(document["notes"]),
        archive=ArchiveRecord(**document["archive"]) if "archive" in document else None,
        object=OwnRecord(own["index"], own["mass"], tuple(own["dimensions"]), tuple(own["symmetry"])) if own else None,
    )


def own_objects(data: Path) -> dict[str, InstalledMesh]:
    """A user's own objects by name, in the order of their indices.

    Raises:
        FormatError: a record that is damaged.
    """
    folder = data / OWN
    names = sorted(entry.name for entry in folder.iterdir() if entry.name[0] != ".") if folder.is_dir() else []
    records = [record for name in names if (record := read_record(folder / name)) is not None and record.object]
    return {record.name: record for record in sorted(records, key=lambda r: r.object.index if r.object else 0)}


def folder_of(data: Path, record: InstalledMesh) -> Path:
    """Where the files of an installed object are."""
    return data / (YCB if record.object is None else OWN) / record.name


def problems_with(data: Path, record: InstalledMesh) -> list[str]:
    """What is wrong with the files of an installed object: missing, changed, or not of the installation."""
    folder, found = folder_of(data, record), []
    for name, wanted in record.files.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            found.append(f"{name}: {error.strerror}")
            continue
        if FileRecord.of(content) != wanted:
            found.append(f"{name}: changed ({len(content)} bytes, {wanted.bytes} installed)")
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in {*record.files, RECORD_FILE})
    found += [f"{name}: not of this installation" for name in strangers]
    if MESH_FILE not in record.files:
        found.append(f"{MESH_FILE}: not in the record")
    return found
