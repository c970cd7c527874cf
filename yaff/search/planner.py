"""The default planner: propose, refine, close in physics, verify, select, for one object and one grasp type."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from yaff.errors import InputError
from yaff.grasp import Grasps
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.grip import too_heavy
from yaff.search.harvest import Harvest
from yaff.search.judge import Judge, make_rig
from yaff.search.opposition import opposition_pairs
from yaff.search.propose import Candidates, propose
from yaff.search.refine import Refiner
from yaff.search.rig import HandRig
from yaff.search.screen import Screened, screen
from yaff.taxonomy import GRASP_TYPES, GraspType

Array = np.ndarray


@dataclass(frozen=True)
class PairResult:
    """What the search of one object and one type came to."""

    grasps: Grasps
    """Verified grasps, best first; if there are none, the best attempt, which needs review. All measures are set."""
    tally: Mapping[str, int]
    """Counts: proposed, refined, closed, rejected for each reason, verified, kept."""
    infeasible: str
    """Why the pair was not searched (size or weight of the object do not suit the type); empty where it was."""
    seconds: float
    """Wall time; not stored with the grasps."""


def pair_seed(seed: int, object_name: str, number: int) -> int:
    """The seed of a unit of work, from what it is: object, type and the seed of the whole search."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{object_name}/{number}".encode()).digest()[:8], "little")


def search_pair(
    hand: HandModel | HandRig, obj: ObjectModel, grasp_type: int, config: SearchConfig, seed: int
) -> PairResult:
    """Find verified grasps of one type on one object.

    Deterministic in its arguments. PyTorch should run on one thread in each process (``torch.set_num_threads(1)``).

    Args:
        hand: the hand, or what was already derived from it.
        obj: the object.
        grasp_type: Feix number, 1 to 33.
        config: the whole configuration.
        seed: seed of the whole search; object and type are mixed in here.

    Raises:
        InputError: no such type.
        PhysicsError: PyBullet could not make hand or object.
    """
    started = time.perf_counter()
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    kind, rng = of_number(grasp_type), np.random.default_rng(pair_seed(seed, obj.name, grasp_type))
    harvest = Harvest(Judge(rig, kind, obj, config), "contact")
    infeasible = too_heavy(kind, obj, config)
    if not infeasible:
        infeasible = _search(harvest, rig, kind, obj, config, rng)
    return result_of(harvest, infeasible, time.perf_counter() - started)


def result_of(harvest: Harvest, infeasible: str, seconds: float) -> PairResult:
    """What came of a pair that was searched, or why it was not."""
    if infeasible:
        return PairResult(Grasps.empty(harvest.judge.obj.name), {"infeasible": 1}, infeasible, seconds)
    return PairResult(harvest.gather(), dict(harvest.tally), "", seconds)


def of_number(grasp_type: int) -> GraspType:
    """The type of a Feix number.

    Raises:
        InputError: there is none.
    """
    if grasp_type not in GRASP_TYPES:
        raise InputError(f"unknown grasp type {grasp_type}", remedy="a Feix number, 1 to 33")
    return GRASP_TYPES[grasp_type]


def _search(
    harvest: Harvest, rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig, rng: np.random.Generator
) -> str:
    """Batches of proposals, refined and tested; returns why the pair cannot be, or nothing."""
    pairs = opposition_pairs(obj, config.propose.opposition_points, config.propose.opposition_angle, rng)
    refiner, batch, keep = Refiner(rig, kind, obj, config.refine), config.refine.batch, config.select.keep

    def test(number: int, tables: Array | None, most: int) -> int:
        candidates = propose(rig, kind, obj, pairs, config, batch, rng, tables)
        if len(candidates):
            harvest.tally["proposed"] += config.propose.candidates
            harvest.tally["refined"] += len(candidates)
            refined = refiner.refine(candidates)
            rows = _worth_closing(screen(rig, kind, obj, refined, config), refined, config, harvest.tally)
            harvest.test(world, refined.rows(rows), number * batch + rows, most)
        return len(candidates)

    with harvest.judge.world() as world:
        for number in range(config.refine.rounds):
            if not test(number, None, min(config.refine.from_anywhere, keep)):
                least, most = kind.size
                return f"no two sides of {obj.name} are {1e3 * least:.0f} to {1e3 * most:.0f} mm apart"
            near = harvest.tally["held"] + harvest.tally["rejected: slipped"]
            enough = len(harvest.verified) >= min(config.refine.enough, keep)
            if enough or (not harvest.verified and near < config.refine.promise) or _hopeless(harvest, config):
                break
        if len(harvest.verified) >= config.refine.promise:
            test(config.refine.rounds, obj.tables, keep)
        harvest.explain(world)
    return ""


def _hopeless(harvest: Harvest, config: SearchConfig) -> bool:
    """Whether so few of many closed hands held that the time is better spent on another pair."""
    closed = harvest.tally["closed"]
    return closed >= config.refine.patience and len(harvest.verified) < config.refine.least_yield * closed


def _worth_closing(screened: Screened, refined: Candidates, config: SearchConfig, tally: Counter[str]) -> Array:
    """Rows to close, the most promising first; what is not closed is counted with the reason.

    Where hardly any candidate is promising, the best are tried nevertheless.
    """
    good = np.ones(len(screened.doubt), bool)
    for name, bad in screened.faults.items():
        if count := int((good & bad).sum()):
            tally["not closed: " + name] += count
        good &= ~bad
    rows = np.flatnonzero(good)
    rows = rows[np.argsort(screened.doubt[rows], kind="stable")]
    refine = config.refine
    count = max(int((screened.doubt[rows] < refine.most_doubt).sum()), min(refine.least_closed, len(rows)))
    if len(rows) > count:
        tally["not closed: would hardly hold"] += len(rows) - count
    rows = rows[:count]
    # the loss tells the better hands of a pair from the worse, though not those of one pair from those of another
    return rows[np.argsort(screened.doubt[rows] + 0.5 * refined.score[rows], kind="stable")]
