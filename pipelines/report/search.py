"""What a search leaves beside its library for a person: coverage chart, contact sheets, and every pair in numbers."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, hand_of, mesh_of
from pipelines.progress import Progress
from pipelines.report import charts
from yaff.store.atomic import write_bytes
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    from pipelines.stages.search import SearchResult
    from yaff.store.library import GraspLibrary

COLUMNS, SIZE = 4, 300
"""Pictures in a row of a contact sheet, and their width in pixels."""

Pair = tuple[str, int]


def infeasible_pairs(library: GraspLibrary) -> dict[Pair, str]:
    """The pairs that were not searched because they cannot be, with the reason in full."""
    return {
        (name, int(number)): str(entry["infeasible"])
        for name, tally in library.metadata.get("tallies", {}).items()
        for number, entry in tally.items()
        if isinstance(entry.get("infeasible"), str) and entry["infeasible"]
    }


def kind_of_reason(reason: str, object_name: str) -> str:
    """What reasons have in common: without the object and the numbers."""
    text = reason.split(":")[0].replace(object_name, "the object")
    return " ".join(re.sub(r"[-+]?\d+(\.\d+)?", "…", text).split())


def verified_counts(library: GraspLibrary) -> Counter[Pair]:
    """Verified grasps of every pair."""
    counts: Counter[Pair] = Counter()
    for name in library.objects:
        grasps = library[name]
        counts.update((name, int(number)) for number in grasps.grasp_type[grasps.verified])
    return counts


def library_chart(library: GraspLibrary) -> tuple[bytes, list[int]]:
    """The coverage of a library as PNG, and the types that it shows."""
    tallies: Mapping[str, Mapping[str, Any]] = library.metadata.get("tallies", {})
    attempted = {(name, int(number)) for name, tally in tallies.items() for number in tally}
    attempted |= {(name, int(number)) for name in library.objects for number in library[name].grasp_type}
    types = sorted({number for _, number in attempted})
    if not types:
        return b"", []
    reasons = {pair: kind_of_reason(text, pair[0]) for pair, text in infeasible_pairs(library).items()}
    return charts.coverage(verified_counts(library), attempted, reasons, library.objects, types), types


def write_search_report(
    library: GraspLibrary,
    recipes: Recipes,
    folder: Path,
    result: SearchResult,
    pictures: int,
    work: Path,
    workforce: Workforce,
    progress: Progress,
) -> tuple[Path, ...]:
    """Write ``coverage.png``, ``search.json`` and, for every type, ``type-09.png``; returns what was written.

    Args:
        library: what was found.
        recipes: hand and shapes to draw.
        folder: where the report goes.
        result: how the search went.
        pictures: random verified grasps on each contact sheet; 0 for no sheets.
        work: folder for the parts.
        workforce: who draws.
        progress: what a person sees.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chart, _ = library_chart(library)
    written = [folder / "search.json"]
    document = {
        "machine": machine(),
        "run": {"wall_seconds": round(result.wall_seconds, 1), "resumed": result.resumed, "not_begun": result.left},
        "metadata": library.metadata,
        "pairs": pairs_table(library, result.core_seconds),
    }
    write_bytes(written[0], (json.dumps(document, indent=1, sort_keys=True) + "\n").encode())
    if chart:
        written.append(folder / "coverage.png")
        write_bytes(written[-1], chart)
    found = sorted({number for _, number in verified_counts(library)})
    if pictures and found:
        units = [
            Unit(
                f"sheets/type-{number:02d}",
                digest("sheet", library.digest, number, pictures, hand_of(recipes.hand).digest),
                _sheet,
                (library.path, recipes, number, pictures),
                ".png",
            )
            for number in found
        ]
        for number, outcome in zip(found, run_units("pictures", units, work, workforce, progress), strict=True):
            if outcome.error is None:
                written.append(folder / f"type-{number:02d}.png")
                write_bytes(written[-1], outcome.path.read_bytes())
    for stale in set(folder.glob("type-[0-9][0-9].png")) - set(written):
        stale.unlink()
    return tuple(written)


def pairs_table(library: GraspLibrary, core_seconds: Mapping[Pair, float]) -> list[dict[str, Any]]:
    """Every pair that was searched: what was found, what was tried, why the rest was rejected, how long it took."""
    counts = verified_counts(library)
    rows = []
    for name, tally in library.metadata.get("tallies", {}).items():
        for number, entry in sorted(tally.items(), key=lambda item: int(item[0])):
            pair = (name, int(number))
            seconds = core_seconds.get(pair, float("nan"))
            rows.append(
                {
                    "object": name,
                    "type": pair[1],
                    "verified": counts[pair],
                    "core_seconds": None if np.isnan(seconds) else round(seconds, 3),
                    "tally": dict(entry),
                }
            )
    return rows


def machine() -> dict[str, Any]:
    """The machine in words."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        models = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8"), re.MULTILINE)
        cpu = models[0] if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}


def _sheet(part: Path, library_path: Path, recipes: Recipes, number: int, count: int) -> str:
    """One unit: a contact sheet of random verified grasps of one type."""
    from pipelines.pictures import draw_grasp, sheet, to_png
    from yaff.store.library import GraspLibrary

    library = GraspLibrary.open(library_path)
    rng = np.random.default_rng(number)
    rows = []
    for name in library.objects:
        grasps = library[name]
        mine = np.flatnonzero(grasps.verified & (grasps.grasp_type == number))
        rows += [(name, int(row)) for row in rng.permutation(mine)]
    chosen = sorted(_one_of_each_first(rows, count, rng))
    hand, pictures = hand_of(recipes.hand), []
    for name, row in chosen:
        grasp = library[name][row : row + 1]
        moved = 1e3 * float(grasp.measures["shake_translation"].max())
        depth = 1e3 * float(grasp.measures["max_penetration"][0])
        caption = f"{name} #{row}: moves {moved:.1f} mm, {depth:.1f} mm deep"
        pictures.append((draw_grasp(hand, mesh_of(name, recipes.objects), grasp, SIZE), caption))
    part.write_bytes(to_png(sheet(pictures, min(COLUMNS, len(pictures)))))
    return f"{GRASP_TYPES[number].name}, {len(pictures)} of {len(rows)}"


def _one_of_each_first(rows: list[tuple[str, int]], count: int, rng: np.random.Generator) -> list[tuple[str, int]]:
    """Up to ``count`` of these, of as many objects as there are."""
    left = [rows[i] for i in rng.permutation(len(rows))]
    chosen: list[tuple[str, int]] = []
    while left and len(chosen) < count:
        seen: set[str] = set()
        for entry in list(left):
            if entry[0] not in seen and len(chosen) < count:
                seen.add(entry[0])
                chosen.append(entry)
                left.remove(entry)
    return chosen
