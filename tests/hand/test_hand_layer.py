"""The PyTorch hand equals the NumPy hand, and its gradients equal finite differences."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import HandLayer


@pytest.fixture
def numbers():
    rng = np.random.default_rng(5)
    return rng.normal(0, 0.5, (4, 45)), rng.normal(0, 2, (4, 3)), rng.normal(0, 0.3, (4, 3)), rng.normal(0, 1, (4, 10))


@pytest.mark.parametrize("shaped", [False, True, "one"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_equals_numpy(synthetic, numbers, dtype, tolerance, shaped):
    pose, wrist, translation, shape = numbers
    beta = {False: None, True: shape, "one": shape[0]}[shaped]
    layer = HandLayer(synthetic, dtype)
    tensors = [torch.tensor(values, dtype=dtype) for values in (pose, wrist, translation)]
    vertices, joints = layer(*tensors, None if beta is None else torch.tensor(beta, dtype=dtype))
    np.testing.assert_allclose(vertices.numpy(), synthetic.vertices(pose, wrist, translation, beta), atol=tolerance)
    np.testing.assert_allclose(joints.numpy(), synthetic.joints(pose, wrist, translation, beta), atol=tolerance)


def test_subset_and_matrices_are_the_same_path(synthetic, numbers):
    pose, wrist, translation, shape = (torch.tensor(values) for values in numbers)
    layer = HandLayer(synthetic, torch.float64)
    whole, _ = layer(pose, wrist, translation, shape)
    rows = [700, 3, 3, 41]
    some, joints = layer.forward_rotations(
        torch.tensor(rotation_from_axis_angle(pose.reshape(-1, 15, 3).numpy())),
        torch.tensor(rotation_from_axis_angle(wrist.numpy())),
        translation,
        shape,
        vertex_indices=torch.tensor(rows),
    )
    torch.testing.assert_close(some, whole[:, rows], rtol=0, atol=1e-14)
    none, same = layer(pose, wrist, translation, shape, vertex_indices=[])
    assert none.shape == (4, 0, 3)
    torch.testing.assert_close(same, joints, rtol=0, atol=1e-14)


def test_bone_transforms_equal_numpy(synthetic, numbers):
    pose, wrist, translation, _ = numbers
    layer = HandLayer(synthetic, torch.float64)
    turns, origins = layer.bone_transforms(
        torch.tensor(rotation_from_axis_angle(pose.reshape(-1, 15, 3))),
        torch.tensor(rotation_from_axis_angle(wrist)),
        torch.tensor(translation),
    )
    T = synthetic.bone_transforms(pose, wrist, translation)
    np.testing.assert_allclose(turns.numpy(), T[:, :, :3, :3], atol=1e-14)
    np.testing.assert_allclose(origins.numpy(), T[:, :, :3, 3], atol=1e-14)


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_gradients_equal_finite_differences(synthetic, numbers, scale):
    layer = HandLayer(synthetic, torch.float64)
    leaves = [torch.tensor(scale * values[:1], requires_grad=True) for values in numbers]
    assert torch.autograd.gradcheck(lambda *a: layer(*a, vertex_indices=[5, 317, 745]), leaves)


def test_importing_the_room_does_not_import_torch():
    check = "import sys, yaff.hand; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_every_exported_name_exists():
    import yaff.hand

    for name in yaff.hand.__all__:
        assert getattr(yaff.hand, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = yaff.hand.nothing
