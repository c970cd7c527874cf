"""Stage "search": one unit for each object and type, merged into the grasp library in a fixed order."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.code import SEARCHING, code_digest
from pipelines.executor import Outcome, OutOfTime, Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, hand_of, object_of
from pipelines.progress import Progress
from pipelines.stages.objects import PreparedObject
from pipelines.stages.outcomes import raise_failures
from pipelines.toml import to_table
from yaff._version import __version__
from yaff.errors import YaffError
from yaff.search.config import SearchConfig
from yaff.search.planners import DEFAULT_PLANNER

if TYPE_CHECKING:
    from yaff.grasp.batch import Grasps
    from yaff.search.rig import HandRig

ALL_TYPES = tuple(range(1, 34))


@dataclass(frozen=True)
class SearchTask:
    """What is to be searched."""

    objects: Mapping[str, PreparedObject]
    types: tuple[int, ...]
    seed: int
    settings: SearchConfig
    recipes: Recipes
    planner: str = DEFAULT_PLANNER
    """One of :data:`yaff.search.planners.PLANNERS`."""


@dataclass(frozen=True)
class SearchResult:
    """The library and how it came about."""

    library: Path
    failed: tuple[tuple[str, YaffError], ...]
    """Pairs that could not be searched."""
    left: int
    """Pairs that were not begun in the time given."""
    core_seconds: Mapping[tuple[str, int], float]
    """Processor time of every pair that was searched, now or before. Never part of the library."""
    wall_seconds: float
    """Of this run."""
    resumed: int
    """Pairs that an earlier run had searched."""


def search(
    task: SearchTask,
    library: Path,
    work: Path,
    workforce: Workforce,
    progress: Progress,
    *,
    budget: float | None = None,
) -> SearchResult:
    """Search every pair and write the library.

    Args:
        task: what is searched.
        library: the file to write.
        work: folder of the parts; what is there is not searched again.
        workforce: who does the work.
        progress: what a person sees.
        budget: seconds after which no further pair is begun; the library then holds what there is, and the same search
            goes on with the rest. Time decides which pairs are searched, never what is found for one.

    Raises:
        YaffError: no pair at all could be searched.
    """
    hand = hand_of(task.recipes.hand)
    types = tuple(sorted(task.types or ALL_TYPES))
    names = tuple(task.objects)
    # in turns, so that a search that runs out of time has looked at every object and every type
    pairs = [(name, types[(turn + k) % len(types)]) for turn in range(len(types)) for k, name in enumerate(names)]
    units = {}
    for name, number in pairs:
        key = digest(
            "search",
            code_digest(SEARCHING),
            hand.digest,
            task.objects[name].digest,
            number,
            task.seed,
            task.settings,
            task.planner,
        )
        times = work / "times" / f"{name}-{number:02d}-{key}.json"
        arguments = (name, number, task.seed, task.settings, task.recipes, task.planner, times)
        units[name, number] = Unit(f"search/{name}/{number:02d}", key, _search, arguments)
    started = time.monotonic()
    deadline = None if budget is None else started + budget
    done = run_units("search", list(units.values()), work, workforce, progress, deadline=deadline)
    outcomes = dict(zip(units, done, strict=True))
    outcomes = {(name, number): outcomes[name, number] for name in names for number in types}
    failed = tuple(
        (outcome.unit.name, outcome.error)
        for outcome in outcomes.values()
        if outcome.error is not None and not isinstance(outcome.error, OutOfTime)
    )
    if len(failed) == len(outcomes):
        raise_failures(list(outcomes.values()))
    _merge(task, types, outcomes, failed, library)
    left = sum(isinstance(outcome.error, OutOfTime) for outcome in outcomes.values())
    seconds = {pair: _seconds(units[pair].arguments[-1]) for pair, o in outcomes.items() if o.error is None}
    resumed = sum(outcome.resumed for outcome in done)
    return SearchResult(library, failed, left, seconds, time.monotonic() - started, resumed)


def _search(
    part: Path,
    name: str,
    number: int,
    seed: int,
    settings: SearchConfig,
    recipes: Recipes,
    planner_name: str,
    times: Path,
) -> str:
    """One unit: the grasps of one pair as a small library whose metadata is the tally."""
    from yaff.search.planners import planner
    from yaff.store.atomic import write_bytes
    from yaff.store.library import GraspLibrary

    find, rig, obj = planner(planner_name), rig_of(recipes, settings), object_of(name, recipes.objects)
    started = time.process_time()
    result = find(rig, obj, number, settings, seed)
    seconds = time.process_time() - started
    times.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(times, json.dumps({"core_seconds": round(seconds, 3)}).encode())
    tally: dict[str, Any] = dict(result.tally)
    if result.infeasible:
        tally["infeasible"] = result.infeasible
    GraspLibrary.write(part, {name: result.grasps}, {"tally": tally})
    return result.infeasible or summary(tally, int(result.grasps.verified.sum()))


def summary(tally: Mapping[str, Any], found: int) -> str:
    """One line on a pair: found, tried, and the reasons for which most were rejected."""
    reasons = Counter(
        {key.removeprefix("rejected: "): n for key, n in tally.items() if key.startswith("rejected: ") and n}
    )
    tried = tally.get("refined", tally.get("closed", 0))
    why = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(3))
    return f"{found} found of {tried} tried" + (f"; {why}" if why else "")


def _seconds(times: Path) -> float:
    try:
        return float(json.loads(times.read_text(encoding="utf-8"))["core_seconds"])
    except (OSError, ValueError, KeyError):
        return float("nan")


@lru_cache(maxsize=2)
def rig_of(recipes: Recipes, settings: SearchConfig) -> HandRig:
    """The hand made ready for the search, once for each process."""
    from yaff.search.planner import make_rig

    return make_rig(hand_of(recipes.hand), settings)


def _merge(
    task: SearchTask,
    types: Sequence[int],
    outcomes: Mapping[tuple[str, int], Outcome],
    failed: Sequence[tuple[str, YaffError]],
    library: Path,
) -> None:
    from yaff.grasp.batch import Grasps
    from yaff.store.library import GraspLibrary

    grasps: dict[str, Grasps] = {}
    tallies: dict[str, dict[str, Any]] = {}
    for name in task.objects:
        batches = []
        tallies[name] = {}
        for number in types:
            outcome = outcomes[name, number]
            if outcome.error is not None:
                continue
            part = GraspLibrary.open(outcome.path)
            batches.append(part[name])
            tallies[name][str(number)] = dict(part.metadata["tally"])
        grasps[name] = Grasps.concatenate(batches) if batches else Grasps.empty(name)
    GraspLibrary.write(library, grasps, _metadata(task, types, tallies, failed))


def _metadata(
    task: SearchTask,
    types: Sequence[int],
    tallies: Mapping[str, Mapping[str, Any]],
    failed: Sequence[tuple[str, YaffError]],
) -> dict[str, Any]:
    """Everything that decides the content of the library, and what was tried for each pair. No times, no paths."""
    hand = hand_of(task.recipes.hand)
    search = to_table(task.settings)
    return {
        "hand": {"name": hand.name, "side": hand.side, "digest": hand.digest},
        "meshes": {name: entry.digest for name, entry in task.objects.items()},
        "standins": sorted(name for name, entry in task.objects.items() if entry.standin),
        "configuration": {"types": list(types), "seed": task.seed, "planner": task.planner, "search": search},
        "versions": versions(),
        "tallies": tallies,
        "failed": {name: error.what for name, error in failed},
    }


def versions() -> dict[str, str]:
    """Versions of what computes."""
    from importlib.metadata import version

    packages = ("numpy", "scipy", "torch", "pybullet", "trimesh", "h5py")
    return {"yaff": __version__, **{name: version(name) for name in packages}}
