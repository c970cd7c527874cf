"""``yaff search [OBJECT ...] --out library.h5``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, parse_duration, say, with_absolute_paths, write_json
from pipelines.config import BuildConfig, HandSection, ObjectsSection, OutputSection, SearchSection
from yaff.errors import ConfigError
from yaff.search.config import SearchConfig

USAGE = """
yaff search 025_mug 011_banana --out library.h5 --types 9 14 --workers 2
yaff search --out library.h5 --models YCB_Video_Dataset/models --budget 20m --count 3
yaff search 025_mug --out baseline.h5 --planner eigengrasp
"""


@dataclass(frozen=True)
class Search:
    """Search verified grasps of objects and write them as a library.

    An interrupted search, and one whose time was up, goes on where it was when the same command is given again. At the
    end a coverage chart and sheets of pictures lie beside the library.
    """

    objects: Positional[tuple[str, ...]] = ()
    """YCB names such as 025_mug; all 21 when none is given."""
    out: Path = Path("library.h5")
    """The library. Work in progress is kept beside it, in a folder ending in .work."""
    types: tuple[int, ...] = ()
    """Feix numbers, 1 to 33; all when none is given."""
    planner: Literal["contact", "eigengrasp"] = "contact"
    """"contact" is the search; "eigengrasp" GraspIt's method, as a baseline."""
    budget: str | None = None
    """Time after which no further object and type is begun, such as 90s, 20m or 1h30m."""
    count: int | None = None
    """Verified grasps wanted of each object and type; that of the settings when not given."""
    report: Path | None = None
    """Folder for coverage chart, pictures and numbers; LIBRARY.report beside the library when not given."""
    pictures: int = 8
    """Random grasps on the sheet of each type; 0 for no sheets."""
    seed: int = 0
    """Other seeds give other grasps."""
    models: Path | None = None
    """Folder of scanned meshes (NNN_name/textured_simple.obj); installed ones, else stand-ins, are used without it."""
    hand: HandSection = field(default_factory=HandSection)
    workers: int = 0
    """Processes at work; 0 takes every core."""
    backend: Literal["local", "dask"] = "local"
    scheduler: str | None = None
    """Address of the Dask scheduler, tcp://host:port."""
    cache: Path | None = None
    """Folder for derived geometry; the user's cache folder when not set."""
    settings: SearchConfig = field(default_factory=SearchConfig)
    json: bool = False
    """Print what was found as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = with_absolute_paths(parse(Search, arguments, "search", usage=USAGE))
    budget = None if options.budget is None else parse_duration(options.budget, "--budget")
    settings = options.settings
    if options.count is not None:
        if options.count < 1:
            raise ConfigError(f"--count is {options.count}", remedy="one grasp or more, or leave it out")
        settings = replace(settings, select=replace(settings.select, keep=options.count))
    work = options.out.with_name(options.out.name + ".work")
    config = BuildConfig(
        hand=options.hand,
        objects=ObjectsSection(
            names=options.objects,
            source="auto" if options.models is None else "folder",
            models=options.models,
            cache=options.cache,
        ),
        search=SearchSection(
            **{name: getattr(settings, name) for name in SearchConfig.__dataclass_fields__},
            types=options.types,
            seed=options.seed,
            planner=options.planner,
        ),
        output=OutputSection(work, options.workers, options.backend, options.scheduler),
    )

    from pipelines.build import workforce_of
    from pipelines.commands.stats import library_coverage
    from pipelines.loading import chosen_names, recipes_of
    from pipelines.progress import default_progress
    from pipelines.report.search import write_search_report
    from pipelines.stages.objects import prepare_those_that_can
    from pipelines.stages.search import SearchTask, search
    from yaff.store.atomic import build_lock
    from yaff.store.library import GraspLibrary

    progress, workforce = default_progress(), workforce_of(config)
    recipes, names = recipes_of(config), chosen_names(config.objects.names)
    report = options.report or options.out.with_suffix(".report")
    with build_lock(work):
        prepared, unusable = prepare_those_that_can(names, recipes.objects, work, workforce, progress)
        if not prepared:
            raise unusable[0][1]
        section = config.search
        task = SearchTask(prepared, section.types, section.seed, section.settings, recipes, section.planner)
        result = search(task, options.out, work, workforce, progress, budget=budget)
        library = GraspLibrary.open(result.library)
        written = write_search_report(library, recipes, report, result, options.pictures, work, workforce, progress)
    failed = [*((f"objects/{name}", error) for name, error in unusable), *result.failed]
    coverage = library_coverage(library)
    if options.json:
        write_json(coverage)
    else:
        for row in coverage:
            say(f"{row['object']}: {row['verified']} verified of {row['types']} types, {row['review']} for review")
        for name, error in failed:
            say(f"failed: {name}: {error}")
        if result.left:
            say(f"out of time: {result.left} pairs not begun; the same command goes on with them")
        say(f"grasp library  {result.library}")
        say(f"report         {report}: {len(written)} files")
    return 1 if failed else 0
