"""Posing a hand in PyTorch as one function whose derivative is written by hand.

Left to automatic differentiation, a hand costs hundreds of small operations and keeps every blended matrix of every
vertex (778 x 12 numbers for each hand). Here the derivative is written out: few operations for one hand, and for many
hands blocks that stay in the processor's cache. Blended matrices are computed again on the way back rather than kept.

The mathematics are MANO's (Romero, Tzionas, Black 2017, eqs. 1-5), with ``[A_j | o_j]`` the pose of bone j in the
object frame, ``J_j`` its joint at rest, ``w`` the weights and ``x_v`` the rest vertex with its blend shapes::

    y_v = M_v (x_v, 1),    M_v = sum_j w_vj [A_j | o_j - A_j J_j]

Vertices lie in the last dimension, ``(n, 3, v)``, so that products over bones and blend shapes are matrix products and
all else runs along contiguous memory. Bones are in *level order* here: wrist, the first joints of the five fingers, the
second, the third (:data:`LEVEL_ORDER`), so that a level is a slice. Gradients of gradients are not available.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from yaff.hand.model import HandModel

LEVEL_ORDER: tuple[int, ...] = (0, *(1 + 3 * finger + level for level in range(3) for finger in range(5)))
"""MANO's joint at each place of the level order."""

_BLOCK = 32
"""Hands at a time on a processor: 32 x 778 x 12 blended numbers are about 1 MB. Other devices take all at once."""


class Skin(NamedTuple):
    """The constant arrays of a hand, for all of its vertices or for some; v of them."""

    template: Float[Tensor, "3v"]
    """Rest vertices as (3, v), less the pose blend shapes of the identity, which then need not be subtracted."""
    directions: Float[Tensor, "145 3v"]
    """Pose blend shapes (135), then shape blend shapes (10), of each (3, v)."""
    weights: Float[Tensor, "16 v"]
    """Level order."""
    skeleton: Float[Tensor, "93"]
    """Joints at rest (16, 3), then the step to each from its parent (15, 3); level order."""
    skeleton_directions: Float[Tensor, "10 93"]
    """What a unit of each shape coefficient does to the skeleton."""
    squares: Float[Tensor, "16 9"]
    """The rotation matrix of a quaternion q (wxyz) is this applied to the products of its parts, ``q q^T``."""
    order: Int[Tensor, "16"]
    """The place in level order of each of MANO's joints."""

    @classmethod
    def of(cls, model: HandModel) -> Skin:
        """The arrays of a hand, float64."""
        order = list(LEVEL_ORDER)
        parents = [-1, *([0] * 5), *range(1, 11)]
        joints = model.rest_joints[order]
        by_shape = np.einsum("jv,vck->kjc", model.joint_regressor, model.shape_directions)[:, order]
        skeleton = np.concatenate([joints, joints[1:] - joints[parents[1:]]])
        skeleton_directions = np.concatenate([by_shape, by_shape[:, 1:] - by_shape[:, parents[1:]]], 1)
        directions = np.concatenate([model.pose_directions, model.shape_directions], 2)
        template = model.template - model.pose_directions @ np.tile(np.eye(3).ravel(), 15)
        arrays = (
            template.T.ravel(),
            directions.transpose(2, 1, 0).reshape(145, -1),
            model.weights[:, order].T,
            skeleton.ravel(),
            skeleton_directions.reshape(10, 93),
            _squares(),
            np.argsort(order),
        )
        return cls(*(torch.tensor(np.ascontiguousarray(values)) for values in arrays))

    def rows(self, rows: Tensor) -> Skin:
        """Of these vertices only."""
        template = self.template.unflatten(0, (3, -1))[:, rows].flatten()
        directions = self.directions.unflatten(1, (3, -1))[:, :, rows].flatten(1)
        return self._replace(template=template, directions=directions, weights=self.weights[:, rows])

    def joints_and_steps(self, shape: Tensor | None) -> tuple[Float[Tensor, "m 16 3"], Float[Tensor, "m 15 3"]]:
        """Joints at rest of shaped hands and the steps between them; m = 1 for none."""
        skeleton = self.skeleton[None] if shape is None else torch.addmm(self.skeleton, shape, self.skeleton_directions)
        skeleton = skeleton.view(-1, 31, 3)
        return skeleton[:, :16], skeleton[:, 16:]


def bone_poses(
    wrist: Float[Tensor, "n 3 3"],
    rotations: Float[Tensor, "n 15 3 3"],
    translation: Float[Tensor, "n 3"],
    joints: Float[Tensor, "m 16 3"],
    steps: Float[Tensor, "m 15 3"],
) -> tuple[Float[Tensor, "n 16 3 4"], Float[Tensor, "n 3 5 3 4"]]:
    """``[A_j | o_j]`` of the 16 bones in level order, and ``[R_j | step]`` of the levels.

    ``A = A_parent R`` and ``o = o_parent + A_parent step``. Rotations come in MANO's order.
    """
    n = len(wrist)
    offsets = steps.view(-1, 3, 5, 3, 1).expand(n, -1, -1, -1, -1)
    local = torch.cat([rotations.reshape(n, 5, 3, 3, 3).transpose(1, 2), offsets], -1)
    squared = torch.constant_pad_nd(local, (0, 0, 0, 1))  # homogeneous: a level is then one product
    squared[..., 3, 3] = 1.0
    parent = torch.cat([wrist, (joints[:, 0] + translation)[:, :, None]], -1)[:, None]
    bones = [parent]
    for step in squared.unbind(1):
        parent = parent @ step
        bones.append(parent)
    return torch.cat(bones, 1), local


class _Kept(NamedTuple):
    """What the derivative needs of a posed hand."""

    turns: _Turns | None
    joints: Tensor
    bones: Tensor
    local: Tensor
    transforms: Tensor
    rest: Tensor
    shape: Tensor | None


def pose_hand(
    wrist: Tensor, fingers: Tensor, translation: Tensor, shape: Tensor | None, skin: Skin
) -> tuple[Tensor, Tensor]:
    """Vertices (n, v, 3) and joints (n, 16, 3), MANO's order, of poses, translation and shape.

    Wrist and fingers are given by axis-angle, (n, 3) and (n, 45), or by matrices, (n, 3, 3) and (n, 15, 3, 3); shape is
    (n, 10), (1, 10) for all, or none.
    """
    if torch.is_grad_enabled():
        return _PosedHand.apply(wrist, fingers, translation, shape, skin)
    return _forward(wrist, fingers, translation, shape, skin)[:2]


def _forward(
    wrist: Tensor, fingers: Tensor, translation: Tensor, shape: Tensor | None, skin: Skin
) -> tuple[Tensor, Tensor, _Kept]:
    n, v = len(wrist), skin.weights.shape[1]
    turns, root, rotations = None, wrist, fingers
    if wrist.dim() == 2:
        turns = _Turns.of(torch.cat([wrist, fingers], 1).view(-1, 3), skin)
        matrices = turns.rotations.view(n, 16, 3, 3)
        root, rotations = matrices[:, 0], matrices[:, 1:]
    joints, steps = skin.joints_and_steps(shape)
    bones, local = bone_poses(root, rotations, translation, joints, steps)
    shift = (bones[..., :3] * joints[:, :, None]).sum(-1, keepdim=True)
    transforms = torch.cat([bones[..., :3], bones[..., 3:] - shift], -1)
    transforms = transforms.view(n, 16, 12).transpose(1, 2).reshape(-1, 16)
    features, template, directions = rotations.flatten(1), skin.template, skin.directions
    if shape is not None and len(shape) == n:
        features = torch.cat([features, shape], 1)
    else:
        directions = directions[:135]
        if shape is not None:
            template = torch.addmv(template, skin.directions[135:].T, shape[0])
    vertices, rest = wrist.new_empty(n, 3, v), wrist.new_empty(n, 1, 3, v)
    room = wrist.new_empty(min(n, _size(wrist)), 3, 4, v)
    for part in _blocks(wrist):
        torch.addmm(template, features[part], directions, out=rest[part].flatten(1))
        columns = _blend(transforms, part, skin, room).unbind(2)
        coordinates, out = rest[part].unbind(2), vertices[part]
        torch.addcmul(columns[3], columns[0], coordinates[0], out=out)
        out.addcmul_(columns[1], coordinates[1]).addcmul_(columns[2], coordinates[2])
    joints_now = bones[:, :, :, 3].index_select(1, skin.order)
    return vertices.transpose(1, 2), joints_now, _Kept(turns, joints, bones, local, transforms, rest, shape)


class _PosedHand(Function):
    """:func:`pose_hand` with its derivative."""

    @staticmethod
    def forward(
        ctx: Any, wrist: Tensor, fingers: Tensor, translation: Tensor, shape: Tensor | None, skin: Skin
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        vertices, joints, kept = _forward(wrist, fingers, translation, shape, skin)
        ctx.skin, ctx.turns = skin, kept.turns
        ctx.save_for_backward(*kept[1:])
        return vertices, joints

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, on_vertices: Tensor | None, on_joints: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        joints, bones, local, transforms, rest, shape = ctx.saved_tensors
        skin: Skin = ctx.skin
        n, v = len(bones), skin.weights.shape[1]
        shaped = shape is not None and ctx.needs_input_grad[3]
        if on_vertices is None:
            on_bones, on_features = bones.new_zeros(n, 16, 3, 4), bones.new_zeros(n, 145)
            on_rest_joints = bones.new_zeros(n, 16, 3)
        else:
            directions = skin.directions if shaped else skin.directions[:135]
            on_transforms = bones.new_empty(n, 12, 16)
            on_features = bones.new_empty(n, len(directions))
            room, spare = (bones.new_empty(min(n, _size(bones)), 3, 4, v) for _ in range(2))
            for part in _blocks(bones):
                pull = on_vertices[part].transpose(1, 2).contiguous()
                product = spare[: len(pull)]
                torch.mul(pull[:, :, None], rest[part], out=product[:, :, :3])
                product[:, :, 3] = pull
                torch.mm(product.flatten(0, 2), skin.weights.T, out=on_transforms[part].flatten(0, 1))
                blended = _blend(transforms, part, skin, room)[:, :, :3]
                on_rest = blended[:, 0] * pull[:, :1]
                on_rest.addcmul_(blended[:, 1], pull[:, 1:2]).addcmul_(blended[:, 2], pull[:, 2:])
                torch.mm(on_rest.flatten(1), directions.T, out=on_features[part])
            # of [A | o - A J]
            on_bones = on_transforms.transpose(1, 2).reshape(n, 16, 3, 4)
            on_bones[..., :3].addcmul_(on_bones[..., 3:], joints[:, :, None], value=-1.0)
            on_rest_joints = -(bones[..., :3].transpose(-1, -2) @ on_bones[..., 3:])[..., 0] if shaped else None
        if on_joints is not None:
            on_bones[:, skin.order, :, 3] += on_joints

        on_local = _chain_backward(on_bones, bones, local)
        on_root = on_bones[:, 0]
        on_rotations = on_local[..., :3].transpose(1, 2).reshape(n, 15, 3, 3) + on_features[:, :135].view(n, 15, 3, 3)
        on_translation = on_root[..., 3]
        on_shape = None
        if shape is not None and shaped and on_rest_joints is not None:
            on_rest_joints[:, 0] += on_translation
            on_skeleton = torch.cat([on_rest_joints.flatten(1), on_local[..., 3].reshape(n, 45)], 1)
            on_shape = torch.addmm(on_features[:, 135:], on_skeleton, skin.skeleton_directions.T)
            if len(shape) != n:
                on_shape = on_shape.sum(0, keepdim=True)
        if ctx.turns is None:
            return on_root[..., :3], on_rotations, on_translation, on_shape, None
        both = torch.cat([on_root[:, None, :, :3], on_rotations], 1)
        on_vectors = ctx.turns.backward(both.view(-1, 9), skin).view(n, 48)
        return on_vectors[:, :3], on_vectors[:, 3:], on_translation, on_shape, None


def _size(values: Tensor) -> int:
    """Hands in a block."""
    return _BLOCK if values.device.type == "cpu" else max(len(values), 1)


def _blocks(values: Tensor) -> list[slice]:
    size = _size(values)
    return [slice(start, start + size) for start in range(0, len(values), size)]


def _blend(transforms: Tensor, part: slice, skin: Skin, room: Tensor) -> Float[Tensor, "n 3 4 v"]:
    """The bones' transforms weighted for each vertex, in a place that is used again and again."""
    rows = transforms[12 * part.start : 12 * part.stop]
    result = room[: len(rows) // 12]
    torch.mm(rows, skin.weights, out=result.flatten(0, 2))
    return result


def _chain_backward(on_bones: Tensor, bones: Tensor, local: Tensor) -> Float[Tensor, "n 3 5 3 4"]:
    """Gradients on ``[R | step]`` of the levels; those on the bones are handed down to the root in place."""
    on_local = torch.empty_like(local)
    for level in (2, 1, 0):
        here = on_bones[:, 1 + 5 * level : 6 + 5 * level]
        above = slice(5 * level - 4, 5 * level + 1) if level else slice(0, 1)
        on_local[:, level] = bones[:, above, :, :3].transpose(-1, -2) @ here
        handed = torch.cat([here @ local[:, level].transpose(-1, -2), here[..., 3:]], -1)
        on_bones[:, above] += handed if level else handed.sum(1, keepdim=True)
    return on_local


def _squares() -> Float[np.ndarray, "16 9"]:
    """Symmetric in the two parts: R = (w^2 - u.u) I + 2 u u^T + 2 w [u] of q = (w, u)."""
    result = np.zeros((4, 4, 3, 3))
    for i in range(3):
        result[0, 0, i, i] = 1.0
        for k in range(3):
            result[1 + k, 1 + k, i, i] -= 1.0
            result[1 + i, 1 + k, i, k] += 1.0
            result[1 + k, 1 + i, i, k] += 1.0
    for k, (row, column) in enumerate(((2, 1), (0, 2), (1, 0))):
        for a, b in ((0, 1 + k), (1 + k, 0)):
            result[a, b, row, column] += 1.0
            result[a, b, column, row] -= 1.0
    return result.reshape(16, 9)


class _Turns(NamedTuple):
    """Rotations of axis-angle vectors, through quaternions ``(cos t/2, s v)`` with ``s = sin(t/2) / t``."""

    rotations: Float[Tensor, "m 9"]
    vectors: Float[Tensor, "m 3"]
    angle: Float[Tensor, "m 1"]
    scale: Float[Tensor, "m 1"]
    quaternions: Float[Tensor, "m 4"]

    @classmethod
    def of(cls, vectors: Tensor, skin: Skin) -> _Turns:
        angle = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        half = 0.5 * angle
        scale = torch.sinc(half / torch.pi) * 0.5  # smooth at zero
        quaternions = torch.cat([half.cos(), scale * vectors], 1)
        products = (quaternions[:, :, None] * quaternions[:, None]).view(-1, 16)
        return cls(products @ skin.squares, vectors, angle, scale, quaternions)

    def backward(self, on_rotations: Float[Tensor, "m 9"], skin: Skin) -> Float[Tensor, "m 3"]:
        """Gradient on the vectors."""
        on_products = (on_rotations @ skin.squares.T).view(-1, 4, 4)
        on_quaternions = 2.0 * (on_products @ self.quaternions[:, :, None])[..., 0]
        square, scale, on_axis = self.angle * self.angle, self.scale, on_quaternions[:, 1:]
        # ds/dt / t, by its series near zero, where the difference cancels
        small = square < 0.01
        series = square * (1 / 960 - square * (1 / 107520 - square / 23224320)) - 1 / 24
        slope = torch.where(small, series, (0.5 * self.quaternions[:, :1] - scale) / square.masked_fill(small, 1.0))
        along = slope * (self.vectors * on_axis).sum(-1, keepdim=True) - 0.5 * scale * on_quaternions[:, :1]
        return torch.addcmul(scale * on_axis, along, self.vectors)
