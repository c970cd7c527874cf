"""Forward kinematics against a plain transcription of the paper's equations, frames, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from yaff.errors import InputError, PoseError
from yaff.geometry.transforms import apply, make_transform, rotation_from_axis_angle
from yaff.grasp.batch import Grasps
from yaff.hand import FINGERTIP_VERTICES, HandModel
from yaff.hand.model import KEYPOINT_NAMES, mirror_axis_angle


def reference_vertices(model, pose, wrist, translation, shape):
    """One hand, joint by joint and vertex by vertex, as Romero et al. 2017 write it."""
    shaped = model.template + model.shape_directions @ shape
    joints = model.joint_regressor @ shaped
    rotations = [rotation_from_axis_angle(r) for r in np.concatenate([wrist, pose]).reshape(16, 3)]
    feature = np.concatenate([(r - np.eye(3)).ravel() for r in rotations[1:]])
    posed = shaped + model.pose_directions @ feature
    world = [make_transform(rotations[0], joints[0])]
    for j in range(1, 16):
        parent = model.parents[j]
        world.append(world[parent] @ make_transform(rotations[j], joints[j] - joints[parent]))
    result = np.zeros((778, 3))
    for v in range(778):
        blend = sum(model.weights[v, j] * world[j] @ make_transform(np.eye(3), -joints[j]) for j in range(16))
        result[v] = (blend @ np.append(posed[v], 1.0))[:3]
    return result + translation, np.stack(world)


@pytest.fixture
def numbers(rng):
    n = 5
    return (
        rng.normal(0, 0.5, (n, 45)),
        rng.normal(0, 1.5, (n, 3)),
        rng.normal(0, 0.3, (n, 3)),
        rng.normal(0, 1, (n, 10)),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_forward_kinematics_are_those_of_the_paper(synthetic, numbers):
    pose, wrist, translation, shape = numbers
    vertices = synthetic.vertices(pose, wrist, translation, shape)
    bones = synthetic.bone_transforms(pose, wrist, translation, shape)
    for i in range(2):
        expected, world = reference_vertices(synthetic, pose[i], wrist[i], translation[i], shape[i])
        np.testing.assert_allclose(vertices[i], expected, atol=1e-14)
        np.testing.assert_allclose(bones[i, :, :3, :3], world[:, :3, :3], atol=1e-14)
        np.testing.assert_allclose(bones[i, :, :3, 3], world[:, :3, 3] + translation[i], atol=1e-14)
    np.testing.assert_array_equal(synthetic.joints(pose, wrist, translation, shape), bones[:, :, :3, 3])


def test_the_flat_hand_is_the_template(synthetic):
    np.testing.assert_allclose(synthetic.vertices(np.zeros((1, 45)))[0], synthetic.template, atol=1e-15)
    np.testing.assert_allclose(synthetic.joints(np.zeros((1, 45)))[0], synthetic.rest_joints, atol=1e-15)


def test_wrist_moves_the_hand_about_its_root(synthetic, numbers):
    pose, wrist, translation, _ = numbers
    still, moved = synthetic.vertices(pose), synthetic.vertices(pose, wrist, translation)
    root, R = synthetic.root(), rotation_from_axis_angle(wrist)
    expected = (still - root) @ np.swapaxes(R, 1, 2) + root + translation[:, None]
    np.testing.assert_allclose(moved, expected, atol=1e-14)
    T = synthetic.wrist_transform(wrist, translation)
    np.testing.assert_allclose(apply(T, still - root), moved, atol=1e-14)


@pytest.mark.parametrize("shaped", [False, True])
def test_wrist_parameters_invert_the_wrist_transform(synthetic, numbers, shaped):
    _, wrist, translation, shape = numbers
    wrist = wrist / np.linalg.norm(wrist, axis=1, keepdims=True) * 3.0
    beta = shape if shaped else None
    back = synthetic.wrist_parameters(synthetic.wrist_transform(wrist, translation, beta), beta)
    np.testing.assert_allclose(back[0], wrist, atol=1e-12)
    np.testing.assert_allclose(back[1], translation, atol=1e-15)


def test_a_batch_of_grasps_is_its_arrays(synthetic, numbers):
    pose, wrist, translation, shape = (values.astype(np.float32) for values in numbers)
    grasps = Grasps.make("025_mug", pose, wrist, translation, np.ones(len(pose), int), shape=shape)
    np.testing.assert_array_equal(synthetic.vertices(grasps), synthetic.vertices(pose, wrist, translation, shape))
    with pytest.raises(InputError, match="carry their own"):
        synthetic.vertices(grasps, translation=translation)


def test_subsets_chunks_and_one_shape_for_all_change_nothing(synthetic, rng, monkeypatch):
    pose, wrist, translation = rng.normal(0, 0.4, (7, 45)), rng.normal(0, 1, (7, 3)), rng.normal(0, 1, (7, 3))
    shape = rng.normal(0, 1, 10)
    whole = synthetic.vertices(pose, wrist, translation, np.tile(shape, (7, 1)))
    monkeypatch.setattr("yaff.hand.model._CHUNK", 3)
    np.testing.assert_allclose(synthetic.vertices(pose, wrist, translation, shape), whole, atol=1e-15)
    rows = rng.permutation(778)[:40]
    np.testing.assert_allclose(synthetic.vertices(pose, wrist, translation, shape, rows), whole[:, rows], atol=1e-15)
    assert synthetic.vertices(np.zeros((0, 45))).shape == (0, 778, 3)


def test_keypoints_are_joints_and_fingertips_in_manopths_order(synthetic, numbers):
    pose, wrist, translation, _ = numbers
    keypoints = synthetic.keypoints(pose, wrist, translation)
    joints, vertices = synthetic.joints(pose, wrist, translation), synthetic.vertices(pose, wrist, translation)
    order = [0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20]
    tips = vertices[:, [745, 317, 444, 556, 673]]
    np.testing.assert_allclose(keypoints, np.concatenate([joints, tips], 1)[:, order], atol=1e-15)
    assert KEYPOINT_NAMES[4] == "thumb.tip"
    assert KEYPOINT_NAMES[17] == "pinky.mcp"
    assert list(FINGERTIP_VERTICES) == ["thumb", "index", "middle", "ring", "pinky"]


def test_the_mirrored_hand_is_the_mirror_image_in_every_pose(synthetic, numbers):
    pose, wrist, translation, shape = numbers
    left = synthetic.mirrored()
    flip = np.array([-1.0, 1.0, 1.0])
    mirrored = left.vertices(mirror_axis_angle(pose), mirror_axis_angle(wrist), translation * flip, shape)
    np.testing.assert_allclose(mirrored, synthetic.vertices(pose, wrist, translation, shape) * flip, atol=1e-14)
    assert left.side == "left"
    assert left.mirrored().digest == synthetic.digest != left.digest


def test_the_digest_follows_the_arrays_and_they_cannot_change(synthetic):
    again = replace(synthetic)
    assert again.digest == synthetic.digest
    assert len(again.digest) == 64
    moved = synthetic.template.copy()
    moved[0, 0] += 1e-9
    assert replace(synthetic, template=moved).digest != synthetic.digest
    with pytest.raises(ValueError, match="read-only"):
        synthetic.template[0, 0] = 0.0


def _spoilt(model: HandModel, name: str, index, value) -> dict[str, np.ndarray]:
    values = np.array(getattr(model, name))
    values[index] = value
    return {name: values}


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("template", (3, 1), np.nan, "template holds NaN"),
        ("faces", (5, 0), 778, "faces name vertex"),
        ("faces", (5, 0), -1, "faces name vertex"),
        ("weights", (9, slice(None)), 0.0, "row 9 of weights sums to 0"),
        ("joint_regressor", (4, slice(None)), 0.0, "row 4 of joint_regressor sums to 0"),
        ("parents", 3, 1, "parents are"),
    ],
)
def test_bad_arrays_are_refused_by_name(synthetic, name, index, value, message):
    with pytest.raises(InputError, match=message):
        replace(synthetic, **_spoilt(synthetic, name, index, value))


def test_wrist_parameters_refuse_what_is_not_rigid(synthetic):
    with pytest.raises(PoseError, match="not a rotation"):
        synthetic.wrist_parameters(2.0 * np.eye(4)[None])
