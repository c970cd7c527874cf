"""The articulated hand in PyBullet against the hand's own kinematics, and the shakes against statics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import trimesh
from pressing import pressing

from yaff.geometry.transforms import invert
from yaff.objects import ObjectModel
from yaff.search import PhysicsConfig
from yaff.search.bodies import _obj_of_pieces
from yaff.search.physics import HandWorld
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES


def test_the_chain_of_revolute_joints_is_the_hand(rig: HandRig, can: ObjectModel) -> None:
    rng = np.random.default_rng(0)
    dof = rng.uniform(rig.anatomy.lower, rig.anatomy.upper, size=(10, len(rig.anatomy.lower)))
    zero = np.zeros((10, 3))
    expected = rig.model.bone_transforms(rig.anatomy.pose_from_dof(dof), zero, zero)
    expected[..., :3, 3] -= rig.model.root()
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig()) as world:
        for row in range(10):
            for bone, T in world.bone_transforms(dof[row]).items():
                np.testing.assert_allclose(T, expected[row, bone], atol=1e-6)


def test_without_a_grip_the_object_falls_as_newton_says(rig: HandRig, can: ObjectModel) -> None:
    """Far from the hand one weight moves the object by g t^2 / 2, along each of its axes, until the limit ends it."""
    config = PhysicsConfig(closing_time=0.05, most_translation=0.1)
    T = np.eye(4)
    T[:3, 3] = [0.0, 0.0, 3.0]
    dof = np.zeros(len(rig.anatomy.lower))
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, config) as world:
        settled = world.close(dof, dof, pressing(np.full(len(dof), 0.5)), T)
        assert settled.contacts == 0
        np.testing.assert_allclose(settled.T_hand_object, T, atol=1e-6)
        shaken = world.shake(settled, every_direction=True)
    assert not shaken.held
    assert shaken.tried == 6
    assert (shaken.translation > 0.1).all()
    # it is measured every 6 steps: the last measure before was below the limit
    assert (shaken.translation < 0.5 * 9.81 * (np.sqrt(2 * 0.1 / 9.81) + 7 / 240) ** 2).all()
    np.testing.assert_allclose(shaken.rotation, 0.0, atol=1e-4)


def test_a_grasp_far_away_is_refused_and_the_world_can_be_used_again(rig: HandRig, can: ObjectModel) -> None:
    """The verdict on a candidate does not depend on the candidates before it."""
    T = invert(np.eye(4))
    T[:3, 3] = [-0.05, -0.09, 0.0]
    dof = rig.anatomy.clip(np.full(len(rig.anatomy.lower), 0.2))
    target = rig.anatomy.clip(dof + 0.6)
    effort = pressing(np.full(len(dof), 0.3))
    results = []
    for disturb in (False, True):
        with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig()) as world:
            if disturb:
                far = T.copy()
                far[:3, 3] += [0.0, -0.5, 0.0]
                world.forget(world.close(dof, target, effort, far))
            settled = world.close(dof, target, effort, T)
            results.append((settled.dof, settled.T_hand_object, settled.contacts))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert results[0][2] == results[1][2]


def test_joints_that_hold_are_springs(rig: HandRig, can: ObjectModel) -> None:
    """With nothing to hold, a joint that presses with a torque moves on by that torque over its stiffness."""
    config = PhysicsConfig(joint_friction=0.0, shake_time=1.0, most_translation=100.0)
    T = np.eye(4)
    T[:3, 3] = [0.0, 0.0, 3.0]
    dof = rig.anatomy.clip(np.full(len(rig.anatomy.lower), 0.3))
    torque, stiffness = 0.05 * rig.closing_direction(GRASP_TYPES[1]), 1.0
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, config) as world:
        settled = world.close(dof, dof, pressing(np.full(len(dof), 0.5), stiffness=stiffness), T)
        grip = replace(settled.grip, torque=torque)
        world.shake(replace(settled, grip=grip), [0])
        angles = world.motors.angles()
    np.testing.assert_allclose(angles - settled.dof, torque / stiffness, atol=2e-3)


def test_pieces_are_written_as_separate_hulls(tmp_path: Path) -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1)).vertices
    text = _obj_of_pieces([box, box + 1.0])
    assert text.count("\no ") + text.startswith("o ") == 2
    assert text.count("\nv ") == 16
