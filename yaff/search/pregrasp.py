"""From where a grasp is reached: fingers opened, wrist drawn back, and nothing in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from yaff.objects import ObjectModel
from yaff.search.config import PregraspConfig
from yaff.search.rig import HandRig
from yaff.taxonomy import GraspType

Array = np.ndarray

APPROACHES: tuple[tuple[float, float, float], ...] = (
    (0.0, 1.0, 0.0),  # back of the hand first: the palm leaves the object
    (1.0, 0.0, 0.0),  # along the forearm
    (0.7, 0.7, 0.0),
    (0.7, 0.5, 0.5),
    (0.7, 0.5, -0.5),
    (0.0, 0.7, 0.7),
    (0.0, 0.7, -0.7),
    (0.7, 0.0, 0.7),
    (0.7, 0.0, -0.7),
)
"""Directions in the hand frame along which the wrist may be drawn back, the natural ones first."""


@dataclass(frozen=True)
class Pregrasp:
    """The start of the approach and whether the way is free."""

    T_object_hand: Float[Array, "4 4"]
    dof: Float[Array, "dof"]
    depth: float
    """Deepest skin point inside the object on the way, beyond what the grasp itself has, metres."""
    free: bool


def find_pregrasp(
    rig: HandRig,
    kind: GraspType,
    obj: ObjectModel,
    T_object_hand: Float[Array, "4 4"],
    dof: Float[Array, "dof"],
    config: PregraspConfig,
) -> Pregrasp:
    """The first approach, in order of naturalness, whose way is free; else the one that collides least.

    The fingers open first (over the first third of the way back), then the wrist is drawn back on a straight line.
    """
    opened = np.minimum(rig.posture(kind, np.zeros(())), dof)
    direction = rig.closing_direction(kind)
    # only what closes opens again; the rest of the hand keeps its posture
    opened = np.where(direction > 0.0, opened, dof)
    opened = np.where(direction < 0.0, np.maximum(rig.posture(kind, np.zeros(())), dof), opened)
    opened = np.clip(opened - 0.25 * direction, rig.anatomy.lower, rig.anatomy.upper)
    share = np.linspace(0.0, 1.0, config.steps + 1)[1:]
    postures = dof + np.clip(3.0 * share, 0.0, 1.0)[:, None] * (opened - dof)
    zero = np.zeros((config.steps, 3))
    skin = rig.model.vertices(rig.anatomy.pose_from_dof(postures), zero, zero, vertex_indices=rig.skin_sample)
    skin = skin - rig.model.root()
    back = np.clip((share - 1.0 / 3.0) * 1.5, 0.0, 1.0) * config.distance
    ways = np.array(APPROACHES) / np.linalg.norm(APPROACHES, axis=1, keepdims=True)
    points = skin[None] + ways[:, None, None, :] * back[None, :, None, None]
    points = points @ T_object_hand[:3, :3].T + T_object_hand[:3, 3]
    depth = np.maximum(-obj.sdf.distance(points), 0.0).max(axis=(1, 2))
    free = depth <= config.tolerance
    choice = int(np.flatnonzero(free)[0]) if free.any() else int(depth.argmin())
    T = T_object_hand.copy()
    T[:3, 3] += T_object_hand[:3, :3] @ ways[choice] * config.distance
    return Pregrasp(T_object_hand=T, dof=opened, depth=float(depth[choice]), free=bool(free[choice]))
