"""``yaff search [OBJECT ...] --out library.h5``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json
from pipelines.config import BuildConfig, HandSection, ObjectsSection, OutputSection, SearchSection
from yaff.search.config import SearchConfig

USAGE = """
yaff search 025_mug 011_banana --out library.h5 --types 9 14 --workers 2
yaff search --out library.h5 --models YCB_Video_Dataset/models
"""


@dataclass(frozen=True)
class Search:
    """Search verified grasps of objects and write them as a library.

    An interrupted search goes on where it was when the same command is given again.
    """

    objects: Positional[tuple[str, ...]] = ()
    """YCB names such as 025_mug; all 21 when none is given."""
    out: Path = Path("library.h5")
    """The library. Work in progress is kept beside it, in a folder ending in .work."""
    types: tuple[int, ...] = ()
    """Feix numbers, 1 to 33; all when none is given."""
    seed: int = 0
    """Other seeds give other grasps."""
    models: Path | None = None
    """Folder of the scanned meshes (NNN_name/textured_simple.obj); stand-ins are used without it."""
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
    options = parse(Search, arguments, "search", usage=USAGE)
    work = options.out.with_name(options.out.name + ".work")
    config = BuildConfig(
        hand=options.hand,
        objects=ObjectsSection(
            names=options.objects,
            source="stand-in" if options.models is None else "folder",
            models=options.models,
            cache=options.cache,
        ),
        search=SearchSection(
            **{name: getattr(options.settings, name) for name in SearchConfig.__dataclass_fields__},
            types=options.types,
            seed=options.seed,
        ),
        output=OutputSection(work, options.workers, options.backend, options.scheduler),
    )

    from pipelines.build import workforce_of
    from pipelines.commands.stats import library_coverage
    from pipelines.loading import chosen_names, recipes_of
    from pipelines.progress import default_progress
    from pipelines.stages.objects import prepare_objects
    from pipelines.stages.search import SearchTask, search
    from yaff.store.atomic import build_lock
    from yaff.store.library import GraspLibrary

    progress, workforce = default_progress(), workforce_of(config)
    recipes, names = recipes_of(config), chosen_names(config.objects.names)
    with build_lock(work):
        prepared = prepare_objects(names, recipes.objects, work, workforce, progress)
        task = SearchTask(prepared, config.search.types, config.search.seed, config.search.settings, recipes)
        result = search(task, options.out, work, workforce, progress)
    coverage = library_coverage(GraspLibrary.open(result.library))
    if options.json:
        write_json(coverage)
    else:
        for row in coverage:
            say(f"{row['object']}: {row['verified']} verified of {row['types']} types, {row['review']} for review")
        for name, error in result.failed:
            say(f"failed: {name}: {error}")
        say(f"grasp library  {result.library}")
    return 1 if result.failed else 0
