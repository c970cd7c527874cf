"""Wrench spaces with known answers: polytopes, planar grasps, grasps of sphere and box."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from yaff.errors import InputError
from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.grasp import (
    contact_wrenches,
    epsilon,
    epsilon_and_volume,
    friction_cones,
    grasp_quality,
    is_force_closure,
    spread_contacts,
)

TETRAHEDRON = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3.0)
TRIANGLE = np.array([[1.0, 0, 0], [-0.5, math.sqrt(0.75), 0], [-0.5, -math.sqrt(0.75), 0]])
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])


def on_sphere(points: np.ndarray, friction: float, edges: int = 8, radius: float = 1.0) -> np.ndarray:
    """Wrenches of fingers on a sphere of this radius, which is also the torque scale."""
    return contact_wrenches(points * radius, -points, friction, np.zeros(3), radius, edges)


def planar(points: np.ndarray, normals: np.ndarray, friction: float) -> np.ndarray:
    """Wrenches (fx, fy, torque) in the plane, written down independently: two edges at each contact."""
    wrenches = []
    for (x, y), (nx, ny) in zip(points, normals, strict=True):
        for sign in (1.0, -1.0) if friction else (0.0,):
            fx, fy = nx - sign * friction * ny, ny + sign * friction * nx
            wrenches.append((fx, fy, x * fy - y * fx))
    return np.array(wrenches)


def smallest_support(wrenches: np.ndarray, starts: int = 60) -> float:
    """Epsilon by another road: the least support of the hull over unit directions, by descent from many starts."""
    rng = np.random.default_rng(3)
    d = wrenches.shape[1]
    best = np.inf
    for _ in range(starts):
        u = rng.normal(size=d)
        u /= np.linalg.norm(u)
        result = minimize(
            lambda x: x[d],
            np.append(u, (wrenches @ u).max()),
            jac=lambda x: np.eye(d + 1)[d],
            constraints=[
                {"type": "ineq", "fun": lambda x: x[d] - wrenches @ x[:d]},
                {"type": "eq", "fun": lambda x: x[:d] @ x[:d] - 1.0},
            ],
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 200},
        )
        direction = result.x[:d] / np.linalg.norm(result.x[:d])
        best = min(best, float((wrenches @ direction).max()))
    return best


def closure_by_programme(wrenches: np.ndarray) -> bool:
    """Force closure as a linear programme: a positive combination of zero with the least weight largest."""
    n = len(wrenches)
    result = linprog(
        np.append(np.zeros(n), -1.0),
        A_eq=np.vstack([np.column_stack([wrenches.T, np.zeros(6)]), np.append(np.ones(n), 0.0)]),
        b_eq=np.append(np.zeros(6), 1.0),
        A_ub=np.column_stack([-np.eye(n), np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[(0, None)] * (n + 1),
    )
    return bool(result.status == 0 and -result.fun > 1e-9 and np.linalg.matrix_rank(wrenches, tol=1e-8) == 6)


# --- the hull itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 3, 6])
def test_cross_polytope(d: int) -> None:
    radius, volume = epsilon_and_volume(np.concatenate([np.eye(d), -np.eye(d)]))
    assert radius == pytest.approx(1.0 / math.sqrt(d), abs=1e-7)
    assert volume == pytest.approx(2.0**d / math.factorial(d), rel=1e-6)


def test_cube() -> None:
    corners = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 6), axis=-1).reshape(-1, 6)
    assert epsilon_and_volume(corners) == pytest.approx((1.0, 64.0), rel=1e-6)
    assert epsilon(corners) == pytest.approx(1.0, abs=1e-7)


def test_regular_simplex() -> None:
    d = 6
    corners = np.eye(d + 1) - 1.0 / (d + 1)
    plane = np.linalg.svd(corners)[2][:d]
    corners = corners @ plane.T
    corners /= np.linalg.norm(corners[0])
    radius, volume = epsilon_and_volume(corners)
    assert radius == pytest.approx(1.0 / d, abs=1e-7)
    edge = np.linalg.norm(corners[0] - corners[1])
    assert volume == pytest.approx(edge**d / math.factorial(d) * math.sqrt((d + 1) / 2.0**d), rel=1e-6)


@pytest.mark.parametrize(
    "wrenches",
    [
        np.zeros((0, 6)),
        np.zeros((30, 6)),
        np.eye(6),  # too few
        np.random.default_rng(0).normal(size=(40, 6)) * [1, 1, 1, 1, 1, 0],  # flat
        np.random.default_rng(0).normal(size=(40, 6)) + 9.0 * np.eye(6)[0],  # the origin outside
        np.vstack([np.eye(6), np.zeros(6), np.ones(6)]),  # the origin on the rim
    ],
)
def test_no_closure_is_zero(wrenches: np.ndarray) -> None:
    assert not is_force_closure(wrenches)
    assert epsilon(wrenches) == 0.0
    assert epsilon_and_volume(wrenches) == (0.0, 0.0)


# --- planar grasps, in closed form -----------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.2, 0.5, 1.0, 1.5])
def test_two_fingers_on_a_disk(mu: float) -> None:
    # wrenches (-1, s mu, s mu), (1, s mu, -s mu): a tetrahedron with face normals (1, 1/mu, 1/mu)
    wrenches = planar(np.array([[1.0, 0], [-1, 0]]), np.array([[-1.0, 0], [1, 0]]), mu)
    expected = mu / math.sqrt(mu**2 + 2.0), 8.0 * mu**2 / 3.0
    assert epsilon_and_volume(wrenches) == pytest.approx(expected, rel=1e-6)
    assert epsilon(wrenches) == pytest.approx(expected[0], abs=1e-7)


def test_three_fingers_on_a_disk() -> None:
    # mu = tan 30 deg: three antipodal pairs v with v.v = 5/3, v.w = -1/3: an octahedron of Gram matrix 2 I - J/3
    wrenches = planar(TRIANGLE[:, :2], -TRIANGLE[:, :2], 1.0 / math.sqrt(3.0))
    assert epsilon_and_volume(wrenches) == pytest.approx((1.0 / math.sqrt(3.0), 8.0 / 3.0), rel=1e-6)


@pytest.mark.parametrize("d", [0.1, 0.5, 1.0])
def test_four_smooth_fingers_on_a_square(d: float) -> None:
    # a pinwheel: wrenches (-1,0,d), (1,0,d), (0,-1,-d), (0,1,-d); a face is 2y + t/d = 1
    points = np.array([[1.0, d], [-1, -d], [d, 1], [-d, -1]])
    normals = np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])
    wrenches = planar(points, normals, 0.0)
    assert epsilon_and_volume(wrenches) == pytest.approx((d / math.sqrt(4 * d * d + 1), 4 * d / 3), rel=1e-6)


def test_frictionless_tetrahedral_fingers_balance_forces() -> None:
    # forces only: the regular tetrahedron in the unit sphere
    radius, volume = epsilon_and_volume(-TETRAHEDRON)
    assert radius == pytest.approx(1.0 / 3.0, abs=1e-7)
    assert volume == pytest.approx(8.0 / (9.0 * math.sqrt(3.0)), rel=1e-6)


# --- grasps in space -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", [0.3, 1.0, 2.0])
def test_two_points_cannot_resist_torsion(mu: float) -> None:
    wrenches = on_sphere(np.array([[1.0, 0, 0], [-1, 0, 0]]), mu)
    assert np.linalg.matrix_rank(wrenches, tol=1e-9) == 5
    assert np.abs(wrenches[:, 3]).max() < 1e-12  # no torque about the line through both
    assert epsilon_and_volume(wrenches) == (0.0, 0.0)


def test_two_points_apart_on_two_faces_of_a_box_resist_torsion() -> None:
    points = np.array([[0.02, 0.01, 0], [0.02, -0.01, 0], [-0.02, 0.01, 0], [-0.02, -0.01, 0]])
    normals = np.array([[-1.0, 0, 0]] * 2 + [[1.0, 0, 0]] * 2)
    radius, volume = epsilon_and_volume(contact_wrenches(points, normals, 1.0, np.zeros(3), 0.05))
    assert radius > 0.05
    assert volume > 0.0


@pytest.mark.parametrize("mu", [0.2, 0.5, 1.0])
def test_four_points_on_a_sphere(mu: float) -> None:
    # Worst wrench: force and torque alike along one axis, (a, a) with |a|^2 = 1/2: the support of a round cone is
    # a.n + mu |a_t + a x r|, for a along -r_1: at the contact 1: 1/sqrt(2) ... at the others the same: mu / sqrt(2).
    limit = mu / math.sqrt(2.0)
    values = [epsilon_and_volume(on_sphere(TETRAHEDRON, mu, edges))[0] for edges in (8, 16, 32)]
    for edges, value in zip((8, 16, 32), values, strict=True):
        assert limit * math.cos(math.pi / edges) - 1e-9 <= value <= limit + 1e-9
    assert values == sorted(values)
    assert values[-1] == pytest.approx(limit, rel=0.005)


def test_three_points_on_a_sphere() -> None:
    values = [epsilon(on_sphere(TRIANGLE, 1.0, edges)) for edges in (8, 16, 48)]
    limit = 1.0 / math.sqrt(3.0)
    assert values[0] >= limit * math.cos(math.pi / 8)
    assert values == sorted(values)
    assert values[-1] == pytest.approx(limit, rel=3e-3)
    assert values[-1] <= limit


@pytest.mark.parametrize("mu", [0.1, 0.5, 1.0])
def test_six_points_on_a_sphere_or_a_cube(mu: float) -> None:
    # Worst wrench: torque about a body diagonal b; contact k gives mu |b x e_k| = mu sqrt(2/3) (8 edges reach it,
    # for b x e_k lies at 45 degrees), and with four edges along the axes mu / sqrt(3).
    assert epsilon(on_sphere(OCTAHEDRON, mu, 8)) == pytest.approx(mu * math.sqrt(2.0 / 3.0), abs=1e-6)
    assert epsilon(on_sphere(OCTAHEDRON, mu, 4)) == pytest.approx(mu / math.sqrt(3.0), abs=1e-6)


@pytest.mark.parametrize("d", [0.25, 0.6, 1.0])
def test_twelve_smooth_points_on_a_box(d: float) -> None:
    # Two points on each face, d off its centre: the space is the free sum of three rectangles (f_k, t_l) of half
    # sizes 1 and d. Free sum of bodies in dimensions 2, 2, 2: volume = product * 2! 2! 2! / 6!.
    points, normals = [], []
    for axis in range(3):
        for sign in (1.0, -1.0):
            for shift in (d, -d):
                point = np.zeros(3)
                point[axis], point[(axis + 1) % 3] = sign, shift
                points.append(point)
                normals.append(-sign * np.eye(3)[axis])
    wrenches = contact_wrenches(np.array(points), np.array(normals), 0.0, np.zeros(3), 1.0)
    radius, volume = epsilon_and_volume(wrenches)
    assert radius == pytest.approx(d / math.sqrt(3.0), rel=1e-6)
    assert volume == pytest.approx((4.0 * d) ** 3 * 8.0 / 720.0, rel=1e-6)


@pytest.mark.parametrize(
    "wrenches", [on_sphere(TETRAHEDRON, 1.0, 5), on_sphere(OCTAHEDRON, 0.4, 6), on_sphere(TRIANGLE, 0.7, 7)]
)
def test_epsilon_is_the_least_support(wrenches: np.ndarray) -> None:
    assert epsilon(wrenches) == pytest.approx(smallest_support(wrenches), abs=2e-6)


def random_contacts(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Fingers on an ellipsoid."""
    axes = np.array([1.0, 0.6, 0.45])
    direction = np.random.default_rng(seed).normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    normals = -direction / axes
    return direction * axes, normals / np.linalg.norm(normals, axis=1, keepdims=True)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([0.1, 0.5, 1.0]))
def test_fast_epsilon_is_that_of_the_whole_hull(seed: int, count: int, mu: float) -> None:
    points, normals = random_contacts(seed, count)
    wrenches = contact_wrenches(points, normals, mu, np.zeros(3), 1.0)
    radius, volume = epsilon_and_volume(wrenches)
    assert epsilon(wrenches) == pytest.approx(radius, abs=3e-7)
    assert is_force_closure(wrenches) == closure_by_programme(wrenches)
    assert (radius > 0.0) == (volume > 0.0)
    if radius:
        assert is_force_closure(wrenches)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.integers(0, 10_000))
def test_scaling_laws(seed: int) -> None:
    points, normals = random_contacts(seed, 5)
    base = contact_wrenches(points, normals, 1.0, np.zeros(3), 1.0)
    radius, volume = epsilon_and_volume(base)
    # a larger object of the same shape, torques over its larger radius: the same
    larger = contact_wrenches(7.0 * points, normals, 1.0, np.zeros(3), 7.0)
    np.testing.assert_allclose(larger, base, atol=1e-12)
    # stronger fingers
    assert epsilon_and_volume(3.0 * base) == pytest.approx((3.0 * radius, 3.0**6 * volume), rel=1e-5, abs=1e-6)
    # torque units: the hull is stretched in three of the six directions
    coarse = epsilon_and_volume(contact_wrenches(points, normals, 1.0, np.zeros(3), 2.0))
    assert coarse[1] == pytest.approx(volume / 8.0, rel=1e-5)
    assert coarse[0] <= radius + 1e-7
    # more friction or more fingers never hurt
    assert epsilon(contact_wrenches(points, normals, 1.2, np.zeros(3), 1.0)) >= radius - 1e-7
    assert epsilon(contact_wrenches(points[:4], normals[:4], 1.0, np.zeros(3), 1.0)) <= radius + 1e-7


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.integers(0, 10_000), st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-1, 1)] * 3))
def test_rigid_motion(seed: int, turn: tuple[float, ...], shift: tuple[float, ...]) -> None:
    points, normals = random_contacts(seed, 6)
    R, t = rotation_from_axis_angle(np.array(turn)), np.array(shift)
    base = contact_wrenches(points, normals, 1.0, np.zeros(3), 1.0)
    radius, volume = epsilon_and_volume(base)
    # the same wrenches seen from another frame: exactly
    turned = np.concatenate([base[:, :3] @ R.T, base[:, 3:] @ R.T], axis=1)
    assert epsilon_and_volume(turned) == pytest.approx((radius, volume), rel=1e-6, abs=1e-6)
    # a moved grasp: up to where the edges of the cones fall, so with many edges
    here = epsilon(contact_wrenches(points, normals, 1.0, np.zeros(3), 1.0, 48))
    there = epsilon(contact_wrenches(points @ R.T + t, normals @ R.T, 1.0, t, 1.0, 48))
    assert there == pytest.approx(here, rel=0.005, abs=1e-6)


def test_order_does_not_matter() -> None:
    wrenches = on_sphere(TETRAHEDRON, 1.0)
    shuffled = wrenches[np.random.default_rng(5).permutation(len(wrenches))]
    assert epsilon_and_volume(shuffled) == pytest.approx(epsilon_and_volume(wrenches), rel=1e-7)
    assert epsilon_and_volume(wrenches) == epsilon_and_volume(wrenches.copy())
    assert epsilon(wrenches) == epsilon(wrenches.copy())


# --- contacts to wrenches --------------------------------------------------------------------------------------


def test_cone_edges_have_unit_normal_component_and_the_friction_across() -> None:
    normals = np.concatenate([OCTAHEDRON, TETRAHEDRON])
    edges = friction_cones(normals, 0.7, 8)
    along = np.einsum("kex,kx->ke", edges, normals)
    np.testing.assert_allclose(along, 1.0, atol=1e-12)
    across = np.linalg.norm(edges - normals[:, None], axis=2)
    np.testing.assert_allclose(across, 0.7, atol=1e-12)
    np.testing.assert_allclose(edges.mean(axis=1), normals, atol=1e-12)


def test_wrench_of_one_contact() -> None:
    wrenches = contact_wrenches(np.array([[0.3, 0.1, 0.0]]), np.array([[0.0, 0, 1]]), 0.0, np.zeros(3), 0.5, 3)
    np.testing.assert_allclose(wrenches, [[0, 0, 1, 0.2, -0.6, 0]] * 3, atol=1e-12)


def test_quality_of_few_contacts_is_that_of_their_hull() -> None:
    points, normals = random_contacts(4, 7)
    quality = grasp_quality(points, normals, np.zeros(3), 1.0)
    expected = epsilon_and_volume(contact_wrenches(points, normals, 1.0, np.zeros(3), 1.0))
    assert quality == pytest.approx(expected, rel=1e-6)


def test_quality_of_many_contacts_is_a_lower_bound_in_volume_and_exact_in_epsilon() -> None:
    points, normals = random_contacts(4, 25)
    radius, volume = grasp_quality(points, normals, np.zeros(3), 1.0)
    expected = epsilon_and_volume(contact_wrenches(points, normals, 1.0, np.zeros(3), 1.0))
    assert radius == pytest.approx(expected[0], abs=3e-7)
    assert 0.5 * expected[1] < volume <= expected[1]
    everything = grasp_quality(points, normals, np.zeros(3), 1.0, volume_points=25)
    assert everything == pytest.approx(expected, rel=1e-6)


def test_spread_contacts_takes_the_ends_first() -> None:
    points = np.column_stack([np.linspace(0, 1, 11), np.zeros(11), np.zeros(11)])
    normals = np.tile([0.0, 1, 0], (11, 1))
    assert sorted(spread_contacts(points, normals, 1.0, 3).tolist()) == [0, 5, 10]
    assert len(spread_contacts(np.zeros((4, 3)), normals[:4], 1.0, 3)) == 1


@pytest.mark.parametrize(
    ("change", "word"), [({"friction": -0.1}, "friction"), ({"edges": 2}, "edges"), ({"torque_scale": 0.0}, "torque")]
)
def test_bad_settings_are_refused(change: dict[str, float], word: str) -> None:
    settings_: dict = {"friction": 1.0, "centre": np.zeros(3), "torque_scale": 1.0, "edges": 8} | change
    with pytest.raises(InputError, match=word):
        contact_wrenches(TETRAHEDRON, -TETRAHEDRON, **settings_)
