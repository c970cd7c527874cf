"""Charts of the report, as PNG bytes. Figures are made without pyplot: no global state, no display."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

INK, SOFT, BLUE, ORANGE = "#24292f", "#8c959f", "#2f6f9f", "#d9822b"
_BLUES = LinearSegmentedColormap.from_list("yaff", ["#e8f0f6", "#7fb0d0", "#1f5a86"])


HATCHES = ("////", "\\\\\\\\", "xxxx", "....", "----", "||||")
"""One for each reason for which pairs cannot be; in the order of their frequency."""


def coverage(
    verified: Mapping[tuple[str, int], int],
    attempted: set[tuple[str, int]],
    infeasible: Mapping[tuple[str, int], str],
    objects: Sequence[str],
    types: Sequence[int],
) -> bytes:
    """Objects x types: how many verified grasps; hatched where a pair cannot be, with the reasons below."""
    figure = Figure(figsize=(max(6.5, 2.0 + 0.36 * len(types)), 1.5 + 0.34 * len(objects)), layout="constrained")
    axes = figure.subplots()
    counts = np.array([[verified.get((name, number), 0) for number in types] for name in objects], float)
    most = max(1.0, counts.max(initial=0.0))
    axes.imshow(np.where(counts > 0, counts, np.nan), cmap=_BLUES, vmin=0, vmax=most, aspect="auto")
    shown = {pair: reason for pair, reason in infeasible.items() if not verified.get(pair)}
    reasons = [reason for reason, _ in Counter(shown.values()).most_common()]
    hatch_of = {reason: HATCHES[min(k, len(HATCHES) - 1)] for k, reason in enumerate(reasons)}
    for row, name in enumerate(objects):
        for column, number in enumerate(types):
            count, pair = int(counts[row, column]), (name, number)
            if count:
                colour = "white" if count > 0.55 * most else INK
                axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=colour)
            elif pair in shown:
                axes.add_patch(_hatched(column - 0.5, row - 0.5, hatch_of[shown[pair]]))
            elif pair in attempted:
                axes.text(column, row, "?", ha="center", va="center", fontsize=8, color=ORANGE, weight="bold")
    axes.set_xticks(range(len(types)), [str(number) for number in types], fontsize=8)
    axes.set_yticks(range(len(objects)), list(objects), fontsize=8)
    axes.set_xticks(np.arange(-0.5, len(types)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(objects)), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("grasp type (Feix number); ? tried in vain; hatched: cannot be", fontsize=9, color=INK)
    if hatch_of:
        handles = [_hatched(0.0, 0.0, hatch, reason) for reason, hatch in list(hatch_of.items())[: len(HATCHES)]]
        columns = max(1, min(len(handles), len(types) // 12))
        figure.legend(handles=handles, loc="outside lower center", fontsize=8, frameon=False, ncols=columns)
    return png(figure)


def _hatched(x: float, y: float, hatch: str, label: str = "") -> Rectangle:
    return Rectangle((x, y), 1.0, 1.0, facecolor="#f3f4f6", edgecolor="#b5bcc4", hatch=hatch, linewidth=0, label=label)


def histograms(measures: Sequence[tuple[str, np.ndarray, float | None]]) -> bytes:
    """One histogram for each (label, values, limit); the limit, where there is one, is drawn."""
    columns = 4
    rows = max(1, -(-len(measures) // columns))
    figure = Figure(figsize=(11, 2.3 * rows), layout="constrained")
    for axes, entry in zip(
        figure.subplots(rows, columns, squeeze=False).flat, [*measures, *[None] * columns], strict=False
    ):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(labelsize=8, length=2, color=SOFT)
        axes.set_yticks([])
        if entry is None:
            axes.set_visible(False)
            continue
        label, values, limit = entry
        values = values[np.isfinite(values)]
        if len(values):
            axes.hist(values, bins=min(30, max(5, len(values) // 3)), color=BLUE)
            axes.axvline(float(np.median(values)), color=INK, linewidth=1)
        if limit is not None:
            axes.axvline(limit, color=ORANGE, linewidth=1, linestyle="--")
        axes.set_title(label, fontsize=9, color=INK, loc="left")
    return png(figure)


def bars(counts: Mapping[str, int], *, xlabel: str) -> bytes:
    """Horizontal bars, the largest at the top, each with its number."""
    names = sorted(counts, key=lambda name: (-counts[name], name))
    figure = Figure(figsize=(7.5, 0.6 + 0.28 * max(1, len(names))), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh(range(len(names)), [counts[name] for name in names], color=BLUE, height=0.65)
    axes.bar_label(drawn, labels=[f"{counts[name]:,}" for name in names], fontsize=8, padding=3, color=INK)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.margins(x=0.12)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel(xlabel, fontsize=9, color=INK)
    return png(figure)


def png(figure: Figure) -> bytes:
    """A figure as PNG."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
