"""Grasps of what lies on a table: proposals and refinement stay above it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yaff.grasp import Grasps
from yaff.objects import ObjectModel
from yaff.objects.resting import resting_planes
from yaff.scene.feasibility import FeasibilityConfig, hand_feasibility
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import pose_hands
from yaff.search import ProposalConfig, RefinementConfig, SearchConfig
from yaff.search.opposition import opposition_pairs
from yaff.search.propose import Candidates, propose
from yaff.search.refine import Refiner
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES

KIND = GRASP_TYPES[7]


@pytest.fixture(scope="module")
def standing(can: ObjectModel) -> np.ndarray:
    """The table on which the can stands upright."""
    planes = resting_planes(can.solid, can.centre_of_mass)
    return planes[[int(np.abs(planes[:, 2]).argmax())]]


@pytest.fixture(scope="module")
def proposed(rig: HandRig, can: ObjectModel, standing: np.ndarray) -> Candidates:
    rng = np.random.default_rng(0)
    pairs = opposition_pairs(can, 600, 0.6, rng)
    return propose(rig, KIND, can, pairs, SearchConfig(propose=ProposalConfig(candidates=512)), 24, rng, standing)


def heights(rig: HandRig, candidates: Candidates) -> np.ndarray:
    """Least height of the skin over the table of each candidate, metres."""
    assert candidates.table is not None
    wrist, translation = rig.model.wrist_parameters(candidates.T_object_hand)
    skin = rig.model.vertices(rig.anatomy.pose_from_dof(candidates.dof), wrist, translation)
    return (np.einsum("nvi,ni->nv", skin, candidates.table[:, :3]) + candidates.table[:, 3:]).min(axis=1)


def test_every_proposal_for_a_table_stays_above_it(proposed: Candidates, rig: HandRig) -> None:
    assert len(proposed) == 24
    np.testing.assert_array_equal(proposed.table, np.repeat(proposed.table[:1], 24, axis=0))  # type: ignore[index]
    assert heights(rig, proposed).min() > -0.012


def test_all_tables_have_their_turn(rig: HandRig, can: ObjectModel) -> None:
    rng, tables = np.random.default_rng(0), resting_planes(can.solid, can.centre_of_mass)
    pairs = opposition_pairs(can, 600, 0.6, rng)
    some = propose(rig, KIND, can, pairs, SearchConfig(propose=ProposalConfig(candidates=1024)), 32, rng, tables)
    counts = [(some.table == table).all(axis=1).sum() for table in tables]  # type: ignore[union-attr]
    assert min(counts) >= 1
    assert max(counts) <= 16


def test_refined_hands_are_free_of_their_table_as_a_scene_judges_it(
    rig: HandRig, can: ObjectModel, proposed: Candidates, standing: np.ndarray
) -> None:
    refined = Refiner(rig, KIND, can, RefinementConfig(iterations=60)).refine(proposed)
    assert refined.table is proposed.table
    wrist, translation = rig.model.wrist_parameters(refined.T_object_hand)
    pose, kind = rig.anatomy.pose_from_dof(refined.dof), np.full(len(refined), KIND.number)
    grasps = Grasps.make(can.name, pose, wrist, translation, kind)
    plane = Plane(standing[0, :3], float(standing[0, 3]))
    judged = hand_feasibility(pose_hands(rig.model, grasps, 0, 8), [], plane, FeasibilityConfig())
    assert (judged.code == 0).mean() > 0.8


def test_without_tables_nothing_is_bound_and_a_table_only_adds_to_the_loss(
    rig: HandRig, can: ObjectModel, proposed: Candidates
) -> None:
    rng = np.random.default_rng(0)
    anywhere = propose(rig, KIND, can, opposition_pairs(can, 600, 0.6, rng), SearchConfig(), 8, rng)
    assert anywhere.table is not None
    assert not anywhere.table.any()
    refiner = Refiner(rig, KIND, can, RefinementConfig())
    parts = (proposed.T_object_hand[:, :3, :3], proposed.T_object_hand[:, :3, 3], proposed.dof, proposed.posture)
    state = [torch.tensor(part, dtype=torch.float32) for part in parts]
    raised = np.asarray(proposed.table) - [0.0, 0.0, 0.0, 0.1]  # every hand that has a table is below it now
    raised[::2] = 0.0
    free, bound = (refiner.loss(*state, t).detach().numpy() for t in (None, torch.tensor(raised).float()))
    np.testing.assert_array_equal(bound[::2], free[::2])
    assert (bound[1::2] > free[1::2]).all()
