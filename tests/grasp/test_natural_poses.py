"""Natural poses and their components: the first few mean something."""

from __future__ import annotations

import numpy as np
import pytest

from yaff.grasp.natural_poses import natural_angles, natural_components, preshape_angles
from yaff.hand import Anatomy, load_hand

HAND = load_hand()
ANATOMY = Anatomy(HAND)
COMPONENTS = natural_components(HAND)


@pytest.fixture(scope="module")
def angles() -> np.ndarray:
    return natural_angles(ANATOMY, np.random.default_rng(0))


def test_natural_poses_are_within_the_limits_and_use_every_joint(angles):
    assert len(angles) > 1000
    assert not ANATOMY.violations(ANATOMY.pose_from_dof(angles)).max() > 1e-7
    assert (np.ptp(angles, axis=0) > 0.1).all()


def test_components_are_orthonormal_and_the_same_each_time():
    np.testing.assert_allclose(COMPONENTS.components @ COMPONENTS.components.T, np.eye(45), atol=1e-12)
    again = natural_components(HAND)
    assert again.components.tobytes() == COMPONENTS.components.tobytes()
    left = natural_components(load_hand("left"))
    np.testing.assert_array_equal(left.components, COMPONENTS.mirrored().components)


def test_the_first_components_hold_the_variance(angles):
    share = COMPONENTS.explained_variance(ANATOMY.pose_from_dof(angles))
    assert share[0] > 0.5  # closing the hand
    assert share[1] > 0.7
    assert share[5] > 0.9
    assert share[14] > 0.99


def test_the_first_component_closes_all_fingers():
    near, far = (ANATOMY.dof_from_pose(COMPONENTS.pose(np.full((1, 1), c)))[0][0] for c in (-1.5, 1.5))
    change = far - near
    flexion = [ANATOMY.index(f"{f}.{j}.flexion") for f in ("index", "middle", "ring", "pinky") for j in ("mcp", "pip")]
    assert (np.sign(change[flexion]) == np.sign(change[flexion[0]])).all()
    assert np.abs(change[flexion]).min() > 0.3


def test_fifteen_components_make_every_preshape():
    """Of the joints of all preshapes, open, closed and between, 95 % come within 3 degrees; skin within 1 mm mean."""
    pose = ANATOMY.pose_from_dof(ANATOMY.clip(preshape_angles(ANATOMY, np.linspace(0, 1, 3))))
    coefficients, missed = COMPONENTS.coefficients(pose, 15)
    assert np.degrees(np.quantile(missed, 0.95)) < 3.0
    assert np.degrees(missed.mean()) < 1.0
    assert np.degrees(missed.max()) < 20.0
    off = HAND.vertices(COMPONENTS.pose(coefficients)) - HAND.vertices(pose)
    assert np.linalg.norm(off, axis=-1).mean() < 1e-3
