"""Rigid transforms: group axioms, round trips, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from yaff.errors import PoseError
from yaff.geometry import transforms as tf

finite = st.floats(-3.0, 3.0, allow_nan=False, width=64)
vectors = arrays(np.float64, (4, 3), elements=finite)


def _transforms(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    return tf.make_transform(tf.rotation_from_axis_angle(rotation), translation)


@given(vectors)
@settings(max_examples=40, deadline=None)
def test_rotations_are_orthonormal_and_equal_scipys(axis_angle):
    R = tf.rotation_from_axis_angle(axis_angle)
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), np.broadcast_to(np.eye(3), R.shape), atol=1e-14)
    np.testing.assert_allclose(np.linalg.det(R), 1.0, atol=1e-14)
    np.testing.assert_allclose(R, Rotation.from_rotvec(axis_angle).as_matrix(), atol=1e-14)


@given(vectors, st.sampled_from([0.0, 1e-14, 1e-9, 1e-5, 1e-4, 1.0]))
@settings(max_examples=40, deadline=None)
def test_axis_angle_round_trip(axis_angle, scale):
    axis_angle = axis_angle * scale
    norm = np.linalg.norm(axis_angle, axis=1, keepdims=True)
    axis_angle = np.where(norm > 3.1, axis_angle * 3.1 / np.maximum(norm, 1.0), axis_angle)
    back = tf.axis_angle_from_rotation(tf.rotation_from_axis_angle(axis_angle))
    np.testing.assert_allclose(back, axis_angle, atol=1e-13)


@pytest.mark.parametrize("axis", [*np.eye(3), *-np.eye(3), np.array([0.6, 0.8, 0.0]), np.array([-2.0, 1.0, 2.0]) / 3.0])
@pytest.mark.parametrize("gap", [0.0, 1e-12, 1e-8, 1e-4])
def test_half_turns_keep_their_axis(axis, gap):
    R = tf.rotation_from_axis_angle((np.pi - gap) * axis)
    back = tf.axis_angle_from_rotation(R)
    np.testing.assert_allclose(tf.rotation_from_axis_angle(back), R, atol=1e-14)
    np.testing.assert_allclose(np.abs(back @ axis), np.pi - gap, atol=1e-9)
    np.testing.assert_allclose(tf.rotation_angle(R[None])[0], np.pi - gap, atol=1e-9)


@given(vectors)
@settings(max_examples=40, deadline=None)
def test_quaternions_round_trip(axis_angle):
    R = tf.rotation_from_axis_angle(axis_angle)
    q = tf.quaternion_wxyz_from_rotation(R)
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1.0, atol=1e-14)
    assert (q[:, 0] >= 0.0).all()
    np.testing.assert_allclose(tf.rotation_from_quaternion_wxyz(q), R, atol=1e-14)
    np.testing.assert_allclose(tf.rotation_from_quaternion_wxyz(-3.0 * q), R, atol=1e-14)


@given(vectors, vectors, vectors, vectors)
@settings(max_examples=40, deadline=None)
def test_group_axioms(r1, t1, r2, t2):
    A, B = _transforms(r1, t1), _transforms(r2, t2)
    identity = np.broadcast_to(np.eye(4), A.shape)
    np.testing.assert_allclose(A @ tf.invert(A), identity, atol=1e-13)
    np.testing.assert_allclose(tf.invert(A) @ A, identity, atol=1e-13)
    np.testing.assert_allclose(tf.invert(A @ B), tf.invert(B) @ tf.invert(A), atol=1e-13)
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    np.testing.assert_allclose(tf.apply(A @ B, points), tf.apply(A, tf.apply(B, points)), atol=1e-12)
    np.testing.assert_allclose(tf.apply(identity, points), points, atol=0.0)
    tf.check_rigid(A @ B, where="test", tolerance=1e-12)


@given(vectors, vectors)
@settings(max_examples=40, deadline=None)
def test_skew_matrix_is_the_cross_product(u, v):
    np.testing.assert_allclose((tf.skew_matrix(u) @ v[..., None])[..., 0], np.cross(u, v), atol=1e-14)


@given(st.floats(0.0, np.pi), vectors)
@settings(max_examples=40, deadline=None)
def test_rotation_angle_is_the_angle(angle, axes):
    axis = axes[0] if np.linalg.norm(axes[0]) > 1e-3 else np.array([0.0, 0.0, 1.0])
    axis = axis / np.linalg.norm(axis)
    np.testing.assert_allclose(tf.rotation_angle(tf.rotation_from_axis_angle(angle * axis[None]))[0], angle, atol=1e-12)


def test_small_rotations_are_accurate_to_rounding():
    for angle in (1e-3, 9.9e-5, 1.01e-4, 1e-6, 1e-10):
        R = tf.rotation_from_axis_angle(np.array([0.0, 0.0, angle]))
        np.testing.assert_allclose(R[1, 0], np.sin(angle), rtol=1e-15)
        np.testing.assert_allclose(1.0 - R[0, 0], 2.0 * np.sin(angle / 2) ** 2, atol=2e-16)


def test_any_number_of_leading_dimensions():
    T = tf.make_transform(tf.rotation_from_axis_angle(np.zeros((2, 5, 3))), np.ones((2, 5, 3)))
    assert T.shape == (2, 5, 4, 4)
    assert tf.invert(T).shape == (2, 5, 4, 4)
    assert tf.invert(T[0, 0]).shape == (4, 4)
    assert tf.make_transform(np.zeros((0, 3, 3)), np.zeros((0, 3))).shape == (0, 4, 4)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda T: T.__setitem__((2, 0, 0), np.nan), "pose 2 holds NaN"),
        (lambda T: T.__setitem__((1, 2, 3), np.inf), "pose 1 holds NaN or infinity"),
        (lambda T: T.__setitem__((1, 0, 0), 1.1), "pose 1 is not a rotation"),
        (lambda T: T.__setitem__((2, slice(0, 3), 0), -T[2, :3, 0]), "pose 2 is not a rotation"),
        (lambda T: T.__setitem__((0, slice(0, 3), slice(0, 3)), 0.0), "pose 0 is not a rotation"),
    ],
)
def test_what_is_not_rigid_is_refused_by_row(spoil, message):
    T = _transforms(np.random.default_rng(1).normal(size=(3, 3)), np.zeros((3, 3)))
    tf.check_rigid(T, where="frame 7")
    spoil(T)
    with pytest.raises(PoseError, match=message) as error:
        tf.check_rigid(T, where="frame 7")
    assert "frame 7" in str(error.value)
    assert "--skip-bad-frames" in str(error.value)


def test_no_poses_are_rigid():
    tf.check_rigid(np.zeros((0, 4, 4)), where="empty")
