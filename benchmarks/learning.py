"""Whether the dataset teaches: everything that is asked of training and evaluation, measured and printed as one table.

Usage:
    python -m benchmarks.learning --library out/bench-search/library.h5      # two trainings of a quarter of an hour
    python -m benchmarks.learning --library library.h5 --minutes 3 --physics 20 --held-out 025_mug
    python -m benchmarks.learning --shards shards                            # shards that are there already

Projects the library into the real poses of YCB-Video (``YAFF_DATA``, default ../shared/data), trains on the official
training split, evaluates on the keyframes beside the baselines, and does both again without some of the objects. What
is finished is not done again: a killed benchmark goes on with the same command.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro

from benchmarks.data import real_data
from benchmarks.machine import description
from pipelines.commands.parsing import say, write_table
from pipelines.progress import QuietProgress, default_progress
from pipelines.toml import read_toml
from pipelines.training.checkpoints import LAST, Checkpoint
from pipelines.training.config import TrainConfig
from pipelines.training.data import TrainingData
from pipelines.training.evaluation import MODEL, RAW, REFERENCES, Evaluation, EvaluationConfig, Method
from pipelines.training.loop import Trained, Trainer
from pipelines.training.report import cells, headings, write_pictures, write_tables
from pipelines.training.shapes import ShapeOptions
from pipelines.training.validation import corrupted_copies, findings
from yaff.errors import MissingFileError, YaffError
from yaff.learning.batches import BatchMaker, Epochs
from yaff.learning.summary import better_than
from yaff.store.atomic import write_bytes

LEAST_TOP1 = 0.85
ASKED_BETTER = ("graspable", "intersection", "verified")


@dataclass(frozen=True)
class Options:
    """Train, evaluate and validate on the real poses, and print the table."""

    library: Path = Path("out/bench-search/library.h5")
    """A grasp library of the real meshes."""
    shards: Path | None = None
    """Shards that are there already; the library is not looked at then."""
    out: Path = Path("out/bench-learning")
    config: Path = Path("configs/training/small.toml")
    stride: int = 20
    """Every stride-th frame is projected."""
    minutes: float = 11.0
    """Time of a training, beside that for made-up arrangements; the number of steps is chosen to fit."""
    instances: int = 200
    physics: int = 100
    """First predictions that PyBullet tests, for each row of a table."""
    held_out: tuple[str, ...] = ("006_mustard_bottle", "010_potted_meat_can", "025_mug")
    """Objects of which the second training sees nothing; () for no second training."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    what: str
    asked: str
    measured: str
    good: bool | None


def main(options: Options) -> list[Row]:
    """Everything in turn; rows are written as they come, so that a killed benchmark leaves what it had."""
    models = real_data() / "YCB_Video_Dataset" / "models"
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows: list[Row] = []
    options.out.mkdir(parents=True, exist_ok=True)
    for row in measured(options, models):
        rows.append(row)
        say(f"{_verdict(row.good):5} {row.what}: {row.measured}  (asked: {row.asked})")
        write_bytes(options.out / "table.json", json.dumps([vars(entry) for entry in rows], indent=2).encode())
    return rows


def measured(options: Options, models: Path) -> Iterator[Row]:
    """The rows, one after the other."""
    shards = options.shards or projected(options, models)
    data = TrainingData.open(shards, ShapeOptions(models=models))
    settings = read_toml(options.config, TrainConfig)
    started = time.perf_counter()
    if settings.generated.total:  # every training takes these from here
        made = (settings.generated, settings.data, settings.optimiser.seed)
        data.arranged(*made, options.out, default_progress())
    arranging = time.perf_counter() - started
    yield from loader(data, settings)
    yield from resumed(data, settings)
    yield from validated(data, options)
    settings = fitted(data, settings, options.minutes)
    yield from trained(data, settings, options, "official", (), arranging)
    if held := tuple(name for name in options.held_out if name in data.shards.objects):
        section = replace(settings.data, held_out=held)
        yield from trained(data, replace(settings, data=section), options, "held-out", held, arranging)


def projected(options: Options, models: Path) -> Path:
    """The library in every stride-th frame of all videos."""
    from pipelines.build import project_task, workforce_of
    from pipelines.config import BuildConfig, DatasetSection, ObjectsSection, OutputSection
    from pipelines.loading import recipes_of
    from pipelines.stages.project import project
    from yaff.store.atomic import build_lock

    if not options.library.is_file():
        raise MissingFileError(
            "no library", where=options.library, remedy="make bench-search first, or --library or --shards"
        )
    shards = options.out / "shards"
    config = BuildConfig(
        dataset=DatasetSection("recorded", models.parents[1] / "ycb_video_poses.npz", stride=options.stride),
        objects=ObjectsSection(source="folder", models=models),
        output=OutputSection(shards),
    )
    with build_lock(shards):
        task = project_task(config, recipes_of(config), options.library)
        project(task, shards, options.out / "shards.work", workforce_of(config), default_progress())
    return shards


def loader(data: TrainingData, settings: TrainConfig) -> Iterator[Row]:
    """Instances a second that the loader makes, in processor time of one core."""
    table = data.table(settings.data.split)
    section = settings.optimiser
    maker = BatchMaker(table, data.clouds, data.targets(table), settings.observation, section.grasps)
    epochs = Epochs(table.rows, section.batch, 0)
    maker.make(epochs.rows(0), (0,), augment=True)
    started, count = time.process_time(), 0
    while time.process_time() - started < 3.0:
        count += len(maker.make(epochs.rows(count // section.batch), (0, count), augment=True))
    rate = count / (time.process_time() - started)
    yield Row("loader alone, instances a second of one core", ">= 2,000", f"{rate:,.0f}", rate >= 2000.0)


def resumed(data: TrainingData, settings: TrainConfig, steps: int = 40) -> Iterator[Row]:
    """Largest relative difference of the losses of a training that was interrupted half-way from one that was not."""
    section = replace(settings.optimiser, steps=steps)
    run = replace(settings.run, checkpoint_every=steps // 2, log_every=1, validation_batches=1, patience=0)
    short = replace(settings, optimiser=section, run=run)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        Trainer(data, short, Path(one)).run(QuietProgress())
        Trainer(data, replace(short, run=replace(run, minutes=0.0)), Path(other)).run(QuietProgress())
        Trainer(data, short, Path(other)).run(QuietProgress())
        a, b = (Checkpoint.load(Path(folder) / LAST).history for folder in (one, other))
    worst = 0.0
    for name, values in a.items():
        if len(values) != len(b[name]):
            worst = float("inf")
        for (_, mine), (_, theirs) in zip(values, b[name], strict=False):
            worst = max(worst, abs(mine - theirs) / max(abs(mine), 1e-6))
    yield Row(
        "resumed against uninterrupted, largest relative difference", "float tolerance", f"{worst:.1e}", worst < 1e-4
    )


def validated(data: TrainingData, options: Options) -> Iterator[Row]:
    """Ground truth and corrupted copies."""
    config = EvaluationConfig("all", options.instances, 0)
    evaluation = Evaluation(data, config, TrainConfig().observation)
    judged = evaluation.run(corrupted_copies(evaluation, 0.03), default_progress())
    write_tables(options.out, "validation", judged, "Validation", {"instances": len(evaluation.rows)})
    for finding in findings({method.name: method.row for method in judged}):
        yield Row(
            f"validation, {finding.words}", "perfect, corrupted worse", "yes" if finding.holds else "no", finding.holds
        )


def fitted(data: TrainingData, settings: TrainConfig, minutes: float) -> TrainConfig:
    """The configuration with as many steps as fit into the time on this machine."""
    with tempfile.TemporaryDirectory() as folder:
        short = replace(settings, optimiser=replace(settings.optimiser, steps=30))
        short = replace(short, run=replace(settings.run, checkpoint_every=30, validation_batches=1))
        result = Trainer(data, short, Path(folder)).run(QuietProgress())
    per_step = settings.optimiser.batch / result.instances_per_second
    steps = int(0.93 * 60.0 * minutes / per_step / 100) * 100  # the rest is for validation
    say(f"{1e3 * per_step:.0f} ms a step: {steps} steps")
    run = replace(settings.run, checkpoint_every=max(100, steps // 30))
    return replace(settings, optimiser=replace(settings.optimiser, steps=max(steps, 100)), run=run)


def trained(
    data: TrainingData,
    settings: TrainConfig,
    options: Options,
    name: str,
    held_out: tuple[str, ...],
    arranging: float,
) -> Iterator[Row]:
    """One training, for which arrangements were made up in so many seconds, and its evaluation."""
    folder, result_file = options.out / name, options.out / name / "trained.json"
    if result_file.is_file():  # of a benchmark that was killed afterwards: the fit may have come out otherwise since
        settings = Checkpoint.load(folder / LAST).config
        result = Trained(**{**json.loads(result_file.read_text()), "checkpoint": folder})
        spent = None
    else:
        if (folder / LAST).is_file():
            settings = Checkpoint.load(folder / LAST).config
        started = time.perf_counter()
        result = Trainer(data, settings, folder).run(default_progress())
        spent = time.perf_counter() - started
        write_bytes(result_file, json.dumps(vars(result), default=str).encode())
    if spent is not None:
        words = f"{(spent + arranging) / 60:.1f} ({arranging / 60:.1f} for arrangements), {result.step} steps"
        yield Row(f"{name}: training, minutes", "<= 20", words, spent + arranging <= 1200.0)
    yield Row(
        f"{name}: share of the steps' time in the model",
        ">= 90 %",
        f"{100 * result.model_share:.1f} %, {result.instances_per_second:.0f} instances/s",
        result.model_share >= 0.9,
    )
    checkpoint, known = Checkpoint.load(folder), data.table("keyframe")
    asked = held_out or tuple(data.shards.objects)
    objects = tuple(entry for entry in asked if len(known.only([entry])))
    if not objects:
        yield Row(f"{name}: evaluation", "some instances", f"no keyframe has {', '.join(asked)} with a grasp", None)
        return
    judged, evaluation = evaluated(data, checkpoint, options, objects)
    split = evaluation.types_of_split(checkpoint)
    facts = {"objects": ", ".join(objects), "instances": len(evaluation.rows), "steps": checkpoint.step}
    facts["types on the whole split"] = str(split)
    write_tables(folder, "evaluation", judged, f"Evaluation, {name}", facts)
    names = {int(row): evaluation.table.name(int(row)) for row in evaluation.rows}
    write_pictures(folder, data, judged[0], names, checkpoint.history, 16)
    write_table("", ["", *headings()], [[method.name, *cells(method.row)] for method in judged])
    yield from verdicts(name, judged, bool(held_out))
    good = None if held_out else split.top1 >= LEAST_TOP1
    yield Row(f"{name}: types, whole split", "" if held_out else f"top 1 >= {100 * LEAST_TOP1:.0f} %", str(split), good)


def evaluated(
    data: TrainingData, checkpoint: Checkpoint, options: Options, objects: tuple[str, ...]
) -> tuple[list[Method], Evaluation]:
    """Every row of an evaluation on the keyframes."""
    config = EvaluationConfig("keyframe", options.instances, options.physics, objects)
    evaluation = Evaluation(data, config, checkpoint.config.observation)
    methods = {**evaluation.of_model(checkpoint), **evaluation.of_baselines(checkpoint), **evaluation.of_references()}
    return evaluation.run(methods, default_progress()), evaluation


def verdicts(name: str, judged: Sequence[Method], held_out: bool) -> Iterator[Row]:
    """What is asked of an evaluation."""
    rows: Mapping[str, Mapping[str, float | None]] = {method.name: method.row for method in judged}
    model: Mapping[str, Any] = rows[MODEL]
    if not held_out:
        for column, least in (("top1", LEAST_TOP1), ("graspable", 0.90), ("verified", 0.40)):
            value = model[column]
            words = "not measured" if value is None else f"{100 * value:.1f} %"
            good = None if value is None else value >= least
            yield Row(f"{name}: {column}, refined", f">= {100 * least:.0f} %", words, good)
    for other, row in rows.items():
        if other not in (MODEL, RAW, *REFERENCES):
            words = ", ".join(
                f"{column} {cells(model)[_place(column)]} against {cells(row)[_place(column)]}"
                for column in ASKED_BETTER
            )
            yield Row(f"{name}: better than {other!r}", "in all three", words, better_than(model, row, ASKED_BETTER))


def _place(column: str) -> int:
    from yaff.learning.summary import COLUMNS

    return list(COLUMNS).index(column)


def _verdict(good: bool | None) -> str:
    return "" if good is None else "good" if good else "MISS"


if __name__ == "__main__":
    chosen = tyro.cli(Options, description=__doc__)
    try:
        table = main(chosen)
    except YaffError as error:
        raise SystemExit(f"bench-learning: {error}") from None
    write_table(
        description(chosen.out),
        ["what", "asked", "measured", ""],
        [[row.what, row.asked, row.measured, _verdict(row.good)] for row in table],
    )
