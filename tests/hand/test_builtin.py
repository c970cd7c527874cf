"""The built-in hand: contract, surface, skin and shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from yaff.errors import FormatError, MissingFileError
from yaff.hand import builtin
from yaff.hand.builtin import anthropometry, asset, shapes
from yaff.hand.builtin.assembly import TIP_MANOPTH, TIP_SMPLX, WRIST_LOOP, face_quality
from yaff.hand.builtin.skeleton import BONES, DIGIT, DIGITS, PARENTS, first_joint, rest_joints
from yaff.hand.model import FINGERTIP_VERTICES, FINGERTIP_VERTICES_SMPLX, HandModel

MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return builtin.load()


@pytest.fixture(scope="module")
def hand(arrays: dict[str, np.ndarray]) -> HandModel:
    return HandModel(name="builtin", side="right", **arrays)


def closed(vertices: np.ndarray, faces: np.ndarray) -> trimesh.Trimesh:
    """The hand with its wrist closed the way MANO's users close it."""
    centre = vertices[list(WRIST_LOOP)].mean(axis=0)
    cap = [(WRIST_LOOP[i - 1], WRIST_LOOP[i], len(vertices)) for i in range(len(WRIST_LOOP))]
    return trimesh.Trimesh(np.vstack([vertices, centre]), np.vstack([faces, cap]), process=False)


def crossings(vertices: np.ndarray, faces: np.ndarray) -> int:
    """How many edges pass through a triangle that they share no vertex with (exact test of every pair)."""
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), axis=1), axis=0)
    low, high = vertices[edges].min(axis=1), vertices[edges].max(axis=1)
    boxes = vertices[faces].min(axis=1), vertices[faces].max(axis=1)
    overlap = np.all((low[:, None] <= boxes[1][None]) & (high[:, None] >= boxes[0][None]), axis=2)
    e, f = np.nonzero(overlap)
    apart = ~(edges[e][:, :, None] == faces[f][:, None, :]).any(axis=(1, 2))
    e, f = e[apart], f[apart]
    start, end = vertices[edges[e, 0]], vertices[edges[e, 1]]
    a, b, c = (vertices[faces[f, k]] for k in range(3))

    def volume(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", np.cross(q - p, r - p), s - p)

    through = volume(a, b, c, start) * volume(a, b, c, end) < 0.0
    sides = np.stack([volume(start, end, *pair) for pair in ((a, b), (b, c), (c, a))])
    return int(np.sum(through & ((sides > 0).all(axis=0) | (sides < 0).all(axis=0))))


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
    assert quality.min() > 0.45
    assert quality.mean() > 0.92
    mesh = trimesh.Trimesh(arrays["template"], arrays["faces"], process=False)
    assert mesh.edges_unique_length.max() < 0.021
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
        assert (weights[:, first : first + 3].max(axis=0) > 0.99).all() or name == "thumb"
        # beyond its web a digit listens to no other digit
        own = weights[:, first : first + 3].sum(axis=1) > 0.9
        others = [j for j in range(1, 16) if not first <= j < first + 3]
        outer = own & (digit.local(template)[:, 0] > digit.knots[1])
        assert outer.sum() > 60
        assert weights[np.ix_(outer, others)].max() == 0.0
    # neighbours along edges never differ abruptly
    faces = arrays["faces"]
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), axis=1), axis=0)
    assert np.abs(weights[edges[:, 0]] - weights[edges[:, 1]]).max() < 0.9
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
    # thickness of the palm at the knuckles and breadth across them
    mesh = trimesh.Trimesh(arrays["template"], arrays["faces"], process=False)
    joints = rest_joints()
    for joint in (1, 4, 10):
        hits = mesh.ray.intersects_location([joints[joint] - [0, 0.1, 0]], [[0.0, 1.0, 0.0]])[0]
        assert 24e-3 < np.ptp(hits[:, 1]) < 31e-3
    across = joints[1] - joints[7]
    near = arrays["template"][
        (np.abs(np.cross(arrays["template"] - joints[1], across / np.linalg.norm(across))[:, 1]) < 0.012)
        & (arrays["template"][:, 2] < 0.046)
    ]
    assert 78e-3 < np.ptp(near @ across / np.linalg.norm(across)) < 90e-3


def test_distal_bones_follow_the_published_lengths() -> None:
    for name in DIGITS:
        assert 0.0 <= BONES[name].lengths[2] * 1e3 - anthropometry.distal_to_tip(name) <= 3.5


def flexed(degrees: tuple[float, float, float]) -> np.ndarray:
    """Pose (1, 45) with the four fingers bent about their own transverse axes."""
    pose = np.zeros((15, 3))
    for name in DIGITS:
        if name != "thumb":
            axis = np.cross(DIGIT[name].axes[0], -DIGIT[name].axes[2])
            for k in range(3):
                pose[first_joint(name) - 1 + k] = np.deg2rad(degrees[k]) * axis
    return pose.reshape(1, 45)


@pytest.mark.parametrize("degrees", [(0.0, 90.0, 0.0), (80.0, 0.0, 0.0), (30.0, 45.0, 30.0), (70.0, 90.0, 50.0)])
def test_bent_fingers_stay_full(hand: HandModel, degrees: tuple[float, float, float]) -> None:
    posed = hand.vertices(flexed(degrees), np.zeros((1, 3)), np.zeros((1, 3)))[0]
    rest = closed(hand.template, hand.faces).volume
    assert closed(posed, hand.faces).volume == pytest.approx(rest, rel=0.05)
    # the back of a bent joint keeps its distance from the joint
    joints = hand.joints(flexed(degrees), np.zeros((1, 3)), np.zeros((1, 3)))[0]
    for name in ("index", "middle", "ring", "pinky"):
        for step in (1, 2):
            joint = first_joint(name) + step
            digit = DIGIT[name]
            local = digit.local(hand.template)
            ring = (np.abs(local[:, 0] - digit.knots[step]) < 0.003) & (
                hand.weights[:, joint - 1 : joint + 1].sum(1) > 0.9
            )
            dorsal = ring & (local[:, 2] > 0.003)
            before = np.linalg.norm(hand.template[dorsal] - rest_joints()[joint], axis=1)
            after = np.linalg.norm(posed[dorsal] - joints[joint], axis=1)
            assert np.all(after > 0.8 * before)


def test_shapes_move_joints_with_the_skin(hand: HandModel) -> None:
    directions = hand.shape_directions
    assert directions.shape[2] == len(shapes.NAMES)
    assert (np.abs(directions).max(axis=(0, 1)) > 2e-4).all()
    length = {}
    for units in (-2.0, 0.0, 2.0):
        beta = np.zeros((1, 10))
        beta[0, 0] = units
        vertices = hand.vertices(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), beta)[0]
        joints = hand.joints(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), beta)[0]
        length[units] = np.linalg.norm(vertices[TIP_MANOPTH["middle"]] - joints[0])
        # a scaled hand has scaled bones
        scale = 1.0 + units * shapes.SIZE
        bones = rest_joints()[1:] - rest_joints()[0]
        np.testing.assert_allclose(joints[1:] - joints[0], scale * bones, atol=1e-6)
    women, men = (anthropometry.HAND_LENGTH[k] for k in ("women", "men"))
    wanted = men.percentile(1.645) / women.percentile(-1.645)
    assert length[2.0] / length[-2.0] == pytest.approx(wanted, rel=0.02)
    # no corner of the shape space within two units, one at a time, folds the skin
    for k in range(10):
        for units in (-2.0, 2.0):
            assert crossings(hand.template + units * directions[:, :, k], hand.faces) == 0


def test_pose_directions_are_still_at_rest_and_small(hand: HandModel) -> None:
    rest = hand.vertices(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)))[0]
    np.testing.assert_allclose(rest, hand.template, atol=1e-12)
    assert 3e-4 < np.abs(hand.pose_directions).max() < 4e-3


def test_builder_reproduces_the_asset(tmp_path: Path) -> None:
    built = builtin.build()
    assert builtin.digest(built) == builtin.digest(builtin.load())
    for name in ("first.npz", "second.npz"):
        builtin.write(tmp_path / name, built)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    assert asset.ASSET.stat().st_size < 1_000_000


def test_missing_or_foreign_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="built-in hand is missing"):
        builtin.load(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", template=np.zeros((1, 3)))
    with pytest.raises(FormatError, match="lacks faces"):
        builtin.load(tmp_path / "other.npz")
