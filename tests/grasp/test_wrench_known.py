"""Epsilon and volume of two, three and four point grasps on sphere and box, against answers derived by hand.

Four-edge cones keep the arithmetic short: a contact at ``r`` that pushes along ``n`` has the wrenches
``(n +- mu t, r x (n +- mu t) / scale)`` for two tangents ``t``.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from yaff.grasp.wrench import contact_wrenches, epsilon, epsilon_and_volume, grasp_quality

TORSION = 3
"""Column of the torque about x, which no pair of points on the x axis resists."""


def wrenches_of(points: list[list[float]], normals: list[list[float]], mu: float, scale: float = 1.0) -> np.ndarray:
    return contact_wrenches(np.array(points, float), np.array(normals, float), mu, np.zeros(3), scale, edges=4)


@pytest.mark.parametrize("mu", [0.2, 0.6, 1.0])
def test_two_points_on_a_sphere_beside_torsion(mu: float) -> None:
    """In the five dimensions that two points can resist.

    The wrenches of either point are a square of half diagonal s = sqrt(2) mu, at fx = -1 and at fx = +1, in orthogonal
    planes. The cut at fx is the product of the squares shrunk by (1 - fx) / 2 and (1 + fx) / 2, of area 2 s^2 each:
    volume 2 * 4 s^4 * B(3, 3) = 4 s^4 / 15 = 16 mu^4 / 15; a facet is u + v + s fx / 2 = s / 2.
    """
    wrenches = wrenches_of([[1, 0, 0], [-1, 0, 0]], [[-1, 0, 0], [1, 0, 0]], mu)
    assert epsilon_and_volume(wrenches) == (0.0, 0.0)  # point contacts: no torsion
    s = math.sqrt(2.0) * mu
    expected = s / math.sqrt(8.0 + s**2), 16.0 * mu**4 / 15.0
    assert epsilon_and_volume(np.delete(wrenches, TORSION, axis=1)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("half", [0.02, 0.05])
def test_two_points_on_a_box_beside_torsion(half: float) -> None:
    """Between the faces of a box of radius 0.1: the sphere's polytope, its two torques scaled by half / 0.1."""
    mu = 0.6
    wrenches = wrenches_of([[half, 0, 0], [-half, 0, 0]], [[-1, 0, 0], [1, 0, 0]], mu, scale=0.1)
    assert epsilon_and_volume(wrenches) == (0.0, 0.0)
    _, volume = epsilon_and_volume(np.delete(wrenches, TORSION, axis=1))
    assert volume == pytest.approx(16.0 * mu**4 / 15.0 * (half / 0.1) ** 2, rel=1e-6)


@pytest.mark.parametrize("thumbs", [1, 2])
@pytest.mark.parametrize(("b", "mu"), [(0.1, 0.6), (0.3, 1.0)])
def test_three_and_four_points_on_a_box(thumbs: int, b: float, mu: float) -> None:
    """Two fingers b either side of the axis, against one thumb or two.

    Pure torsion is resisted with mu b. One thumb has none: along (fx, tx) = (c, 1) the fingers give mu b - c and the
    thumb c, which meet at c = mu b / 2. The exact value is that of the nearest of all hyperplanes through wrenches.
    """
    a = 0.8
    thumb = [[-a, 0.0, 0.0]] if thumbs == 1 else [[-a, b, 0.0], [-a, -b, 0.0]]
    points = [[a, b, 0.0], [a, -b, 0.0], *thumb]
    normals = [[-1.0, 0.0, 0.0]] * 2 + [[1.0, 0.0, 0.0]] * thumbs
    wrenches = wrenches_of(points, normals, mu)
    radius, volume = epsilon_and_volume(wrenches)
    c = 0.5 * mu * b
    limit = mu * b if thumbs == 2 else c / math.sqrt(1.0 + c**2)
    assert 0.5 * limit < radius < limit + 1e-9
    assert radius == pytest.approx(nearest_hyperplane(wrenches), rel=1e-6)
    assert epsilon(wrenches) == pytest.approx(radius, abs=2e-7)
    assert volume == pytest.approx(integrated_volume(wrenches), rel=0.1)
    # the door that measures use has more edges, these four among them
    fine, _ = grasp_quality(np.array(points), np.array(normals), np.zeros(3), 1.0, friction=mu)
    assert radius - 1e-9 <= fine <= limit + 1e-9


@pytest.mark.parametrize("count", [3, 4])
def test_volume_of_points_on_a_sphere(count: int) -> None:
    """Three on the equator, four in the corners of a tetrahedron, against integration by another method."""
    angle = 2.0 * np.pi * np.arange(3) / 3.0
    points = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(3)])
    if count == 4:
        points = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3.0)
    wrenches = wrenches_of(points.tolist(), (-points).tolist(), 1.0)
    _, volume = epsilon_and_volume(wrenches)
    assert volume == pytest.approx(integrated_volume(wrenches), rel=0.1)


def nearest_hyperplane(wrenches: np.ndarray) -> float:
    """Epsilon without a hull: of all hyperplanes through six wrenches that have the others on one side, the nearest."""
    subsets = np.array(list(combinations(range(len(wrenches)), 6)))
    normals = np.linalg.svd(np.concatenate([wrenches[subsets], -np.ones((len(subsets), 6, 1))], axis=2))[2][:, -1]
    size = np.linalg.norm(normals[:, :6], axis=1)
    solid = size > 1e-6
    normals = normals[solid] / size[solid, None]
    side = normals[:, :6] @ wrenches.T - normals[:, 6:]
    supporting = (side <= 1e-9).all(axis=1) | (side >= -1e-9).all(axis=1)
    # six wrenches on a plane of lower dimension define no hyperplane: their null vector is one of many
    distinct = np.linalg.matrix_rank(wrenches[subsets[solid]] - wrenches[subsets[solid]][:, :1], tol=1e-9) == 5
    return float(np.abs(normals[supporting & distinct, 6]).min())


def integrated_volume(wrenches: np.ndarray, rays: int = 300) -> float:
    """The volume of a hull about the origin as the mean sixth power of its radius, by linear programming."""
    rng = np.random.default_rng(0)
    n, d = wrenches.shape
    # directions of the ellipsoid of the wrenches, so that flat hulls are met as often as round ones
    spread = np.linalg.cholesky(wrenches.T @ wrenches / n)
    directions = rng.normal(size=(rays, d))
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True) @ spread.T
    powers = []
    for direction in directions:
        # the farthest point s * direction that is a convex combination of the wrenches
        equal = np.zeros((d + 1, n + 1))
        equal[:d, :n], equal[:d, n], equal[d, :n] = wrenches.T, -direction, 1.0
        result = linprog(-np.eye(n + 1)[n], A_eq=equal, b_eq=np.eye(d + 1)[d], bounds=[(0, None)] * (n + 1))
        powers.append(result.x[n] ** d)
    ball = math.pi ** (d / 2) / math.gamma(d / 2 + 1)
    return float(np.mean(powers)) * ball * float(np.linalg.det(spread))
