"""Self-penetration on a hand of rigid pieces, where every depth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from yaff.geometry.transforms import invert
from yaff.grasp import SelfCollision
from yaff.hand.model import PARENTS, HandModel

HALF = 0.004


@dataclass(frozen=True)
class Piece:
    """A convex piece of a bone."""

    bone: int
    vertices: np.ndarray


def rigid_hand() -> HandModel:
    """Fingers are chains of 3 cm along -x, 2 cm apart in z; every vertex belongs to one bone, within 4 mm of it."""
    rng = np.random.default_rng(0)
    joints = np.zeros((16, 3))
    for finger, base in enumerate((1, 4, 7, 10, 13)):
        for k in range(3):
            joints[base + k] = [-0.08 - 0.03 * k, 0.0, 0.02 * (finger - 2)]
    bone = np.arange(778) % 16
    centre = joints[bone] - np.array([0.015, 0.0, 0.0])
    template = centre + rng.uniform(-HALF, HALF, (778, 3))
    template[:16] = centre[:16]  # vertex b is the middle of bone b
    weights = np.zeros((778, 16))
    weights[np.arange(778), bone] = 1.0
    regressor = np.zeros((16, 778))
    for j in range(16):
        rows = np.flatnonzero(bone == j)[:8]
        system = np.vstack([template[rows].T, np.ones(8)])
        regressor[j, rows] = np.linalg.lstsq(system, np.append(joints[j], 1.0), rcond=None)[0]
    return HandModel(
        name="rigid",
        side="right",
        template=template,
        faces=rng.integers(0, 778, (1538, 3)),
        weights=weights,
        shape_directions=np.zeros((778, 3, 10)),
        pose_directions=np.zeros((778, 3, 135)),
        joint_regressor=regressor,
        parents=np.array(PARENTS),
    )


def cube(centre: np.ndarray, half: float) -> np.ndarray:
    """Corners of a cube."""
    corners = np.stack(np.meshgrid(*[[-half, half]] * 3), axis=-1).reshape(-1, 3)
    return corners + centre


HAND = rigid_hand()
BENT = np.zeros((1, 45))
BENT[0, 2] = 0.6  # the first joint of the index turns about z: its chain leaves the plane y = 0


def moved(vertex: int, pose: np.ndarray, bone: int) -> np.ndarray:
    """Where a vertex is in a bone's frame."""
    T = invert(HAND.bone_transforms(pose)[0, bone])
    return T[:3, :3] @ HAND.vertices(pose)[0, vertex] + T[:3, 3]


def depth(collision: SelfCollision, pose: np.ndarray, **wrist: np.ndarray) -> np.ndarray:
    """Self-penetration of poses."""
    return collision.depth(HAND.vertices(pose, **wrist), HAND.bone_transforms(pose, **wrist))


@pytest.mark.parametrize("shift", [0.0, 0.004, 0.008])
def test_depth_is_the_way_out_of_the_piece(shift: float) -> None:
    # A palm piece waits where the middle of the index's last bone comes to lie. Its skin fills a cube round there, so
    # the deepest point is the one that is nearest to the middle of the piece.
    place = moved(3, BENT, 0) + np.array([0.0, shift, 0.0])
    collision = SelfCollision.of(HAND, [Piece(0, cube(place, 0.01))])
    tip = HAND.vertices(BENT)[0][3::16]
    T = invert(HAND.bone_transforms(BENT)[0, 0])
    local = tip @ T[:3, :3].T + T[:3, 3]
    expected = (0.01 - np.abs(local - place).max(axis=1)).max()
    assert expected > 0.005
    assert depth(collision, BENT)[0] == pytest.approx(expected, abs=1e-9)
    assert depth(collision, np.zeros((1, 45)))[0] == 0.0


def test_neighbours_may_overlap() -> None:
    place = moved(1, BENT, 0)  # the first bone of the index, which hangs on the palm
    assert depth(SelfCollision.of(HAND, [Piece(0, cube(place, 0.004))]), BENT)[0] == 0.0
    place = moved(3, BENT, 2)
    assert depth(SelfCollision.of(HAND, [Piece(2, cube(place, 0.004))]), BENT)[0] == 0.0
    # but the tip may not enter the first bone of its own finger
    curled = np.zeros((1, 45))
    curled[0, 5] = 2.0
    piece = Piece(1, cube(moved(3, curled, 1), 0.004))
    assert depth(SelfCollision.of(HAND, [piece]), curled)[0] > 0.003


def test_what_is_near_at_rest_does_not_count() -> None:
    still = np.zeros((1, 45))
    place = moved(3, still, 0)
    collision = SelfCollision.of(HAND, [Piece(0, cube(place, 0.02))])
    assert depth(collision, still)[0] == 0.0
    assert not np.isin(3, collision.pieces[0].skin)


def test_wrist_does_not_matter_and_batches_are_rows() -> None:
    place = moved(3, BENT, 0)
    collision = SelfCollision.of(HAND, [Piece(0, cube(place, 0.008)), Piece(4, cube(np.zeros(3), 0.003))])
    poses = np.concatenate([np.zeros((1, 45)), BENT, 0.5 * BENT, 1.03 * BENT])
    rng = np.random.default_rng(1)
    wrist = {"wrist_rotation": rng.normal(size=(4, 3)), "translation": rng.normal(size=(4, 3))}
    together = depth(collision, poses, **wrist)
    alone = [depth(collision, poses[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert together[0] == 0.0
    assert together[1] > together[3] > 0.0


def test_half_spaces_are_those_of_the_hull() -> None:
    rng = np.random.default_rng(4)
    points = rng.normal(size=(40, 3))
    points *= 0.01 / np.linalg.norm(points, axis=1, keepdims=True)
    piece = SelfCollision.of(HAND, [Piece(0, points)]).pieces[0]
    inside = (points[:, None] * 0.999 @ piece.normals.T + piece.offsets).max()
    assert inside < 0.0
    assert len(piece.normals) == len(np.unique(np.round(ConvexHull(points).equations, 9), axis=0))
    assert np.linalg.norm(piece.normals, axis=1) == pytest.approx(np.ones(len(piece.normals)))
