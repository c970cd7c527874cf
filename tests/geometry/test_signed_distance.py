"""Signed distance grids against analytic truth, and the torch look-up against the NumPy one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from yaff.errors import InputError
from yaff.geometry import distance_field
from yaff.geometry.signed_distance import SignedDistanceGrid, TorchSignedDistance
from yaff.geometry.triangles import closest_points, spread_points

RADIUS = 0.03
HALF = np.array([0.02, 0.03, 0.015])


@pytest.fixture(scope="module")
def sphere() -> SignedDistanceGrid:
    return distance_field.build(trimesh.creation.icosphere(subdivisions=5, radius=RADIUS), spacing=1.5e-3)


@pytest.fixture(scope="module")
def box() -> SignedDistanceGrid:
    return distance_field.build(trimesh.creation.box(extents=2 * HALF), spacing=1.5e-3)


def box_distance(points: np.ndarray) -> np.ndarray:
    q = np.abs(points) - HALF
    return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0)


def test_sphere(sphere: SignedDistanceGrid) -> None:
    points = np.random.default_rng(0).uniform(-0.055, 0.055, (20000, 3))
    length = np.linalg.norm(points, axis=-1)
    distance, gradient = sphere.distance_and_gradient(points)
    away = length > 0.004  # the centre is a ridge
    truth = length - RADIUS
    assert_allclose(distance[away], truth[away], atol=4e-4)
    near = np.abs(truth) < 0.0015
    assert_allclose(distance[near], truth[near], atol=5e-5)
    assert_allclose(np.linalg.norm(gradient, axis=-1), 1.0, atol=1e-6)
    cosine = np.sum(gradient * points, axis=-1) / length
    assert cosine[length > 0.015].min() > 0.98
    assert cosine[near].min() > 0.999


def test_box(box: SignedDistanceGrid) -> None:
    points = np.random.default_rng(1).uniform(-HALF - 0.029, HALF + 0.029, (20000, 3))
    error = np.abs(box.distance(points) - box_distance(points))
    assert error.max() < 5e-4  # at ridges; elsewhere the interpolation is exact
    assert np.median(error) < 3e-5
    clear = np.abs(box_distance(points)) > 4e-4
    assert np.array_equal(box.distance(points)[clear] < 0, box_distance(points)[clear] < 0)


def test_values_are_negative_inside_exactly(box: SignedDistanceGrid) -> None:
    nodes = np.stack(np.meshgrid(*(np.arange(n) for n in box.values.shape), indexing="ij"), axis=-1)
    true = box_distance(box.origin + box.spacing * nodes)
    assert np.array_equal(box.values < 0, true < 0)
    assert_allclose(box.values, true, atol=5e-5)


def test_torch_equals_numpy_and_its_gradient(sphere: SignedDistanceGrid) -> None:
    points = np.random.default_rng(2).uniform(-0.12, 0.12, (5, 400, 3))
    for dtype in (torch.float32, torch.float64):
        lookup = TorchSignedDistance(sphere, dtype=dtype)
        moving = torch.tensor(points, dtype=dtype, requires_grad=True)
        value = lookup(moving)
        assert value.shape == (5, 400)
        assert_allclose(value.detach().numpy(), sphere.distance(points), atol=1e-6)
        (slope,) = torch.autograd.grad(value.sum(), moving)
        assert torch.isfinite(slope).all()
    # against differences, away from the cells' faces where the interpolant has kinks
    inside = torch.tensor(points.reshape(-1, 3), dtype=torch.float64)
    cell = (inside - torch.tensor(sphere.origin)) / sphere.spacing
    clear = (((cell - cell.floor()) - 0.5).abs() < 0.4).all(-1) & (inside.abs().amax(-1) < 0.055)
    chosen = inside[clear][:50].requires_grad_(True)
    assert torch.autograd.gradcheck(TorchSignedDistance(sphere, torch.float64), (chosen,), eps=1e-6, atol=1e-5)


def test_outside_the_grid_it_grows_with_unit_slope(box: SignedDistanceGrid) -> None:
    direction = np.array([1.0, 0.4, -0.3]) / np.linalg.norm([1.0, 0.4, -0.3])
    far = np.linspace(0.15, 3.0, 30)[:, None] * direction
    distance, gradient = box.distance_and_gradient(far)
    assert np.all(np.diff(distance) > 0)
    assert_allclose(np.linalg.norm(gradient, axis=-1), 1.0, atol=1e-6)
    truth = box_distance(far)
    assert np.all(distance >= truth - 5e-4)
    assert np.all(distance <= truth * 1.25 + 1e-3)
    assert np.all(gradient @ direction > 0.8)


def test_continuous_across_the_border(sphere: SignedDistanceGrid) -> None:
    border = sphere.upper * np.array([1.0, 0.3, -0.2])
    step = np.array([1e-7, 0.0, 0.0])
    before, after = sphere.distance(np.stack([border - step, border + step]))
    assert abs(after - before) < 1e-6


def test_overlapping_parts_stay_inside() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=RADIUS)
    other = ball.copy()
    other.apply_translation([0.02, 0.0, 0.0])
    grid = distance_field.build(trimesh.util.concatenate([ball, other]), spacing=2e-3)
    # a parity count would take the lens, where both balls are, for outside
    assert grid.distance(np.array([[0.01, 0.0, 0.0], [0.01, 0.005, 0.002]])).max() < 0.0


def test_hollow_stays_outside() -> None:
    shell, hollow = (trimesh.creation.icosphere(subdivisions=4, radius=r) for r in (0.014, 0.010))
    hollow.invert()
    grid = distance_field.build(trimesh.util.concatenate([shell, hollow]), spacing=1e-3, margin=0.005)
    assert_allclose(grid.distance(np.zeros((1, 3))), 0.010, atol=5e-4)
    assert_allclose(grid.distance(np.array([[0.012, 0.0, 0.0]])), -0.002, atol=4e-4)


def test_spacing_follows_the_wall() -> None:
    thick = trimesh.creation.box(extents=(0.1, 0.1, 0.1))
    thin = trimesh.creation.box(extents=(0.1, 0.1, 0.002))
    assert distance_field.choose_spacing(thick) == distance_field.COARSEST
    assert distance_field.choose_spacing(thin) == distance_field.FINEST
    large = trimesh.creation.box(extents=(0.5, 0.5, 0.5))
    assert np.prod((0.56 / distance_field.choose_spacing(large)) * np.ones(3)) < 1.001 * distance_field.MOST_NODES


def test_same_mesh_same_bytes_and_pickle(box: SignedDistanceGrid) -> None:
    again = distance_field.build(trimesh.creation.box(extents=2 * HALF), spacing=1.5e-3)
    assert again.values.tobytes() == box.values.tobytes()
    box.distance(np.zeros((1, 3)))
    copy = pickle.loads(pickle.dumps(box))
    points = np.random.default_rng(3).normal(size=(10, 3)) * 0.03
    assert np.array_equal(copy.distance(points), box.distance(points))


@pytest.mark.parametrize(
    ("origin", "spacing", "values"),
    [
        (np.zeros(3), 0.0, np.zeros((2, 2, 2), np.float32)),
        (np.zeros(3), 1.0, np.full((2, 2, 2), np.nan, np.float32)),
        (np.zeros(3), 1.0, np.zeros((1, 2, 2), np.float32)),
    ],
)
def test_bad_grids_are_refused(origin: np.ndarray, spacing: float, values: np.ndarray) -> None:
    with pytest.raises(InputError, match="signed distance grid"):
        SignedDistanceGrid(origin, spacing, values)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-9, 1.0]))
def test_closest_points_are_the_minimum(seed: int, flatness: float) -> None:
    rng = np.random.default_rng(seed)
    a, b, c, p = rng.normal(size=(4, 40, 3))
    c = b + flatness * (c - b)  # from degenerate to ordinary
    found = np.linalg.norm(closest_points(p, a, b, c) - p, axis=1)
    u, v = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60))
    keep = u + v <= 1 + 1e-12
    u, v = u[keep][:, None, None], v[keep][:, None, None]
    tried = np.linalg.norm(a + u * (b - a) + v * (c - a) - p, axis=-1).min(axis=0)
    assert np.all(found <= tried + 1e-9)
    assert np.all(tried - found < 0.15)


def test_spread_points_cover_slivers_cheaply() -> None:
    triangles = np.array([[[0, 0, 0], [0.2, 0, 0], [0, 0.0003, 0]], [[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]]], float)
    points, owners = spread_points(triangles, 0.001)
    assert len(points) < 400
    rng = np.random.default_rng(0)
    for k, triangle in enumerate(triangles):
        weights = rng.dirichlet(np.ones(3), 300)
        mine = points[owners == k]
        gap = np.linalg.norm((weights @ triangle)[:, None] - mine[None], axis=-1).min(axis=1)
        assert gap.max() < 0.0011
