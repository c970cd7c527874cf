"""Croissant: what a dataset holds, as JSON-LD that catalogues and loaders of machine learning read.

http://mlcommons.org/croissant/1.0. The files of the dataset are listed with sizes and checksums; two tables beside the
description, ``objects.csv`` and ``instances.csv``, are its record sets, because Croissant does not read HDF5.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yaff.store.atomic import write_bytes
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.manifest import MANIFEST_NAME
from yaff.store.reading import ShardSet

Array = np.ndarray

NAME = "croissant.json"

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of the Croissant 1.0 specification."""

_TYPES = {int: "sc:Integer", float: "sc:Float", str: "sc:Text"}

_INSTANCE_FIELDS: Mapping[str, tuple[type, str]] = {
    "scene": (int, "number of the scene (video)"),
    "frame": (int, "number of the frame in its scene"),
    "instance": (int, "position of the object among those of the frame"),
    "object": (str, "YCB name of the object"),
    "annotations": (int, "feasible grasps of the object in the frame"),
    "first_annotation": (int, "row of the first of them over all shards"),
    "shard": (str, "file that holds them"),
    "splits": (str, "official splits of the frame, separated by spaces"),
}
_OBJECT_FIELDS: Mapping[str, tuple[type, str]] = {
    "object": (str, "YCB name of the object"),
    "object_index": (int, "its number, 1 to 21, in the order of YCB-Video"),
    "instances": (int, "frames in which it is seen, counted once for each of its kind there"),
    "annotations": (int, "feasible grasps over all of them"),
}


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: Path
    instances: int


@dataclass(frozen=True)
class Card:
    """What a person says of the dataset."""

    name: str = "yaff-grasp-affordances"
    description: str = "Human grasp affordances: feasible, physically verified hand poses for known objects in scenes."
    license: str = ""
    """Address of the licence under which it is published; left out where nobody says."""
    url: str = ""
    """Where it is published."""
    cite: str = ""
    """BibTeX of what to cite."""
    published: str = ""
    """Date, YYYY-MM-DD."""


def export_croissant(shards: ShardSet, folder: Path, card: Card | None = None) -> Exported:
    """Write ``croissant.json`` and its two tables.

    Args:
        shards: the dataset.
        folder: where; the dataset's own folder will do. Files of the dataset are named relative to it.
        card: the words.

    Raises:
        StorageError: the disk refused.
    """
    card = card or Card()
    instances = _instances(shards)
    tables = {
        "objects.csv": _csv(_OBJECT_FIELDS, _objects(shards)),
        "instances.csv": _csv(_INSTANCE_FIELDS, instances),
    }
    for name, data in tables.items():
        write_bytes(folder / name, data)
    where = Path(os.path.relpath(shards.folder.resolve(), folder.resolve()))
    manifest = shards.manifest.document
    files = [
        (entry["file"], int(entry["bytes"]), str(entry["sha256"]), "application/x-hdf5")
        for entry in (manifest["index"], *manifest["shards"])
    ]
    path = shards.folder / MANIFEST_NAME
    files.append((MANIFEST_NAME, path.stat().st_size, digest_file(path), "application/json"))
    distribution = [_file((where / name).as_posix(), size, sha, kind) for name, size, sha, kind in files]
    distribution += [
        _file(name, len(data), hashlib.sha256(data).hexdigest(), "text/csv") for name, data in tables.items()
    ]
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": card.name,
        "description": card.description,
        "version": "1.0.0",
        "distribution": distribution,
        "recordSet": [
            _records("objects", "objects.csv", "The objects.", _OBJECT_FIELDS, ["object"]),
            _records(
                "instances",
                "instances.csv",
                "Objects in frames, with where their grasps are.",
                _INSTANCE_FIELDS,
                ["scene", "frame", "instance"],
            ),
        ],
    }
    said = {"license": card.license, "url": card.url, "citeAs": card.cite, "datePublished": card.published}
    document |= {name: value for name, value in said.items() if value}
    write_bytes(folder / NAME, canonical_json(document).encode() + b"\n")
    return Exported(folder / NAME, len(instances))


def _file(url: str, size: int, sha256: str, kind: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": Path(url).name,
        "name": Path(url).name,
        "contentUrl": url,
        "contentSize": f"{size} B",
        "encodingFormat": kind,
        "sha256": sha256,
    }


def _records(
    name: str, file: str, description: str, fields: Mapping[str, tuple[type, str]], key: Sequence[str]
) -> dict[str, Any]:
    def identity(field: str) -> dict[str, str]:
        return {"@id": f"{name}/{field}"}

    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "key": [identity(field) for field in key] if len(key) > 1 else identity(key[0]),
        "field": [
            {
                "@type": "cr:Field",
                **identity(field),
                "name": field,
                "description": words,
                "dataType": _TYPES[kind],
                "source": {"fileObject": {"@id": file}, "extract": {"column": field}},
            }
            for field, (kind, words) in fields.items()
        ],
    }


def _csv(fields: Mapping[str, object], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(rows)
    return text.getvalue().encode()


def _instances(shards: ShardSet) -> list[tuple[object, ...]]:
    index = shards.index
    start = index["frames/instance_start"]
    frame = np.repeat(np.arange(len(start) - 1), np.diff(start))
    names = {number: name for name, number in shards.objects.items()}
    first = index["instances/annotation_start"]
    shard = np.searchsorted(index["shards/instance_start"], np.arange(len(frame)), side="right") - 1
    words = [_split_words(int(bits), index.split_names) for bits in index["frames/splits"]]
    columns = (
        index["frames/scene"][frame].tolist(),
        index["frames/frame"][frame].tolist(),
        (np.arange(len(frame)) - start[frame]).tolist(),
        [names[int(k)] for k in index["instances/object_index"]],
        np.diff(first).tolist(),
        first[:-1].tolist(),
        [index.files[k] for k in shard.tolist()],
        [words[k] for k in frame.tolist()],
    )
    return list(zip(*columns, strict=True))


def _split_words(bits: int, names: Sequence[str]) -> str:
    return " ".join(name for k, name in enumerate(names) if bits >> k & 1)


def _objects(shards: ShardSet) -> list[tuple[object, ...]]:
    of = shards.index["instances/object_index"]
    counts = np.diff(shards.index["instances/annotation_start"])
    return [
        (name, number, int((of == number).sum()), int(counts[of == number].sum()))
        for name, number in sorted(shards.objects.items(), key=lambda item: item[1])
    ]
