"""Arrangements made up to learn from, by many processes; each share of them is a part file in the training's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from pipelines.code import PROJECTING, code_digest
from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, hand_of, object_of
from pipelines.progress import Progress
from pipelines.stages.outcomes import raise_failures
from yaff.learning.arranging import Arranged, Arranger
from yaff.learning.config import ArrangingConfig
from yaff.learning.instances import InstanceTable
from yaff.store.atomic import atomic_file
from yaff.store.reading import ShardSet

Array = np.ndarray

DROPPED, SET_DOWN = "dropped", "set_down"
SHARE = {DROPPED: 20, SET_DOWN: 100}
"""Arrangements of one part."""


@dataclass(frozen=True)
class ArrangingTask:
    """What is made up, and of what."""

    shards: Path
    """Where the grasps are."""
    split: str
    """The split whose objects show how objects stand on a table, or "all"."""
    scenes: tuple[int, ...]
    """Those of its scenes that are learnt from: what stands in the others is not used."""
    recipes: Recipes
    config: ArrangingConfig
    seed: int


def arranged(task: ArrangingTask, work: Path, workforce: Workforce, progress: Progress) -> list[Arranged]:
    """Every arrangement that a configuration asks for, the same ones whoever makes them.

    Raises:
        YaffError: a process failed.
        StorageError: the folder cannot be written.
    """
    config, shards = task.config, ShardSet.open(task.shards)
    decides = (shards.manifest.document, config.fewest, config.most, task.split, task.scenes, task.seed)
    common = digest("arranged", code_digest((*PROJECTING, "learning")), *decides)
    units: list[Unit] = []
    for kind, total in ((DROPPED, config.arrangements), (SET_DOWN, config.set_down)):
        for first in range(0, total, SHARE[kind]):
            last = min(first + SHARE[kind], total)
            arguments = (task, common, kind, first, last)
            units.append(
                Unit(f"{kind}/{first:05d}", digest(common, kind, first, last), arrange_some, arguments, ".npz")
            )
    outcomes = run_units("arrange", units, work, workforce, progress)
    raise_failures(outcomes)
    return [one for outcome in outcomes for one in read_arranged(outcome.path)]


def arrange_some(part: Path, task: ArrangingTask, common: str, kind: str, first: int, last: int) -> str:
    """Arrangements ``first`` to ``last`` of those that are dropped or set down, in a worker process."""
    arranger = _arranger(task.shards, task.split, task.scenes, task.recipes, task.config, common)
    if kind == DROPPED:
        made = [arranger.dropped((task.seed, 11, number)) for number in range(first, last)]
    else:
        made = [arranger.set_down((task.seed, 13, number)) for number in range(first, last)]
    some = [one for one in made if one is not None]
    write_arranged(part, some)
    return f"{len(some)} arrangements"


@lru_cache(maxsize=1)
def _arranger(
    folder: Path, split: str, scenes: tuple[int, ...], recipes: Recipes, config: ArrangingConfig, common: str
) -> Arranger:
    shards = ShardSet.open(folder)
    models = [object_of(name, recipes.objects) for name in shards.objects]
    table = InstanceTable.read(shards, None if split == "all" else split)
    learnt = table.where(np.isin(table.scene[table.frame[table.rows]], scenes))
    return Arranger(learnt, hand_of(recipes.hand), models, config)


def write_arranged(path: Path, made: Sequence[Arranged]) -> None:
    """Arrangements as one file of arrays."""
    rows = [rows for one in made for rows in one.feasible]
    arrays = {
        "objects": np.array([len(one.object_index) for one in made], np.int64),
        "object_index": np.concatenate([np.zeros(0, np.int64), *(one.object_index for one in made)]),
        "Ts_world_object": np.concatenate([np.zeros((0, 4, 4)), *(one.Ts_world_object for one in made)]),
        "grasps": np.array([len(some) for some in rows], np.int64),
        "grasp": np.concatenate([np.zeros(0, np.int64), *rows]),
    }
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def read_arranged(path: Path) -> list[Arranged]:
    """What :func:`write_arranged` wrote."""
    with np.load(path) as file:
        objects, grasps = file["objects"], file["grasps"]
        by_object = np.split(file["grasp"], np.cumsum(grasps)[:-1])
        ends = np.cumsum(objects)
        index, Ts = file["object_index"], file["Ts_world_object"]
    return [
        Arranged(index[end - k : end], Ts[end - k : end], tuple(by_object[end - k : end]))
        for k, end in zip(objects.tolist(), ends.tolist(), strict=True)
    ]
