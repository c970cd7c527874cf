"""Patches: a partition of the skin whose regions lie and face where their names say, in any pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from yaff.errors import InputError
from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import Anatomy, HandModel, Patches, load_hand
from yaff.hand.axes import finger_direction, pad_direction, palm_frame
from yaff.hand.model import FINGER_JOINTS, FINGERTIP_VERTICES
from yaff.hand.patches import PALM_REGIONS, PATCH_NAMES, PHALANGES, SIDES, vertex_area_vectors
from yaff.hand.postures import POSTURES


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand()


@pytest.fixture(scope="module")
def patches(hand) -> Patches:
    return Patches.of(hand)


@pytest.fixture(scope="module")
def rest(hand):
    return hand.template[None]


def test_they_are_a_partition(patches):
    parts = [patch.vertices for patch in patches]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(778))
    assert all(len(part) for part in parts)
    assert len(set(patches.names)) == len(patches) == len(PATCH_NAMES)
    for row, patch in enumerate(patches):
        assert (patches.labels[patch.vertices] == row).all()
        assert patches.index(patch.name) == row


def test_names_are_the_vocabulary(patches):
    for finger, phalanges in PHALANGES.items():
        for phalanx in phalanges:
            for side in SIDES:
                assert f"{finger}.{phalanx}.{side}" in patches.names
        assert f"{finger}.distal.tip" in patches.names
    assert {f"palm.{region}" for region in PALM_REGIONS} <= set(patches.names)


def test_selection_by_pattern(patches):
    both = patches.select("index.distal.pad", "palm.*")
    assert set(both) == set(patches["index.distal.pad"].vertices) | set(
        np.concatenate([patches[f"palm.{region}"].vertices for region in PALM_REGIONS])
    )
    assert (np.diff(both) > 0).all()
    assert [patches.names[row] for row in patches.rows("thumb.distal.t*")] == ["thumb.distal.tip"]
    with pytest.raises(InputError, match=r"no patch matches 'index\.nail'"):
        patches.select("index.nail")
    with pytest.raises(InputError, match="no patch 'toe'"):
        _ = patches["toe"]


def test_phalanges_belong_to_their_bones(hand, patches):
    for finger, phalanges in PHALANGES.items():
        chain = FINGER_JOINTS[finger][-len(phalanges) :]
        for phalanx, bone in zip(phalanges, chain, strict=True):
            for side in SIDES:
                assert patches[f"{finger}.{phalanx}.{side}"].bone == bone
    assert patches["palm.thenar"].bone in (0, 13)
    assert patches["palm.centre"].bone == 0


@pytest.mark.parametrize("finger", list(FINGER_JOINTS))
def test_sides_face_where_they_should(hand, patches, rest, finger):
    palm = palm_frame(hand.rest_joints, hand.side)
    pad, along = pad_direction(finger, hand.rest_joints, palm), finger_direction(finger, hand.rest_joints)
    radial = np.cross(along, pad)
    normals, centres = patches.normals(rest)[0], patches.centres(rest)[0]
    for phalanx in PHALANGES[finger]:
        row = {side: patches.index(f"{finger}.{phalanx}.{side}") for side in SIDES}
        assert normals[row["pad"]] @ pad > 0.85
        assert normals[row["dorsal"]] @ pad < -0.85
        assert normals[row["radial"]] @ radial > 0.75
        assert normals[row["ulnar"]] @ radial < -0.75
        assert (centres[row["pad"]] - centres[row["dorsal"]]) @ pad > 0.005
        assert (centres[row["radial"]] - centres[row["ulnar"]]) @ radial > 0.005
    tip = patches.index(f"{finger}.distal.tip")
    assert normals[tip] @ along > 0.8
    assert ((centres[tip] - centres[patches.index(f"{finger}.distal.pad")]) @ along) > 0.005
    label = patches.names[patches.labels[FINGERTIP_VERTICES[finger]]]
    assert label.startswith(f"{finger}.distal.")


def test_the_palm_is_laid_out_as_a_palm(hand, patches, rest):
    palm = palm_frame(hand.rest_joints, hand.side)
    normals, centres = patches.normals(rest)[0], patches.centres(rest)[0] - hand.root()
    row = {region: patches.index(f"palm.{region}") for region in PALM_REGIONS}
    for region in ("thenar", "hypothenar", "centre", "heads"):
        assert normals[row[region]] @ palm.palmar > 0.6
    assert normals[row["dorsal"]] @ palm.palmar < -0.8
    assert normals[row["radial"]] @ palm.radial > 0.5
    assert normals[row["ulnar"]] @ palm.radial < -0.6
    across = {region: centres[k] @ palm.radial for region, k in row.items()}
    out = {region: centres[k] @ palm.distal for region, k in row.items()}
    assert across["thenar"] > across["centre"] > across["hypothenar"]
    assert across["web"] > across["centre"]
    assert out["heads"] > out["centre"] > out["thenar"]
    assert out["heads"] > out["hypothenar"]
    assert out["web"] > out["thenar"]


def test_areas_add_up_to_the_skin(hand, patches):
    rng = np.random.default_rng(0)
    vertices = hand.vertices(rng.normal(0, 0.2, (3, 45)))
    a, b, c = (vertices[:, hand.faces[:, k]] for k in range(3))
    exact = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=2)
    vectors = vertex_area_vectors(hand.faces, vertices)
    looped = np.zeros_like(vectors)
    for k in range(3):
        np.add.at(looped, (slice(None), hand.faces[:, k]), np.cross(b - a, c - a) / 6.0)
    np.testing.assert_allclose(vectors, looped, atol=1e-15)
    areas = patches.areas(vertices)
    assert areas.shape == (3, len(patches))
    np.testing.assert_allclose(areas.sum(1), exact.sum(1), rtol=0.06)  # bent skin: vectors add to a little less
    assert areas.sum(1) @ np.ones(3) <= exact.sum()


def test_measures_follow_the_pose(hand, patches):
    anatomy = Anatomy(hand)
    pose = anatomy.pose_from_dof(anatomy.angles({"index.mcp.flexion": 1.2}))[None]
    turn, shift = np.array([[0.3, -1.0, 0.5]]), np.array([[0.1, 0.2, 0.3]])
    R = rotation_from_axis_angle(turn)[0]
    still, moved = hand.vertices(pose), hand.vertices(pose, turn, shift)
    np.testing.assert_allclose(patches.normals(moved)[0], patches.normals(still)[0] @ R.T, atol=1e-12)
    expected = (patches.centres(still)[0] - hand.root()) @ R.T + hand.root() + shift
    np.testing.assert_allclose(patches.centres(moved)[0], expected, atol=1e-12)
    np.testing.assert_allclose(patches.areas(moved), patches.areas(still), rtol=1e-12)
    # the flexed index's pad looks back at the wrist
    pad = patches.index("index.distal.pad")
    assert patches.normals(still)[0, pad] @ palm_frame(hand.rest_joints, "right").distal < -0.6


def test_the_left_hand_has_the_same_patches(hand, patches):
    np.testing.assert_array_equal(Patches.of(load_hand("left")).labels, patches.labels)


def test_a_hand_without_skin_somewhere_is_refused(hand):
    weights = hand.weights.copy()
    weights[:, 14] += weights[:, 15]
    weights[:, 15] = 0.0
    with pytest.raises(InputError, match=r"no skin for thumb\.distal\.pad, thumb\.distal\.radial"):
        Patches.of(replace(hand, weights=weights))


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky"])
def test_the_thumb_opposes_the_fingers_within_the_limits(hand, patches, finger):
    anatomy = Anatomy(hand)
    dof = anatomy.angles(POSTURES[f"thumb to {'little finger' if finger == 'pinky' else finger}"])
    np.testing.assert_allclose(anatomy.clip(dof), dof, atol=1e-9)
    vertices = hand.vertices(anatomy.pose_from_dof(dof)[None])
    centres, normals = patches.centres(vertices)[0], patches.normals(vertices)[0]
    thumb, other = patches.index("thumb.distal.pad"), patches.index(f"{finger}.distal.pad")
    assert np.linalg.norm(centres[thumb] - centres[other]) < 0.01
    assert normals[thumb] @ normals[other] < -0.4
