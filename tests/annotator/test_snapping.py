"""Which snapped postures are put to physics, and which of them is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotator.proving.prover import APART, TRIED, _apart, snap_freedoms
from yaff.errors import InputError
from yaff.grasp import ReviewState
from yaff.hand import load_hand
from yaff.objects import StandInSource, load_object
from yaff.search import RefinementConfig, SearchConfig, SelectionConfig, make_rig
from yaff.search.planner import search_pair
from yaff.search.propose import Candidates
from yaff.search.proving import first_that_holds, prove_grasp


def _candidates(dof: np.ndarray, score: np.ndarray) -> Candidates:
    return Candidates(np.tile(np.eye(4), (len(dof), 1, 1)), dof, dof, score)


def test_postures_that_ended_in_the_same_place_are_tried_once():
    dof = np.zeros((20, 20))
    dof[:, 0] = 0.3 * APART * np.arange(20)
    score = np.arange(20.0)[::-1]
    kept = _apart(_candidates(dof, score))
    assert kept[0] == 19  # the smallest loss
    assert (np.diff(score[kept]) > 0).all()
    apart = np.abs(dof[kept][:, None] - dof[kept]).max(axis=-1)
    assert (apart[~np.eye(len(kept), dtype=bool)] > APART).all()
    assert len(kept) == min(TRIED, 5)
    assert len(_apart(_candidates(10.0 * dof, score))) == TRIED


def test_only_what_is_chosen_moves():
    names = ["thumb.cmc.flexion", "index.mcp.flexion", "pinky.pip.flexion"]
    assert snap_freedoms(names, ["thumb"]).tolist() == [True, False, False]
    assert snap_freedoms(names, ["fingers"]).tolist() == [False, True, True]
    assert snap_freedoms(names, ["hand"]).all()
    assert not snap_freedoms(names, ["wrist"]).any()
    for wrong in ([], ["elbow"]):
        with pytest.raises(InputError, match="cannot snap"):
            snap_freedoms(names, wrong)


def test_the_first_that_passes_physics_is_taken(cache_dir: Path):
    config = SearchConfig(refine=RefinementConfig(rounds=1), select=SelectionConfig(keep=1))
    hand, obj = load_hand(), load_object("061_foam_brick", StandInSource(), cache_dir)
    rig = make_rig(hand, config)
    found = search_pair(hand, obj, 9, config, seed=0).grasps
    row = int(np.flatnonzero(found.verified)[0])
    T = hand.wrist_transform(found.wrist_rotation, found.translation, found.shape)[row]
    dof = rig.anatomy.clip(rig.anatomy.dof_from_pose(np.asarray(found.pose, np.float64))[0][row])
    away = T.copy()
    away[:3, 3] *= 3.0
    held = prove_grasp(rig, obj, 9, T, dof, config)
    assert held.held
    assert held.grasps.review_state[0] == ReviewState.VERIFIED
    told: list[str] = []
    Ts = np.stack([away, T, T])
    candidates = Candidates(Ts, np.repeat(dof[None], 3, 0), np.repeat(dof[None], 3, 0), np.zeros(3))
    assert first_that_holds(rig, obj, 9, candidates, config, told.append) == 1
    assert told == ["trying 1 of 3", "trying 2 of 3"]
    assert first_that_holds(rig, obj, 9, candidates.rows(np.array([0])), config) is None
