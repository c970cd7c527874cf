"""The PyTorch hand equals the NumPy hand, and its gradients equal finite differences."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import HandLayer, torch_skinning


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


@pytest.mark.parametrize("shaped", [False, True, "one"])
@pytest.mark.parametrize("matrices", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-4)])
def test_compiled_loops_equal_tensor_operations(synthetic, numbers, monkeypatch, dtype, tolerance, matrices, shaped):
    """What a processor runs against what any other device runs: vertices, joints and every gradient."""
    layer = HandLayer(synthetic, dtype)
    values = [torch.tensor(v, dtype=dtype).repeat(11, 1) for v in numbers]  # more than a block
    if matrices:
        turns = [rotation_from_axis_angle(v.numpy().reshape(44, -1, 3)) for v in values[:2]]
        values[:2] = torch.tensor(turns[0], dtype=dtype), torch.tensor(turns[1][:, 0], dtype=dtype)
    values[3] = values[3][0] if shaped == "one" else values[3]
    weights = [torch.linspace(-1.0, 1.0, 44 * k * 3, dtype=dtype).view(44, k, 3) for k in (778, 16)]
    results = []
    for compiled in (True, False):
        monkeypatch.setattr(torch_skinning, "on_processor", lambda values, answer=compiled: answer)
        leaves = [v.clone().requires_grad_() for v in (values if shaped else values[:3])]
        posed = (layer.forward_rotations if matrices else layer.forward)(*leaves)
        sum((part * weight).sum() for part, weight in zip(posed, weights, strict=True)).backward()
        results.append([*(part.detach() for part in posed), *(leaf.grad for leaf in leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0])
def test_gradients_of_tensor_operations_equal_finite_differences(synthetic, numbers, monkeypatch, scale):
    monkeypatch.setattr(torch_skinning, "on_processor", lambda values: False)
    layer = HandLayer(synthetic, torch.float64)
    leaves = [torch.tensor(scale * values[:2], requires_grad=True) for values in numbers]
    assert torch.autograd.gradcheck(lambda *a: layer(*a, vertex_indices=[5, 317]), leaves)


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


def test_vertices_asked_for_again_are_those_asked_for(synthetic, numbers):
    """The arrays of a subset are kept between calls, but not when the indices, the dtype or the buffers change."""
    values = [torch.tensor(v) for v in numbers]
    layer, rows = HandLayer(synthetic, torch.float64), torch.tensor([700, 3])
    whole, _ = layer(*values)
    for _ in range(2):
        torch.testing.assert_close(layer(*values, vertex_indices=rows)[0], whole[:, [700, 3]])
    rows[0] = 12
    torch.testing.assert_close(layer(*values, vertex_indices=rows)[0], whole[:, [12, 3]])
    torch.testing.assert_close(layer(*values, vertex_indices=torch.tensor([12, 4]))[0], whole[:, [12, 4]])
    torch.testing.assert_close(layer(*values, vertex_indices=[5])[0], whole[:, [5]])
    layer(*values, vertex_indices=rows)
    single, _ = layer.float()(*(v.float() for v in values), vertex_indices=rows)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), whole[:, [12, 3]], atol=1e-5, rtol=1e-5)


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


@pytest.mark.parametrize("shaped", [False, True, "one"])
@pytest.mark.parametrize("scale", [0.0, 0.05, 1.0, 3.0])
def test_gradients_equal_finite_differences(synthetic, numbers, scale, shaped):
    """At rest, about the place where series take over from sines (0.1 rad), and at poses beyond a person's."""
    layer = HandLayer(synthetic, torch.float64)
    leaves = [torch.tensor(scale * values[:2], requires_grad=True) for values in numbers]
    leaves[3] = {False: None, True: leaves[3], "one": leaves[3][0].detach().requires_grad_()}[shaped]
    assert torch.autograd.gradcheck(lambda *a: layer(*a, vertex_indices=[5, 317, 745]), leaves)


@pytest.mark.parametrize("part", [0, 1])
def test_gradients_through_matrices_and_through_one_result_alone(synthetic, numbers, part):
    """Rotation matrices need not be rotations for their derivative; vertices or joints alone may be asked for."""
    layer = HandLayer(synthetic, torch.float64)
    pose, wrist, translation, shape = (torch.tensor(values[:1]) for values in numbers)
    leaves = [
        torch.tensor(rotation_from_axis_angle(pose.reshape(1, 15, 3).numpy()), requires_grad=True),
        torch.tensor(rotation_from_axis_angle(wrist.numpy()), requires_grad=True),
        translation.requires_grad_(),
        shape.requires_grad_(),
    ]
    assert torch.autograd.gradcheck(lambda *a: layer.forward_rotations(*a, vertex_indices=[0, 444])[part], leaves)


def test_gradients_of_the_bones_equal_finite_differences(synthetic, numbers):
    layer = HandLayer(synthetic, torch.float64)
    pose, wrist, translation, _ = (torch.tensor(values[:1]) for values in numbers)
    turns = torch.tensor(rotation_from_axis_angle(pose.reshape(1, 15, 3).numpy()), requires_grad=True)
    root = torch.tensor(rotation_from_axis_angle(wrist.numpy()), requires_grad=True)
    assert torch.autograd.gradcheck(layer.bone_transforms, (turns, root, translation.requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [0, 1, 4096])
def test_any_number_of_hands(synthetic, n, dtype):
    """Each hand by itself gives what it gives among 4,096: blocks and paths for few hands change nothing."""
    generator = torch.Generator().manual_seed(0)
    layer, rows = HandLayer(synthetic, dtype), list(range(0, 778, 40))
    sizes = ((n, 45), (n, 3), (n, 3), (n, 10))
    leaves = [torch.randn(size, dtype=dtype, generator=generator).mul_(0.4).requires_grad_() for size in sizes]
    vertices, joints = layer(*leaves, vertex_indices=rows)
    assert vertices.shape == (n, len(rows), 3)
    assert joints.shape == (n, 16, 3)
    assert vertices.dtype == dtype
    (vertices.square().sum() + joints.sum()).backward()
    assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    for row in {0, n // 3, n - 1} if n else set():
        alone = [leaf[row : row + 1].detach().requires_grad_() for leaf in leaves]
        one, its_joints = layer(*alone, vertex_indices=rows)
        torch.testing.assert_close(one[0], vertices[row], rtol=0, atol=tolerance)
        (one.square().sum() + its_joints.sum()).backward()
        for leaf, whole in zip(alone, leaves, strict=True):
            torch.testing.assert_close(leaf.grad[0], whole.grad[row], rtol=tolerance * 100, atol=tolerance * 100)
    with torch.no_grad():
        torch.testing.assert_close(layer(*leaves, vertex_indices=rows)[0], vertices, rtol=0, atol=tolerance)


def test_importing_the_room_does_not_import_torch():
    check = "import sys, yaff.hand; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_every_exported_name_exists():
    import yaff.hand

    for name in yaff.hand.__all__:
        assert getattr(yaff.hand, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = yaff.hand.nothing
