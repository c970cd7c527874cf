"""The baseline planner: simulated annealing over eigengrasps, then the same physics, measures and selection."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from yaff.errors import InputError
from yaff.grasp import Grasps
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.eigengrasp import Annealer
from yaff.search.opposition import opposition_pairs
from yaff.search.physics import HandWorld
from yaff.search.planner import CHUNK, Attempt, PairResult, _better, _outcome, _PairSearch, make_rig, preference
from yaff.search.rig import HandRig
from yaff.search.select import select_diverse
from yaff.taxonomy import GRASP_TYPES


def search_pair(
    hand: HandModel | HandRig, obj: ObjectModel, grasp_type: int, config: SearchConfig, seed: int
) -> PairResult:
    """Find verified grasps of one type on one object by annealing; see :func:`yaff.search.planner.search_pair`.

    Raises:
        InputError: no such type.
        PhysicsError: PyBullet could not make hand or object.
    """
    if grasp_type not in GRASP_TYPES:
        raise InputError(f"unknown grasp type {grasp_type}", remedy="a Feix number, 1 to 33")
    started = time.perf_counter()
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    search = _EigengraspSearch(rig, GRASP_TYPES[grasp_type], obj, config, seed)
    grasps = search.run()
    provenance = tuple(text.replace("contact/", "eigengrasp/", 1) for text in grasps.provenance)
    grasps = replace(grasps, provenance=provenance)
    return PairResult(grasps, dict(search.tally), search.infeasible, time.perf_counter() - started)


class _EigengraspSearch(_PairSearch):
    """Candidates come from the annealer; what becomes of them is the default planner's."""

    def run(self) -> Grasps:
        """Anneal, close, test and select."""
        config, settings = self.config, self.config.eigengrasp
        if self._unsuitable():
            return Grasps.empty(self.obj.name)
        annealer = Annealer(self.rig, self.kind, self.obj, settings)
        verified: list[Attempt] = []
        best: Attempt | None = None
        with HandWorld(self.rig.model, self.rig.anatomy, self.rig.pieces, self.obj, config.physics) as world:
            for number in range(settings.rounds):
                candidates = annealer.anneal(self.rng)
                self.tally["proposed"] += settings.chains * settings.steps
                self.tally["refined"] += len(candidates)
                for start in range(0, len(candidates), CHUNK):
                    rows = np.arange(start, min(start + CHUNK, len(candidates)))
                    for attempt in self._close(world, candidates.rows(rows), number * settings.chains + rows):
                        tested = self._test(world, attempt, verified)
                        if tested.held:
                            verified.append(tested)
                        best = _better(best, tested)
                        self.tally[_outcome(tested)] += 1
                if len(verified) >= config.select.keep:
                    break
            if not verified and best is not None:
                best = self._every_direction(world, best)
        self.tally["verified"] = len(verified)
        if not verified:
            self.tally["kept"] = 0
            return self._finish([best]) if best is not None else Grasps.empty(self.obj.name)
        grasps = self._finish(verified)
        Ts = np.stack([attempt.T_object_hand for attempt in verified])
        kept = grasps[select_diverse(Ts, preference(grasps), np.asarray(self.obj.symmetries), config.select)]
        self.tally["kept"] = len(kept)
        return kept

    def _unsuitable(self) -> bool:
        """Whether the object has no two sides at a distance that suits the type; then the reason is noted."""
        config, (least, most) = self.config.propose, self.kind.size
        pairs = opposition_pairs(self.obj, config.opposition_points, config.opposition_angle, self.rng)
        if ((pairs.thickness >= least) & (pairs.thickness <= most)).any():
            return False
        self.infeasible = f"no two sides of {self.obj.name} are {1e3 * least:.0f} to {1e3 * most:.0f} mm apart"
        self.tally["infeasible"] += 1
        return True
