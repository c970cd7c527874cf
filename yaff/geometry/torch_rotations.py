"""Rotations in PyTorch: the differentiable twins of :mod:`yaff.geometry.transforms`."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def rotation_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrices of axis-angle vectors (radians), by Rodrigues' formula.

    Value and gradients are smooth at zero: sin(t)/t and (1 - cos t)/t^2 are functions of t^2, taken from
    their series below 0.03 rad (error below one unit of float64 rounding), so that no square root of zero is
    differentiated.
    """
    square = (axis_angle * axis_angle).sum(-1)
    small = square < 1e-3
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    near = torch.where(small, square, torch.zeros_like(square))
    sine_ratio = torch.where(
        small,
        1.0 - near / 6.0 * (1.0 - near / 20.0 * (1.0 - near / 42.0 * (1.0 - near / 72.0))),
        angle.sin() / angle,
    )
    cosine_ratio = torch.where(
        small,
        0.5 * (1.0 - near / 12.0 * (1.0 - near / 30.0 * (1.0 - near / 56.0 * (1.0 - near / 90.0)))),
        2.0 * (0.5 * angle).sin() ** 2 / safe,
    )
    skew = skew_matrix(axis_angle)
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine_ratio[..., None, None] * skew + cosine_ratio[..., None, None] * (skew @ skew)


def rotation_about_axes(axes: Float[Tensor, "*axes 3"], angles: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotations by ``angles`` (radians) about fixed unit ``axes``, whose leading dimensions broadcast to the
    angles'.
    """
    skew = skew_matrix(axes)
    identity = torch.eye(3, dtype=angles.dtype, device=angles.device)
    versine = 2.0 * (0.5 * angles).sin() ** 2
    return identity + angles.sin()[..., None, None] * skew + versine[..., None, None] * (skew @ skew)


def skew_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix ``[v]`` with ``[v] @ u == cross(v, u)``."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
