"""Stage "search": one unit for each object and type, merged into the grasp library in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.code import SEARCHING, code_digest
from pipelines.executor import Outcome, Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, hand_of, object_of
from pipelines.progress import Progress
from pipelines.stages.objects import PreparedObject
from pipelines.stages.outcomes import failures, raise_failures
from pipelines.toml import to_table
from yaff._version import __version__
from yaff.errors import YaffError
from yaff.search.config import SearchConfig

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


@dataclass(frozen=True)
class SearchResult:
    """The library and how it came about."""

    library: Path
    failed: tuple[tuple[str, YaffError], ...]
    """Pairs that could not be searched."""


def search(task: SearchTask, library: Path, work: Path, workforce: Workforce, progress: Progress) -> SearchResult:
    """Search every pair and write the library.

    Raises:
        YaffError: no pair at all could be searched.
    """
    hand = hand_of(task.recipes.hand)
    types = tuple(sorted(task.types or ALL_TYPES))
    pairs = [(name, number) for name in task.objects for number in types]
    units = [
        Unit(
            f"search/{name}/{number:02d}",
            digest(
                "search",
                code_digest(SEARCHING),
                hand.digest,
                task.objects[name].digest,
                number,
                task.seed,
                task.settings,
            ),
            _search,
            (name, number, task.seed, task.settings, task.recipes),
        )
        for name, number in pairs
    ]
    outcomes = run_units("search", units, work, workforce, progress)
    failed = failures(outcomes)
    if len(failed) == len(outcomes):
        raise_failures(outcomes)
    _merge(task, types, dict(zip(pairs, outcomes, strict=True)), library)
    return SearchResult(library, failed)


def _search(part: Path, name: str, number: int, seed: int, settings: SearchConfig, recipes: Recipes) -> str:
    """One unit: the grasps of one pair as a small library whose metadata is the tally."""
    from yaff.search.planner import search_pair
    from yaff.store.library import GraspLibrary

    result = search_pair(_rig(recipes, settings), object_of(name, recipes.objects), number, settings, seed)
    tally: dict[str, Any] = dict(result.tally)
    if result.infeasible:
        tally["infeasible"] = result.infeasible
    GraspLibrary.write(part, {name: result.grasps}, {"tally": tally})
    if result.infeasible:
        return result.infeasible
    verified = int(result.grasps.verified.sum())
    return f"{verified} verified, {len(result.grasps) - verified} for review"


@lru_cache(maxsize=2)
def _rig(recipes: Recipes, settings: SearchConfig) -> HandRig:
    from yaff.search.planner import make_rig

    return make_rig(hand_of(recipes.hand), settings)


def _merge(task: SearchTask, types: Sequence[int], outcomes: Mapping[tuple[str, int], Outcome], library: Path) -> None:
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
    GraspLibrary.write(library, grasps, _metadata(task, types, tallies, failures(list(outcomes.values()))))


def _metadata(
    task: SearchTask,
    types: Sequence[int],
    tallies: Mapping[str, Mapping[str, Any]],
    failed: Sequence[tuple[str, YaffError]],
) -> dict[str, Any]:
    """Everything that decides the content of the library, and what was tried for each pair. No times, no paths."""
    hand = hand_of(task.recipes.hand)
    return {
        "hand": {"name": hand.name, "side": hand.side, "digest": hand.digest},
        "meshes": {name: entry.digest for name, entry in task.objects.items()},
        "standins": sorted(name for name, entry in task.objects.items() if entry.standin),
        "configuration": {"types": list(types), "seed": task.seed, "search": to_table(task.settings)},
        "versions": versions(),
        "tallies": tallies,
        "failed": {name: error.what for name, error in failed},
    }


def versions() -> dict[str, str]:
    """Versions of what computes."""
    from importlib.metadata import version

    packages = ("numpy", "scipy", "torch", "pybullet", "trimesh", "h5py")
    return {"yaff": __version__, **{name: version(name) for name in packages}}
