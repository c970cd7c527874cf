"""A page for each JSON Schema in ``schemas/``, so that what is documented is what is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ANY = "n"
"""A dimension that the schema leaves open: it is counted by the group that the dataset lies in."""


def schema_pages(folder: Path) -> dict[str, str]:
    """Markdown by page name, one for each schema and ``index``."""
    schemas = {path.name.split(".")[0]: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}
    pages = {f"{name}-schema": _page(name, schema) for name, schema in schemas.items()}
    rows = "".join(
        f"| [{schema['title']}]({name}-schema.md) | {schema['description']} | `schemas/{name}.schema.json` |\n"
        for name, schema in schemas.items()
    )
    head = "Everything that leaves the program has a JSON Schema; `yaff verify` checks files against them.\n\n"
    pages["index"] = f"# Schemas\n\n{head}| format | what | schema |\n|---|---|---|\n{rows}"
    return pages


def _page(name: str, schema: Mapping[str, Any]) -> str:
    said = f"# {schema['title']}\n\n{schema['description']} Generated from `schemas/{name}.schema.json`; "
    said += "what the numbers mean is told on the page [file formats](../file-formats.md).\n"
    if "datasets" in schema["properties"]:
        said += "\n".join(_hdf5(schema, "/"))
        rules = schema.get("allOf", ())
        if rules:
            said += "\n## By layout\n\n"
            said += "".join(f"- {_condition(rule)}\n" for rule in rules)
        return said
    definitions = schema.get("$defs", {})
    rows = list(_keys(schema, definitions, ""))
    return said + "\n## Keys\n\n" + _table(("key", "type", "required", "what"), rows)


def _hdf5(node: Mapping[str, Any], path: str) -> Iterator[str]:
    parts = node.get("properties", {})
    attributes, datasets = parts.get("attributes", {}), parts.get("datasets", {})
    named = attributes.get("properties", {})
    if named:
        rows = [(f"`{key}`", _type(value), value.get("description", "")) for key, value in named.items()]
        yield f"\n## Attributes of `{path}`\n\n" + _table(("attribute", "type", "what"), rows)
    if datasets.get("properties"):
        required = set(datasets.get("required", ()))
        rows = [_dataset(key, value, key in required) for key, value in datasets["properties"].items()]
        yield f"\n## `{path}`\n\n" + _table(("dataset", "shape", "dtype", "unit", "frame", ""), rows)
    groups = parts.get("groups", {})
    for key, value in groups.get("properties", {}).items():
        yield from _hdf5(value, f"{path.rstrip('/')}/{key}")
    for value in (groups.get("additionalProperties"), *groups.get("patternProperties", {}).values()):
        if isinstance(value, Mapping):
            yield from _hdf5(value, f"{path.rstrip('/')}/NAME")


def _dataset(name: str, node: Mapping[str, Any], required: bool) -> tuple[str, ...]:
    parts = node["properties"]
    attributes = parts.get("attributes", {}).get("properties", {})
    sizes = [str(size.get("const", ANY)) for size in parts.get("shape", {}).get("prefixItems", ())]
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    target = attributes.get("points_to", {}).get("const")
    notes = ([] if required else ["optional"]) + ([f"rows of `/{target}`"] if target else [])
    unit, frame = (attributes.get(key, {}).get("const", "") for key in ("unit", "frame"))
    return f"`{name}`", shape, _type(parts.get("dtype", {})), unit, frame, ", ".join(notes)


def _keys(node: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    required = set(node.get("required", ()))
    for key, value in node.get("properties", {}).items():
        value = _resolved(value, definitions)
        yield f"`{prefix}{key}`", _type(value), "yes" if key in required else "", value.get("description", "")
        yield from _below(value, definitions, f"{prefix}{key}")


def _below(value: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    yield from _keys(value, definitions, f"{prefix}.")
    items = _resolved(value.get("items", {}) or {}, definitions) if isinstance(value.get("items"), Mapping) else {}
    yield from _keys(items, definitions, f"{prefix}[].")
    others = value.get("additionalProperties")
    if isinstance(others, Mapping):
        yield from _keys(_resolved(others, definitions), definitions, f"{prefix}.NAME.")


def _resolved(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref", "")
    return {**definitions[reference.rsplit("/", 1)[1]], **node} if reference else node


def _type(node: Mapping[str, Any]) -> str:
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    kind = node.get("type", "")
    kinds = kind if isinstance(kind, list) else [kind]
    limits = [f"{word} {node[key]:g}" for key, word in (("minimum", "≥"), ("maximum", "≤")) if key in node]
    pattern = f"`{node['pattern']}`" if "pattern" in node else ""
    return " ".join(filter(None, [" or ".join(filter(None, kinds)), pattern.replace("|", "\\|"), ", ".join(limits)]))


def _condition(rule: Mapping[str, Any]) -> str:
    text = json.dumps(rule.get("if", {}))
    layout = next((name for name in ("compact", "wrist", "full") if f'"{name}"' in text), "another layout")
    then = rule.get("then", {}).get("properties", {}).get("groups", {}).get("properties", {})
    datasets = {
        f"`/{group}/{name}`": None
        for group, node in then.items()
        for name in node.get("properties", {}).get("datasets", {}).get("required", ())
    }
    return f"layout `{layout}`: {', '.join(datasets) or 'nothing more'}"


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
