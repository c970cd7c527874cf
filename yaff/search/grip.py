"""What a type is to do: which digits press against which, how hard, and which way the object is pulled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.rig import HandRig
from yaff.search.states import Effort
from yaff.taxonomy import GraspType

Array = np.ndarray

AXES = np.concatenate([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5]]
"""The directions of :data:`yaff.grasp.SHAKE_DIRECTIONS`, object frame."""

HAND_DIRECTIONS: Mapping[str, tuple[float, float, float]] = {
    "distal": (-1.0, 0.0, 0.0),
    "proximal": (1.0, 0.0, 0.0),
    "palmar": (0.0, -1.0, 0.0),
    "dorsal": (0.0, 1.0, 0.0),
    "radial": (0.0, 0.0, 1.0),
    "ulnar": (0.0, 0.0, -1.0),
}
"""The directions of :data:`yaff.taxonomy.table.DIRECTIONS` in the hand frame."""

HELPING = 0.5
"""Share of the force of the fingers with which the thumb of a wrap presses against them; the palm takes the rest."""

CARRIED = 0.5
"""Cosine between an axis of the object and a carried direction from which the axis is tested; some axis always is."""


def closing_effort(rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig) -> Effort:
    """How hard to close: each side of the opposition presses with the same force in all.

    The force of a side is ``force_per_weight`` weights over the friction, shared by its digits, each kept within the
    limits per digit; a joint's torque is that force times its lever to the fingertip, its stiffness once it holds the
    stiffness of the fingertip times the square of that lever. A thumb that stands opposite the fingers beside the palm
    takes half of what they press.
    """
    physics, sides, helping = config.physics, _sides(kind), _helping(kind)
    fingers, total = opposed(kind)[0], side_force(kind, obj, config)
    torque = np.full(len(rig.levers), physics.passive_torque)
    direction, digits = rig.closing_direction(kind), list(dict.fromkeys(rig.digit_of_dof))
    force, stiffness, most = np.zeros(len(digits)), np.zeros(len(torque)), torque.copy()
    for k, digit in enumerate(rig.digit_of_dof):
        if direction[k] != 0.0:
            if {digit} in sides:
                pressing = min(total, physics.most_force)
            elif {digit} in helping:
                pressing = min(max(total / fingers, HELPING * total), physics.most_force)
            else:
                pressing = total / fingers
            torque[k] = pressing * rig.levers[k]
            stiffness[k] = physics.stiffness * rig.levers[k] ** 2
            most[k] = physics.most_digit_force * rig.levers[k]
            force[digits.index(digit)] = pressing
    return Effort(torque, force, stiffness, most)


def side_force(kind: GraspType, obj: ObjectModel, config: SearchConfig) -> float:
    """With how much force each side of the opposition presses, newtons."""
    physics = config.physics
    wanted = physics.force_per_weight * obj.mass * physics.gravity / physics.friction
    fingers, against_one = opposed(kind)
    # fingers against one thumb share its force, so that neither drives the other back; the palm yields to nobody
    most = physics.most_force * (1 if against_one else fingers)
    return float(np.clip(wanted, physics.least_force * fingers, most))


def most_side_force(kind: GraspType, config: SearchConfig) -> float:
    """The most that each side of the opposition may press with, newtons: a single digit on one side limits both."""
    fingers, against_one = opposed(kind)
    return config.physics.most_digit_force * (1 if against_one else fingers)


def directions_of(kind: GraspType, T_object_hand: Float[Array, "4 4"]) -> Int[Array, "_"]:
    """Rows of :data:`AXES` in which a grasp is shaken: all, or those that its type is made to carry."""
    if kind.test == "six_axes":
        return np.arange(6)
    carried = np.array([HAND_DIRECTIONS[name] for name in kind.carries]) @ T_object_hand[:3, :3].T
    return np.flatnonzero((AXES @ carried.T).max(axis=1) > CARRIED)


def too_heavy(kind: GraspType, obj: ObjectModel, config: SearchConfig) -> str:
    """Why friction cannot carry the object even if every digit presses as hard as it may; empty if it can.

    Along an axis that lies in both sides of the opposition only friction holds: at most ``2 μ`` times the force of a
    side. Types that carry are not held by friction alone.
    """
    physics = config.physics
    most = 2.0 * physics.friction * most_side_force(kind, config) / physics.gravity
    if obj.mass <= most or kind.test == "carry":
        return ""
    return f"{obj.name} weighs {obj.mass:.2f} kg, digits of {physics.most_digit_force:.0f} N hold {most:.2f} kg"


def opposed(kind: GraspType) -> tuple[int, bool]:
    """Digits on the larger side of the opposition, and whether they press against a single digit, not the palm."""
    sides = _sides(kind)
    fingers = max(1, *(len(digits - {"palm"}) for digits in sides))
    return fingers, any(len(digits) == 1 and "palm" not in digits for digits in sides)


def _helping(kind: GraspType) -> list[set[str]]:
    """The sides of the oppositions that a type may have instead of the first one."""
    return [{kind.groups[place].name.split("_")[0] for place in side} for both in kind.oppositions[1:] for side in both]


def _sides(kind: GraspType) -> list[set[str]]:
    """Digits (or the palm) on the two sides of the opposition; what touches beside it counts with the second."""
    return [{group.name.split("_")[0] for group in groups} for groups in (kind.first, kind.second + kind.also)]
