"""The replay in MuJoCo: the same hand, a grasp that holds, one that cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from yaff.hand import load_hand
from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.search import ProposalConfig, RefinementConfig, SearchConfig, SelectionConfig, make_rig, search_pair
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES

mujoco = pytest.importorskip("mujoco")

from benchmarks.other_engine import OtherWorld  # noqa: E402

SMALL = SearchConfig(
    propose=ProposalConfig(candidates=256),
    refine=RefinementConfig(batch=12, iterations=50, rounds=1),
    select=SelectionConfig(keep=1),
)


@pytest.fixture(scope="module")
def rig() -> HandRig:
    torch.set_num_threads(1)
    return make_rig(load_hand(), SMALL)


@pytest.fixture(scope="module")
def can(cache_dir: Path) -> ObjectModel:
    return load_object("005_tomato_soup_can", StandInSource(), cache_dir)


def test_its_bones_stand_where_the_hands_do(rig: HandRig, can: ObjectModel) -> None:
    world, anatomy = OtherWorld(rig, can, SMALL), rig.anatomy
    dof = anatomy.clip(np.random.default_rng(0).normal(0.0, 0.5, len(anatomy)))
    world.data.qpos[world._joints] = dof
    mujoco.mj_forward(world.model, world.data)
    bones = rig.model.bone_transforms(anatomy.pose_from_dof(dof[None]), np.zeros((1, 3)), -rig.model.root()[None])[0]
    for k, freedom in enumerate(anatomy.degrees_of_freedom):
        if k + 1 < len(anatomy) and anatomy.degrees_of_freedom[k + 1].joint == freedom.joint:
            continue
        body = world.model.body(f"link{k}").id
        np.testing.assert_allclose(world.data.xpos[body], bones[freedom.joint, :3, 3], atol=1e-6)
        np.testing.assert_allclose(world.data.xmat[body].reshape(3, 3), bones[freedom.joint, :3, :3], atol=1e-6)
    assert world.model.body_mass[world.model.body("object").id] == pytest.approx(can.mass)


def test_a_kept_grasp_holds_there_too_and_without_friction_it_does_not(rig: HandRig, can: ObjectModel) -> None:
    found = search_pair(rig, can, 1, SMALL, 0).grasps
    assert found.verified.all()
    dof, _ = rig.anatomy.dof_from_pose(np.asarray(found.pose[:1], np.float64))
    T = rig.model.wrist_transform(found.wrist_rotation[:1].astype(float), found.translation[:1].astype(float))[0]
    held = OtherWorld(rig, can, SMALL).replay(GRASP_TYPES[1], dof[0], T)
    assert held.settled < SMALL.physics.most_translation
    slippery = replace(SMALL, physics=replace(SMALL.physics, friction=0.02, torsional_friction=0.0))
    lost = OtherWorld(rig, can, slippery).replay(GRASP_TYPES[1], dof[0], T)
    assert not lost.held(slippery)
    assert lost.translation.max() > held.translation.max()
