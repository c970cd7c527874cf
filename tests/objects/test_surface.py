"""Mass and surface samples against analytic truth."""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.testing import assert_allclose

from yaff.geometry import distance_field
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.objects.surface import farthest_first, mass_properties, surface_samples, thickness


def test_cylinder_inertia() -> None:
    radius, height, mass = 0.03, 0.12, 0.4
    cylinder = trimesh.creation.cylinder(radius=radius, height=height, sections=720)
    rotation = rotation_from_axis_angle(np.array([0.3, -0.8, 0.5]))
    cylinder.apply_transform(make_transform(rotation, np.array([0.4, -0.2, 0.1])))
    centre, inertia = mass_properties(cylinder, mass)
    side = mass * (3 * radius**2 + height**2) / 12
    expected = rotation @ np.diag([side, side, 0.5 * mass * radius**2]) @ rotation.T
    assert_allclose(centre, [0.4, -0.2, 0.1], atol=1e-9)
    assert_allclose(inertia, expected, rtol=1e-4, atol=1e-10)


def test_hollow_sphere_inertia() -> None:
    outer, inner = 0.05, 0.04
    shell = trimesh.creation.icosphere(subdivisions=5, radius=outer)
    hollow = trimesh.creation.icosphere(subdivisions=5, radius=inner)
    hollow.invert()
    _, inertia = mass_properties(trimesh.util.concatenate([shell, hollow]), 1.0)
    expected = 0.4 * (outer**5 - inner**5) / (outer**3 - inner**3)
    assert_allclose(inertia, expected * np.eye(3), rtol=2e-3, atol=1e-8)


def test_samples_are_even_and_outward() -> None:
    radius, count = 0.05, 2000
    ball = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    points, normals = surface_samples(ball, count)
    assert points.shape == normals.shape == (count, 3)
    assert_allclose(np.linalg.norm(points, axis=1), radius, rtol=3e-3)
    assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-12)
    assert np.sum(points * normals, axis=1).min() > 0.99 * radius
    gap = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(gap, 1.0)
    ideal = np.sqrt(ball.area / count)
    assert gap.min() > 0.5 * ideal
    assert gap.min(axis=1).max() < 1.5 * ideal
    assert_allclose(points.mean(axis=0), 0.0, atol=0.01 * radius)
    again, _ = surface_samples(ball, count)
    assert np.array_equal(points, again)


def test_samples_follow_area() -> None:
    box = trimesh.creation.box(extents=(0.1, 0.04, 0.02))
    _, normals = surface_samples(box, 1200)
    share = np.abs(normals).mean(axis=0)
    area = np.array([0.04 * 0.02, 0.1 * 0.02, 0.1 * 0.04])
    assert_allclose(share, area / area.sum(), atol=0.03)


def test_farthest_first() -> None:
    line = np.stack([np.linspace(0, 1, 101), np.zeros(101), np.zeros(101)], axis=1)
    assert list(farthest_first(line, 3)) == [0, 100, 50]


def test_thickness_of_a_ball_and_of_a_hollow_one() -> None:
    outer = trimesh.creation.icosphere(subdivisions=4, radius=0.03)
    inner = trimesh.creation.icosphere(subdivisions=4, radius=0.026)
    inner.invert()
    for mesh, expected in ((outer, 0.06), (trimesh.util.concatenate([outer, inner]), 0.004)):
        points, normals = surface_samples(outer, 200)
        field = distance_field.build(mesh, spacing=2e-3, margin=0.004)
        assert_allclose(thickness(field, points, normals), expected, atol=4e-4)
