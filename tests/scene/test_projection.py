"""Wrists composed with object poses: equal to moving every vertex of the hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_doubles import random_transforms

from yaff.geometry.transforms import apply, rotation_from_axis_angle
from yaff.hand import HandModel
from yaff.scene.projection import compose_wrist, compose_wrist_pairs

Array = np.ndarray

ROOT = np.array([0.0957, 0.0064, 0.0062])


def _expected(T: Array, rotation: Array, translation: Array, root: Array) -> tuple[Array, Array]:
    """From the definition, with matrices."""
    composed = T[:, :3, :3] @ rotation_from_axis_angle(rotation)
    moved = (T[:, :3, :3] @ (root + translation)[..., None])[..., 0] + T[:, :3, 3] - root
    return composed, moved


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([1e-9, 1e-3, 1.0, np.pi, 3 * np.pi]))
def test_equals_the_product_of_matrices(seed: int, m: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    T, rotation = random_transforms(rng, m), rng.normal(size=(m, 3)) * scale
    translation = rng.normal(size=(m, 3))
    got_rotation, got_translation = compose_wrist(T, rotation, translation, ROOT)
    R, t = _expected(T, rotation, translation, ROOT)
    assert got_rotation.dtype == np.float64
    assert np.abs(rotation_from_axis_angle(got_rotation) - R).max(initial=0.0) < 1e-12
    assert np.abs(got_translation - t).max(initial=0.0) < 1e-12
    assert (np.linalg.norm(got_rotation, axis=1) <= np.pi + 1e-12).all()


def test_half_turns_and_no_turn() -> None:
    """The composed angle is 0, just off 0, pi, just off pi: no NaN, no lost precision."""
    axis = np.array([0.6, 0.0, 0.8])
    for target in (0.0, 1e-13, 1e-7, np.pi - 1e-9, np.pi, np.pi + 1e-9):
        T = np.eye(4)[None].copy()
        T[:, :3, :3] = rotation_from_axis_angle(axis * 1.1)
        rotation, _ = compose_wrist(T, (axis * (target - 1.1))[None], np.zeros((1, 3)), ROOT)
        assert np.isfinite(rotation).all()
        assert np.abs(rotation_from_axis_angle(rotation[0]) - rotation_from_axis_angle(axis * target)).max() < 1e-14


def test_moving_the_wrist_moves_every_vertex(hand: HandModel) -> None:
    rng = np.random.default_rng(3)
    n = 5
    T = random_transforms(rng, n)
    pose, rotation = rng.normal(size=(n, 45)) * 0.3, rng.normal(size=(n, 3))
    translation, shape = rng.normal(size=(n, 3)) * 0.1, rng.normal(size=(n, 10))
    in_object = hand.vertices(pose, rotation, translation, shape)
    in_camera = hand.vertices(pose, *compose_wrist(T, rotation, translation, np.asarray(hand.root(shape))), shape)
    assert np.abs(apply(T, in_object) - in_camera).max() < 1e-12


def test_pairs_are_rows() -> None:
    """The fast path that shares work between pairs gives the same bits as the plain one."""
    rng = np.random.default_rng(4)
    poses, rotation, translation = random_transforms(rng, 7), rng.normal(size=(11, 3)), rng.normal(size=(11, 3))
    roots = rng.normal(size=(11, 3))
    instance, grasp = rng.integers(7, size=20_000), rng.integers(11, size=20_000)
    for root, row_root in ((ROOT, ROOT), (roots, roots[grasp])):
        shared = compose_wrist_pairs(poses, instance, rotation, translation, grasp, root)
        plain = compose_wrist(poses[instance], rotation[grasp], translation[grasp], row_root)
        assert np.array_equal(shared[0], plain[0])
        assert np.array_equal(shared[1], plain[1])


@pytest.mark.parametrize("m", [0, 1, 8191, 8192, 8193])
def test_block_borders(m: int) -> None:
    rng = np.random.default_rng(5)
    T, rotation, translation = random_transforms(rng, m), rng.normal(size=(m, 3)), rng.normal(size=(m, 3))
    got_rotation, got_translation = compose_wrist(T, rotation, translation, ROOT)
    R, t = _expected(T, rotation, translation, ROOT)
    assert np.abs(rotation_from_axis_angle(got_rotation) - R).max(initial=0.0) < 1e-12
    assert np.abs(got_translation - t).max(initial=0.0) < 1e-12
