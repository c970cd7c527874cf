"""Contacts of simple skins with simple objects: where, how much, which way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from grasp_analytic import Ball, Block, HalfSpace, Regions, Thing, at, ball_mesh, box_mesh

from yaff.errors import InputError
from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.grasp import Contacts, contacts_of_samples, sample_skin, wrench_measures

BALL, FACES = ball_mesh(0.01)
HALVES = Regions(("low", "high"), (BALL[:, 2] > 0).astype(np.int64))


def touched(
    vertices: np.ndarray, faces: np.ndarray, thing: Thing, regions: Regions, distance: float = 0.003, extremes: int = 3
) -> Contacts:
    """Contacts of a batch of skins."""
    batch = vertices if vertices.ndim == 3 else vertices[None]
    samples = sample_skin(batch, faces, thing.sdf, reach=distance)
    return contacts_of_samples(samples, regions, thing, distance, extremes=extremes)


@pytest.mark.parametrize("gap", [0.002, 0.0, -0.002])
def test_ball_on_a_plane(gap: float) -> None:
    contacts = touched(BALL + at(0, 0, 0.01 + gap), FACES, Thing(HalfSpace(), 0.1), HALVES)
    np.testing.assert_array_equal(contacts.touching, [[True, False]])
    # Archimedes: the area of a spherical cap is 2 pi r h
    assert contacts.area[0, 0] == pytest.approx(2 * math.pi * 0.01 * (0.003 - gap), rel=0.05)
    assert contacts.depth[0, 0] == pytest.approx(max(0.0, -gap), abs=2e-5)
    np.testing.assert_allclose(contacts.point[0, 0], [0, 0, 0], atol=2e-5)
    np.testing.assert_allclose(contacts.normal[0, 0], [0, 0, -1], atol=1e-9)
    assert not contacts.area[0, 1]
    assert not contacts.point[0, 1].any()
    assert not contacts.extreme_valid[0, 1].any()


def test_no_contact_beyond_the_distance() -> None:
    contacts = touched(BALL + at(0, 0, 0.0131), FACES, Thing(HalfSpace(), 0.1), HALVES)
    assert not contacts.touching.any()
    assert not contacts.area.any()
    points, normals = contacts.points_and_normals(0)
    assert points.shape == normals.shape == (0, 3)
    np.testing.assert_array_equal(wrench_measures(contacts, Thing(HalfSpace(), 0.1)), [[0.0, 0.0]])


def test_points_lie_on_the_surface_and_normals_point_in() -> None:
    thing = Thing(Ball(0.03), 0.03)
    rng = np.random.default_rng(2)
    direction = rng.normal(size=(20, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    batch = BALL + 0.0395 * direction[:, None]
    contacts = touched(batch, FACES, thing, Regions(("all",), np.zeros(len(BALL), np.int64)))
    assert contacts.touching.all()
    np.testing.assert_allclose(np.linalg.norm(contacts.point, axis=-1), 0.03, atol=1e-9)
    np.testing.assert_allclose(contacts.point[:, 0], 0.03 * direction, atol=1e-4)
    np.testing.assert_allclose(contacts.normal[:, 0], -direction, atol=3e-3)
    assert contacts.extreme_valid.all()
    np.testing.assert_allclose(np.linalg.norm(contacts.extreme_point, axis=-1), 0.03, atol=1e-9)
    inward = -contacts.extreme_point / np.linalg.norm(contacts.extreme_point, axis=-1, keepdims=True)
    np.testing.assert_allclose(contacts.extreme_normal, inward, atol=1e-9)
    # the extremes span the contact: farther apart than its radius
    spread = np.linalg.norm(contacts.extreme_point[:, 0, 0] - contacts.extreme_point[:, 0, 1], axis=-1)
    assert (spread > 0.005).all()


def test_batch_is_grasp_by_grasp() -> None:
    thing = Thing(Block((0.03, 0.02, 0.04)), 0.05)
    rng = np.random.default_rng(0)
    batch = BALL + rng.uniform(-0.05, 0.05, size=(30, 1, 3))
    together = touched(batch, FACES, thing, HALVES)
    assert 3 < together.touching.sum() < 60
    for i in range(len(batch)):
        alone = touched(batch[i], FACES, thing, HALVES)
        for name in ("touching", "area", "depth", "point", "normal", "extreme_valid", "extreme_point"):
            np.testing.assert_allclose(getattr(together, name)[i], getattr(alone, name)[0], atol=1e-12, err_msg=name)


def test_moved_together_with_the_object() -> None:
    R, offset = rotation_from_axis_angle(np.array([0.3, -1.0, 0.7])), 0.02
    normal = R @ [0.0, 0.0, 1.0]
    here = touched(BALL + at(0, 0, 0.009), FACES, Thing(HalfSpace(), 0.1), HALVES)
    plane = Thing(HalfSpace(tuple(normal.tolist()), offset), 0.1)
    there = touched((BALL + at(0, 0, 0.009)) @ R.T + offset * normal, FACES, plane, HALVES)
    np.testing.assert_allclose(there.area, here.area, rtol=1e-9)
    np.testing.assert_allclose(there.depth, here.depth, atol=1e-12)
    np.testing.assert_allclose(there.point[0, 0], here.point[0, 0] @ R.T + offset * normal, atol=1e-9)
    np.testing.assert_allclose(there.normal[0, 0], R @ here.normal[0, 0], atol=1e-9)


def test_a_wide_contact_is_a_soft_finger() -> None:
    # Two flat pads squeeze a plate. Their contacts are extended, so the grasp resists torsion: closure.
    vertices, faces = box_mesh((0.01, 0.01, 0.005), 4)
    pads = np.concatenate([vertices + at(0, 0, 0.0151), vertices - at(0, 0, 0.0151)])
    both = np.concatenate([faces, faces + len(vertices)])
    regions = Regions(("upper", "lower"), np.repeat([0, 1], len(vertices)))
    plate = Thing(Block((0.03, 0.03, 0.01)), 0.04)
    soft = touched(pads, both, plate, regions)
    assert wrench_measures(soft, plate)[0, 0] > 0.05
    # one point for each pad is the hard two-finger grasp, which cannot
    hard = touched(pads, both, plate, regions, extremes=1)
    assert hard.extreme_valid.sum() == 2
    assert wrench_measures(hard, plate)[0, 0] == 0.0
    np.testing.assert_allclose(soft.normal[0], [[0, 0, -1], [0, 0, 1]], atol=1e-9)
    reached = 0.02**2 + 4 * 0.02 * (0.003 - 0.0001)  # the pads' faces, and their sides as far as 3 mm goes
    assert soft.area[0] == pytest.approx([reached, reached], rel=0.02)


def test_tetrahedral_balls_on_a_ball_have_the_known_quality() -> None:
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3.0)
    small, faces = ball_mesh(0.002, 3)
    skin = np.concatenate([small + (0.03 + 0.002) * corner for corner in corners])
    both = np.concatenate([faces + k * len(small) for k in range(4)])
    regions = Regions(tuple("abcd"), np.repeat(np.arange(4), len(small)))
    ball = Thing(Ball(0.03), 0.03)
    contacts = touched(skin, both, ball, regions, distance=0.0001, extremes=1)
    np.testing.assert_allclose(contacts.point[0], 0.03 * corners, atol=1e-4)
    epsilon = wrench_measures(contacts, ball)[0, 0]
    assert math.cos(math.pi / 8) / math.sqrt(2.0) * 0.98 < epsilon <= 1.02 / math.sqrt(2.0)


def test_thin_wall_between_a_patch_has_a_normal() -> None:
    # skin on both sides of a sheet: the gradients cancel, the normal must still be unit
    vertices, faces = box_mesh((0.01, 0.01, 0.001), 3)
    sheet = Thing(Block((0.05, 0.05, 0.0005)), 0.07)
    contacts = touched(vertices, faces, sheet, Regions(("all",), np.zeros(len(vertices), np.int64)))
    assert contacts.touching.all()
    assert np.linalg.norm(contacts.normal[0, 0]) == pytest.approx(1.0)


@pytest.mark.parametrize(("distance", "extremes"), [(0.0, 3), (-0.001, 3), (0.003, 0)])
def test_bad_settings_are_refused(distance: float, extremes: int) -> None:
    with pytest.raises(InputError, match="positive"):
        touched(BALL, FACES, Thing(HalfSpace(), 0.1), HALVES, distance, extremes)
