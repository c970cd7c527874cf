"""What training needs of each grasp beyond its pose: joint angles, and where hand and object touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from yaff.geometry.transforms import apply
from yaff.hand import Anatomy, HandModel
from yaff.learning.hand_space import angles_of
from yaff.learning.instances import InstanceTable
from yaff.objects import ObjectModel

Array = np.ndarray

TOUCHES = 0.004
"""Skin this near to the surface counts for the middle of the contacts, metres."""
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class GraspTargets:
    """Of each grasp of a table."""

    dof: Float32[Array, "g d"]
    """Joint angles, radians, within their limits."""
    contact: Float32[Array, "g 3"]
    """Middle of the skin that touches (of the nearest skin where none does), object frame, metres."""

    @classmethod
    def of(cls, table: InstanceTable, hand: HandModel, models: Sequence[ObjectModel]) -> GraspTargets:
        """The targets of a table's grasps; grasps of an object that is not among the models keep their wrist."""
        grasps = table.grasps
        dof = angles_of(Anatomy(hand), grasps.pose)
        contact = grasps.T_object_hand[:, :3, 3].copy()
        for model in models:
            rows = np.flatnonzero(grasps.object_index == model.index)
            for start in range(0, len(rows), _CHUNK):
                some = rows[start : start + _CHUNK]
                T, shape = grasps.T_object_hand[some], grasps.shape[some].astype(np.float64)
                rest = hand.vertices(grasps.pose[some], np.zeros((len(some), 3)), np.zeros((len(some), 3)), shape)
                skin = apply(T, rest - hand.root(shape)[:, None])
                distance = model.sdf.distance(skin)
                near = distance <= np.maximum(TOUCHES, distance.min(axis=1, keepdims=True))
                contact[some] = (skin * near[..., None]).sum(1) / near.sum(1)[:, None]
        return cls(dof.astype(np.float32), contact.astype(np.float32))
