"""Which candidates are closed, and in which order."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.objects import ObjectModel
from yaff.search import SearchConfig
from yaff.search.harvest import CHUNK, Harvest
from yaff.search.judge import Attempt, Judge
from yaff.search.physics import HandWorld
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig
from yaff.search.select import differs
from yaff.taxonomy import GRASP_TYPES, GraspType


class Watched(Judge):
    """A judge that remembers which hands were closed together."""

    def __init__(self, rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig) -> None:
        super().__init__(rig, kind, obj, config)
        self.chunks: list[np.ndarray] = []

    def close(self, world: HandWorld, candidates: Candidates) -> list[Attempt]:
        self.chunks.append(candidates.T_object_hand)
        return super().close(world, candidates)


def test_no_two_hands_of_a_chunk_would_be_copies_and_every_hand_has_its_turn(rig: HandRig, can: ObjectModel) -> None:
    rng = np.random.default_rng(0)
    n, far = 14, np.array([0.0, 0.4, 0.0])  # so far off that closing is quick
    places = far + rng.uniform(-0.02, 0.02, size=(n, 3))
    Ts = make_transform(rotation_from_axis_angle(rng.normal(scale=0.1, size=(n, 3))), places)
    dof = np.repeat(rig.posture(GRASP_TYPES[9], np.zeros(1)), n, axis=0)
    judge = Watched(rig, GRASP_TYPES[9], can, SearchConfig())
    harvest = Harvest(judge, "contact")
    with judge.world() as world:
        harvest.test(world, Candidates(Ts, dof, dof, np.arange(n, dtype=float)), np.arange(n), n)
    assert sum(map(len, judge.chunks)) == n == harvest.tally["closed"]
    assert len(judge.chunks) > 1
    select, symmetries = judge.config.select, np.asarray(can.symmetries)
    for chunk in judge.chunks:
        assert len(chunk) <= CHUNK
        assert all(differs(a, b[None], symmetries, select) for a, b in combinations(chunk, 2))
