"""What an evaluation leaves behind: a table in Markdown and JSON, curves, confusion matrix, a sheet of predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.loading import mesh_of
from pipelines.pictures import draw_grasp, sheet, write_png
from pipelines.report.charts import BLUE, INK, ORANGE, SOFT, png
from pipelines.training.data import TrainingData
from pipelines.training.evaluation import Method, first_pictures
from yaff.learning.summary import COLUMNS
from yaff.store.atomic import write_bytes
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray


def headings() -> list[str]:
    """Titles of the table's columns, units and all."""
    return [f"{column.title}{f' {column.unit}' if column.unit else ''}" for column in COLUMNS.values()]


def cells(row: Mapping[str, float | None]) -> list[str]:
    """A row as the table shows it; nothing where nothing was measured."""
    return [_cell(name, row[name]) for name in COLUMNS]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    column = COLUMNS[name]
    scaled = value * column.scale
    return f"{scaled:.0f}" if column.unit in ("%", "mm") else f"{scaled:.2f}"


def markdown(methods: Sequence[Method], title: str, notes: Sequence[str]) -> str:
    """The table as Markdown, with what its columns mean."""
    lines = [f"# {title}", "", "| | " + " | ".join(headings()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [f"| {method.name} | " + " | ".join(cells(method.row)) + " |" for method in methods]
    lines += ["", *(f"{note}\n" for note in notes), "| column | better | what it is |", "|---|---|---|"]
    words = {1: "more", -1: "less", 0: ""}
    lines += [f"| {column.title} | {words[column.better]} | {column.meaning} |" for column in COLUMNS.values()]
    return "\n".join(lines) + "\n"


def document(methods: Sequence[Method], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The table as JSON: SI units, fractions as fractions."""
    return {
        **facts,
        "units": {
            name: "m3" if column.unit == "cm3" else "m" if column.unit == "mm" else "1"
            for name, column in COLUMNS.items()
        },
        "rows": {method.name: dict(method.row) for method in methods},
    }


def write_tables(folder: Path, name: str, methods: Sequence[Method], title: str, facts: Mapping[str, Any]) -> None:
    """``NAME.md`` and ``NAME.json`` in a folder.

    Raises:
        StorageError: the disk refused.
    """
    notes = [f"{key}: {value}" for key, value in facts.items() if not isinstance(value, Mapping)]
    write_bytes(folder / f"{name}.md", markdown(methods, title, notes).encode())
    text = json.dumps(document(methods, facts), indent=2, default=str) + "\n"
    write_bytes(folder / f"{name}.json", text.encode())


def curves(history: Mapping[str, Sequence[Sequence[float]]]) -> bytes:
    """Every loss over the steps, of training and of validation, as PNG."""
    names = list(dict.fromkeys(key.split("/", 1)[1] for key in history))
    columns = 3
    lines = max(1, -(-len(names) // columns))
    figure = Figure(figsize=(10.0, 2.2 * lines), layout="constrained")
    grid = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).reshape(-1)
    for axes, name in zip(grid, names, strict=False):
        for kind, colour in (("train", SOFT), ("validation", BLUE)):
            points = np.array(history.get(f"{kind}/{name}", np.zeros((0, 2))), float).reshape(-1, 2)
            axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.4, label=kind)
        axes.set_title(name, fontsize=9, color=INK)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        if name != "top1":
            axes.set_ylim(bottom=0.0)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    if names:
        grid[0].legend(fontsize=7, frameon=False)
    return png(figure)


def confusion_chart(counts: Array) -> bytes:
    """The confusion matrix (33, 33) as PNG: the type that is predicted against the feasible one nearest to it."""
    figure = Figure(figsize=(6.6, 6.2), layout="constrained")
    axes = figure.subplots()
    there = np.flatnonzero((counts.sum(0) + counts.sum(1)) > 0)
    shown = counts[np.ix_(there, there)]
    share = shown / np.maximum(shown.sum(1, keepdims=True), 1e-9)
    axes.imshow(np.where(share > 0, share, np.nan), cmap="Blues", vmin=0.0, vmax=1.0)
    for i, j in zip(*np.nonzero(share >= 0.05), strict=True):
        colour = ORANGE if i != j else "white" if share[i, j] > 0.5 else INK
        axes.text(j, i, f"{100 * share[i, j]:.0f}", ha="center", va="center", fontsize=6, color=colour)
    labels = [str(k + 1) for k in there]
    axes.set_xticks(range(len(there)), labels, fontsize=7)
    axes.set_yticks(
        range(len(there)), [f"{k} ({n:.0f})" for k, n in zip(labels, shown.sum(1), strict=True)], fontsize=7
    )
    axes.set_xlabel("feasible type (Feix number)", fontsize=9, color=INK)
    axes.set_ylabel("likeliest type (instances)", fontsize=9, color=INK)
    axes.set_title("% of the instances of a row", fontsize=9, color=INK)
    return png(figure)


def prediction_sheet(
    data: TrainingData, method: Method, names: Mapping[int, str], count: int, size: int = 300
) -> Array:
    """Pictures of first predictions on their objects, each with type and verdict."""
    judged, pictures = method.judged, []
    for k in first_pictures(method, count):
        one = judged.predictions.only(np.array([k]))
        name = names[int(one.row[0])]
        number = int(one.grasp_type[0])
        verdict = "" if judged.graspable[k] else ", no grasp"
        volume = 1e6 * judged.intersection[k]
        caption = f"{name[4:]}: {number} {GRASP_TYPES[number].name}, {volume:.1f} cm3{verdict}"
        picture = draw_grasp(data.hand, mesh_of(name, data.recipes.objects), one.grasps(data.hand, name), size)
        pictures.append((picture, caption))
    return sheet(pictures, min(len(pictures), 4))


def write_pictures(
    folder: Path,
    data: TrainingData,
    method: Method,
    names: Mapping[int, str],
    history: Mapping[str, Sequence[Sequence[float]]],
    count: int,
) -> None:
    """``curves.png``, ``confusion.png`` and ``predictions.png`` in a folder.

    Raises:
        StorageError: the disk refused.
    """
    if history:
        write_bytes(folder / "curves.png", curves(history))
    write_bytes(folder / "confusion.png", confusion_chart(method.confusion))
    if count:
        write_png(folder / "predictions.png", prediction_sheet(data, method, names, count))
