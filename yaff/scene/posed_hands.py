"""Hands posed once for each object: skin at the grasp, sparse skin along the approach, and the forearm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float64, Int64

from yaff.geometry.transforms import axis_angle_from_rotation, rotation_from_axis_angle
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.hand.forearm import forearm_direction
from yaff.scene.ball_cover import BallCover, balls, spread_points

Array = np.ndarray

SKIN_BALLS = 24
"""Balls round the skin of a hand: more of them are tighter, but each has to be looked at."""
PATH_BALLS = 16
"""Balls round the vertices that follow the approach."""


@dataclass(frozen=True)
class PosedHands:
    """``n`` hands in the object frame, metres. Every arrangement the object occurs in uses the same."""

    skin: Float64[Array, "n v 3"]
    """All skin vertices at the grasp."""
    path: Float64[Array, "n s p 3"]
    """Some skin vertices at ``s`` steps of the approach, the pregrasp first, the grasp itself left out."""
    wrist: Float64[Array, "n 3"]
    """The root joint at the grasp."""
    forearm: Float64[Array, "n 3"]
    """Unit vectors from the wrist to the elbow, the wrist held straight."""
    skin_balls: Int64[Array, "c w"]
    """Vertices of the skin that lie together; see :func:`yaff.scene.ball_cover.balls`."""
    path_balls: Int64[Array, "b u"]
    """Those of the path."""

    def __len__(self) -> int:
        return len(self.skin)

    @cached_property
    def skin_cover(self) -> BallCover:
        """Balls round the skin of each hand."""
        return BallCover(self.skin, self.skin_balls)

    @cached_property
    def path_cover(self) -> BallCover:
        """Balls round the path, one cloud for each hand and step: row ``hand * s + step``."""
        return BallCover(self.path.reshape(-1, *self.path.shape[2:]), self.path_balls)


def pose_hands(hand: HandModel, grasps: Grasps, path_steps: int = 6, path_vertices: int = 128) -> PosedHands:
    """Pose a batch of grasps for feasibility.

    The approach is straight: translation and finger joints linear, wrist rotation along the shortest arc.

    Args:
        hand: the hand that took the grasps.
        grasps: ``n`` grasps of one object, with their pregrasps.
        path_steps: poses of the approach.
        path_vertices: skin vertices that follow it.
    """
    vertices = spread_points(hand.template, path_vertices)
    start = np.asarray(grasps.pregrasp_wrist_rotation, np.float64)
    end = np.asarray(grasps.wrist_rotation, np.float64)
    R_start = rotation_from_axis_angle(start)
    turn = axis_angle_from_rotation(np.swapaxes(R_start, 1, 2) @ rotation_from_axis_angle(end))
    steps = []
    for share in np.arange(path_steps) / max(path_steps, 1):
        rotation = axis_angle_from_rotation(R_start @ rotation_from_axis_angle(share * turn))
        steps.append(
            hand.vertices(
                _between(grasps.pregrasp_pose, grasps.pose, share),
                rotation,
                _between(grasps.pregrasp_translation, grasps.translation, share),
                _shape(grasps),
                vertex_indices=vertices,
            )
        )
    T_object_hand = hand.wrist_transform(end, np.asarray(grasps.translation, np.float64), _shape(grasps))
    return PosedHands(
        skin=hand.vertices(grasps),
        path=np.stack(steps, axis=1) if steps else np.zeros((len(grasps), 0, len(vertices), 3)),
        wrist=T_object_hand[:, :3, 3],
        forearm=T_object_hand[:, :3, :3] @ forearm_direction(hand),
        skin_balls=balls(hand.template, SKIN_BALLS),
        path_balls=balls(hand.template[vertices], PATH_BALLS),
    )


def _between(start: Float[Array, "n c"], end: Float[Array, "n c"], share: float) -> Float64[Array, "n c"]:
    return (1.0 - share) * np.asarray(start, np.float64) + share * np.asarray(end, np.float64)


def _shape(grasps: Grasps) -> Float64[Array, "n 10"]:
    return np.asarray(grasps.shape, np.float64)
