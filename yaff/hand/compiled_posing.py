"""Posing a hand and its derivative on a processor: compiled loops, and matrix products for bones and blend shapes.

A hand is small: of its time in PyTorch's own operations (:mod:`yaff.hand.tensor_posing`) most goes into calling them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from yaff.hand import posing_loops
from yaff.hand.torch_skin import Skin

_BLOCK = 32
"""Hands at a time: 32 x 778 x 12 blended numbers are about 1 MB, which stays in the cache."""


class Kept(NamedTuple):
    """What the derivative needs of n posed hands; bones in level order, metres."""

    vectors: Float[Tensor, "n 48"] | None
    """Axis-angle of all joints; none where matrices came."""
    table: Float[Tensor, "n k"]
    """Rotation matrices of the joints (144), then the shape where there is one for each hand (k = 144 or 154)."""
    skeleton: Float[Tensor, "m 31 3"]
    """Joints at rest and the steps between them, of each hand or of all (m = 1)."""
    bones: Float[Tensor, "n 16 3 4"]
    """``[A_j | o_j]``, the pose of each bone."""
    transforms: Float[Tensor, "n 12 16"]
    """``[A_j | o_j - A_j J_j]``, twelve numbers of each bone."""
    rest: Float[Tensor, "n 3 v"]
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
    own_shape = shape is not None and len(shape) == n
    table = wrist.new_empty(n, 154 if own_shape else 144)
    vectors = None
    if wrist.dim() == 2:
        vectors = torch.cat([wrist, fingers], 1)
        posing_loops.turn(vectors.numpy(), table.numpy())
    else:
        table[:, :9], table[:, 9:144] = wrist.flatten(1), fingers.flatten(1)
    template, directions = skin.template, skin.directions
    if shape is None:
        skeleton = skin.skeleton.view(1, 31, 3)
        directions = directions[:135]
    elif own_shape:
        table[:, 144:] = shape
        skeleton = torch.addmm(skin.skeleton, shape, skin.skeleton_directions).view(n, 31, 3)
    else:
        skeleton = torch.addmm(skin.skeleton, shape, skin.skeleton_directions).view(1, 31, 3)
        template = torch.addmv(template, directions[135:].T, shape[0])
        directions = directions[:135]
    bones, transforms = wrist.new_empty(n, 16, 3, 4), wrist.new_empty(n, 12, 16)
    joints, vertices = wrist.new_empty(n, 16, 3), wrist.new_empty(n, 3, v)
    posing_loops.place_bones(
        table.numpy(),
        skeleton.numpy(),
        translation.contiguous().numpy(),
        bones.numpy(),
        transforms.numpy(),
        joints.numpy(),
    )
    rest = torch.addmm(template, table[:, 9:], directions).view(n, 3, v)
    room = wrist.new_empty(min(n, _BLOCK), 3, 4, v)
    spaces = rest.numpy(), vertices.numpy(), room.numpy()
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        count = _blend(transforms[part], skin, room)
        posing_loops.move_skin(spaces[2][:count], spaces[0][part], spaces[1][part])
    return vertices.transpose(1, 2), joints, Kept(vectors, table, skeleton, bones, transforms, rest, shape)


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
    bones, rest = kept.bones, kept.rest
    n, v = len(bones), skin.weights.shape[1]
    on_joints = bones.new_zeros(n, 16, 3) if on_joints is None else on_joints.contiguous()
    directions = skin.directions if shaped else skin.directions[:135]
    # nine columns for the wrist, which no blend shape follows
    on_features = bones.new_zeros(n, 9 + len(directions))
    if on_vertices is None:
        on_transforms = bones.new_zeros(n, 12, 16)
    else:
        on_transforms = bones.new_empty(n, 12, 16)
        size = min(n, _BLOCK)
        room, on_blended, on_rest = (bones.new_empty(size, *tail, v) for tail in ((3, 4), (3, 4), (3,)))
        spaces = room.numpy(), on_blended.numpy(), on_rest.numpy()
        for start in range(0, n, _BLOCK):
            part = slice(start, start + _BLOCK)
            count = _blend(kept.transforms[part], skin, room)
            blended, on_blend, on_skin = (space[:count] for space in spaces)
            pull = on_vertices[part].transpose(1, 2).contiguous()
            posing_loops.move_skin_backward(blended, rest[part].numpy(), pull.numpy(), on_blend, on_skin)
            torch.mm(on_blended[:count].flatten(0, 2), skin.weights.T, out=on_transforms[part].flatten(0, 1))
            on_features[part, 9:] = on_rest[:count].flatten(1) @ directions.T
    on_translation, on_skeleton = bones.new_empty(n, 3), bones.new_empty(n, 31, 3)
    posing_loops.place_bones_backward(
        kept.table.numpy(),
        kept.skeleton.numpy(),
        bones.numpy(),
        on_transforms.numpy(),
        on_joints.numpy(),
        on_features.numpy(),
        on_translation.numpy(),
        on_skeleton.numpy(),
    )
    on_shape = None
    if kept.shape is not None and shaped:
        on_shape = torch.addmm(on_features[:, 144:], on_skeleton.view(n, 93), skin.skeleton_directions.T)
        if len(kept.shape) != n:
            on_shape = on_shape.sum(0, keepdim=True)
    if kept.vectors is None:
        return on_features[:, :9].view(n, 3, 3), on_features[:, 9:144].view(n, 15, 3, 3), on_translation, on_shape
    on_vectors = bones.new_empty(n, 48)
    posing_loops.turn_backward(kept.vectors.numpy(), on_features.numpy(), on_vectors.numpy())
    return on_vectors[:, :3], on_vectors[:, 3:], on_translation, on_shape


def _blend(transforms: Tensor, skin: Skin, room: Tensor) -> int:
    """The bones' transforms weighted for each vertex, in a place that is used again and again; how many hands."""
    count = len(transforms)
    torch.mm(transforms.flatten(0, 1), skin.weights, out=room[:count].flatten(0, 2))
    return count
