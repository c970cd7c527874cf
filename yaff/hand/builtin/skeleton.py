"""The bones of the built-in right hand: joints and the frame of each digit, in MANO's rest pose.

Frame of the template: the wrist joint sits at :data:`WRIST`, fingers point along -x, the palm faces -y, the thumb is
on the +z side. Metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import PchipInterpolator

DIGITS: tuple[str, ...] = ("index", "middle", "pinky", "ring", "thumb")
"""The digits in MANO's order: joints 1-3, 4-6, 7-9, 10-12, 13-15."""

PARENTS: Int[np.ndarray, "16"] = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14], dtype=np.int64)

WRIST: Float[np.ndarray, "3"] = np.array([0.0957, 0.0064, 0.0062])


@dataclass(frozen=True)
class DigitBones:
    """Where the bones of one digit lie at rest."""

    base: tuple[float, float, float]
    """First joint (MCP of a finger, CMC of the thumb) relative to the wrist, metres."""
    lengths: tuple[float, float, float]
    """Joint to joint, joint to joint, last joint to the tip of the skin, metres."""
    yaw: tuple[float, float, float]
    """Direction of each bone in the plane of the palm, degrees from -x towards +z (the thumb's side)."""
    pitch: tuple[float, float, float]
    """Direction of each bone out of that plane, degrees towards +y (the back of the hand)."""
    roll: float
    """Turn of the nail's normal about the digit, degrees from +y towards the thumb's side."""


# Offsets and lengths between joints are MANO's rest pose. From the last joint to the tip: the distal phalanx and its
# pulp (anthropometry.py) plus 1 to 3 mm, because the joint turns inside the head of the phalanx before.
BONES: Mapping[str, DigitBones] = {
    "index": DigitBones((-0.088, -0.005, 0.021), (0.033, 0.022, 0.0225), (5.0, 3.5, 2.0), (5.0, -1.0, -5.0), 4.0),
    "middle": DigitBones((-0.095, -0.001, -0.003), (0.032, 0.023, 0.0240), (-3.5, -3.5, -3.5), (5.0, -1.0, -5.0), 0.0),
    "pinky": DigitBones(
        (-0.069, -0.010, -0.043), (0.021, 0.019, 0.0205), (-29.0, -26.0, -23.0), (4.0, -1.0, -4.0), -12.0
    ),
    "ring": DigitBones(
        (-0.082, -0.004, -0.027), (0.029, 0.025, 0.0235), (-12.0, -11.0, -10.5), (5.0, -1.0, -5.0), -6.0
    ),
    "thumb": DigitBones((-0.024, -0.016, 0.026), (0.031, 0.027, 0.0285), (44.0, 41.0, 37.0), (-10.0, -8.0, -7.0), 45.0),
}


@dataclass(frozen=True)
class Digit:
    """A digit laid out in the template: joints and the smooth spine through them."""

    name: str
    joints: Float[np.ndarray, "4 3"]
    """Three joints and the tip of the skin, metres."""
    axes: Float[np.ndarray, "3 3"]
    """Rows: along the digit (base to tip), towards the thumb's side (lateral), towards the nail (dorsal)."""
    knots: Float[np.ndarray, "4"]
    """Coordinates of the joints and the tip along the first axis, metres from the base."""

    def local(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """(along, lateral, dorsal) of points, the last two measured from the spine; metres."""
        relative = points - self.joints[0]
        along, lateral, dorsal = (relative @ axis for axis in self.axes)
        offsets = self._spine(np.clip(along, self.knots[0], self.knots[3]))
        return np.stack([along, lateral - offsets[:, 0], dorsal - offsets[:, 1]], axis=1)

    def spine(self, along: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 3"]:
        """Points of the spine at the given coordinates along the digit, metres."""
        offsets = self._spine(np.clip(along, self.knots[0], self.knots[3]))
        local = np.stack([along, offsets[:, 0], offsets[:, 1]], axis=1)
        return self.joints[0] + local @ self.axes

    @cached_property
    def _spine(self) -> PchipInterpolator:
        """(lateral, dorsal) of the spine over the coordinate along the digit."""
        relative = (self.joints - self.joints[0]) @ self.axes.T
        return PchipInterpolator(self.knots, relative[:, 1:])


def _direction(yaw: float, pitch: float) -> Float[np.ndarray, "3"]:
    a, b = np.deg2rad(yaw), np.deg2rad(pitch)
    return np.array([-np.cos(a) * np.cos(b), np.sin(b), np.sin(a) * np.cos(b)])


def _layout(name: str) -> Digit:
    bones = BONES[name]
    joints = [WRIST + np.array(bones.base)]
    for length, yaw, pitch in zip(bones.lengths, bones.yaw, bones.pitch, strict=True):
        joints.append(joints[-1] + length * _direction(yaw, pitch))
    points = np.round(np.stack(joints), 6)
    along = points[3] - points[0]
    along = along / np.sqrt(np.sum(along**2))
    up = np.array([0.0, 1.0, 0.0]) - along[1] * along
    up = up / np.sqrt(np.sum(up**2))
    side = np.cross(along, -up)  # fingers x palm = thumb's side, for a right hand
    a = np.deg2rad(bones.roll)
    dorsal = np.cos(a) * up + np.sin(a) * side
    axes = np.stack([along, np.cross(along, -dorsal), dorsal])
    return Digit(name, points, axes, (points - points[0]) @ along)


DIGIT: Mapping[str, Digit] = {name: _layout(name) for name in DIGITS}
"""Every digit at rest."""


def rest_joints() -> Float[np.ndarray, "16 3"]:
    """The 16 joints of the rest pose in MANO's order, metres."""
    return np.concatenate([WRIST[None], *(DIGIT[name].joints[:3] for name in DIGITS)])


def first_joint(name: str) -> int:
    """MANO's number of a digit's first joint."""
    return 1 + 3 * DIGITS.index(name)
