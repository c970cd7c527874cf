"""GraspIt's 16 angles and MANO's 45 numbers, against each other and against the published grasps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yaff.geometry.transforms import rotation_angle, rotation_from_axis_angle
from yaff.hand import Anatomy, load_hand
from yaff.hand.graspit import GRASPIT_LIMITS, GRASPIT_NAMES, graspit_from_pose, pose_from_graspit
from yaff.store.ycb_affordance_grasps import read_published_grasps

LOW, HIGH = GRASPIT_LIMITS.T


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, (3, 16), elements=st.floats(0.0, 1.0)))
def test_round_trip_is_exact_for_what_graspit_can_do(share):
    dofs = LOW + share * (HIGH - LOW)
    back, missed = graspit_from_pose(pose_from_graspit(dofs))
    np.testing.assert_allclose(back, dofs, atol=1e-9)
    assert missed.max() < 1e-7


@settings(max_examples=25, deadline=None)
@given(arrays(np.float64, (1, 45), elements=st.floats(-0.6, 0.6)), st.integers(0, 3), st.integers(0, 1))
def test_off_it_the_nearest_is_found(pose, finger, angle):
    """No angle of a base joint, moved a little either way, comes nearer; what is left is reported."""
    dofs, missed = graspit_from_pose(pose)
    joint = (0, 3, 9, 6)[finger]
    target = rotation_from_axis_angle(pose.reshape(15, 3))
    for step in (-1e-3, 0.0, 1e-3):
        moved = dofs.copy()
        moved[0, 3 * finger + angle] += step
        met = rotation_from_axis_angle(pose_from_graspit(moved).reshape(15, 3))
        off = rotation_angle(met[joint].T @ target[joint])
        assert off == missed[0, joint] if step == 0.0 else off > missed[0, joint] - 1e-9


def test_zero_is_a_hand_with_parallel_fingers():
    hand = load_hand()
    joints = hand.joints(pose_from_graspit(np.zeros((1, 16))))[0]
    middle = joints[5] - joints[4]
    for finger in ("index", "ring", "pinky"):
        k = {"index": 1, "ring": 10, "pinky": 7}[finger]
        along = joints[k + 1] - joints[k]
        cosine = along @ middle / np.linalg.norm(along) / np.linalg.norm(middle)
        assert np.degrees(np.arccos(cosine)) < 8.0, finger


def test_signs_and_order_are_those_of_the_names():
    anatomy = Anatomy(load_hand())
    flat = anatomy.dof_from_pose(pose_from_graspit(np.zeros((1, 16))))[0]
    for column, name in enumerate(GRASPIT_NAMES[:12]):
        finger, motion = name.split(".")
        dofs = np.zeros((1, 16))
        dofs[0, column] = 0.3
        change = anatomy.dof_from_pose(pose_from_graspit(dofs))[0] - flat
        largest = anatomy.names[int(np.abs(change[0]).argmax())]
        assert largest.startswith(finger)
        if motion == "abduction":
            assert largest.endswith("mcp.abduction")
            # towards the thumb, which leads ring and little finger to the middle one
            assert np.sign(change.flat[np.abs(change).argmax()]) == (1 if finger in ("index", "middle") else -1)
        else:
            assert largest == f"{finger}.{motion}.flexion"
            assert change[0, anatomy.index(largest)] > 0.25


@pytest.mark.realdata
def test_published_grasps_say_the_same_in_both(real_data):
    published = read_published_grasps(real_data / "ycb_affordance" / "grasps")
    dofs = np.stack([grasp.graspit_dofs for grasp in published])
    pose = np.stack([grasp.pose for grasp in published])
    back, missed = graspit_from_pose(pose)
    assert missed.max() < 1.5e-4
    np.testing.assert_allclose(back, dofs, atol=2e-4)
    np.testing.assert_allclose(pose_from_graspit(dofs), pose, atol=2e-4)
    assert ((dofs >= LOW - 1e-3) & (dofs <= HIGH + 1e-3)).all()
