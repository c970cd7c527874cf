"""The committed schemas are the tables of the program, and the page on file formats names every dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from yaff.store.columns import INDEX_SHARDS, LIBRARY_COLUMNS, METADATA, SHARD_GROUPS
from yaff.store.format_tables import format_tables
from yaff.store.layouts import LAYOUTS
from yaff.store.schema import schema_documents, schema_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", schema_documents())
def test_committed_schema_is_current(name: str) -> None:
    document = schema_documents()[name]
    Draft202012Validator.check_schema(document)
    path = ROOT / "schemas" / f"{name}.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text(document), f"write schema_text({name!r}) into {path}"
    assert json.loads(path.read_text(encoding="utf-8")) == document


def test_the_page_on_file_formats_holds_the_current_tables() -> None:
    page = (ROOT / "docs" / "file-formats.md").read_text(encoding="utf-8")
    for title, text in format_tables().items():
        assert text in page, f"the table of {title} is out of date: put in format_tables()[{title!r}]"


def test_every_column_says_what_it_is() -> None:
    layouts = [column for layout in LAYOUTS.values() for column in layout.columns]
    groups = [column for columns in SHARD_GROUPS.values() for column in columns]
    for column in (*LIBRARY_COLUMNS, METADATA, *groups, *layouts, *INDEX_SHARDS):
        assert column.description
        if column.dtype.startswith("float"):
            assert column.unit, column.name
        if column.unit in ("m", "rad") and column.shape and column.shape != (6,):
            assert column.frame, column.name
