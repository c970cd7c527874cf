"""Depth, volume and self-penetration against formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from grasp_analytic import Ball, Block, HalfSpace, at, ball_mesh, box_mesh
from hypothesis import given, settings
from hypothesis import strategies as st

from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.grasp import SkinSamples, intersection_volume, max_penetration, sample_skin

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
        assert intersection_volume(samples, block)[0] == pytest.approx(cap(0.01, depth), rel=0.03)


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
    np.testing.assert_array_equal(intersection_volume(samples, HalfSpace()), [0.0, 0.0])


# --- volume ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0.001, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03])
def test_ball_in_half_space_is_a_cap(depth: float) -> None:
    samples = sampled(BALL + at(0, 0, 0.01 - depth), BALL_FACES, HalfSpace())
    volume = intersection_volume(samples, HalfSpace())[0]
    assert volume == pytest.approx(cap(0.01, min(depth, 0.02)), rel=0.02)


@pytest.mark.parametrize("angle", [0.0, 0.4, 1.1])
def test_box_in_half_space(angle: float) -> None:
    half = (0.004, 0.006, 0.009)
    vertices, faces = box_mesh(half, 4)
    R = rotation_from_axis_angle(np.array([angle, 0.0, 0.0]))
    # through the centre, any tilt: half of it
    volume = intersection_volume(sampled(vertices @ R.T, faces, HalfSpace()), HalfSpace())[0]
    assert volume == pytest.approx(4.0 * half[0] * half[1] * half[2], rel=0.005)


@pytest.mark.parametrize(
    ("skin", "ball", "depth"), [(0.01, 0.03, 0.003), (0.01, 0.05, 0.005), (0.008, 0.01, 0.002), (0.1, 0.03, 0.003)]
)
def test_ball_in_ball_is_a_lens(skin: float, ball: float, depth: float) -> None:
    vertices, faces = ball_mesh(skin, 5)
    apart = skin + ball - depth
    samples = sampled(vertices + at(apart, 0, 0), faces, Ball(ball))
    volume = intersection_volume(samples, Ball(ball))[0]
    assert volume == pytest.approx(lens(skin, ball, apart), rel=0.03)


def test_half_space_in_ball_is_a_cap() -> None:
    # the other way round: a wide flat skin cuts a ball, where all the curvature is the object's
    vertices, faces = box_mesh((0.05, 0.05, 0.05), 5)
    for depth in (0.002, 0.005):
        ball = Ball(0.03)
        samples = sampled(vertices + at(0, 0, 0.05 + 0.03 - depth), faces, ball)
        assert intersection_volume(samples, ball)[0] == pytest.approx(cap(0.03, depth), rel=0.03)


def test_skin_wholly_inside_counts_its_own_volume() -> None:
    samples = sampled(BALL + at(0, 0, -0.015), BALL_FACES, HalfSpace())
    assert intersection_volume(samples, HalfSpace())[0] == pytest.approx(4.0 / 3.0 * math.pi * 1e-6, rel=0.005)
