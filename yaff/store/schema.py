"""Checking the structure of files against the JSON Schemas in ``schemas/``.

An HDF5 file is turned into a JSON document that says what is in it (:func:`yaff.store.hdf5.describe`); the schema then
speaks of names, dtypes, shapes and attributes. The schemas are generated from the tables of
:mod:`yaff.store.columns` (:func:`schema_documents`), and a test holds the committed files to them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import h5py
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from yaff.errors import FormatError
from yaff.resources import schema as load_schema
from yaff.store import columns as table
from yaff.store.columns import Column
from yaff.store.hdf5 import describe
from yaff.store.layouts import LAYOUTS, annotation_columns

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Document = dict[str, Any]

_COUNT: Document = {"type": "integer", "minimum": 0}
_TEXT: Document = {"type": "string"}
_DIGEST: Document = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def check_structure(file: h5py.File, schema: str) -> None:
    """Refuse an HDF5 file whose structure is not what the schema ``library``, ``shard`` or ``index`` asks for.

    Raises:
        FormatError: naming the file and the dataset or attribute.
    """
    check_document(describe(file), schema, Path(file.filename))


def check_document(document: Document, schema: str, path: Path | str) -> None:
    """Refuse a document that the schema does not accept.

    Raises:
        FormatError: naming the file and the place in it.
    """
    errors = sorted(_validator(schema).iter_errors(document), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        first = errors[0]
        others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise FormatError(
            f"not as schemas/{schema}.schema.json says: {_say(first)}{others}",
            where=f"{path}:{_place(first)}",
            remedy="build it again, or see docs/file-formats.md if another program wrote it",
        )


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(schema))


def _say(error: ValidationError) -> str:
    if error.validator == "const":
        return f"{error.instance!r} where {error.validator_value!r} is expected"
    return error.message if len(error.message) < 300 else f"{error.message[:300]} ..."


def _place(error: ValidationError) -> str:
    """Where it is, in the words of HDF5: ``/objects/025_mug/pose shape[1]``."""
    path, rest, parts = "", "", list(error.absolute_path)
    while parts and parts[0] in ("groups", "datasets") and len(parts) > 1:
        path += f"/{parts[1]}"
        parts = parts[2:]
    for part in parts:
        rest += f"[{part}]" if isinstance(part, int) else f" {part}"
    return (path or "/") + rest


def schema_documents() -> dict[str, Document]:
    """The schemas by name, as they are committed in ``schemas/NAME.schema.json``."""
    return {
        "library": _library_schema(),
        "shard": _shard_schema(),
        "index": _index_schema(),
        "manifest": _manifest_schema(),
    }


def _object(properties: Mapping[str, Document], optional: Iterable[str] = ()) -> Document:
    left_out = set(optional)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in left_out],
        "additionalProperties": False,
    }


def _node(attributes: Document, groups: Document, datasets: Document) -> Document:
    return _object({"attributes": attributes, "groups": groups, "datasets": datasets})


_EMPTY: Document = {"type": "object", "maxProperties": 0}


def _dataset_schema(column: Column) -> Document:
    shape = [*([_COUNT] if column.dimension else []), *({"const": size} for size in column.shape)]
    shape_schema: Document = {"type": "array", "minItems": len(shape), "maxItems": len(shape)}
    attributes: dict[str, Document] = {
        "unit": {"const": column.unit},
        "frame": {"const": column.frame},
        "description": _TEXT,
    }
    if column.points_to:
        attributes["points_to"] = {"const": column.points_to}
    return _object(
        {
            "dtype": {"const": column.dtype},
            "shape": shape_schema | ({"prefixItems": shape} if shape else {}),
            "attributes": _object(attributes),
        }
    )


def _group_schema(columns: Sequence[Column], attributes: Document | None = None) -> Document:
    """A group with these columns; a slash in a name makes a group inside it."""
    here = [c for c in columns if "/" not in c.name]
    inside: dict[str, list[Column]] = {}
    for column in columns:
        if "/" in column.name:
            group, name = column.name.split("/", 1)
            inside.setdefault(group, []).append(_renamed(column, name))
    return _node(
        attributes or _EMPTY,
        _object({name: _group_schema(part) for name, part in inside.items()}),
        _object({c.name: _dataset_schema(c) for c in here}, [c.name for c in here if c.optional]),
    )


def _renamed(column: Column, name: str) -> Column:
    return Column(**{**vars(column), "name": name})


def _head(title: str, description: str, document: Document) -> Document:
    return {"$schema": DIALECT, "title": title, "description": description, **document}


def _file_attributes(file_format: str, others: Mapping[str, Document]) -> Document:
    version = {"const": table.SCHEMA_VERSIONS[file_format]}
    return _object({"format": {"const": file_format}, "schema_version": version, **others})


def _library_schema() -> Document:
    of_object = _object({"object": _TEXT})
    objects = {"type": "object", "additionalProperties": _group_schema(table.LIBRARY_COLUMNS, of_object)}
    root = _node(
        _file_attributes(table.LIBRARY_FORMAT, {}),
        _object({"objects": _node(_EMPTY, objects, _EMPTY)}),
        _object({"metadata": _dataset_schema(table.METADATA)}),
    )
    return _head("YAFF grasp library", "Structure of a library file: one group per object under /objects.", root)


def _by_layout() -> list[Document]:
    """For each layout, what ``/annotations`` must then hold."""
    return [
        {
            "if": {"properties": {"attributes": {"properties": {"layout": {"const": name}}}}},
            "then": {
                "properties": {"groups": {"properties": {"annotations": _group_schema(annotation_columns(name))}}}
            },
        }
        for name in LAYOUTS
    ]


def _shard_schema() -> Document:
    attributes = {
        "layout": {"enum": list(LAYOUTS)},
        "scene": {"type": "integer"},
        "split_names": {"type": "string", "description": "JSON list: the split of each bit of /frames/splits"},
        "objects": {"type": "string", "description": "JSON object: index of each object by name"},
        "hand": {"type": "string", "description": "JSON object: name, side, digest"},
        "inputs": {"type": "string", "description": "digest of everything the shard was made from"},
    }
    groups = {name: _group_schema(part) for name, part in table.SHARD_GROUPS.items()}
    root = _node(
        _file_attributes(table.SHARD_FORMAT, attributes),
        _object({**groups, "annotations": {"type": "object"}}),
        _EMPTY,
    )
    return _head(
        "YAFF shard",
        "Structure of a shard: frames, instances and annotations of one scene, with the grasps they refer to.",
        {**root, "allOf": _by_layout()},
    )


def _index_schema() -> Document:
    groups = {name: _group_schema(part) for name, part in table.SHARD_GROUPS.items()}
    attributes = {"layout": {"enum": list(LAYOUTS)}, "split_names": _TEXT, "objects": _TEXT, "hand": _TEXT}
    root = _node(
        _file_attributes(table.INDEX_FORMAT, attributes),
        _object({"shards": _group_schema(table.INDEX_SHARDS), **groups, "annotations": {"type": "object"}}),
        _EMPTY,
    )
    return _head("YAFF index", "Structure of index.h5: all shards as one file.", {**root, "allOf": _by_layout()})


def _manifest_schema() -> Document:
    counts = dict.fromkeys(("frames", "instances", "arrangements", "grasps", "annotations"), _COUNT)
    infeasible = _object(dict.fromkeys(("neighbour", "table", "unreachable"), _COUNT))
    file_entry = {"file": {"type": "string", "pattern": "^[^/\\\\]+\\.h5$"}, "bytes": _COUNT, "sha256": _DIGEST}
    shard = _object(
        {**file_entry, "scene": {"type": "integer"}, "inputs": _TEXT, "candidates": _COUNT, **counts}
        | {"infeasible": infeasible}
    )
    bad_frame = _object({"file": _TEXT, "scene": {"type": "integer"}, "frame": {"type": "integer"}, "reason": _TEXT})
    properties = {
        "format": {"const": table.DATASET_FORMAT},
        "schema_version": {"const": table.SCHEMA_VERSIONS[table.DATASET_FORMAT]},
        "layout": {"enum": list(LAYOUTS)},
        "totals": _object({"shards": _COUNT, "candidates": _COUNT, **counts, "infeasible": infeasible}),
        "shards": {"type": "array", "items": shard},
        "index": _object(file_entry),
        "splits": {"type": "object", "additionalProperties": _COUNT, "description": "frames of each split"},
        "hand": _object({"name": _TEXT, "side": {"enum": ["right", "left"]}, "digest": _TEXT}),
        "objects": {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 255}},
        "meshes": {"type": "object", "additionalProperties": _TEXT, "description": "digest of each object's mesh"},
        "library": {"type": "string", "description": "digest of the grasp library"},
        "configuration": {"type": "object"},
        "versions": {"type": "object", "additionalProperties": _TEXT},
        "bad_frames": {"type": "array", "items": bad_frame},
    }
    return _head(
        "YAFF dataset manifest",
        "manifest.json: what a folder of shards holds, and the digest of every file in it.",
        _object(properties),
    )


def schema_text(document: Document) -> str:
    """A schema as it is committed."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
