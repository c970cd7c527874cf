"""Posing a hand in PyTorch as one function whose derivative is written by hand.

Left to automatic differentiation, a hand costs hundreds of small operations and keeps every blended matrix of every
vertex (778 x 12 numbers for each hand). Here the derivative is written out: in compiled loops on a processor
(:mod:`yaff.hand.compiled_posing`), in PyTorch's operations on any other device (:mod:`yaff.hand.tensor_posing`).
Blended matrices are computed again on the way back rather than kept.

The mathematics are MANO's (Romero, Tzionas, Black 2017, eqs. 1-5), with ``[A_j | o_j]`` the pose of bone j in the
object frame, ``J_j`` its joint at rest, ``w`` the weights and ``x_v`` the rest vertex with its blend shapes::

    y_v = M_v (x_v, 1),    M_v = sum_j w_vj [A_j | o_j - A_j J_j]

Vertices lie in the last dimension, ``(n, 3, v)``. Gradients of gradients are not available.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from yaff.hand import compiled_posing, tensor_posing
from yaff.hand.torch_skin import Skin


def pose_hand(
    wrist: Float[Tensor, "n 3"] | Float[Tensor, "n 3 3"],
    fingers: Float[Tensor, "n 45"] | Float[Tensor, "n 15 3 3"],
    translation: Float[Tensor, "n 3"],
    shape: Float[Tensor, "m 10"] | None,
    skin: Skin,
) -> tuple[Float[Tensor, "n v 3"], Float[Tensor, "n 16 3"]]:
    """Vertices and joints in the object frame, metres, differentiable in all but the skin.

    Args:
        wrist: rotation of the wrist in the object frame, axis-angle (radians) or matrices.
        fingers: rotations of the joints relative to the flat hand, MANO's order, in the same form as the wrist's.
        translation: metres, as :class:`~yaff.hand.model.HandModel` takes it.
        shape: coefficients of each hand, of all of them (m = 1), or none for the mean hand.
        skin: the arrays of the v vertices that are wanted, of the device and type of the others.
    """
    if torch.is_grad_enabled():
        return _PosedHand.apply(wrist, fingers, translation, shape, skin)
    return _forward(wrist, fingers, translation, shape, skin)[:2]


Kept = compiled_posing.Kept | tensor_posing.Kept


def on_processor(values: Shaped[Tensor, "..."]) -> bool:
    """Whether compiled loops can read these numbers."""
    return values.device.type == "cpu"


def _forward(
    wrist: Tensor, fingers: Tensor, translation: Tensor, shape: Tensor | None, skin: Skin
) -> tuple[Tensor, Tensor, Kept]:
    if not on_processor(wrist):
        return tensor_posing.forward(wrist, fingers, translation, shape, skin)
    given = wrist.detach(), fingers.detach(), translation.detach(), None if shape is None else shape.detach()
    return compiled_posing.forward(*given, skin)


class _PosedHand(Function):
    """:func:`pose_hand` with its derivative."""

    @staticmethod
    def forward(
        ctx: Any, wrist: Tensor, fingers: Tensor, translation: Tensor, shape: Tensor | None, skin: Skin
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        vertices, joints, kept = _forward(wrist, fingers, translation, shape, skin)
        ctx.skin, ctx.kind = skin, type(kept)
        ctx.save_for_backward(*kept)
        return vertices, joints

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, on_vertices: Tensor | None, on_joints: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        kept: Kept = ctx.kind(*ctx.saved_tensors)
        shaped = kept.shape is not None and ctx.needs_input_grad[3]
        if isinstance(kept, compiled_posing.Kept):
            result = compiled_posing.backward(kept, on_vertices, on_joints, ctx.skin, shaped=shaped)
        else:
            result = tensor_posing.backward(kept, on_vertices, on_joints, ctx.skin, shaped=shaped)
        return *result, None
