"""The tables of ``docs/file-formats.md``, from the columns that the program writes."""

from __future__ import annotations

from collections.abc import Sequence

from yaff.store.columns import ANNOTATION_GRASP, INDEX_SHARDS, LIBRARY_COLUMNS, SHARD_GROUPS, Column
from yaff.store.layouts import LAYOUTS


def format_tables() -> dict[str, str]:
    """Markdown tables by title."""
    tables = {"/objects/NAME": _table(LIBRARY_COLUMNS)}
    tables |= {f"/{group}": _table(columns) for group, columns in SHARD_GROUPS.items()}
    tables["/annotations"] = _table([ANNOTATION_GRASP])
    tables |= {f"/annotations, {name}": _table(layout.columns) for name, layout in LAYOUTS.items() if layout.columns}
    tables["/shards"] = _table(INDEX_SHARDS)
    return tables


def _table(columns: Sequence[Column]) -> str:
    head = "| dataset | shape | dtype | unit | frame | what |\n|---|---|---|---|---|---|\n"
    return head + "".join(_row(column) for column in columns)


def _row(column: Column) -> str:
    sizes = [column.dimension, *map(str, column.shape)]
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    words = column.description.replace("|", "\\|") + (" (optional)" if column.optional else "")
    if column.points_to and not column.dimension.endswith("+1"):
        words += f" (row of `/{column.points_to}`)"
    return f"| `{column.name}` | {shape} | {column.dtype} | {column.unit} | {column.frame} | {words} |\n"
