"""The hand in PyTorch: the differentiable twin of :class:`yaff.hand.model.HandModel`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.geometry.torch_rotations import rotation_about_axes, rotation_from_axis_angle
from yaff.hand.anatomy import Anatomy
from yaff.hand.model import HandModel

VertexIndices = Int[Tensor, "v"] | Sequence[int] | None


class HandLayer(nn.Module):
    """Forward kinematics of a hand, differentiable in pose, wrist, translation and shape.

    Equal to the NumPy model to rounding. Units, frames and the meaning of every argument are those of
    :class:`~yaff.hand.model.HandModel`. Buffers follow ``.to(device)``.
    """

    template: Tensor
    faces: Tensor
    weights: Tensor
    shape_directions: Tensor
    pose_directions: Tensor
    rest_joints: Tensor
    joint_shape_directions: Tensor

    def __init__(self, model: HandModel, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.parents: tuple[int, ...] = tuple(int(parent) for parent in model.parents)
        # regressing shape directions once makes the joints independent of how many vertices are asked for
        joint_shapes = torch.tensor(model.joint_regressor) @ torch.tensor(model.shape_directions).flatten(1)
        for name, values in (
            ("template", torch.tensor(model.template)),
            ("weights", torch.tensor(model.weights)),
            ("shape_directions", torch.tensor(model.shape_directions)),
            ("pose_directions", torch.tensor(model.pose_directions)),
            ("rest_joints", torch.tensor(model.rest_joints)),
            ("joint_shape_directions", joint_shapes.unflatten(1, (3, 10))),
        ):
            self.register_buffer(name, values.to(dtype), persistent=False)
        self.register_buffer("faces", torch.tensor(model.faces), persistent=False)

    def forward(
        self,
        pose: Float[Tensor, "n 45"],
        wrist_rotation: Float[Tensor, "n 3"],
        translation: Float[Tensor, "n 3"],
        shape: Float[Tensor, "n 10"] | Float[Tensor, "10"] | None = None,
        vertex_indices: VertexIndices = None,
    ) -> tuple[Float[Tensor, "n v 3"], Float[Tensor, "n 16 3"]]:
        """Vertices (n, v, 3) and joints (n, 16, 3) in the object frame, metres.

        ``vertex_indices`` poses only those vertices, at a cost proportional to their number.
        """
        return self.forward_rotations(
            rotation_from_axis_angle(pose.unflatten(1, (15, 3))),
            rotation_from_axis_angle(wrist_rotation),
            translation,
            shape,
            vertex_indices,
        )

    def forward_rotations(
        self,
        joint_rotations: Float[Tensor, "n 15 3 3"],
        wrist_rotation_matrix: Float[Tensor, "n 3 3"],
        translation: Float[Tensor, "n 3"],
        shape: Float[Tensor, "n 10"] | Float[Tensor, "10"] | None = None,
        vertex_indices: VertexIndices = None,
    ) -> tuple[Float[Tensor, "n v 3"], Float[Tensor, "n 16 3"]]:
        """As :meth:`forward`, from rotation matrices."""
        n = len(joint_rotations)
        template, weights = self.template, self.weights
        shape_directions, pose_directions = self.shape_directions, self.pose_directions
        if vertex_indices is not None:
            rows = torch.as_tensor(vertex_indices, dtype=torch.long, device=template.device)
            template, weights = template[rows], weights[rows]
            shape_directions, pose_directions = shape_directions[rows], pose_directions[rows]
        rest_joints = self.rest_joints[None]
        rest = template[None]
        if shape is not None:
            coefficients = shape if shape.dim() == 2 else shape[None]
            rest_joints = rest_joints + _blend(coefficients, self.joint_shape_directions)
            rest = rest + _blend(coefficients, shape_directions)
        identity = torch.eye(3, dtype=template.dtype, device=template.device)
        rest = rest + _blend((joint_rotations - identity).flatten(1), pose_directions)

        turns, origins = self._chain(joint_rotations, wrist_rotation_matrix, translation, rest_joints)
        offsets = origins - (turns @ rest_joints[..., None])[..., 0]
        skinning = torch.cat([turns.flatten(2), offsets], dim=2)
        blended = weights @ skinning
        matrices = blended[..., :9].unflatten(2, (3, 3))
        vertices = (matrices @ rest[..., None])[..., 0] + blended[..., 9:]
        return vertices.expand(n, -1, -1), origins

    def bone_transforms(
        self,
        joint_rotations: Float[Tensor, "n 15 3 3"],
        wrist_rotation_matrix: Float[Tensor, "n 3 3"],
        translation: Float[Tensor, "n 3"],
    ) -> tuple[Float[Tensor, "n 16 3 3"], Float[Tensor, "n 16 3"]]:
        """Rotations and origins of ``T_object_bone`` of the mean hand: origin at the joint, template axes at
        rest.
        """
        return self._chain(joint_rotations, wrist_rotation_matrix, translation, self.rest_joints[None])

    def _chain(
        self, joint_rotations: Tensor, wrist_rotation_matrix: Tensor, translation: Tensor, rest_joints: Tensor
    ) -> tuple[Tensor, Tensor]:
        n = len(joint_rotations)
        turns = [wrist_rotation_matrix]
        origins = [rest_joints[:, 0].expand(n, 3) + translation]
        for joint in range(1, 16):
            parent = self.parents[joint]
            offset = (rest_joints[:, joint] - rest_joints[:, parent])[..., None]
            turns.append(turns[parent] @ joint_rotations[:, joint - 1])
            origins.append((turns[parent] @ offset)[..., 0] + origins[parent])
        return torch.stack(turns, 1), torch.stack(origins, 1)


def rotations_from_dof(anatomy: Anatomy, dof: Float[Tensor, "n d"]) -> Float[Tensor, "n 15 3 3"]:
    """Rotations of the 15 joints from anatomical angles (radians): products of rotations about the joints'
    axes.
    """
    axes = torch.as_tensor(anatomy.slot_axes, dtype=dof.dtype, device=dof.device)
    slots = torch.as_tensor(anatomy.slots, device=dof.device)
    factors = rotation_about_axes(axes, torch.nn.functional.pad(dof, (0, 1))[:, slots])
    return factors[:, :, 0] @ factors[:, :, 1] @ factors[:, :, 2]


def _blend(coefficients: Tensor, directions: Tensor) -> Tensor:
    """Blend shapes: coefficients (n, k) of directions (v, 3, k) give offsets (n, v, 3), as one matrix
    product.
    """
    return (coefficients @ directions.flatten(0, 1).T).unflatten(1, (-1, 3))
