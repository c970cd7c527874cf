"""Contacts that can carry and contacts that cannot, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from yaff.search.carrying import extreme_wrenches
from yaff.search.grip import AXES

MU, TURN = 0.6, 0.02


def _left(points: np.ndarray, normals: np.ndarray, load: np.ndarray) -> float:
    wrenches = extreme_wrenches(points, normals, np.zeros(3), 1.0, MU, TURN)
    share, _ = nnls(wrenches, load)
    return float(np.linalg.norm(wrenches @ share - load))


def test_two_opposed_contacts_carry_every_way_and_resist_turning_about_their_axis() -> None:
    points = np.array([[0.03, 0.0, 0.0], [-0.03, 0.0, 0.0]])
    normals = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    for axis in AXES:
        assert _left(points, normals, np.concatenate([axis, np.zeros(3)])) < 1e-9
    assert _left(points, normals, np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])) < 1e-9


def test_a_single_contact_carries_only_what_pushes_back_at_it() -> None:
    point, normal = np.array([[0.0, 0.0, -0.05]]), np.array([[0.0, 0.0, 1.0]])
    assert _left(point, normal, np.array([0.0, 0.0, 1.0, 0.0, 0.0, 0.0])) < 1e-9
    assert _left(point, normal, np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0])) == pytest.approx(1.0)


@pytest.mark.parametrize(("angle", "holds"), [(0.5, True), (0.6, False)])
def test_two_tilted_contacts_hold_within_the_friction_cone_only(angle: float, holds: bool) -> None:
    """Both normals leaning the same way by more than atan 0.6 = 0.54 push the object out (Nguyen 1988)."""
    lean = np.array([np.cos(angle), np.sin(angle)])
    # the pyramid has an edge in the plane of the normals
    points = np.array([[0.03, 0.0, 0.0], [-0.03, 0.0, 0.0]])
    normals = np.array([[-lean[0], lean[1], 0.0], [lean[0], lean[1], 0.0]])
    left = _left(points, normals, np.array([0.0, -1.0, 0.0, 0.0, 0.0, 0.0]))
    assert (left < 1e-6) == holds


def test_the_wrench_of_every_edge_lies_on_its_cone() -> None:
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(5, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    points, centre = rng.normal(size=(5, 3)), rng.normal(size=3)
    wrenches = extreme_wrenches(points, normals, centre, 2.0, MU, TURN).T.reshape(-1, 5, 6)
    along = np.sum(wrenches[..., :3] * normals, axis=-1)
    np.testing.assert_allclose(along, 1.0)
    slide = np.sqrt(np.maximum(np.linalg.norm(wrenches[..., :3], axis=-1) ** 2 - 1.0, 0.0))
    np.testing.assert_allclose(slide[:4], MU)
    np.testing.assert_allclose(slide[4:], 0.0, atol=1e-6)
    torque = 2.0 * wrenches[..., 3:] - np.cross(points - centre, wrenches[..., :3])
    np.testing.assert_allclose(torque[:4], 0.0, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(torque[4:], axis=-1), TURN)
