"""Posing a hand and its derivative in PyTorch's own operations, for devices that no compiled loop runs on.

Vertices lie in the last dimension, ``(n, 3, v)``, so that products over bones and blend shapes are matrix products and
all else runs along contiguous memory. :mod:`yaff.hand.compiled_posing` does the same on a processor.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from yaff.hand.torch_skin import Skin


class Kept(NamedTuple):
    """What the derivative needs of n posed hands; bones in level order, metres."""

    vectors: Float[Tensor, "16*n 3"] | None
    """Axis-angle of all joints, its angles, the scales and the quaternions; none where matrices came."""
    angle: Float[Tensor, "16*n 1"] | None
    scale: Float[Tensor, "16*n 1"] | None
    quaternions: Float[Tensor, "16*n 4"] | None
    joints: Float[Tensor, "m 16 3"]
    """Joints at rest, of each hand or of all (m = 1)."""
    bones: Float[Tensor, "n 16 3 4"]
    """``[A_j | o_j]``, the pose of each bone."""
    local: Float[Tensor, "n 3 5 3 4"]
    """``[R_j | step]`` of the levels, relative to the parent."""
    transforms: Float[Tensor, "12*n 16"]
    """``[A_j | o_j - A_j J_j]``, twelve rows of a hand."""
    rest: Float[Tensor, "n 1 3 v"]
    """Vertices at rest with their blend shapes."""
    shape: Float[Tensor, "m 10"] | None


def forward(
    wrist: Float[Tensor, "n 3"] | Float[Tensor, "n 3 3"],
    fingers: Float[Tensor, "n 45"] | Float[Tensor, "n 15 3 3"],
    translation: Float[Tensor, "n 3"],
    shape: Float[Tensor, "m 10"] | None,
    skin: Skin,
) -> tuple[Float[Tensor, "n v 3"], Float[Tensor, "n 16 3"], Kept]:
    """Vertices and joints (object frame, metres), and what :func:`backward` needs.

    The arguments are those of :func:`yaff.hand.torch_skinning.pose_hand`; m is n, or 1 for one shape of all hands.
    """
    n, v = len(wrist), skin.weights.shape[1]
    turns, root, rotations = None, wrist, fingers
    if wrist.dim() == 2:
        turns = _Turns.of(torch.cat([wrist, fingers], 1).view(-1, 3))
        matrices = turns.rotations(skin).view(n, 16, 3, 3)
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
    rest = torch.addmm(template, features, directions).view(n, 1, 3, v)
    columns, coordinates = _blended(transforms, skin).unbind(2), rest.unbind(2)
    vertices = torch.addcmul(columns[3], columns[0], coordinates[0])
    vertices.addcmul_(columns[1], coordinates[1]).addcmul_(columns[2], coordinates[2])
    joints_now = bones[:, :, :, 3].index_select(1, skin.order)
    parts = (None, None, None, None) if turns is None else turns
    kept = Kept(*parts, joints, bones, local, transforms, rest, shape)
    return vertices.transpose(1, 2), joints_now, kept


def backward(
    kept: Kept,
    on_vertices: Float[Tensor, "n v 3"] | None,
    on_joints: Float[Tensor, "n 16 3"] | None,
    skin: Skin,
    *,
    shaped: bool,
) -> tuple[
    Float[Tensor, "n 3"] | Float[Tensor, "n 3 3"],
    Float[Tensor, "n 45"] | Float[Tensor, "n 15 3 3"],
    Float[Tensor, "n 3"],
    Float[Tensor, "m 10"] | None,
]:
    """Gradients on wrist, fingers, translation and, where ``shaped``, on shape, each as :func:`forward` took it.

    Args:
        kept: from :func:`forward`.
        on_vertices: the gradient on the vertices; none where nothing depends on them.
        on_joints: the gradient on the joints, likewise.
        skin: the one that the hands were posed with.
        shaped: whether the gradient on the shape is wanted.
    """
    joints, bones, local, shape = kept.joints, kept.bones, kept.local, kept.shape
    n = len(bones)
    if on_vertices is None:
        on_bones, on_features = bones.new_zeros(n, 16, 3, 4), bones.new_zeros(n, 145)
        on_rest_joints = bones.new_zeros(n, 16, 3)
    else:
        pull = on_vertices.transpose(1, 2).contiguous()
        product = torch.cat([pull[:, :, None] * kept.rest, pull[:, :, None]], 2)
        on_transforms = (product.flatten(0, 2) @ skin.weights.T).view(n, 12, 16)
        on_rest = (_blended(kept.transforms, skin)[:, :, :3] * pull[:, :, None]).sum(1)
        on_features = on_rest.flatten(1) @ (skin.directions if shaped else skin.directions[:135]).T
        # of [A | o - A J]
        on_bones = on_transforms.transpose(1, 2).reshape(n, 16, 3, 4)
        on_bones[..., :3].addcmul_(on_bones[..., 3:], joints[:, :, None], value=-1.0)
        on_rest_joints = -(bones[..., :3].transpose(-1, -2) @ on_bones[..., 3:])[..., 0]
    if on_joints is not None:
        on_bones[:, skin.order, :, 3] += on_joints
    on_local = _chain_backward(on_bones, bones, local)
    on_root = on_bones[:, 0]
    on_rotations = on_local[..., :3].transpose(1, 2).reshape(n, 15, 3, 3) + on_features[:, :135].view(n, 15, 3, 3)
    on_translation = on_root[..., 3]
    on_shape = None
    if shape is not None and shaped:
        on_rest_joints[:, 0] += on_translation
        on_skeleton = torch.cat([on_rest_joints.flatten(1), on_local[..., 3].reshape(n, 45)], 1)
        on_shape = torch.addmm(on_features[:, 135:], on_skeleton, skin.skeleton_directions.T)
        if len(shape) != n:
            on_shape = on_shape.sum(0, keepdim=True)
    if kept.vectors is None:
        return on_root[..., :3], on_rotations, on_translation, on_shape
    both = torch.cat([on_root[:, None, :, :3], on_rotations], 1)
    turns = _Turns(*kept[:4])  # pyright: ignore[reportArgumentType]
    on_vectors = turns.backward(both.view(-1, 9), skin).view(n, 48)
    return on_vectors[:, :3], on_vectors[:, 3:], on_translation, on_shape


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


def _blended(transforms: Tensor, skin: Skin) -> Float[Tensor, "n 3 4 v"]:
    """The bones' transforms weighted for each vertex; cheap enough to compute again rather than keep."""
    return (transforms @ skin.weights).view(-1, 3, 4, skin.weights.shape[1])


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


class _Turns(NamedTuple):
    """Rotations of axis-angle vectors, through quaternions ``(cos t/2, s v)`` with ``s = sin(t/2) / t``."""

    vectors: Float[Tensor, "m 3"]
    angle: Float[Tensor, "m 1"]
    scale: Float[Tensor, "m 1"]
    quaternions: Float[Tensor, "m 4"]

    @classmethod
    def of(cls, vectors: Float[Tensor, "m 3"]) -> _Turns:
        angle = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
        half = 0.5 * angle
        scale = torch.sinc(half / torch.pi) * 0.5  # smooth at zero
        return cls(vectors, angle, scale, torch.cat([half.cos(), scale * vectors], 1))

    def rotations(self, skin: Skin) -> Float[Tensor, "m 9"]:
        """The matrices."""
        return (self.quaternions[:, :, None] * self.quaternions[:, None]).view(-1, 16) @ skin.squares

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
