"""The hand in PyTorch: the differentiable twin of :class:`yaff.hand.model.HandModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from yaff.hand.model import HandModel
from yaff.hand.tensor_posing import bone_poses
from yaff.hand.torch_skin import Skin
from yaff.hand.torch_skinning import pose_hand

VertexIndices = Int[Tensor, "v"] | Sequence[int] | None


class _Rows(NamedTuple):
    """The arrays of some vertices, and what they were made from."""

    indices: Tensor
    version: int
    template: Tensor
    skin: Skin

    def serves(self, indices: Tensor, skin: Skin) -> bool:
        """The same tensor, not changed since, of a skin neither moved nor converted since."""
        return self.indices is indices and self.version == indices._version and self.template is skin.template


class HandLayer(nn.Module):
    """Forward kinematics of a hand, differentiable in pose, wrist, translation and shape.

    Equal to the NumPy model to rounding. Units, frames and the meaning of every argument are those of
    :class:`~yaff.hand.model.HandModel`. Buffers follow ``.to(device)``. First derivatives only.
    """

    faces: Int[Tensor, "1538 3"]

    def __init__(self, model: HandModel, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        for name, values in Skin.of(model)._asdict().items():
            self.register_buffer(name, values.to(dtype) if values.is_floating_point() else values, persistent=False)
        self.register_buffer("faces", torch.tensor(model.faces), persistent=False)
        self._last: _Rows | None = None

    @property
    def _skin(self) -> Skin:
        return Skin(*(self._buffers[name] for name in Skin._fields))  # pyright: ignore[reportArgumentType]

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
        return self._pose(wrist_rotation, pose, translation, shape, vertex_indices)

    def forward_rotations(
        self,
        joint_rotations: Float[Tensor, "n 15 3 3"],
        wrist_rotation_matrix: Float[Tensor, "n 3 3"],
        translation: Float[Tensor, "n 3"],
        shape: Float[Tensor, "n 10"] | Float[Tensor, "10"] | None = None,
        vertex_indices: VertexIndices = None,
    ) -> tuple[Float[Tensor, "n v 3"], Float[Tensor, "n 16 3"]]:
        """As :meth:`forward`, from rotation matrices."""
        return self._pose(wrist_rotation_matrix, joint_rotations, translation, shape, vertex_indices)

    def _pose(
        self,
        wrist: Tensor,
        fingers: Tensor,
        translation: Tensor,
        shape: Tensor | None,
        vertex_indices: VertexIndices,
    ) -> tuple[Tensor, Tensor]:
        skin = self._skin if vertex_indices is None else self._rows(vertex_indices)
        if shape is not None and shape.dim() == 1:
            shape = shape[None]
        return pose_hand(wrist, fingers, translation, shape, skin)

    def _rows(self, vertex_indices: Tensor | Sequence[int]) -> Skin:
        """The arrays of some vertices; those of the tensor asked for last are kept, for loops that ask for no other."""
        skin, last = self._skin, self._last
        if not isinstance(vertex_indices, Tensor) or vertex_indices.is_inference():  # these do not count changes
            return skin.rows(torch.as_tensor(vertex_indices, dtype=torch.long, device=skin.template.device))
        if last is None or not last.serves(vertex_indices, skin):
            rows = skin.rows(vertex_indices.to(skin.template.device, torch.long))
            last = self._last = _Rows(vertex_indices, vertex_indices._version, skin.template, rows)
        return last.skin

    def bone_transforms(
        self,
        joint_rotations: Float[Tensor, "n 15 3 3"],
        wrist_rotation_matrix: Float[Tensor, "n 3 3"],
        translation: Float[Tensor, "n 3"],
    ) -> tuple[Float[Tensor, "n 16 3 3"], Float[Tensor, "n 16 3"]]:
        """Rotations and origins of ``T_object_bone`` of the mean hand: origin at the joint, template axes at
        rest.
        """
        skin = self._skin
        joints, steps = skin.joints_and_steps(None)
        bones, _ = bone_poses(wrist_rotation_matrix, joint_rotations, translation, joints, steps)
        bones = bones[:, skin.order]
        return bones[..., :3], bones[..., 3]
