"""The built-in hand: contract, surface, skin and shapes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hand_surfaces import closed, crossings

from yaff.errors import FormatError, MissingFileError
from yaff.hand import builtin
from yaff.hand.builtin import anthropometry, asset
from yaff.hand.builtin.assembly import TIP_MANOPTH, TIP_SMPLX, WRIST_LOOP, face_quality
from yaff.hand.builtin.skeleton import BONES, DIGIT, DIGITS, PARENTS, first_joint, rest_joints
from yaff.hand.model import FINGERTIP_VERTICES, FINGERTIP_VERTICES_SMPLX, HandModel

MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return builtin.load()


@pytest.fixture(scope="module")
def hand(arrays: dict[str, np.ndarray]) -> HandModel:
    return HandModel(name="builtin", side="right", **arrays)  # pyright: ignore[reportArgumentType]


def test_has_manos_shapes(arrays: dict[str, np.ndarray]) -> None:
    expected = {
        "template": (778, 3),
        "faces": (1538, 3),
        "weights": (778, 16),
        "shape_directions": (778, 3, 10),
        "pose_directions": (778, 3, 135),
        "joint_regressor": (16, 778),
        "parents": (16,),
    }
    assert {name: array.shape for name, array in arrays.items()} == expected
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert arrays["parents"].tolist() == PARENTS.tolist()


def test_surface_is_one_disc_open_at_the_wrist(arrays: dict[str, np.ndarray]) -> None:
    mesh = trimesh.Trimesh(arrays["template"], arrays["faces"], process=False)
    _, uses = np.unique(np.sort(mesh.edges, axis=1), axis=0, return_counts=True)
    assert uses.max() == 2
    assert np.sum(uses == 1) == 16
    assert mesh.euler_number == 1
    assert mesh.is_winding_consistent
    assert len(np.unique(arrays["faces"])) == 778
    assert mesh.body_count == 1
    # one fan of triangles round every vertex: no two sheets touch in a point
    for vertex, around in enumerate(mesh.vertex_faces):
        around = around[around >= 0]
        corners = arrays["faces"][around]
        others, uses = np.unique(corners[corners != vertex], return_counts=True)
        assert len(others) - len(around) == (1 if vertex in WRIST_LOOP else 0)
        assert uses.max() <= 2


def test_closed_wrist_makes_a_solid_of_a_hands_size(arrays: dict[str, np.ndarray]) -> None:
    solid = closed(arrays["template"], arrays["faces"])
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert 250e-6 < solid.volume < 450e-6  # 0.25 to 0.45 litres
    assert np.ptp(arrays["template"][list(WRIST_LOOP), 0]) < 1e-6


def test_does_not_cut_itself_at_rest(arrays: dict[str, np.ndarray]) -> None:
    assert crossings(arrays["template"], arrays["faces"]) == 0


def test_the_cut_test_sees_a_cut() -> None:
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, -1], [0.3, 0.2, 1], [2, 2, 1]])
    assert crossings(vertices, np.array([[0, 1, 2], [3, 4, 5]])) > 0


def test_triangles_are_even(arrays: dict[str, np.ndarray]) -> None:
    quality = face_quality(arrays["template"], arrays["faces"])
    assert quality.min() > 0.55
    assert quality.mean() > 0.94
    mesh = trimesh.Trimesh(arrays["template"], arrays["faces"], process=False)
    assert mesh.edges_unique_length.max() < 0.0155
    bends = np.arccos(np.clip(np.einsum("ij,ij->i", *mesh.face_normals[mesh.face_adjacency.T]), -1, 1))
    assert np.rad2deg(bends.max()) < 85  # no spikes, no folds


def test_joints_are_where_mano_has_them(arrays: dict[str, np.ndarray]) -> None:
    joints = arrays["joint_regressor"] @ arrays["template"]
    np.testing.assert_allclose(joints, rest_joints(), atol=1e-9)
    np.testing.assert_allclose(joints[0], [0.0957, 0.0064, 0.0062], atol=1e-9)
    offsets = {
        "index": ((-0.088, -0.005, 0.021), (33, 22)),
        "middle": ((-0.095, -0.001, -0.003), (32, 23)),
        "ring": ((-0.082, -0.004, -0.027), (29, 25)),
        "pinky": ((-0.069, -0.010, -0.043), (21, 19)),
        "thumb": ((-0.024, -0.016, 0.026), (31, 27)),
    }
    for name, (offset, lengths) in offsets.items():
        chain = joints[first_joint(name) : first_joint(name) + 3]
        np.testing.assert_allclose(chain[0] - joints[0], offset, atol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(np.diff(chain, axis=0), axis=1), np.array(lengths) * 1e-3, atol=2e-6)


def test_regressor_is_a_local_mean(arrays: dict[str, np.ndarray]) -> None:
    regressor = arrays["joint_regressor"]
    np.testing.assert_allclose(regressor.sum(axis=1), 1.0, atol=1e-12)
    assert regressor.min() >= 0.0
    assert np.count_nonzero(regressor) < 16 * 70
    distance = np.linalg.norm(arrays["template"][None] - rest_joints()[:, None], axis=2)
    assert distance[regressor > 0].max() < 0.045


@pytest.mark.parametrize("name", DIGITS)
def test_fingertips_are_where_the_tools_look(arrays: dict[str, np.ndarray], name: str) -> None:
    assert TIP_MANOPTH[name] == FINGERTIP_VERTICES[name]
    assert TIP_SMPLX[name] == FINGERTIP_VERTICES_SMPLX[name]
    template, tip = arrays["template"], DIGIT[name].joints[3]
    assert np.linalg.norm(template[TIP_MANOPTH[name]] - tip) < 1.5 * MILLIMETRE
    assert np.linalg.norm(template[TIP_SMPLX[name]] - tip) < 6.0 * MILLIMETRE
    # nothing of the digit reaches further than its tip
    along = (template - tip) @ DIGIT[name].axes[0]
    own = arrays["weights"][:, first_joint(name) + 2] > 0.5
    assert along[own].max() - along[TIP_MANOPTH[name]] < 0.3 * MILLIMETRE


def test_right_hand_with_fingers_along_minus_x_and_palm_down(arrays: dict[str, np.ndarray]) -> None:
    joints = rest_joints()
    for name in DIGITS:
        axes = DIGIT[name].axes
        np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
        assert axes[0, 0] < -0.5
        assert np.linalg.det(np.stack([axes[0], -axes[2], axes[1]])) > 0.99  # along x palmar = thumb's side
    assert joints[13, 2] > joints[1, 2] > joints[4, 2] > joints[10, 2] > joints[7, 2]
    # the ball of the thumb stands out of the palm, the palm between it and the knuckles is hollow
    palm = arrays["template"][arrays["weights"][:, [0, 13]].sum(axis=1) > 0.9]
    lowest = palm[np.argmin(palm[:, 1])]
    assert np.linalg.norm(lowest - (joints[13] + joints[14]) / 2) < 0.03
    hollow = joints[0] + 0.6 * (joints[4] - joints[0])
    centre = palm[(np.linalg.norm((palm - hollow)[:, [0, 2]], axis=1) < 0.012) & (palm[:, 1] < hollow[1])]
    assert centre[:, 1].mean() - lowest[1] > 0.010


def test_wrist_ring_has_manos_numbers(arrays: dict[str, np.ndarray]) -> None:
    faces = arrays["faces"]
    directed = {(int(a), int(b)) for a, b in np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])}
    for i, vertex in enumerate(WRIST_LOOP):
        assert (vertex, WRIST_LOOP[i - 1]) in directed
        assert (WRIST_LOOP[i - 1], vertex) not in directed


def test_weights(arrays: dict[str, np.ndarray]) -> None:
    weights = arrays["weights"]
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)
    assert weights.min() >= 0.0
    assert np.count_nonzero(weights, axis=1).max() <= 4
    template = arrays["template"]
    for name in DIGITS:
        first, digit = first_joint(name), DIGIT[name]
        # the proximal phalanx of the little finger is as short as the blends at its ends
        assert (weights[:, first : first + 3].max(axis=0) > {"thumb": 0.8, "pinky": 0.85}.get(name, 0.99)).all()
        # beyond its web a digit listens to no other digit
        own = weights[:, first : first + 3].sum(axis=1) > 0.9
        others = [j for j in range(1, 16) if not first <= j < first + 3]
        outer = own & (digit.local(template)[:, 0] > digit.knots[1])
        assert outer.sum() > 50
        assert weights[np.ix_(outer, others)].max() == 0.0
    # neighbours along edges never differ abruptly
    faces = arrays["faces"]
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), axis=1), axis=0)
    assert np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max() < 0.55
    thenar = np.linalg.norm(template - rest_joints()[13:15].mean(axis=0), axis=1) < 0.017
    assert weights[thenar, 13].mean() > 0.6


def section(arrays: dict[str, np.ndarray], name: str, station: float) -> tuple[float, float]:
    """Breadth and depth (metres) of a digit at a joint number plus fraction."""
    digit, first = DIGIT[name], first_joint(name)
    own = arrays["weights"][:, first : first + 3].sum(axis=1) > 0.95
    faces = arrays["faces"][own[arrays["faces"]].all(axis=1)]
    along = np.interp(station, range(4), digit.knots)
    centre = digit.spine(np.array([along]))[0]
    cut = trimesh.Trimesh(arrays["template"], faces, process=False).section(digit.axes[0], centre)
    assert cut is not None
    points = (cut.vertices - centre) @ digit.axes[1:].T
    return float(np.ptp(points[:, 0])), float(np.ptp(points[:, 1]))


def test_is_as_thick_as_a_hand(arrays: dict[str, np.ndarray]) -> None:
    breadth, depth = section(arrays, "index", 1.0)
    assert 17.5e-3 < breadth < 20e-3
    assert 14.5e-3 < depth < 18e-3
    assert 18.5e-3 < section(arrays, "thumb", 2.0)[0] < 22e-3
    for name in DIGITS:
        widths = [section(arrays, name, s)[0] for s in (1.5 if name == "thumb" else 1.0, 2.0, 2.8)]
        assert widths[0] > widths[2]
        assert widths[1] > widths[2]
    # thickness of the palm at the knuckles
    mesh = trimesh.Trimesh(arrays["template"], arrays["faces"], process=False)
    joints = rest_joints()
    for joint in (1, 4, 10):
        hits = mesh.ray.intersects_location([joints[joint] - [0, 0.1, 0]], [[0.0, 1.0, 0.0]])[0]
        assert 24e-3 < np.ptp(hits[:, 1]) < 31e-3


def test_distal_bones_follow_the_published_lengths() -> None:
    for name in DIGITS:
        assert 0.0 <= BONES[name].lengths[2] * 1e3 - anthropometry.distal_to_tip(name) <= 3.5


def test_back_and_pad_of_a_fingertip_differ(arrays: dict[str, np.ndarray]) -> None:
    """The nail's side lies nearer to the bone, and flatter, than the pad."""
    for name in DIGITS:
        digit = DIGIT[name]
        local = digit.local(arrays["template"])
        at = np.interp(2.45, range(4), digit.knots)
        own = arrays["weights"][:, first_joint(name) + 2] > 0.8
        near = local[own & (np.abs(local[:, 0] - at) < 0.005)]
        assert -near[:, 2].min() > 1.25 * near[:, 2].max()


def test_pose_directions_are_still_at_rest_and_small(hand: HandModel) -> None:
    rest = hand.vertices(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)))[0]
    np.testing.assert_allclose(rest, hand.template, atol=1e-12)
    assert 3e-4 < np.abs(hand.pose_directions).max() < 8e-3


def test_builder_reproduces_the_asset(tmp_path: Path) -> None:
    built = builtin.build()
    assert builtin.digest(built) == builtin.digest(builtin.load())
    for name in ("first.npz", "second.npz"):
        builtin.write(tmp_path / name, built)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    # unpacked, because another version of the compressor may pack the same bytes otherwise
    with zipfile.ZipFile(tmp_path / "first.npz") as ours, zipfile.ZipFile(asset.ASSET) as stored:
        assert ours.namelist() == stored.namelist()
        assert all(ours.read(name) == stored.read(name) for name in ours.namelist())
    assert asset.ASSET.stat().st_size < 1_000_000


def test_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="built-in hand is missing"):
        builtin.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", template=np.zeros((1, 3)))
    with pytest.raises(FormatError, match="lacks faces"):
        builtin.load(tmp_path / "other.npz")
