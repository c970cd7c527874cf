"""Collision pieces: convex, small, inside the skin, overlapping, and leaving the cup of the palm free."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from yaff.errors import InputError
from yaff.geometry.transforms import apply
from yaff.hand import HandModel, collision_pieces, load_hand
from yaff.hand.axes import palm_frame
from yaff.hand.collision import MAX_PIECE_VERTICES
from yaff.hand.model import FINGER_JOINTS, mirror_axis_angle


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand()


@pytest.fixture(scope="module")
def pieces(hand):
    return collision_pieces(hand)


@pytest.fixture(scope="module")
def placed(hand, pieces):
    """Corners of each piece in the template frame."""
    T = hand.bone_transforms(np.zeros((1, 45)))[0]
    return {piece.name: apply(T[piece.bone], piece.vertices) for piece in pieces}


def _closed(hand: HandModel) -> trimesh.Trimesh:
    mesh = trimesh.Trimesh(hand.template, hand.faces, process=False)
    edges = mesh.edges[trimesh.grouping.group_rows(mesh.edges_sorted, require_count=1)]
    rim = hand.template[np.unique(edges)].mean(axis=0)
    cap = np.column_stack([edges[:, ::-1], np.full(len(edges), len(hand.template))])
    return trimesh.Trimesh(np.vstack([hand.template, rim]), np.vstack([hand.faces, cap]), process=False)


def _inside(solid: trimesh.Trimesh, points: np.ndarray) -> np.ndarray:
    """Whether points lie inside, by their winding number (van Oosterom and Strackee 1983)."""
    a, b, c = (solid.triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    above = np.einsum("pti,pti->pt", a, np.cross(b, c))
    dots = [np.einsum("pti,pti->pt", u, v) for u, v in ((a, b), (b, c), (c, a))]
    below = la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb
    return np.arctan2(above, below).sum(axis=1) / (2.0 * np.pi) > 0.5


def test_every_bone_has_its_pieces(pieces):
    names = [piece.name for piece in pieces]
    assert len(set(names)) == len(names)
    assert {piece.bone for piece in pieces} == set(range(16))
    assert [piece.bone for piece in pieces] == sorted(piece.bone for piece in pieces)
    assert sum(piece.bone == 0 for piece in pieces) > 5
    assert {"wrist", "thumb.metacarpal", "index.distal", "palm.pinky.1"} <= set(names)


def test_pieces_are_small_convex_bodies(pieces):
    for piece in pieces:
        hull = ConvexHull(piece.vertices)
        assert len(hull.vertices) == len(piece.vertices) <= MAX_PIECE_VERTICES < 40
        assert hull.volume > 2e-7
        assert not piece.vertices.flags.writeable


def test_phalanges_lie_inside_the_skin_by_the_margin(hand, placed):
    solid = _closed(hand)
    for name, corners in placed.items():
        if not name.endswith(("middle", "distal")):
            continue
        points = np.asarray(trimesh.Trimesh(corners, process=False).convex_hull.triangles_center)
        assert _inside(solid, points).all(), name
        tree = trimesh.proximity.ProximityQuery(solid)
        nearest = tree.vertex(points)[0]
        assert nearest.min() > 0.8e-3, name


def test_the_rest_hardly_leaves_the_skin(hand, placed):
    solid = _closed(hand)
    solid_volume = solid.volume
    hulls = [trimesh.Trimesh(corners, process=False).convex_hull for corners in placed.values()]
    union = trimesh.boolean.union(hulls, engine="manifold")
    common = trimesh.boolean.intersection([union, solid], engine="manifold")
    assert union.volume - common.volume < 0.03 * union.volume
    assert common.volume > 0.75 * solid_volume  # a layer of 1.5 mm is a fifth of a hand


def test_neighbours_overlap(placed):
    chains = [
        [f"{finger}.{p}" for p in ("proximal", "middle", "distal")] for finger in ("index", "middle", "ring", "pinky")
    ]
    chains = [[f"palm.{chain[0].split('.')[0]}.3", *chain] for chain in chains]
    chains.append(["palm.index.1", "thumb.metacarpal", "thumb.proximal", "thumb.distal"])
    for chain in chains:
        for first, second in pairwise(chain):
            hulls = [trimesh.Trimesh(placed[name], process=False).convex_hull for name in (first, second)]
            assert trimesh.boolean.intersection(hulls, engine="manifold").volume > 1e-8, (first, second)


def test_the_cup_of_the_palm_stays_free(hand, placed):
    """Between heads and heel the skin is hollow; the pieces follow it where a single hull would bridge it."""
    palm = palm_frame(hand.rest_joints, "right")
    middle = hand.rest_joints[FINGER_JOINTS["middle"][0]]
    palms = [corners for name, corners in placed.items() if name.startswith("palm.")]
    hollow = middle - 0.5 * (middle - hand.root())

    def depth(corners: np.ndarray) -> float:
        """How far the hull of these corners reaches towards the palmar side on the line through the hollow."""
        hull = ConvexHull(corners)
        slope, height = hull.equations[:, :3] @ palm.palmar, hull.equations[:, :3] @ hollow + hull.equations[:, 3]
        with np.errstate(divide="ignore"):
            bounds = -height / slope
        low, high = bounds[slope < 0].max(), bounds[slope > 0].min()
        return float(high) if high > low else -np.inf

    assert max(depth(corners) for corners in palms) < depth(np.vstack(palms)) - 0.001


def test_less_shrinking_gives_larger_pieces(hand, pieces):
    for bare, shrunk in zip(collision_pieces(hand, 0.0), pieces, strict=True):
        assert bare.name == shrunk.name
        assert ConvexHull(bare.vertices).volume > ConvexHull(shrunk.vertices).volume
    for bad in (-1e-4, 0.01, float("nan")):
        with pytest.raises(InputError, match="shrink"):
            collision_pieces(hand, bad)


def test_the_left_hand_has_mirrored_pieces(hand, pieces):
    left = load_hand("left")
    pose = np.random.default_rng(0).normal(0, 0.3, (1, 45))
    T_right, T_left = hand.bone_transforms(pose)[0], left.bone_transforms(mirror_axis_angle(pose))[0]
    for right, mirrored in zip(pieces, collision_pieces(left), strict=True):
        assert right.name == mirrored.name
        flipped = apply(T_left[right.bone], mirrored.vertices) * np.array([-1.0, 1.0, 1.0])
        ours = ConvexHull(apply(T_right[right.bone], right.vertices))
        assert (ours.equations[:, :3] @ flipped.T + ours.equations[:, 3:]).max() < 2e-3
