"""How hard a hand presses: which digits stand against which, and the torque of each joint."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.rig import HandRig
from yaff.taxonomy import GraspType

Array = np.ndarray


def closing_torque(rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig) -> Float[Array, "dof"]:
    """Torque of each joint, newton metres: each side of the opposition presses with the same force in all.

    The force of a side is ``force_per_weight`` weights over the friction, shared by its digits, each kept within the
    limits per digit; a joint's torque is that force times its lever to the fingertip.
    """
    physics = config.physics
    wanted = physics.force_per_weight * obj.mass * physics.gravity / physics.friction
    fingers, against_one = opposed(kind)
    sides = _sides(kind)
    # fingers against one thumb share its force, so that neither drives the other back; the palm yields to nobody
    most = physics.most_force * (1 if against_one else fingers)
    total = float(np.clip(wanted, physics.least_force * fingers, most))
    torque = np.full(len(rig.levers), physics.passive_torque)
    direction = rig.closing_direction(kind)
    for k, digit in enumerate(rig.digit_of_dof):
        if direction[k] != 0.0:
            force = min(total, physics.most_force) if {digit} in sides else total / fingers
            torque[k] = force * rig.levers[k]
    return torque


def too_heavy(kind: GraspType, obj: ObjectModel, config: SearchConfig) -> str:
    """Why friction cannot carry the object even if every digit presses as hard as it may; empty if it can.

    Along an axis that lies in both sides of the opposition only friction holds: at most ``2 μ`` times the force of a
    side. Types that carry are not held by friction alone.
    """
    physics = config.physics
    fingers, against_one = opposed(kind)
    side = physics.most_digit_force * (1 if against_one else fingers)
    most = 2.0 * physics.friction * side / physics.gravity
    if obj.mass <= most or kind.test == "carry":
        return ""
    return f"{obj.name} weighs {obj.mass:.2f} kg, digits of {physics.most_digit_force:.0f} N hold {most:.2f} kg"


def opposed(kind: GraspType) -> tuple[int, bool]:
    """Digits on the larger side of the opposition, and whether they press against a single digit, not the palm."""
    sides = _sides(kind)
    fingers = max(1, *(len(digits - {"palm"}) for digits in sides))
    return fingers, any(len(digits) == 1 and "palm" not in digits for digits in sides)


def _sides(kind: GraspType) -> list[set[str]]:
    """Digits (or the palm) on the two sides of the opposition; what touches beside it counts with the second."""
    return [{group.name.split("_")[0] for group in groups} for groups in (kind.first, kind.second + kind.also)]
