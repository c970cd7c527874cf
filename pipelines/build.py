"""The whole way: objects, grasps, scenes, shards, verification, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.config import BuildConfig
from pipelines.executor import Workforce
from pipelines.loading import Recipes, chosen_names, hand_of, recipes_of
from pipelines.progress import Progress
from pipelines.stages.dataset import generate_dataset
from pipelines.stages.objects import PreparedObject, prepare_objects
from pipelines.stages.project import ProjectTask, project
from pipelines.stages.search import SearchTask, search
from pipelines.stages.verify import check
from yaff.errors import MissingFileError
from yaff.store.atomic import build_lock


@dataclass
class BuildLog:
    """What happened in a build, for the person and the report. Never part of the data."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each stage."""
    problems: list[str] = field(default_factory=list)
    """What failed although the build went on."""
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the time of the block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started


@dataclass(frozen=True)
class BuildResult:
    """Where everything is."""

    library: Path
    shards: Path
    report: Path
    log: BuildLog


def workforce_of(config: BuildConfig) -> Workforce:
    """Who does the work."""
    return Workforce(config.output.workers, config.output.backend, config.output.scheduler)


def project_task(config: BuildConfig, recipes: Recipes, library: Path) -> ProjectTask:
    """What a configuration asks of the projection."""
    return ProjectTask(
        root=config.dataset_root,
        scenes=config.dataset.scenes,
        stride=config.dataset.stride,
        skip_bad_frames=config.dataset.skip_bad_frames,
        library=library,
        layout=config.project.layout,
        tolerance=config.project.tolerance,
        visibility=config.project.visibility,
        recipes=recipes,
    )


def build(config: BuildConfig, progress: Progress) -> BuildResult:
    """Run every stage whose result is not there yet.

    Raises:
        YaffError: bad input, bad configuration, or no way to write. What is finished stays, for the next run.
    """
    folder = config.output.folder
    with build_lock(folder):
        return _build(config, progress, folder, BuildLog())


def _build(config: BuildConfig, progress: Progress, folder: Path, log: BuildLog) -> BuildResult:
    work, workforce = folder / "work", workforce_of(config)
    recipes = recipes_of(config, config.search.library)
    names = chosen_names(config.objects.names)
    root = config.dataset_root
    if config.dataset.kind != "synthetic" and not root.exists():
        raise MissingFileError("dataset not found", where=root, remedy="say where it is: --dataset.root DIR")
    hand = hand_of(recipes.hand)
    progress.say(f"hand: {hand.name}, {hand.side}; objects: {len(names)} from {recipes.objects.label}")

    with log.timed("objects"):
        prepared = prepare_objects(names, recipes.objects, work, workforce, progress)
    with log.timed("search"):
        library = _search(config, prepared, recipes, folder, work, log, progress)
    if config.dataset.kind == "synthetic":
        with log.timed("dataset"):
            generate_dataset(config.dataset.synthetic, prepared, recipes, root, work, progress)
    with log.timed("project"):
        task = project_task(config, recipes, library)
        projected = project(task, folder / "shards", work, workforce, progress)
    log.notes += [f"skipped {bad.file}: {bad.reason}" for bad in projected.bad_frames]
    with log.timed("verify"):
        log.problems += check((library, folder / "shards"), progress)
    with log.timed("report"):
        from pipelines.report.card import write_card
        from pipelines.report.page import write_report
        from yaff.store import GraspLibrary, ShardSet

        generated = config.dataset.kind == "synthetic"
        write_card(ShardSet.open(folder / "shards"), GraspLibrary.open(library), generated=generated)
        report = write_report(config, recipes, library, folder / "shards", folder / "report", log)
    return BuildResult(library, folder / "shards", report, log)


def _search(
    config: BuildConfig,
    prepared: dict[str, PreparedObject],
    recipes: Recipes,
    folder: Path,
    work: Path,
    log: BuildLog,
    progress: Progress,
) -> Path:
    given = config.search.library
    if given is not None:
        if not given.is_file():
            raise MissingFileError("grasp library not found", where=given, remedy="see search.library")
        return given
    section = config.search
    task = SearchTask(prepared, section.types, section.seed, section.settings, recipes, section.planner)
    result = search(task, folder / "library.h5", work, workforce_of(config), progress)
    log.problems += [f"{name}: {error}" for name, error in result.failed]
    return result.library
