"""Conversions, each both ways: components, keypoint orders, mirror, wrist about root and origin, between frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yaff.errors import InputError, PoseError
from yaff.geometry.transforms import apply, invert, make_transform, rotation_angle, rotation_from_axis_angle
from yaff.hand import Anatomy, load_hand
from yaff.hand.components import PoseComponents, principal_components
from yaff.hand.conversions import (
    KEYPOINTS_FROM_MANO,
    about_origin,
    about_root,
    keypoints_from_mano,
    mano_from_keypoints,
    mirror_parameters,
    move_hand,
)
from yaff.hand.model import FINGERTIP_VERTICES, JOINT_NAMES, KEYPOINT_NAMES
from yaff.scene.projection import compose_wrist

HAND = load_hand()
ANATOMY = Anatomy(HAND)
angles = st.floats(-1.5, 1.5)
poses = arrays(np.float64, (2, 45), elements=angles)
vectors = arrays(np.float64, (2, 3), elements=st.floats(-1.7, 1.7))
shapes = arrays(np.float64, (2, 10), elements=st.floats(-2, 2))


def made_up_components(orthonormal: bool) -> PoseComponents:
    rng = np.random.default_rng(1)
    made = principal_components(rng.normal(size=(60, 45)) * np.linspace(1.0, 0.2, 45))
    if orthonormal:
        return made
    return PoseComponents(made.mean, made.components * rng.uniform(0.1, 3.0, (45, 1)) + rng.normal(0, 0.01, (45, 45)))


@pytest.mark.parametrize("orthonormal", [True, False])
@settings(max_examples=25, deadline=None)
@given(pose=poses, flat=st.booleans())
def test_all_components_say_what_the_pose_says(orthonormal, pose, flat):
    components = made_up_components(orthonormal)
    coefficients, missed = components.coefficients(pose, flat_hand_mean=flat)
    assert missed.max() < 1e-6
    np.testing.assert_allclose(components.pose(coefficients, flat_hand_mean=flat), pose, atol=1e-8)
    # the mean pose is all that flat_hand_mean changes
    other = components.pose(coefficients, flat_hand_mean=not flat)
    added = np.tile(components.mean * (1 if flat else -1), (2, 1))
    np.testing.assert_allclose(other - pose, added, atol=1e-8)


@settings(max_examples=25, deadline=None)
@given(coefficients=arrays(np.float64, (2, 7), elements=angles), count=st.integers(0, 7), orthonormal=st.booleans())
def test_few_components_come_back_and_the_nearest_is_found(coefficients, count, orthonormal):
    components = made_up_components(orthonormal)
    pose = components.pose(coefficients)
    back, missed = components.coefficients(pose, 7)
    np.testing.assert_allclose(back, coefficients, atol=1e-8)
    assert missed.max() < 1e-6
    fewer, _ = components.coefficients(pose, count)
    off = pose - components.pose(fewer)
    np.testing.assert_allclose(off @ components.components[:count].T, 0.0, atol=1e-8)  # nothing left to gain


def test_components_are_orthonormal_ordered_and_their_own_mirror():
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(200, 20)) @ rng.normal(size=(20, 45))  # poses that vary in 20 directions only
    made = principal_components(poses)
    np.testing.assert_allclose(made.components @ made.components.T, np.eye(45), atol=1e-12)
    spread = ((poses - made.mean) @ made.components.T).std(0)
    assert (np.diff(spread) <= 1e-9).all()
    assert spread[20:].max() < 1e-9
    np.testing.assert_allclose(made.explained_variance(poses)[19], 1.0)
    np.testing.assert_array_equal(made.mirrored().mirrored().components, made.components)
    twice = principal_components(poses)
    assert made.components.tobytes() == twice.components.tobytes()


@pytest.mark.parametrize(
    ("mean", "components", "message"),
    [
        (np.full(45, np.nan), np.eye(45), "the pose mean holds NaN"),
        (np.zeros(45), np.full((45, 45), np.inf), "the pose components holds NaN or infinity"),
        (np.zeros(45), np.zeros((45, 45)), "do not span"),
    ],
)
def test_components_are_checked(mean, components, message):
    with pytest.raises(InputError, match=message):
        PoseComponents(mean, components)


def test_counts_of_components_are_checked():
    with pytest.raises(InputError, match="46 components"):
        made_up_components(True).coefficients(np.zeros((1, 45)), 46)
    with pytest.raises(InputError, match="1 poses have no components"):
        principal_components(np.zeros((1, 45)))


def test_keypoint_orders():
    names = [*JOINT_NAMES, *(f"{finger}.tip" for finger in FINGERTIP_VERTICES)]
    assert [names[k] for k in KEYPOINTS_FROM_MANO] == list(KEYPOINT_NAMES)
    pose = np.random.default_rng(0).normal(0, 0.3, (3, 45))
    tips = HAND.vertices(pose, vertex_indices=list(FINGERTIP_VERTICES.values()))
    mano = np.concatenate([HAND.joints(pose), tips], axis=1)
    np.testing.assert_array_equal(keypoints_from_mano(mano), HAND.keypoints(pose))
    np.testing.assert_array_equal(mano_from_keypoints(keypoints_from_mano(mano)), mano)
    np.testing.assert_array_equal(keypoints_from_mano(mano_from_keypoints(mano)), mano)


@settings(max_examples=10, deadline=None)
@given(pose=poses, wrist=vectors, translation=vectors, shape=shapes)
def test_mirrored_parameters_pose_the_mirrored_hand(pose, wrist, translation, shape):
    mirrored = mirror_parameters(pose, wrist, translation)
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(
        HAND.mirrored().vertices(*mirrored, shape), HAND.vertices(pose, wrist, translation, shape) * flip, atol=1e-12
    )
    for back, given_ in zip(mirror_parameters(*mirrored), (pose, wrist, translation), strict=True):
        np.testing.assert_array_equal(back, given_)


@settings(max_examples=10, deadline=None)
@given(pose=poses, wrist=vectors, translation=vectors, shape=shapes)
def test_wrist_about_the_origin(pose, wrist, translation, shape):
    roots = HAND.root(shape)
    position = about_origin(wrist, translation, roots)
    still = HAND.vertices(pose, shape=shape)
    T = make_transform(rotation_from_axis_angle(wrist), position)
    np.testing.assert_allclose(apply(T, still), HAND.vertices(pose, wrist, translation, shape), atol=1e-12)
    np.testing.assert_allclose(about_root(wrist, position, roots), translation, atol=1e-15)


@settings(max_examples=10, deadline=None)
@given(pose=poses, wrist=vectors, translation=vectors, shape=shapes, turn=vectors, shift=vectors)
def test_a_hand_carried_to_another_camera(pose, wrist, translation, shape, turn, shift):
    T = make_transform(rotation_from_axis_angle(turn), shift)
    roots = HAND.root(shape)
    moved = move_hand(T, wrist, translation, roots)
    here = HAND.vertices(pose, wrist, translation, shape)
    np.testing.assert_allclose(HAND.vertices(pose, *moved, shape), apply(T, here), atol=1e-9)
    # back again: the same hand, if perhaps by the other way round
    back = move_hand(invert(T), *moved, roots)
    np.testing.assert_allclose(back[1], translation, atol=1e-9)
    np.testing.assert_allclose(rotation_from_axis_angle(back[0]), rotation_from_axis_angle(wrist), atol=1e-9)
    fast = compose_wrist(T, wrist, translation, roots)
    np.testing.assert_allclose(fast[1], moved[1], atol=1e-9)
    np.testing.assert_allclose(rotation_from_axis_angle(fast[0]), rotation_from_axis_angle(moved[0]), atol=1e-7)


def test_carrying_refuses_what_is_not_rigid():
    with pytest.raises(PoseError, match="not a rotation"):
        move_hand(2.0 * np.eye(4), np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3))


@settings(max_examples=25, deadline=None)
@given(share=arrays(np.float64, (2, len(ANATOMY)), elements=st.floats(0, 1)))
def test_anatomical_angles_come_back(share):
    dof = ANATOMY.lower + share * (ANATOMY.upper - ANATOMY.lower)
    back, missed = ANATOMY.dof_from_pose(ANATOMY.pose_from_dof(dof))
    np.testing.assert_allclose(back, dof, atol=1e-7)
    assert missed.max() < 1e-6
    assert ANATOMY.violations(ANATOMY.pose_from_dof(dof)).max() < 1e-7


@settings(max_examples=25, deadline=None)
@given(pose=arrays(np.float64, (1, 45), elements=st.floats(-0.8, 0.8)), column=st.integers(0, len(ANATOMY) - 1))
def test_off_the_anatomy_the_nearest_pose_is_found(pose, column):
    dof, missed = ANATOMY.dof_from_pose(pose)
    joint = ANATOMY.degrees_of_freedom[column].joint - 1
    target = rotation_from_axis_angle(pose.reshape(15, 3))[joint]
    for step in (-2e-3, 0.0, 2e-3):
        moved = dof.copy()
        moved[0, column] += step
        off = rotation_angle(ANATOMY.rotations_from_dof(moved)[0, joint].T @ target)
        assert off >= missed[0, joint] - 1e-6


def test_a_pose_beyond_the_limits_is_posed_and_reported():
    angle = np.deg2rad(150.0)
    pose = ANATOMY.pose_from_dof(ANATOMY.angles({"index.pip.flexion": angle})[None])
    assert np.isfinite(HAND.vertices(pose)).all()
    beyond = ANATOMY.violations(pose)[0]
    k = ANATOMY.index("index.pip.flexion")
    assert beyond[k] == pytest.approx(angle - ANATOMY.upper[k])
    assert np.delete(beyond, k).max() < 1e-9
