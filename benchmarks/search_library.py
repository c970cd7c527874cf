"""The search on the real meshes against what is asked of it: every row of the table, from one library.

Usage:
    python -m benchmarks.search_library                                   # 21 objects, 33 types: an hour or more
    python -m benchmarks.search_library --objects 025_mug --types 1 9 14  # a part of it
    python -m benchmarks.search_library --library library.h5              # the table of a finished search, no new one

The search goes on where it was when it is started again. Data: ``YAFF_DATA`` (default ../shared/data).
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tyro

from benchmarks.data import real_data
from benchmarks.running import status_of
from benchmarks.search_on_tables import table_row
from benchmarks.search_table import Row, Searched, comparison_row, library_rows, object_rows
from pipelines.commands.parsing import parse_duration, write_table
from pipelines.config import BuildConfig, HandSection, ObjectsSection, OutputSection
from pipelines.executor import Workforce
from pipelines.loading import Recipes, chosen_names, hand_of, object_of, recipes_of
from pipelines.progress import default_progress
from pipelines.report.search import machine, pairs_table, write_search_report
from pipelines.stages.objects import prepare_objects
from pipelines.stages.search import SearchTask, search
from yaff.errors import MissingFileError
from yaff.search.config import SearchConfig
from yaff.store.atomic import build_lock, write_bytes
from yaff.store.importers.ycb_affordance import read_grasps
from yaff.store.library import GraspLibrary


@dataclass(frozen=True)
class Options:
    """Search the real objects at the default budget and print every row of the table."""

    objects: tuple[str, ...] = ()
    """YCB names; all 21 when none is given."""
    types: tuple[int, ...] = ()
    """Feix numbers; all 33 when none is given."""
    out: Path = Path("out/bench-search")
    """Where library, report and the work in progress go."""
    library: Path | None = None
    """A finished library: its table is printed and nothing is searched. Its report folder is found beside it."""
    workers: int = 0
    """Processes; 0 takes every core."""
    budget: str | None = None
    """Time after which no further pair is begun, such as 30m; the table then speaks of what there is."""
    pictures: int = 8
    """Random grasps on the sheet of each type; 0 for none."""
    baseline: bool = True
    """Also run default and eigengrasp planner on the same few pairs."""
    baseline_objects: tuple[str, ...] = ("005_tomato_soup_can", "006_mustard_bottle", "011_banana", "025_mug")
    """The pairs of the comparison: these objects."""
    baseline_types: tuple[int, ...] = (1, 3, 9, 14)
    """And these types."""


def main(arguments: list[str]) -> int:
    """Search what is missing, print the table; status 1 where a row is below what is asked."""
    options = tyro.cli(Options, args=arguments, description=__doc__)
    data = real_data()
    source = ObjectsSection(source="folder", models=data / "YCB_Video_Dataset" / "models")
    output = OutputSection(options.out / "work", options.workers)
    recipes = recipes_of(BuildConfig(hand=HandSection(model="builtin"), objects=source, output=output))
    workforce = Workforce(options.workers)
    if options.library is None:
        with build_lock(output.folder):
            library, document = _search(options, recipes, workforce, output.folder)
    else:
        library = GraspLibrary.open(options.library)
        beside = options.library.with_suffix(".report") / "search.json"
        if not beside.is_file():
            raise MissingFileError("no report of the search", where=beside, remedy="yaff search writes it")
        document = json.loads(beside.read_text(encoding="utf-8"))
    searched = _searched(library, document["pairs"], recipes, data)
    rows = library_rows(searched)
    objects = ((object_of(name, recipes.objects), library[name]) for name in library.objects)
    rows.append(table_row(hand_of(recipes.hand), objects))
    if options.baseline:
        with build_lock(output.folder):
            rows.append(_compare(options, recipes, workforce, output.folder))
    _print(rows, searched, document)
    return 1 if any(row.good is False for row in rows) else 0


def _search(
    options: Options, recipes: Recipes, workforce: Workforce, work: Path
) -> tuple[GraspLibrary, dict[str, Any]]:
    progress, config = default_progress(), SearchConfig()
    prepared = prepare_objects(chosen_names(options.objects), recipes.objects, work, workforce, progress)
    task = SearchTask(prepared, options.types, 0, config, recipes)
    budget = None if options.budget is None else parse_duration(options.budget, "--budget")
    result = search(task, options.out / "library.h5", work, workforce, progress, budget=budget)
    library, report = GraspLibrary.open(result.library), options.out / "library.report"
    write_search_report(library, recipes, report, result, options.pictures, work, workforce, progress)
    return library, json.loads((report / "search.json").read_text(encoding="utf-8"))


def _searched(library: GraspLibrary, pairs: list[dict[str, Any]], recipes: Recipes, data: Path) -> Searched:
    hand = hand_of(recipes.hand)
    folder = data / "ycb_affordance" / "grasps"
    return Searched(
        grasps={name: library[name] for name in library.objects},
        symmetries={name: object_of(name, recipes.objects).symmetries for name in library.objects},
        pairs=pairs,
        root=hand.root(),
        published=read_grasps(folder, hand) if folder.is_dir() else {},
    )


def _compare(options: Options, recipes: Recipes, workforce: Workforce, work: Path) -> Row:
    """Both planners, one after the other, on the same pairs and processes."""
    progress, pairs = default_progress(), {}
    prepared = prepare_objects(chosen_names(options.baseline_objects), recipes.objects, work, workforce, progress)
    for planner in ("contact", "eigengrasp"):
        task = SearchTask(prepared, options.baseline_types, 0, SearchConfig(), recipes, planner)
        here = work / f"baseline-{planner}"
        result = search(task, here / "library.h5", here, workforce, progress)
        pairs[planner] = pairs_table(GraspLibrary.open(result.library), result.core_seconds)
        write_bytes(here / "pairs.json", json.dumps(pairs[planner], indent=1).encode())
    return comparison_row(pairs["contact"], pairs["eigengrasp"])


def _print(rows: list[Row], searched: Searched, document: dict[str, Any]) -> None:
    run, here = document.get("run", {}), document.get("machine", machine())
    title = f"{here['cpu']}, {here['cores']} cores, Python {here['python']}"
    if run:
        title += f"; wall time {run['wall_seconds'] / 60:.1f} min, {run['resumed']} pairs from before"
        title += f", {run['not_begun']} not begun" if run["not_begun"] else ""
    columns = ["measure", "asked", "measured", "ok"]
    verdict = {None: "", True: "yes", False: "NO"}
    write_table(title, columns, [[row.measure, row.asked, row.measured, verdict[row.good]] for row in rows])
    columns = ["object", "pairs with 3", "infeasible", "pairs", "verified", "core s", "verified per core s"]
    write_table("by object", columns, object_rows(searched))
    sys.stderr.write(json.dumps([asdict(row) for row in rows], ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(status_of(main))
