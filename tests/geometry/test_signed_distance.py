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
from yaff.geometry.nearest import NearestTriangle
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.geometry.torch_signed_distance import TorchBlocks, TorchSignedDistance

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


def brute_force(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Distance of points to triangles by trying the plane and the three edges of each, (n, f)."""

    def edge(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        along = q - p
        share = np.einsum("nfk,fk->nf", points[:, None] - p, along) / np.maximum((along**2).sum(-1), 1e-300)
        return np.linalg.norm(points[:, None] - p - np.clip(share, 0, 1)[..., None] * along, axis=-1)

    normal = np.cross(b - a, c - a)
    area = np.maximum((normal**2).sum(-1), 1e-300)
    above = np.einsum("nfk,fk->nf", points[:, None] - a, normal)
    foot = points[:, None] - (above / area)[..., None] * normal
    inside = np.ones(above.shape, bool)
    for p, q in ((a, b), (b, c), (c, a)):
        inside &= np.einsum("nfk,fk->nf", np.cross(np.broadcast_to(q - p, foot.shape), foot - p), normal) > 0
    plane = np.where(inside, np.abs(above) / np.sqrt(area), np.inf)
    return np.minimum.reduce([plane, edge(a, b), edge(b, c), edge(c, a)]).min(axis=1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1e-9, 1.0]))
def test_the_nearest_triangle_is_the_nearest(seed: int, flatness: float) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, 37, 3))
    c = b + flatness * (c - b)  # from degenerate to ordinary
    points = rng.normal(size=(50, 3)) * 2.0
    surface = NearestTriangle.of(np.concatenate([a, b, c]), np.arange(111).reshape(3, 37).T.copy())
    assert_allclose(np.abs(surface.signed_distance(points)), brute_force(points, a, b, c), atol=1e-9)


def test_the_nearest_point_knows_its_side() -> None:
    torus = trimesh.creation.torus(0.03, 0.01, major_sections=40, minor_sections=16)
    surface = NearestTriangle.of(np.asarray(torus.vertices), np.asarray(torus.faces))
    points = np.random.default_rng(5).uniform(-0.045, 0.045, (4000, 3))
    tube = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 0.03, points[:, 2]) - 0.01
    clear = np.abs(tube) > 5e-4
    assert np.array_equal(surface.signed_distance(points)[clear] < 0, tube[clear] < 0)


def test_error_is_under_half_a_millimetre(capped_tube: trimesh.Trimesh, tube: SignedDistanceGrid) -> None:
    points = np.random.default_rng(6).uniform(tube.origin, tube.upper, (40_000, 3))
    truth = NearestTriangle.of(np.asarray(capped_tube.vertices), np.asarray(capped_tube.faces)).signed_distance(points)
    distance, gradient = tube.distance_and_gradient(points)
    near = np.abs(truth) < 0.03
    assert np.abs(distance - truth)[near].max() < 5e-4
    assert ((distance < 0) == (truth < 0)).mean() > 0.999
    assert_allclose(np.linalg.norm(gradient, axis=-1), 1.0, atol=1e-6)
    assert {0, 1, 2, 3} <= set((tube.blocks.table & 7).tolist())  # coarse where it may be, fine where it must be


@pytest.fixture(scope="module")
def capped_tube() -> trimesh.Trimesh:
    """A cup with a thin wall: what is hardest to sample."""
    profile = [(0.0, -0.03), (0.02, -0.03), (0.022, 0.03), (0.0205, 0.03), (0.0185, -0.028), (0.0, -0.028)]
    return trimesh.creation.revolve(np.array(profile), sections=48)


@pytest.fixture(scope="module")
def tube(capped_tube: trimesh.Trimesh) -> SignedDistanceGrid:
    return distance_field.build(capped_tube, spacing=1.5e-3)


def test_the_kernel_is_the_torch_look_up(
    tube: SignedDistanceGrid, sphere: SignedDistanceGrid, box: SignedDistanceGrid
) -> None:
    rng = np.random.default_rng(7)
    points = torch.tensor(rng.uniform(-0.09, 0.09, (6000, 3)))
    which = torch.tensor(rng.integers(0, 3, 6000))
    grids = [tube, sphere, box]
    together = TorchSignedDistance(grids, torch.float64)
    plain = TorchBlocks(together._blocks, torch.float64, torch.device("cpu"))
    one, other = points.clone().requires_grad_(True), points.clone().requires_grad_(True)
    value, slow = together(one, which), plain(other, which)
    assert_allclose(value.detach().numpy(), slow.detach().numpy(), atol=1e-9)
    value.sum().backward()
    slow.sum().backward()
    assert one.grad is not None
    assert other.grad is not None
    assert_allclose(one.grad.numpy(), other.grad.numpy(), atol=1e-6)
    for k, grid in enumerate(grids):
        mine = which == k
        assert_allclose(value.detach()[mine].numpy(), grid.distance(points[mine].numpy()), atol=1e-9)
    assert together(points.reshape(60, 100, 3), torch.tensor([1])).shape == (60, 100)
    assert_allclose(TorchSignedDistance(grids)(points, which).numpy(), value.detach().numpy(), atol=1e-5)
    with pytest.raises(InputError, match="objects 3 to 3 of 3"):
        together(points[:2], torch.tensor([3, 3]))
