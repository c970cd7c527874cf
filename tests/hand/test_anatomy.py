"""Anatomy: exact both ways, right about which way things move, and able to oppose thumb and fingers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yaff.errors import InputError
from yaff.geometry.transforms import rotation_angle, rotation_from_axis_angle
from yaff.hand import Anatomy
from yaff.hand.anatomy import angles_about_axes
from yaff.hand.axes import finger_direction, pad_direction, palm_frame
from yaff.hand.mano_files import read_arrays
from yaff.hand.model import FINGER_JOINTS, mirror_axis_angle

FINGERS = ("index", "middle", "ring", "pinky")


@pytest.fixture(scope="module")
def anatomy(synthetic):
    return Anatomy(synthetic)


def _within(anatomy: Anatomy, n: int, seed: int = 0) -> np.ndarray:
    u = np.random.default_rng(seed).uniform(size=(n, len(anatomy)))
    return anatomy.lower + u * (anatomy.upper - anatomy.lower)


def _joints(model, anatomy, **angles) -> np.ndarray:
    values = {name.replace("__", "."): value for name, value in angles.items()}
    return model.joints(anatomy.pose_from_dof(anatomy.angles(values))[None])[0]


def test_degrees_of_freedom_are_those_of_a_hand(anatomy):
    assert len(anatomy) >= 20
    assert len(set(anatomy.names)) == len(anatomy)
    joints = [freedom.joint for freedom in anatomy.degrees_of_freedom]
    assert joints == sorted(joints)
    assert set(joints) == set(range(1, 16))
    for freedom in anatomy.degrees_of_freedom:
        np.testing.assert_allclose(np.linalg.norm(freedom.axis), 1.0, atol=1e-12)
        assert freedom.lower <= 0.0 < freedom.upper
        assert freedom.source
        assert anatomy.names[anatomy.index(freedom.name)] == freedom.name
    with pytest.raises(InputError, match=r"no degree of freedom 'index.pip.abduction'"):
        anatomy.index("index.pip.abduction")
    with pytest.raises(InputError, match=r"matches 'toe\.\*'"):
        anatomy.angles({"toe.*": 1.0})


def test_a_joint_is_a_chain_of_revolute_joints(anatomy):
    dof = _within(anatomy, 5)
    rotations = anatomy.rotations_from_dof(dof)
    for joint in range(1, 16):
        expected = np.tile(np.eye(3), (5, 1, 1))
        for k, freedom in enumerate(anatomy.degrees_of_freedom):
            if freedom.joint == joint:
                expected = expected @ rotation_from_axis_angle(dof[:, k, None] * freedom.axis)
        np.testing.assert_allclose(rotations[:, joint - 1], expected, atol=1e-14)
    pose = anatomy.pose_from_dof(dof)
    np.testing.assert_allclose(rotation_from_axis_angle(pose.reshape(5, 15, 3)), rotations, atol=1e-14)


def test_angles_come_back_exactly_from_the_pose(anatomy):
    dof = _within(anatomy, 200)
    back, residual = anatomy.dof_from_pose(anatomy.pose_from_dof(dof))
    np.testing.assert_allclose(back, dof, atol=1e-12)
    np.testing.assert_allclose(residual, 0.0, atol=1e-7)
    assert anatomy.violations(anatomy.pose_from_dof(dof)).max() < 1e-12


def test_off_the_manifold_the_nearest_rotation_is_found(anatomy):
    pose = np.random.default_rng(2).normal(0, 0.5, (6, 45))
    dof, residual = anatomy.dof_from_pose(pose)
    target = rotation_from_axis_angle(pose.reshape(6, 15, 3))
    for step in (1e-3, 1e-2, 0.3):
        for k, freedom in enumerate(anatomy.degrees_of_freedom):
            for sign in (-1.0, 1.0):
                moved = dof.copy()
                moved[:, k] += sign * step
                ours = anatomy.rotations_from_dof(moved)[:, freedom.joint - 1]
                angle = rotation_angle(np.swapaxes(ours, 1, 2) @ target[:, freedom.joint - 1])
                assert (angle >= residual[:, freedom.joint - 1] - 1e-9).all()
    np.testing.assert_allclose(residual[:, 12], 0.0, atol=1e-7)  # three axes reach every rotation of the thumb's CMC


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_two_axes_beat_any_other_pair_of_angles(seed):
    rng = np.random.default_rng(seed)
    rotation = rotation_from_axis_angle(rng.normal(0, 0.6, (1, 3)))
    axes = np.eye(3)[:2]

    def remaining(angles):
        product = rotation_from_axis_angle(angles[:, :1] * axes[0]) @ rotation_from_axis_angle(angles[:, 1:] * axes[1])
        return rotation_angle(np.swapaxes(product, 1, 2) @ rotation)

    best = remaining(angles_about_axes(rotation, axes))
    assert best <= remaining(rng.uniform(-np.pi, np.pi, (2000, 2))).min() + 1e-9


def test_batches_of_any_shape(anatomy):
    dof = _within(anatomy, 6).reshape(2, 3, -1)
    pose = anatomy.pose_from_dof(dof)
    assert pose.shape == (2, 3, 45)
    back, residual = anatomy.dof_from_pose(pose)
    np.testing.assert_allclose(back, dof, atol=1e-12)
    assert residual.shape == (2, 3, 15)
    assert anatomy.pose_from_dof(dof[0, 0]).shape == (45,)
    assert np.shape(anatomy.thumb_abduction(pose[0, 0])) == ()


def test_limits_are_measured(anatomy):
    dof = _within(anatomy, 1)[0]
    k = anatomy.index("ring.pip.flexion")
    dof[k] = anatomy.upper[k] + 0.1
    violations = anatomy.violations(anatomy.pose_from_dof(dof))
    np.testing.assert_allclose(violations[k], 0.1, atol=1e-9)
    assert np.delete(violations, k).max() < 1e-9
    np.testing.assert_allclose(anatomy.clip(dof)[k], anatomy.upper[k])


def test_torch_is_equal_and_differentiable(anatomy):
    dof = _within(anatomy, 3)
    rotations = anatomy.rotations_from_dof_torch(torch.tensor(dof))
    np.testing.assert_allclose(rotations.numpy(), anatomy.rotations_from_dof(dof), atol=1e-14)
    single = anatomy.rotations_from_dof_torch(torch.tensor(dof, dtype=torch.float32))
    np.testing.assert_allclose(single.numpy(), rotations.numpy(), atol=1e-6)
    leaf = torch.tensor(dof[:1], requires_grad=True)
    assert torch.autograd.gradcheck(anatomy.rotations_from_dof_torch, (leaf,))


@pytest.mark.parametrize("finger", FINGERS)
def test_fingers_curl_towards_the_palm_and_spread_apart(synthetic, anatomy, finger):
    rest = _joints(synthetic, anatomy)
    chain = FINGER_JOINTS[finger]
    for place, moved in (("mcp", chain[1]), ("pip", chain[2])):
        curled = _joints(synthetic, anatomy, **{f"{finger}__{place}__flexion": np.deg2rad(60)})
        assert curled[moved, 1] < rest[moved, 1] - 0.015  # the palm faces -y
    fist = _joints(synthetic, anatomy, **{f"{finger}__*__flexion": np.deg2rad(80)})
    assert np.linalg.norm(fist[chain[2]] - fist[chain[0]]) < 0.85 * np.linalg.norm(rest[chain[2]] - rest[chain[0]])
    spread = _joints(synthetic, anatomy, **{f"{finger}__mcp__abduction": np.deg2rad(15)})
    away = 1.0 if finger in ("index", "middle") else -1.0
    assert away * (spread[chain[2], 2] - rest[chain[2], 2]) > 0.008  # the thumb is on +z
    assert abs(spread[chain[2], 1] - rest[chain[2], 1]) < 0.004


def test_flexed_fingers_converge(synthetic, anatomy):
    flat = _joints(synthetic, anatomy)
    curl = {"*__mcp__flexion": np.deg2rad(85), "*__pip__flexion": np.deg2rad(80), "thumb*": 0.0}
    bent = _joints(synthetic, anatomy, **curl)
    spread = [np.ptp(joints[[3, 6, 12, 9], 2]) for joints in (flat, bent)]
    assert spread[1] < 0.8 * spread[0]


def test_thumb_moves_as_a_thumb(synthetic, anatomy):
    rest = _joints(synthetic, anatomy)
    before = _joints(synthetic, anatomy, thumb__cmc__abduction=np.deg2rad(40))
    assert before[15, 1] < rest[15, 1] - 0.02
    across = _joints(synthetic, anatomy, thumb__cmc__flexion=np.deg2rad(40))
    assert across[15, 2] < rest[15, 2] - 0.02
    assert abs(across[15, 1] - rest[15, 1]) < 0.01
    palm = palm_frame(synthetic.rest_joints, "right")
    pad = pad_direction("thumb", synthetic.rest_joints, palm)
    along = finger_direction("thumb", synthetic.rest_joints)
    turned = anatomy.rotations_from_dof(anatomy.angles({"thumb.ip.flexion": 0.5}))[14] @ along
    assert turned @ pad > 0.4  # flexion leads to the pad
    abducted = {"thumb.cmc.abduction": np.deg2rad(50)}
    index_pad = anatomy.rotations_from_dof(anatomy.angles({"index.mcp.flexion": np.deg2rad(90)}))[0] @ pad_direction(
        "index", synthetic.rest_joints, palm
    )
    facing = [
        anatomy.rotations_from_dof(anatomy.angles({**abducted, "thumb.cmc.rotation": angle}))[12] @ pad @ index_pad
        for angle in (0.0, np.deg2rad(40))
    ]
    assert facing[1] < facing[0] - 0.3  # pronation turns the pad to face the flexed index


def test_thumb_abducted_or_adducted(anatomy):
    postures = {
        "flat": ({}, False),
        "beside the index": ({"thumb.cmc.flexion": np.deg2rad(40)}, False),
        "across the palm": ({"thumb.cmc.flexion": np.deg2rad(55), "thumb.ip.flexion": 0.5}, False),
        "before the palm": ({"thumb.cmc.abduction": np.deg2rad(50)}, True),
        "opposed": ({"thumb.cmc.abduction": np.deg2rad(40), "thumb.cmc.flexion": 0.5, "thumb.cmc.rotation": 0.5}, True),
    }
    for name, (angles, expected) in postures.items():
        found = anatomy.thumb_is_abducted(anatomy.pose_from_dof(anatomy.angles(angles)))
        assert bool(found) is expected, name


def test_the_left_hand_moves_as_the_mirror_image(synthetic, anatomy):
    left = Anatomy(synthetic.mirrored())
    dof = _within(anatomy, 20)
    assert left.names == anatomy.names
    np.testing.assert_array_equal(left.lower, anatomy.lower)
    np.testing.assert_allclose(left.pose_from_dof(dof), mirror_axis_angle(anatomy.pose_from_dof(dof)), atol=1e-12)
    pose = anatomy.pose_from_dof(dof)
    np.testing.assert_allclose(left.thumb_abduction(mirror_axis_angle(pose)), anatomy.thumb_abduction(pose), atol=1e-12)


@pytest.mark.realdata
def test_published_grasps_are_read_as_their_annotators_meant_them(real_data, anatomy):
    """YCB-Affordance: adducted thumb (4) and hook (15) against wraps, discs, spheres and rings (Feix et al. 2016)."""
    files = sorted((real_data / "ycb_affordance" / "grasps").glob("*.pickle"))
    assert len(files) >= 90
    content = [read_arrays(path) for path in files]
    pose = np.array([entry["mano_pose"][3:] for entry in content], dtype=float)
    kinds = np.array([entry["taxonomy"] for entry in content])
    abducted = anatomy.thumb_is_abducted(pose)
    assert not abducted[np.isin(kinds, (4, 15))].any()
    assert abducted[np.isin(kinds, (1, 3, 6, 11, 12, 26, 28, 31))].all()
    dof, residual = anatomy.dof_from_pose(pose)
    fingers = [k for k, name in enumerate(anatomy.names) if not name.startswith("thumb")]
    assert np.rad2deg(residual[:, :12].mean()) < 3.0  # their fingers' axes are nearly ours
    beyond = np.maximum(anatomy.lower - dof, dof - anatomy.upper)[:, fingers]
    assert (beyond < np.deg2rad(8)).all()
