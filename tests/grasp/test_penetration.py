"""Depth, volume and self-penetration against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh
from grasp_analytic import Ball, Block, HalfSpace, at, ball_mesh, box_mesh, gridded
from hypothesis import given, settings
from hypothesis import strategies as st

from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.grasp import SkinSamples, intersection_volume, max_penetration, sample_skin
from yaff.grasp.penetration import closing_faces

BALL, BALL_FACES = ball_mesh(0.01)


def cap(radius: float, height: float) -> float:
    """Volume of a spherical cap."""
    return math.pi * height**2 * (3.0 * radius - height) / 3.0


def lens(r: float, s: float, apart: float) -> float:
    """Volume shared by two balls."""
    overlap = r + s - apart
    return math.pi * overlap**2 * (apart**2 + 2 * apart * (r + s) - 3 * (r - s) ** 2) / (12.0 * apart)


def sampled(
    vertices: np.ndarray, faces: np.ndarray, sdf: Ball | HalfSpace | Block, reach: float = 0.003, divisions: int = 3
) -> SkinSamples:
    """Samples of one or several skins."""
    batch = vertices if vertices.ndim == 3 else vertices[None]
    return sample_skin(batch, faces, sdf, reach=reach, divisions=divisions)


# --- sampling --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("divisions", [1, 2, 3, 5])
def test_samples_cover_the_skin_once(divisions: int) -> None:
    everything = sampled(BALL, BALL_FACES, HalfSpace(), reach=1.0, divisions=divisions)
    assert len(everything.area) == len(BALL_FACES) * divisions**2
    assert everything.area.sum() == pytest.approx(4e-4 * math.pi, rel=0.003)
    # closed surface: normals cancel, and divergence gives the volume
    np.testing.assert_allclose((everything.area[:, None] * everything.skin_normal).sum(axis=0), 0.0, atol=1e-15)
    swept = (everything.area * np.sum(everything.point * everything.skin_normal, axis=1)).sum() / 3.0
    assert swept == pytest.approx(4.0 / 3.0 * math.pi * 1e-6, rel=1e-6)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.floats(-0.02, 0.02), st.floats(0.0001, 0.01))
def test_sampling_near_the_surface_misses_nothing(height: float, reach: float) -> None:
    moved = BALL + at(0.0, 0.0, height)
    near = sampled(moved, BALL_FACES, HalfSpace(), reach=reach)
    everything = sampled(moved, BALL_FACES, HalfSpace(), reach=1.0)
    keep = everything.distance <= reach
    np.testing.assert_array_equal(near.point, everything.point[keep])
    np.testing.assert_array_equal(near.area, everything.area[keep])


def test_big_triangles_far_from_their_corners_are_sampled() -> None:
    vertices, faces = box_mesh((1.0, 1.0, 0.001), 0)  # a sheet; the ball touches the middle of its faces
    samples = sampled(vertices, faces, Ball(0.01), divisions=400)
    assert len(samples.area) > 0
    assert max_penetration(samples)[0] > 0.005


def test_samples_belong_to_their_grasp_and_nearest_corner() -> None:
    heights = np.array([0.005, 0.5, 0.0, -0.002])
    batch = BALL + heights[:, None, None] * at(0, 0, 1)
    samples = sampled(batch, BALL_FACES, HalfSpace())
    assert set(samples.grasp.tolist()) == {0, 2, 3}
    assert (np.diff(samples.grasp) >= 0).all()
    for row in (0, 2, 3):
        alone = sampled(batch[row], BALL_FACES, HalfSpace())
        np.testing.assert_array_equal(samples.point[samples.grasp == row], alone.point)
    apart = np.linalg.norm(samples.point - batch[samples.grasp, samples.vertex], axis=1)
    face_size = np.sqrt(4e-4 * math.pi / len(BALL_FACES))
    assert apart.max() < 1.5 * face_size


# --- depth -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.floats(-0.03, 0.03))
def test_depth_of_a_ball_in_a_half_space(height: float) -> None:
    depth = max_penetration(sampled(BALL + at(0, 0, height), BALL_FACES, HalfSpace()))[0]
    assert depth == pytest.approx(max(0.0, 0.01 - height), abs=2e-5)


@pytest.mark.parametrize("depth", [0.0005, 0.002, 0.004])
def test_depth_on_a_box(depth: float) -> None:
    block = Block((0.03, 0.02, 0.05))
    for axis, sign in ((0, 1.0), (1, -1.0), (2, 1.0)):
        centre = np.zeros(3)
        centre[axis] = sign * (block.half[axis] + 0.01 - depth)
        samples = sampled(BALL + centre, BALL_FACES, block)
        assert max_penetration(samples)[0] == pytest.approx(depth, abs=2e-5)
        assert shared(BALL + centre, BALL_FACES, block) == pytest.approx(cap(0.01, depth), rel=0.02)


def test_depth_sees_an_edge_between_vertices() -> None:
    # a sheet of two big triangles lies over the edge of a plate, 1 mm too low: no vertex is inside
    vertices, faces = box_mesh((0.03, 0.03, 0.001), 0)
    plate = Block((0.004, 0.1, 0.1))
    samples = sampled(vertices + at(0, 0, 0.1), faces, plate, divisions=12)
    assert samples.vertex_distance.min() > 0.0
    assert max_penetration(samples)[0] == pytest.approx(0.001, rel=0.01)


def test_hand_outside_has_none() -> None:
    samples = sampled(np.stack([BALL, BALL]) + at(0, 0, 0.1), BALL_FACES, HalfSpace())
    np.testing.assert_array_equal(max_penetration(samples), [0.0, 0.0])
    assert shared(BALL + at(0, 0, 0.0101), BALL_FACES, HalfSpace()) == 0.0


# --- volume ----------------------------------------------------------------------------------------------------


def shared(vertices: np.ndarray, faces: np.ndarray, sdf: Ball | HalfSpace | Block, spacing: float = 0.0013) -> float:
    """Intersection volume on a grid round the skin, its nodes where no corner of a test mesh is."""
    low, high = vertices.min(axis=0) - 0.0051, vertices.max(axis=0) + 0.0057
    grid = gridded(sdf, low, high, spacing)
    samples = sample_skin(vertices[None], faces, grid)
    return float(intersection_volume(samples, vertices[None], faces, grid)[0])


@pytest.mark.parametrize("depth", [0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ball_in_half_space_is_a_cap(depth: float, axis: int) -> None:
    half_space = HalfSpace(tuple(np.eye(3)[axis].tolist()))
    volume = shared(BALL + (0.01 - depth) * np.eye(3)[axis], BALL_FACES, half_space)
    assert volume == pytest.approx(cap(0.01, min(depth, 0.02)), rel=0.01, abs=2e-10)


def test_ball_in_a_tilted_half_space_is_a_cap() -> None:
    normal = rotation_from_axis_angle(np.array([0.4, -0.7, 0.2])) @ at(0, 0, 1)
    volume = shared(BALL + 0.007 * normal, BALL_FACES, HalfSpace(tuple(normal.tolist())))
    assert volume == pytest.approx(cap(0.01, 0.003), rel=0.01)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1])
def test_box_in_half_space(angle: float) -> None:
    half = (0.004, 0.006, 0.009)
    vertices, faces = box_mesh(half, 4)
    R = rotation_from_axis_angle(np.array([angle, 0.0, 0.0]))
    # through the centre, any tilt: half of it
    assert shared(vertices @ R.T, faces, HalfSpace()) == pytest.approx(4.0 * half[0] * half[1] * half[2], rel=0.005)


@pytest.mark.parametrize(
    ("skin", "ball", "depth"), [(0.01, 0.03, 0.003), (0.01, 0.05, 0.005), (0.008, 0.02, 0.002), (0.01, 0.012, 0.015)]
)
def test_ball_in_ball_is_a_lens(skin: float, ball: float, depth: float) -> None:
    vertices, faces = ball_mesh(skin, 5)
    apart = skin + ball - depth
    volume = shared(vertices + at(apart, 0, 0), faces, Ball(ball), 0.001)
    assert volume == pytest.approx(lens(skin, ball, apart), rel=0.02)


def test_half_space_in_ball_is_a_cap() -> None:
    # the other way round: a wide flat skin cuts a ball, where all the curvature is the object's
    vertices, faces = box_mesh((0.03, 0.03, 0.005), 5)
    for depth in (0.002, 0.005):
        volume = shared(vertices + at(0, 0, 0.005 + 0.03 - depth), faces, Ball(0.03))
        assert volume == pytest.approx(cap(0.03, depth), rel=0.02)


@pytest.mark.parametrize("depth", [0.003, 0.008])
def test_edge_of_a_box_in_a_flat_skin(depth: float) -> None:
    # a skin at 45 degrees cuts a prism off the edge: its section is a right triangle of height depth
    vertices, faces = box_mesh((0.03, 0.03, 0.01), 5)
    R = rotation_from_axis_angle(np.array([0.0, math.pi / 4.0, 0.0]))
    block = Block((0.02, 0.01, 0.02))
    edge = at(0.02, 0, 0.02)
    normal = R @ at(0, 0, 1)
    # a fine grid: trilinear interpolation rounds an edge by about half a cell
    volume = shared(vertices @ R.T + edge + (0.01 - depth) * normal, faces, block, 0.0007)
    assert volume == pytest.approx(depth**2 * 0.02, rel=0.07)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thick", [0.002, 0.003, 0.005])
def test_finger_through_a_wall(thick: float, axis: int) -> None:
    # no skin faces the wall and none is deeper than half of it; the volume must see it all the same
    half = np.full(3, 0.03)
    half[axis] = thick / 2
    vertices, faces = ball_mesh(0.008, 5)
    vertices = vertices * (1.0 + 2.0 * np.eye(3)[axis])
    wall = Block(tuple(half.tolist()))
    volume = shared(vertices, faces, wall)
    ratio = thick / 2 / 0.024
    expected = math.pi * 0.008**2 * thick * (1.0 - ratio**2 / 3.0)
    assert volume == pytest.approx(expected, rel=0.03)


def test_skin_wholly_inside_counts_its_own_volume() -> None:
    own = 4.0 / 3.0 * math.pi * 1e-6
    assert shared(BALL + at(0, 0, -0.015), BALL_FACES, HalfSpace()) == pytest.approx(own, rel=0.005)
    # also about the middle of the object, where the nearest surface changes
    assert shared(BALL, BALL_FACES, Block((0.013, 0.014, 0.015))) == pytest.approx(own, rel=0.05)


@settings(deadline=None, max_examples=10, derandomize=True)
@given(st.tuples(*[st.floats(-0.02, 0.02)] * 3), st.floats(0, 3))
def test_volume_against_counting(place: tuple[float, float, float], turn: float) -> None:
    R = rotation_from_axis_angle(turn * at(0.6, 0.0, 0.8))
    block = Block((0.008, 0.015, 0.004))
    vertices = BALL * at(1.5, 0.7, 1.0) @ R.T + np.array(place)
    points = np.random.default_rng(0).uniform(-1, 1, (200_000, 3)) * block.half
    body = (points - np.array(place)) @ R / at(0.015, 0.007, 0.01)
    counted = (np.sum(body**2, axis=1) < 1.0).mean() * 8.0 * np.prod(block.half)
    assert shared(vertices, BALL_FACES, block, 0.0006) == pytest.approx(counted, rel=0.05, abs=4e-8)


def test_an_open_skin_is_closed() -> None:
    ring = np.flatnonzero(BALL[:, 2] < -0.008)
    opened = BALL_FACES[~np.isin(BALL_FACES, ring).any(axis=1)]
    closing = closing_faces(opened.tobytes())
    assert len(closing) > 3
    solid = trimesh.Trimesh(BALL, np.concatenate([opened, closing]), process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    volume = shared(BALL + at(0, 0, -0.015), opened, HalfSpace())
    assert volume == pytest.approx(solid.volume, rel=0.02)
    assert not len(closing_faces(BALL_FACES.tobytes()))


def test_volumes_of_a_batch_are_rows() -> None:
    grid = gridded(Ball(0.02), np.full(3, -0.0251), np.full(3, 0.0257), 0.0013)
    shifts = np.random.default_rng(1).uniform(-0.03, 0.03, (12, 1, 3))
    batch = BALL + shifts
    together = intersection_volume(sample_skin(batch, BALL_FACES, grid), batch, BALL_FACES, grid)
    alone = [
        intersection_volume(sample_skin(one[None], BALL_FACES, grid), one[None], BALL_FACES, grid)[0] for one in batch
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-6, atol=1e-13)
    assert (together > 0.0).sum() > 3
    assert (together == 0.0).sum() > 3
