"""The constant arrays of a hand for posing it in PyTorch.

Bones are in *level order* here: wrist, the first joints of the five fingers, the second, the third
(:data:`LEVEL_ORDER`), so that a level is a slice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from yaff.hand.model import HandModel

LEVEL_ORDER: tuple[int, ...] = (0, *(1 + 3 * finger + level for level in range(3) for finger in range(5)))
"""MANO's joint at each place of the level order."""


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

    def rows(self, rows: Int[Tensor, "r"]) -> Skin:
        """The arrays of these vertices only, in this order."""
        template = self.template.unflatten(0, (3, -1))[:, rows].flatten()
        directions = self.directions.unflatten(1, (3, -1))[:, :, rows].flatten(1)
        return self._replace(template=template, directions=directions, weights=self.weights[:, rows])

    def joints_and_steps(
        self, shape: Float[Tensor, "m 10"] | None
    ) -> tuple[Float[Tensor, "m 16 3"], Float[Tensor, "m 15 3"]]:
        """Joints at rest of hands of these shapes and the step to each from its parent, metres, level order.

        Without a shape it is the mean hand alone (m = 1).
        """
        skeleton = self.skeleton[None] if shape is None else torch.addmm(self.skeleton, shape, self.skeleton_directions)
        skeleton = skeleton.view(-1, 31, 3)
        return skeleton[:, :16], skeleton[:, 16:]


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
