"""The hand's degrees of freedom: names, axes, limits, and their exact correspondence with the 45 pose
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from yaff.errors import InputError
from yaff.geometry.transforms import (
    axis_angle_from_rotation,
    quaternion_wxyz_from_rotation,
    rotation_angle,
    rotation_from_axis_angle,
)
from yaff.hand.axes import joint_axes, palm_frame, unit
from yaff.hand.model import FINGER_JOINTS, JOINT_NAMES, HandModel

Array = np.ndarray

THUMB_ABDUCTED = np.deg2rad(28.0)
"""Elevation of the thumb's metacarpal out of the palm plane (radians) from which the thumb counts as
abducted.
"""

_HUME = "Hume, Gellman, McKellop, Brumfield 1990 (active motion)"
_AAOS = "AAOS, Joint Motion 1965"
_LIN = "Lin, Wu, Huang 2000"
_KAPANDJI = "Kapandji, Physiology of the Joints I, 1982"
_COONEY = "Cooney, Lucca, Chao, Linscheid 1981"

_LIMITS: Mapping[str, tuple[float, float, str]] = {  # degrees, relative to the flat hand
    "index.mcp.abduction": (-20, 25, f"{_LIN} 15 either way; {_KAPANDJI} about 45 in all"),
    "middle.mcp.abduction": (-15, 15, f"{_LIN}; {_KAPANDJI}"),
    "ring.mcp.abduction": (-20, 20, f"{_LIN} 15 either way; {_AAOS} 20"),
    "pinky.mcp.abduction": (-30, 20, f"{_KAPANDJI} 50 in all; the flat hand already spreads it by half"),
    "index.mcp.flexion": (-20, 95, f"{_KAPANDJI} just over 90 in the index; extension {_AAOS}"),
    "middle.mcp.flexion": (-20, 100, f"{_HUME} 100; extension {_AAOS}"),
    "ring.mcp.flexion": (-20, 100, f"{_HUME} 100; extension {_AAOS}"),
    "pinky.mcp.flexion": (-20, 105, f"{_KAPANDJI} greatest in the little finger; extension {_AAOS}"),
    "index.pip.flexion": (-5, 110, f"{_LIN} 110; {_HUME} 105"),
    "middle.pip.flexion": (-5, 110, f"{_LIN} 110; {_HUME} 105"),
    "ring.pip.flexion": (-5, 115, f"{_KAPANDJI} growing towards the little finger; {_LIN} 110"),
    "pinky.pip.flexion": (-5, 120, f"{_KAPANDJI} 135 in the little finger; {_LIN} 110"),
    "index.dip.flexion": (-10, 85, f"{_HUME} 85; {_KAPANDJI} slight extension"),
    "middle.dip.flexion": (-10, 85, f"{_HUME} 85; {_KAPANDJI} slight extension"),
    "ring.dip.flexion": (-10, 85, f"{_HUME} 85; {_KAPANDJI} slight extension"),
    "pinky.dip.flexion": (-10, 90, f"{_AAOS} 90; {_KAPANDJI} slight extension"),
    "thumb.cmc.abduction": (-10, 70, f"{_AAOS} 70 from the palm plane; {_COONEY} 42 +- 4 of the joint alone"),
    "thumb.cmc.flexion": (-15, 60, f"{_AAOS} 50 to the index and 15 beyond; {_COONEY} 53 +- 11"),
    "thumb.cmc.rotation": (-20, 60, f"{_KAPANDJI} 60 of the column in opposition; {_COONEY} 17 +- 9"),
    "thumb.mcp.flexion": (-10, 60, f"{_HUME} 56; {_AAOS} 50"),
    "thumb.ip.flexion": (-15, 80, f"{_AAOS} 80; {_HUME} 73, extension 5; {_KAPANDJI}"),
}


@dataclass(frozen=True)
class DegreeOfFreedom:
    """One anatomical degree of freedom: a revolute joint of the hand."""

    name: str
    """For example ``index.mcp.flexion``."""
    joint: int
    """MANO joint that it turns, 1 to 15."""
    axis: Float[Array, "3"]
    """Unit axis in the axes of the template (those of the joint's bone frame at rest), right-hand rule."""
    lower: float
    """Radians, relative to the flat hand."""
    upper: float
    """Radians, relative to the flat hand."""
    source: str
    """Where the limits come from."""


class Anatomy:
    """The anatomical degrees of freedom of a hand, and the way to and from its 45 pose numbers.

    A joint's rotation is the product of rotations about its axes in their order,
    ``R_joint = R(axis_1, a_1) R(axis_2, a_2) ...``: a chain of revolute joints. Positive flexion curls
    towards the palm. Positive abduction leads away from the middle finger (for the middle finger towards the
    thumb); the thumb's leads out of the plane of the palm, the way the palm faces (palmar abduction), its
    flexion sweeps across the palm towards the fingers, and its positive rotation is pronation. Angles are
    radians.
    """

    def __init__(self, model: HandModel) -> None:
        axes = joint_axes(model)
        palm = palm_frame(model.rest_joints, model.side)
        carpal, knuckle, _ = FINGER_JOINTS["thumb"]
        self._palmar = palm.palmar
        self._metacarpal = unit(model.rest_joints[knuckle] - model.rest_joints[carpal])
        freedoms = []
        for joint in range(1, 16):
            finger, place = JOINT_NAMES[joint].split(".")
            for motion in ("abduction", "flexion", "rotation"):
                name = f"{finger}.{place}.{motion}"
                if name in axes:
                    lower, upper, source = _LIMITS[name]
                    limits = float(np.deg2rad(lower)), float(np.deg2rad(upper))
                    freedoms.append(DegreeOfFreedom(name, joint, axes[name], *limits, source))
        self.degrees_of_freedom: tuple[DegreeOfFreedom, ...] = tuple(freedoms)
        """In the order of every array of angles: MANO's order of joints, chain order inside a joint."""
        self.names: tuple[str, ...] = tuple(freedom.name for freedom in freedoms)
        self.lower: Float[Array, "d"] = np.array([freedom.lower for freedom in freedoms])
        self.upper: Float[Array, "d"] = np.array([freedom.upper for freedom in freedoms])

    def __len__(self) -> int:
        return len(self.degrees_of_freedom)

    def index(self, name: str) -> int:
        """The column of a degree of freedom.

        Raises:
            InputError: no such name.
        """
        if name not in self.names:
            raise InputError(f"no degree of freedom {name!r}", remedy=f"one of {', '.join(self.names)}")
        return self.names.index(name)

    def angles(self, values: Mapping[str, float]) -> Float[Array, "d"]:
        """Angles (d,) from names or patterns such as ``{"*.pip.flexion": 1.0}``, later entries over earlier;
        rest 0.

        Raises:
            InputError: a pattern that names no degree of freedom.
        """
        result = np.zeros(len(self))
        for pattern, value in values.items():
            chosen = [k for k, name in enumerate(self.names) if fnmatchcase(name, pattern)]
            if not chosen:
                raise InputError(f"no degree of freedom matches {pattern!r}", remedy=f"one of {', '.join(self.names)}")
            result[chosen] = value
        return result

    def rotations_from_dof(self, dof: Float[Array, "*batch d"]) -> Float[Array, "*batch 15 3 3"]:
        """Rotations of the 15 joints relative to the flat hand, from angles (..., d) in radians."""
        dof = np.asarray(dof, np.float64)
        padded = np.concatenate([dof, np.zeros((*dof.shape[:-1], 1))], axis=-1)
        factors = rotation_from_axis_angle(padded[..., self.slots, None] * self.slot_axes)
        return factors[..., 0, :, :] @ factors[..., 1, :, :] @ factors[..., 2, :, :]

    def pose_from_dof(self, dof: Float[Array, "*batch d"]) -> Float[Array, "*batch 45"]:
        """The 45 pose numbers (axis-angle, radians) of angles (..., d); angles need not be within the
        limits.
        """
        rotations = self.rotations_from_dof(dof)
        return axis_angle_from_rotation(rotations).reshape(*rotations.shape[:-3], 45)

    def rotations_from_dof_torch(self, dof: Any) -> Any:
        """Rotations (n, 15, 3, 3) of angles (n, d), PyTorch tensors; differentiable, dtype and device of the
        angles.
        """
        import torch

        from yaff.geometry.torch_rotations import rotation_about_axes

        axes = torch.as_tensor(self.slot_axes, dtype=dof.dtype, device=dof.device)
        slots = torch.as_tensor(self.slots, device=dof.device)
        factors = rotation_about_axes(axes, torch.nn.functional.pad(dof, (0, 1))[:, slots])
        return factors[:, :, 0] @ factors[:, :, 1] @ factors[:, :, 2]

    def dof_from_pose(
        self, pose: Float[Array, "*batch 45"]
    ) -> tuple[Float[Array, "*batch d"], Float[Array, "*batch 15"]]:
        """Angles (..., d) of poses (..., 45), and what they leave unexplained per joint (..., 15), radians.

        Exact for poses that the degrees of freedom can take. For any other the joint's nearest rotation is
        found: the one whose difference from the pose's is the smallest angle, which is the residual. Limits
            are not applied.
        """
        pose = np.asarray(pose, np.float64)
        target = rotation_from_axis_angle(pose.reshape(-1, 15, 3))
        dof = np.zeros((len(target), len(self)))
        for joint in range(15):
            columns = self.slots[joint][self.slots[joint] < len(self)]
            dof[:, columns] = angles_about_axes(target[:, joint], self.slot_axes[joint, : len(columns)])
        difference = np.swapaxes(self.rotations_from_dof(dof), -1, -2) @ target
        batch = pose.shape[:-1]
        return dof.reshape(*batch, len(self)), rotation_angle(difference).reshape(*batch, 15)

    def clip(self, dof: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        """Angles brought within the limits."""
        return np.clip(dof, self.lower, self.upper)

    def violations(self, pose: Float[Array, "*batch 45"]) -> Float[Array, "*batch d"]:
        """How far (radians, 0 where within) each angle of the pose lies beyond its limits."""
        dof, _ = self.dof_from_pose(pose)
        return np.maximum(np.maximum(self.lower - dof, dof - self.upper), 0.0)

    @property
    def thumb_metacarpal(self) -> tuple[Float[Array, "3"], Float[Array, "3"]]:
        """Unit vectors of the flat hand: along the thumb's metacarpal, and out of the palm the way it faces."""
        return self._metacarpal, self._palmar

    def thumb_abduction(self, pose: Float[Array, "*batch 45"]) -> Float[Array, "*batch"]:
        """Elevation (radians) of the thumb's metacarpal out of the plane of the palm, positive the way it
        faces.

        Near zero when the thumb lies in the plane of the palm, beside or away from the index finger
        (adducted, in the sense of Feix et al. 2016); large when it stands before the palm and can oppose the
        fingers (abducted).
        """
        joint = FINGER_JOINTS["thumb"][0] - 1
        rotation = rotation_from_axis_angle(np.asarray(pose, np.float64)[..., 3 * joint : 3 * joint + 3])
        return np.asarray(np.arcsin(np.clip(rotation @ self._metacarpal @ self._palmar, -1.0, 1.0)))

    def thumb_is_abducted(self, pose: Float[Array, "*batch 45"]) -> Bool[Array, "*batch"]:
        """Whether the thumb is abducted: its metacarpal stands :data:`THUMB_ABDUCTED` or more out of the
        palm plane.
        """
        return np.asarray(self.thumb_abduction(pose) >= THUMB_ABDUCTED)

    @cached_property
    def slots(self) -> Int[Array, "15 3"]:
        """The columns that turn each joint, in chain order; d (one past the last) where there is none."""
        result = np.full((15, 3), len(self))
        for joint in range(15):
            columns = [k for k, freedom in enumerate(self.degrees_of_freedom) if freedom.joint == joint + 1]
            result[joint, : len(columns)] = columns
        return result

    @cached_property
    def slot_axes(self) -> Float[Array, "15 3 3"]:
        """The axis in each of :attr:`slots`; zero where there is none."""
        axes = np.concatenate([np.stack([freedom.axis for freedom in self.degrees_of_freedom]), np.zeros((1, 3))])
        return axes[self.slots]


def angles_about_axes(
    rotation: Float[Array, "n 3 3"], axes: Float[Array, "k 3"], sweeps: int = 60
) -> Float[Array, "n k"]:
    """Angles (n, k) whose product of rotations about 1 to 3 axes comes nearest to each rotation.

    Consecutive axes must be perpendicular to each other. One axis: the twist about it. Three: Davenport's
    angles, always exact. Two: exact where the rotation is a product; otherwise the smallest remaining angle,
    found by maximising the trace over either angle in turn, each time in closed form.
    """
    if len(axes) == 1:
        quaternion = quaternion_wxyz_from_rotation(rotation)
        return 2.0 * np.arctan2(quaternion[:, 1:] @ axes[0], quaternion[:, 0])[:, None]
    third = np.cross(axes[0], axes[1])
    frame = np.stack([axes[0], axes[1], third], axis=1)
    m = frame.T @ rotation @ frame  # Rx(first) Ry(second) [Rz(third)] in the frame of the axes
    second = np.arctan2(m[:, 0, 2], np.hypot(m[:, 0, 0], m[:, 0, 1]))
    if len(axes) == 3:
        first = np.arctan2(-m[:, 1, 2], m[:, 2, 2])
        turn = np.arctan2(-m[:, 0, 1], m[:, 0, 0])
        return np.stack([first, second, turn * np.sign(axes[2] @ third)], axis=1)
    first = np.arctan2(m[:, 2, 1], m[:, 1, 1])
    for _ in range(sweeps):
        s, c = np.sin(first), np.cos(first)
        second = np.arctan2(m[:, 0, 2] + s * m[:, 1, 0] - c * m[:, 2, 0], m[:, 0, 0] - s * m[:, 1, 2] + c * m[:, 2, 2])
        s, c = np.sin(second), np.cos(second)
        first = np.arctan2(m[:, 2, 1] + s * m[:, 1, 0] - c * m[:, 1, 2], m[:, 1, 1] - s * m[:, 2, 0] + c * m[:, 2, 2])
    return np.stack([first, second], axis=1)
