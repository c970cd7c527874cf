"""The baseline planner: simulated annealing over eigengrasps, then the same physics, measures and selection."""

from __future__ import annotations

import time

import numpy as np

from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.eigengrasp import Annealer
from yaff.search.grip import too_heavy
from yaff.search.harvest import Harvest
from yaff.search.judge import Judge, make_rig
from yaff.search.opposition import opposition_pairs
from yaff.search.planner import PairResult, of_number, pair_seed, result_of
from yaff.search.rig import HandRig
from yaff.taxonomy import GraspType


def search_pair(
    hand: HandModel | HandRig, obj: ObjectModel, grasp_type: int, config: SearchConfig, seed: int
) -> PairResult:
    """Find verified grasps of one type on one object by annealing; see :func:`yaff.search.planner.search_pair`.

    Raises:
        InputError: no such type.
        PhysicsError: PyBullet could not make hand or object.
    """
    started = time.perf_counter()
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    kind, rng = of_number(grasp_type), np.random.default_rng(pair_seed(seed, obj.name, grasp_type))
    harvest = Harvest(Judge(rig, kind, obj, config), "eigengrasp")
    infeasible = too_heavy(kind, obj, config) or unsuitable(kind, obj, config, rng)
    if not infeasible:
        _search(harvest, Annealer(rig, kind, obj, config.eigengrasp), config, rng)
    return result_of(harvest, infeasible, time.perf_counter() - started)


def _search(harvest: Harvest, annealer: Annealer, config: SearchConfig, rng: np.random.Generator) -> None:
    """Rounds of annealing; what each chain ends in is tested like any candidate."""
    settings = config.eigengrasp
    with harvest.judge.world() as world:
        for number in range(settings.rounds):
            candidates = annealer.anneal(rng)
            harvest.tally["proposed"] += settings.chains * settings.steps
            harvest.tally["refined"] += len(candidates)
            trials = number * settings.chains + np.arange(len(candidates))
            harvest.test(world, candidates, trials, config.select.keep)
            if len(harvest.verified) >= config.select.keep:
                break
        harvest.explain(world)


def unsuitable(kind: GraspType, obj: ObjectModel, config: SearchConfig, rng: np.random.Generator) -> str:
    """Why the object has no two sides at a distance that suits the type; empty if it has."""
    least, most = kind.size
    pairs = opposition_pairs(obj, config.propose.opposition_points, config.propose.opposition_angle, rng)
    if ((pairs.thickness >= least) & (pairs.thickness <= most)).any():
        return ""
    return f"no two sides of {obj.name} are {1e3 * least:.0f} to {1e3 * most:.0f} mm apart"
