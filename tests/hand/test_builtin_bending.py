"""The built-in hand in motion: bent joints keep their volume and skin stays out of skin."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hand_surfaces import capped_volume, closed, deepest_overlap, winding

from yaff.hand import Anatomy, builtin
from yaff.hand.builtin.skeleton import DIGIT, DIGITS, first_joint, rest_joints
from yaff.hand.model import HandModel
from yaff.hand.postures import POSTURES

MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return HandModel(name="builtin", side="right", **builtin.load())  # pyright: ignore[reportArgumentType]


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


def segments(hand: HandModel) -> dict[str, np.ndarray]:
    """Triangles of the skin of each phalanx: carried by its digit, between the joints at its ends."""
    result = {}
    for name in DIGITS:
        digit, first = DIGIT[name], first_joint(name)
        along = digit.local(hand.template)[:, 0][hand.faces].mean(axis=1)
        own = hand.weights[:, first : first + 3].sum(axis=1)[hand.faces].mean(axis=1) > 0.5
        for step in range(1 if name == "thumb" else 0, 3):
            end = digit.knots[step + 1] if step < 2 else np.inf
            result[f"{name} {step}"] = hand.faces[own & (along >= digit.knots[step]) & (along < end)]
    return result


def test_overlap_of_known_solids() -> None:
    """Of two boxes one of which lies partly in the other."""
    first = trimesh.creation.box((0.02, 0.02, 0.02))
    both = trimesh.util.concatenate([first, first.copy().apply_translation([0.017, 0.0013, 0.0017])])
    places = np.array([[0.0085, 0.0, 0.0], [0.0, 0.0, 0.0], [0.1, 0.0, 0.0]])
    np.testing.assert_allclose(winding(both.triangles, places), [2.0, 1.0, 0.0], atol=1e-9)


def test_volume_of_a_known_patch() -> None:
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    open_box = box.faces[box.face_normals[:, 2] < 0.5]
    assert capped_volume(np.asarray(box.vertices)[None], open_box)[0] == pytest.approx(6.0)


def test_no_segment_of_a_digit_loses_its_volume(hand: HandModel) -> None:
    """Through the whole range of the joints at its ends, alone and all bent together, each stays within 15 %."""
    anatomy = Anatomy(hand)
    for segment, faces in segments(hand).items():
        name, step = segment.split()
        ends = [first_joint(name) + int(step), first_joint(name) + min(int(step) + 1, 2)]
        columns = [k for k, freedom in enumerate(anatomy.degrees_of_freedom) if freedom.joint in ends]
        angles = np.zeros((1, len(anatomy)))
        for k in columns:
            sweep = np.zeros((9, len(anatomy)))
            sweep[:, k] = np.linspace(anatomy.lower[k], anatomy.upper[k], 9)
            angles = np.concatenate([angles, sweep])
        bent = np.linspace(0.0, 1.0, 6)[:, None] * np.where(np.isin(np.arange(len(anatomy)), columns), anatomy.upper, 0)
        bent[:, [k for k in columns if "abduction" in anatomy.names[k]]] = 0.0
        vertices = hand.vertices(anatomy.pose_from_dof(np.concatenate([angles, bent])))
        share = capped_volume(vertices, faces) / capped_volume(hand.template[None], faces)
        assert share.min() > 0.85, segment
        assert share.max() < 1.15, segment


def posed(hand: HandModel, name: str) -> np.ndarray:
    anatomy = Anatomy(hand)
    angles = anatomy.angles(POSTURES[name])
    np.testing.assert_allclose(anatomy.clip(angles), angles, atol=1e-9)
    return hand.vertices(anatomy.pose_from_dof(angles[None]))[0]


@pytest.mark.parametrize("name", list(POSTURES))
def test_postures_keep_the_hand_whole(hand: HandModel, name: str) -> None:
    vertices = posed(hand, name)
    assert closed(vertices, hand.faces).volume == pytest.approx(closed(hand.template, hand.faces).volume, rel=0.05)
    # where fingers press on each other or on the palm, pulp gives way by a few tenths of a millimetre in a fist and by
    # one where thumb and finger meet: nothing comes out on the other side
    pressed = {"fist": 0.5, "point": 0.5}.get(name, 1.5 if name.startswith("thumb to") else 0.0)
    assert deepest_overlap(vertices, hand.faces) <= pressed * MILLIMETRE


def test_a_finger_bends_round(hand: HandModel) -> None:
    """No candy wrapper: the girth at a PIP joint bent by 90 degrees is that of the straight one."""
    bent = posed(hand, "PIP 90")
    for name in ("index", "middle", "ring", "pinky"):
        digit, joint = DIGIT[name], first_joint(name) + 1
        local = digit.local(hand.template)
        ring = np.flatnonzero((np.abs(local[:, 0] - digit.knots[1]) < 0.002) & (hand.weights[:, joint] > 0.2))
        side = ring[[np.argmin(local[ring, 1]), np.argmax(local[ring, 1])]]
        back, front = ring[np.argmax(local[ring, 2])], ring[np.argmin(local[ring, 2])]
        before, after = (np.linalg.norm(v[side[1]] - v[side[0]]) for v in (hand.template, bent))
        assert after == pytest.approx(before, rel=0.1)
        before, after = (np.linalg.norm(v[back] - v[front]) for v in (hand.template, bent))
        assert 0.75 * before < after < 1.3 * before


def test_the_thumb_turns_without_wringing(hand: HandModel) -> None:
    """No candy wrapper where the thumb's metacarpal turns about itself in opposition."""
    anatomy, digit = Anatomy(hand), DIGIT["thumb"]
    along = digit.local(hand.template)[:, 0][hand.faces].mean(axis=1)
    own = hand.weights[:, 13:16].sum(axis=1)[hand.faces].mean(axis=1) > 0.5
    skin = hand.faces[own & (along > 0.008) & (along < digit.knots[1])]
    angles = np.zeros((9, len(anatomy)))
    column = anatomy.index("thumb.cmc.rotation")
    angles[:, column] = np.linspace(anatomy.lower[column], anatomy.upper[column], 9)
    volumes = capped_volume(hand.vertices(anatomy.pose_from_dof(angles)), skin)
    np.testing.assert_allclose(volumes, capped_volume(hand.template[None], skin)[0], rtol=0.05)


def test_the_two_hands_are_mirror_images_in_every_posture(hand: HandModel) -> None:
    left = hand.mirrored()
    whole, mirror = (capped_volume(h.template[None], h.faces)[0] for h in (hand, left))
    assert mirror == pytest.approx(whole, rel=1e-12)
    angles = np.stack([Anatomy(hand).angles(posture) for posture in POSTURES.values()])
    right = hand.vertices(Anatomy(hand).pose_from_dof(angles))
    mirrored = left.vertices(Anatomy(left).pose_from_dof(angles))
    np.testing.assert_allclose(mirrored * [-1.0, 1.0, 1.0], right, atol=1e-9)
