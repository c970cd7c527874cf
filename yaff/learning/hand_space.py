"""Grasps as the vectors that a network handles: wrist rotation by two columns, a point of the palm, joint angles.

A grasp has 3 + 6 + d numbers (d anatomical degrees of freedom):

* where the *grip point* is, a point fixed in the hand frame before the palm, about which hands turn when they grasp. An
  error of rotation then moves the fingertips half as far as it would about the wrist;
* the first two columns of the wrist's rotation matrix (Zhou et al., "On the continuity of rotation representations in
  neural networks", CVPR 2019), which vary continuously;
* the joint angles, mapped so that their limits are -1 and 1.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.hand import Anatomy, HandModel
from yaff.hand.torch_layer import HandLayer

Array = np.ndarray

DECIMETRE = 0.1
"""Unit of lengths inside the network, metres."""
ROTATION_SCALE = 0.6
"""About the standard deviation of an entry of a random rotation matrix."""


class HandSpace(nn.Module):
    """The vectors of one hand, and the hand that a vector means."""

    grip_point: Float[Tensor, "3"]
    """The point about which hands turn, hand frame, metres."""
    lower: Float[Tensor, "d"]
    """Limits of the joint angles, radians."""
    upper: Float[Tensor, "d"]
    root: Float[Tensor, "3"]
    """The root joint of the hand's template, metres."""

    def __init__(self, model: HandModel) -> None:
        super().__init__()
        self.anatomy = Anatomy(model)
        self.layer = HandLayer(model)
        self.digest = model.digest
        knuckles = model.rest_joints[[1, 4, 7, 10]].mean(0) - model.rest_joints[0]
        grip = knuckles + 0.04 * np.asarray(self.anatomy.thumb_metacarpal[1])
        for name, values in (
            ("grip_point", grip),
            ("lower", self.anatomy.lower),
            ("upper", self.anatomy.upper),
            ("root", model.root()),
        ):
            self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.float32), persistent=False)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return 9 + len(self.anatomy)

    def encode(
        self, rotation: Float[Tensor, "*b 3 3"], origin: Float[Tensor, "*b 3"], dof: Float[Tensor, "*b d"]
    ) -> Float[Tensor, "*b w"]:
        """Vectors of hands: wrist rotation and origin (metres) in any frame, joint angles (radians)."""
        grip = origin + rotation @ self.grip_point
        turn = rotation[..., :2].transpose(-1, -2).flatten(-2) / ROTATION_SCALE
        middle, half = 0.5 * (self.upper + self.lower), 0.5 * (self.upper - self.lower)
        return torch.cat([grip / DECIMETRE, turn, (dof - middle) / half], -1)

    def decode(
        self, vector: Float[Tensor, "*b w"]
    ) -> tuple[Float[Tensor, "*b 3 3"], Float[Tensor, "*b 3"], Float[Tensor, "*b d"]]:
        """Wrist rotation, origin (metres) and joint angles (radians, within their limits) of vectors."""
        rotation = rotation_from_columns(vector[..., 3:9])
        origin = vector[..., :3] * DECIMETRE - rotation @ self.grip_point
        middle, half = 0.5 * (self.upper + self.lower), 0.5 * (self.upper - self.lower)
        return rotation, origin, middle + half * vector[..., 9:].clamp(-1.0, 1.0)

    def vertices(
        self,
        rotation: Float[Tensor, "n 3 3"],
        origin: Float[Tensor, "n 3"],
        dof: Float[Tensor, "n d"],
        vertex_indices: Int[Tensor, "v"] | None = None,
    ) -> Float[Tensor, "n v 3"]:
        """Skin of these hands, in the frame of the wrist's pose, metres."""
        joints = self.anatomy.rotations_from_dof_torch(dof)
        return self.layer.forward_rotations(joints, rotation, origin - self.root, None, vertex_indices)[0]


def rotation_from_columns(columns: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrices from their first two columns, which need be neither unit nor perpendicular (Gram-Schmidt)."""
    first = nn.functional.normalize(columns[..., :3], dim=-1, eps=1e-6)
    second = columns[..., 3:] - (first * columns[..., 3:]).sum(-1, keepdim=True) * first
    second = nn.functional.normalize(second, dim=-1, eps=1e-6)
    return torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], -1)


def angles_of(anatomy: Anatomy, pose: Float[Array, "g 45"]) -> Float[Array, "g d"]:
    """Joint angles (radians, within their limits) nearest to poses."""
    if not len(pose):
        return np.zeros((0, len(anatomy)))
    return anatomy.clip(anatomy.dof_from_pose(pose)[0])
