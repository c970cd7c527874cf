"""GraspIt's hand made from MANO: 16 joint angles for 45 pose numbers, and back.

GraspIt's ``ManoHand`` (Hasson et al. 2019, *Learning joint reconstruction of hands and manipulated objects*) has the
fingers in the order index, middle, ring, little finger, thumb. A finger has three angles: abduction, flexion of the
knuckle, flexion of the middle joint; its end joint turns by 0.6 of the middle joint. The thumb has four: two at its
base, then middle and end joint. Angles are radians; positive flexion curls towards the palm, positive abduction
leads towards the thumb; zero has straight fingers **parallel to each other**, where MANO's flat hand spreads them.

In MANO's terms, with rotations about the template's axes:

- finger base ``Rot(y, abduction) Rot(z, flexion) P`` with ``P`` the fixed turn that makes the fingers parallel; finger
  joints ``Rot(P^T z, angle)``;
- thumb base ``Rot(a, d12) Rot(b, d13) P``; its joints turn about fixed axes.

Axes and turns were fitted to the 98 published grasps of YCB-Affordance, which carry both descriptions, and agree with
them to 2e-4 rad (GraspIt's thumb is mounted by a matrix of four digits); a test holds this. The wrist is GraspIt's in
another way, too: it turns about the template's origin (:func:`yaff.hand.conversions.about_root`), and GraspIt itself
counts in millimetres. The functions are those of a right hand; for a left one mirror the pose.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from yaff.geometry.transforms import (
    axis_angle_from_rotation,
    rotation_angle,
    rotation_from_axis_angle,
)
from yaff.hand.anatomy import angles_about_axes
from yaff.hand.model import FINGER_JOINTS

Array = np.ndarray

GRASPIT_NAMES: tuple[str, ...] = (
    *(f"{f}.{m}" for f in ("index", "middle", "ring", "pinky") for m in ("abduction", "mcp", "pip")),
    *(f"thumb.{m}" for m in ("cmc.first", "cmc.second", "mcp", "ip")),
)
"""Names of the 16 angles in GraspIt's order."""

GRASPIT_LIMITS: Float[Array, "16 2"] = np.deg2rad(
    np.array(
        [limits for s in (20, 10, 20, 30) for limits in ((-s, s), (-10, 90), (-10, 90))]
        + [(-10, 70), (-50, 25), (0, 90), (0, 100)],
        np.float64,
    )
)
"""Least and greatest angle, radians: ``minValue`` and ``maxValue`` of ManoHand.xml."""

END_JOINT = 0.6
"""How far a finger's end joint follows its middle joint."""

_PARALLEL: Mapping[str, Array] = {  # axis-angle of P
    "index": np.pi * np.array([0.0, -0.07, 0.005]),
    "middle": np.zeros(3),
    "ring": np.pi * np.array([0.0, 0.04375, -0.003125]),
    "pinky": np.pi * np.array([0.0, 0.175, -0.0125]),
}
_SPREAD_AND_CURL = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


def _perpendicular(first: list[float], second: list[float]) -> Array:
    a, b = np.array(first) / np.linalg.norm(first), np.array(second)
    b = b - (b @ a) * a
    return np.stack([a, b / np.linalg.norm(b)])


_THUMB_BASE = _perpendicular([-0.95230891, 0.24180366, 0.18611483], [-0.26656001, -0.36186102, -0.89330978])
_THUMB_TURN = np.array([0.60483209, -0.40006650, 0.13412026])
_THUMB_JOINTS = np.array([[-0.06757231, -0.99606678, 0.05563619], [0.21411413, -0.85773349, 0.46711068]])
_THUMB_JOINTS = _THUMB_JOINTS / np.linalg.norm(_THUMB_JOINTS, axis=1, keepdims=True)


def pose_from_graspit(dofs: Float[Array, "n 16"]) -> Float[Array, "n 45"]:
    """The 45 pose numbers of a right MANO hand, relative to the flat hand, from GraspIt's angles (radians)."""
    dofs = np.asarray(dofs, np.float64)
    joints = np.zeros((len(dofs), 15, 3))
    for k, (finger, parallel) in enumerate(_PARALLEL.items()):
        base, middle, end = (joint - 1 for joint in FINGER_JOINTS[finger])
        joints[:, base] = _base(dofs[:, 3 * k : 3 * k + 2], _SPREAD_AND_CURL, parallel)
        joints[:, middle] = dofs[:, 3 * k + 2, None] * _hinge(parallel)
        joints[:, end] = END_JOINT * joints[:, middle]
    base, middle, end = (joint - 1 for joint in FINGER_JOINTS["thumb"])
    joints[:, base] = _base(dofs[:, 12:14], _THUMB_BASE, _THUMB_TURN)
    joints[:, [middle, end]] = dofs[:, 14:, None] * _THUMB_JOINTS
    return joints.reshape(-1, 45)


def graspit_from_pose(pose: Float[Array, "n 45"]) -> tuple[Float[Array, "n 16"], Float[Array, "n 15"]]:
    """GraspIt's angles (n, 16) nearest to poses, and the angle (n, 15), radians, by which each joint is missed.

    Exact for what GraspIt's hand can do. Otherwise each base joint comes as near as its two axes allow, the thumb's
    joints keep their turn about their axes, and a finger's one angle for two joints is the least-squares compromise
    between them. GraspIt's limits (:data:`GRASPIT_LIMITS`) are not applied.
    """
    pose = np.asarray(pose, np.float64)
    target = rotation_from_axis_angle(pose.reshape(-1, 15, 3))
    dofs = np.zeros((len(pose), 16))
    for k, (finger, parallel) in enumerate(_PARALLEL.items()):
        base, middle, end = (joint - 1 for joint in FINGER_JOINTS[finger])
        dofs[:, 3 * k : 3 * k + 2] = _base_angles(target[:, base], _SPREAD_AND_CURL, parallel)
        bent, followed = (_turn(target[:, joint], _hinge(parallel)) for joint in (middle, end))
        dofs[:, 3 * k + 2] = (bent + END_JOINT * followed) / (1.0 + END_JOINT**2)
    base, middle, end = (joint - 1 for joint in FINGER_JOINTS["thumb"])
    dofs[:, 12:14] = _base_angles(target[:, base], _THUMB_BASE, _THUMB_TURN)
    dofs[:, 14], dofs[:, 15] = (_turn(target[:, j], a) for j, a in zip((middle, end), _THUMB_JOINTS, strict=True))
    met = rotation_from_axis_angle(pose_from_graspit(dofs).reshape(-1, 15, 3))
    return dofs, rotation_angle(np.swapaxes(met, -1, -2) @ target)


def _base(angles: Array, axes: Array, fixed: Array) -> Float[Array, "n 3"]:
    first, second = (rotation_from_axis_angle(angles[:, i, None] * axes[i]) for i in (0, 1))
    return axis_angle_from_rotation(first @ second @ rotation_from_axis_angle(fixed))


def _base_angles(rotation: Array, axes: Array, fixed: Array) -> Float[Array, "n 2"]:
    return angles_about_axes(rotation @ rotation_from_axis_angle(fixed).T, axes)


def _hinge(parallel: Array) -> Float[Array, "3"]:
    """The flexion axis of a finger's joints: the palm's transverse axis, seen from the turned finger."""
    return rotation_from_axis_angle(parallel)[2]


def _turn(rotation: Array, axis: Array) -> Float[Array, "n"]:
    return angles_about_axes(rotation, axis[None])[:, 0]
