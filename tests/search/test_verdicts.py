"""What a verdict says: directions that were shaken, force of a digit, and why a pair was not searched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pressing import pressing

from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.objects import ObjectModel
from yaff.search import PhysicsConfig, SearchConfig
from yaff.search.grip import HAND_DIRECTIONS, directions_of
from yaff.search.physics import HandWorld
from yaff.search.planner import search_pair
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES


def test_an_object_beyond_the_force_of_the_digits_is_not_searched(rig: HandRig, can: ObjectModel) -> None:
    """Two digits of 20 N with friction 0.6 carry 24 N."""
    result = search_pair(rig, replace(can, mass=2.5), 9, SearchConfig(), seed=0)
    assert len(result.grasps) == 0
    assert "weighs 2.50 kg" in result.infeasible
    assert dict(result.tally) == {"infeasible": 1}


def test_types_that_carry_are_shaken_where_they_carry() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        T = make_transform(rotation_from_axis_angle(rng.normal(size=3) * 2.0), rng.normal(size=3))
        assert directions_of(GRASP_TYPES[1], T).tolist() == list(range(6))
        rows = directions_of(GRASP_TYPES[15], T)
        assert 1 <= len(rows) < 6
        axes = np.concatenate([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5]]
        carried = np.array([HAND_DIRECTIONS[name] for name in GRASP_TYPES[15].carries]) @ T[:3, :3].T
        # every carried direction has an axis of the object that stands for it, and no axis is far from all of them
        assert (axes[rows] @ carried.T).max(axis=0).min() >= 1.0 / np.sqrt(3.0) - 1e-9
        assert (axes[rows] @ carried.T).max(axis=1).min() > 0.5


def test_only_the_directions_asked_for_are_shaken_and_a_freed_grasp_can_be_shaken_again(
    rig: HandRig, can: ObjectModel
) -> None:
    T = np.eye(4)
    T[:3, 3] = [0.0, 0.0, 3.0]
    dof = np.zeros(len(rig.anatomy.lower))
    config = PhysicsConfig(shake_time=0.05)
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, config) as world:
        settled = world.close(dof, dof, pressing(np.full(len(dof), 0.5)), T)
        first = world.shake(settled, [4, 1])
        again = world.shake(settled, [4, 1])  # its state is gone: put where it had settled
    assert first.shaken.tolist() == [False, True, False, False, True, False]
    assert first.tried == 2
    assert first.force == 0.0
    np.testing.assert_allclose(again.translation, first.translation, atol=1e-6)
    assert (first.translation[[0, 2, 3, 5]] == 0.0).all()


def test_no_digit_of_a_settled_hand_presses_beyond_the_limit(rig: HandRig, can: ObjectModel) -> None:
    """Torques of ten times what is wanted are brought down to what was measured in the contacts."""
    T = np.eye(4)
    T[:3, 3] = [-0.06, -0.055, 0.0]
    dof = rig.posture(GRASP_TYPES[1], np.array(0.3))
    target = rig.anatomy.clip(dof + rig.closing_direction(GRASP_TYPES[1]) * 1.2)
    torque = 20.0 * 3.0 * rig.levers
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig(most_digit_force=20.0)) as world:
        eased = world.close(dof, target, pressing(torque), T)
        world.forget(eased)
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig(most_digit_force=1e6)) as world:
        free = world.close(dof, target, pressing(torque), T)
        world.forget(free)
    assert free.force > 20.0
    assert eased.force < free.force
    assert (eased.grip.most <= torque + 1e-12).all()


def test_fingers_stop_where_they_meet_the_held_object(rig: HandRig, can: ObjectModel) -> None:
    """Asked for a radian more than it takes, they stay where they touched, and the object stays between them."""
    T = np.eye(4)
    T[:3, 3] = [-0.06, -0.055, 0.0]
    dof = rig.posture(GRASP_TYPES[1], np.array(0.3))
    direction = rig.closing_direction(GRASP_TYPES[1])
    angles, effort = [], pressing(0.3 * rig.levers / 0.08)
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig(press=0.0)) as world:
        for way in (0.8, 1.2):
            settled = world.close(dof, rig.anatomy.clip(dof + way * direction), effort, T)
            world.forget(settled)
            assert settled.contacts >= 3
            assert settled.moved < 0.01
            angles.append(settled.dof)
    # how much more was asked for does not matter, once they touch
    assert np.median(np.abs(angles[1] - angles[0])[direction != 0.0]) < 0.1


def test_a_digit_that_presses_too_softly_presses_on(rig: HandRig, can: ObjectModel) -> None:
    """From a first touch that hardly presses, the hand goes on until the force that is wanted is in its contacts."""
    T = np.eye(4)
    T[:3, 3] = [-0.06, -0.055, 0.0]
    dof = rig.posture(GRASP_TYPES[1], np.array(0.3))
    target = rig.anatomy.clip(dof + rig.closing_direction(GRASP_TYPES[1]) * 1.2)
    torque, forces = 10.0 * rig.levers, []
    with HandWorld(rig.model, rig.anatomy, rig.pieces, can, PhysicsConfig(press=0.01)) as world:
        for wanted in (0.0, 8.0):
            settled = world.close(dof, target, pressing(torque, wanted), T)
            world.forget(settled)
            forces.append(settled.force)
    assert forces[1] > forces[0]
