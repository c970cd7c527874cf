"""Frames grouped by arrangement: one group while nothing moves, exactly as many as there are when something does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_doubles import INTRINSICS, random_transforms

from yaff.geometry.transforms import (
    invert,
    make_transform,
    rotation_angle,
    rotation_from_axis_angle,
    rotation_from_quaternion_wxyz,
)
from yaff.scene.arrangements import group_arrangements
from yaff.scene.frames import FrameTable

Array = np.ndarray


def _table(index: list[list[int]], poses: list[Array]) -> FrameTable:
    return FrameTable.from_rows(
        0,
        list(range(1, len(index) + 1)),
        [INTRINSICS] * len(index),
        [np.array(i, np.uint8) for i in index],
        poses,
    )


def _video(rng: np.random.Generator, n_frames: int, Ts_table_object: Array, noise: float = 0.0) -> list[Array]:
    """The same objects from a camera that moves; ``noise`` metres and radians."""
    Ts_camera_table = random_transforms(rng, n_frames)
    k = len(Ts_table_object)
    shake = make_transform(
        rotation_from_axis_angle(rng.uniform(-noise, noise, size=(n_frames, k, 3))),
        rng.uniform(-noise, noise, size=(n_frames, k, 3)),
    )
    return list(Ts_camera_table[:, None] @ Ts_table_object[None] @ shake)


def test_a_still_scene_is_one_arrangement() -> None:
    rng = np.random.default_rng(0)
    poses = _video(rng, 200, random_transforms(rng, 4), noise=2e-6)
    arrangements = group_arrangements(_table([[2, 5, 9, 14]] * 200, poses))
    assert len(arrangements) == 1
    assert arrangements.representative.tolist() == [0]
    assert not arrangements.group.any()


def test_one_moving_object_makes_exactly_the_groups_that_there_are() -> None:
    """It stands, moves for ten frames, stands elsewhere, and is put back: 1 + 10 + 1 groups, and the first again."""
    rng = np.random.default_rng(1)
    still = random_transforms(rng, 4)
    away = np.concatenate([np.zeros(50), np.linspace(0.01, 0.1, 10), np.full(40, 0.1 + 0.01), np.zeros(30)])
    poses = _video(rng, len(away), still, noise=2e-6)
    direction = random_transforms(rng, 1)[0, :3, 0]
    for frame, distance in enumerate(away):
        poses[frame][2] = poses[frame][2] @ make_transform(np.eye(3), distance * direction)
    arrangements = group_arrangements(_table([[1, 3, 8, 21]] * len(away), poses))
    expected = np.concatenate([np.zeros(50), np.arange(1, 11), np.full(40, 11), np.zeros(30)])
    assert arrangements.group.tolist() == expected.tolist()
    assert arrangements.representative.tolist() == [0, *range(50, 61)]


def test_a_turning_object_is_a_moving_object() -> None:
    rng = np.random.default_rng(2)
    poses = _video(rng, 3, random_transforms(rng, 3))
    for frame, angle in enumerate((0.0, 0.004, 0.006)):
        poses[frame][1] = poses[frame][1] @ make_transform(
            rotation_from_axis_angle(np.array([0, 0, angle])), np.zeros(3)
        )
    groups = group_arrangements(_table([[1, 2, 3]] * 3, poses), tolerance_rad=0.005).group
    assert groups.tolist() == [0, 0, 1]


def test_another_set_of_objects_is_another_arrangement() -> None:
    rng = np.random.default_rng(3)
    poses = _video(rng, 6, random_transforms(rng, 3))
    index = [[1, 2, 3], [1, 2, 3], [1, 2], [1, 2, 4], [1, 2, 3], []]
    poses = [p[: len(i)] for p, i in zip(poses, index, strict=True)]
    assert group_arrangements(_table(index, poses)).group.tolist() == [0, 0, 1, 2, 0, 3]


def test_the_order_in_which_a_file_lists_objects_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    still = random_transforms(rng, 4)
    poses = _video(rng, 20, still)
    objects = np.array([7, 3, 12, 5])
    orders = [rng.permutation(4) for _ in range(20)]
    table = _table([objects[o].tolist() for o in orders], [p[o] for p, o in zip(poses, orders, strict=True)])
    arrangements = group_arrangements(table)
    assert len(arrangements) == 1
    first = table.object_index[table.instances(0)]
    # `order` says which instance of the representative each instance is
    assert np.array_equal(first[arrangements.order], table.object_index)
    rows = np.arange(20)
    for k in range(4):
        instances = arrangements.instance_of(table, rows, k)
        assert (table.object_index[instances] == first[k]).all()
        assert np.array_equal(table.frame_row[instances], rows)


def test_two_of_the_same_object() -> None:
    rng = np.random.default_rng(5)
    arrangements = group_arrangements(_table([[4, 4, 9]] * 5, _video(rng, 5, random_transforms(rng, 3))))
    assert len(arrangements) == 1
    assert arrangements.order.tolist() == [0, 1, 2] * 5


def test_no_frames_and_no_objects() -> None:
    assert len(group_arrangements(FrameTable.from_rows(0, [], [], [], []))) == 0
    table = _table([[], []], [np.zeros((0, 4, 4))] * 2)
    assert group_arrangements(table).group.tolist() == [0, 0]


def _slow(table: FrameTable, tolerance_m: float, tolerance_rad: float) -> list[int]:
    """Leader clustering as one would write it first."""
    leaders: list[int] = []
    groups = []
    for row in range(len(table)):
        mine = table.instances(row)
        for g, leader in enumerate(leaders):
            theirs = table.instances(leader)
            if not np.array_equal(table.object_index[mine], table.object_index[theirs]):
                continue
            a, b = table.Ts_camera_object[mine], table.Ts_camera_object[theirs]
            A, B = invert(a[:1]) @ a, invert(b[:1]) @ b
            moved = np.linalg.norm(A[:, :3, 3] - B[:, :3, 3], axis=1)
            turned = rotation_angle(np.swapaxes(A[:, :3, :3], 1, 2) @ B[:, :3, :3])
            if (moved <= tolerance_m).all() and (turned <= tolerance_rad).all():
                groups.append(g)
                break
        else:
            groups.append(len(leaders))
            leaders.append(row)
    return groups


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_fast_path_equals_slow_path(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layouts = [random_transforms(rng, 3) for _ in range(3)]
    index, poses = [], []
    for _ in range(25):
        k = int(rng.integers(1, 4))
        layout = layouts[int(rng.integers(3))][:k]
        index.append(list(range(1, k + 1)))
        poses.append(_video(rng, 1, layout, noise=float(rng.choice([1e-6, 1.5e-3])))[0])
    table = _table(index, poses)
    assert group_arrangements(table, 1e-3, 5e-3).group.tolist() == _slow(table, 1e-3, 5e-3)


@pytest.mark.realdata
def test_objects_of_ycb_video_do_not_move(real_data: Path) -> None:
    """Two videos: thousands of frames, one arrangement each."""
    z = np.load(real_data / "ycb_video_poses.npz")
    for scene in (7, 48):
        tracks = np.flatnonzero(z["track_scene"] == scene)
        rows = [slice(z["track_start"][t], z["track_start"][t + 1]) for t in tracks]
        q = np.stack([z["quaternion_wxyz"][r] for r in rows], 1).astype(np.float64)
        t = np.stack([z["translation_m"][r] for r in rows], 1).astype(np.float64)
        Ts = make_transform(rotation_from_quaternion_wxyz(q), t)
        index = z["track_object"][tracks].tolist()
        arrangements = group_arrangements(_table([index] * len(Ts), list(Ts)), 1e-4, 1e-3)
        assert len(arrangements) == 1
