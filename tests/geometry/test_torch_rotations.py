"""Rotations in PyTorch against NumPy's, with their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from yaff.geometry import transforms
from yaff.geometry.torch_rotations import rotation_about_axes, rotation_from_axis_angle, skew_matrix

ANGLES = [0.0, 1e-12, 1e-7, 1e-4, 0.0316, 0.03163, 0.1, 1.0, 3.0, np.pi, 5.0]


@pytest.mark.parametrize("angle", ANGLES)
def test_equals_numpy(angle):
    axis = np.array([2.0, -1.0, 2.0]) / 3.0
    ours = rotation_from_axis_angle(torch.tensor(angle * axis)).numpy()
    np.testing.assert_allclose(ours, transforms.rotation_from_axis_angle(angle * axis), atol=2e-16 + 1e-16 * 5)
    fixed = rotation_about_axes(torch.tensor(axis), torch.tensor(angle, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(fixed, ours, atol=1e-15)


@pytest.mark.parametrize("angle", ANGLES)
def test_gradients_equal_finite_differences(angle):
    axis = torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3.0
    vector = (angle * axis)[None].requires_grad_()
    assert torch.autograd.gradcheck(rotation_from_axis_angle, (vector,))
    turn = torch.tensor([angle], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: rotation_about_axes(axis, a), (turn,))


def test_gradient_at_zero_is_the_generator():
    jacobian = torch.autograd.functional.jacobian(rotation_from_axis_angle, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(jacobian.permute(2, 0, 1), skew_matrix(torch.eye(3, dtype=torch.float64)))


def test_second_derivatives_are_finite_at_zero():
    zero = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(rotation_from_axis_angle, (zero,))


def test_axes_broadcast_over_the_batch():
    axes = torch.eye(3, dtype=torch.float64)
    angles = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(4, 3)
    R = rotation_about_axes(axes, angles)
    assert R.shape == (4, 3, 3, 3)
    torch.testing.assert_close(R, rotation_from_axis_angle(axes * angles[..., None]))
