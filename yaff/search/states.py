"""What a hand in physics is told, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Array = np.ndarray


@dataclass(frozen=True)
class Effort:
    """How hard a hand is to close."""

    torque: Float[Array, "dof"]
    """The most of each joint, newton metres."""
    force: Float[Array, "5"]
    """What each digit is to press with, newtons, in the order of the joints; 0 for digits that do not press."""
    stiffness: Float[Array, "dof"]
    """Of the joints that press, once the hand holds something, newton metres per radian; 0 for those that only keep
    their place."""
    most: Float[Array, "dof"]
    """What each joint of the closed hand gives at the most, newton metres."""


@dataclass(frozen=True)
class Grip:
    """How a closed hand holds on."""

    angles: Float[Array, "dof"]
    """Where its joints rest, or where those that keep their place are asked to be, radians."""
    torque: Float[Array, "dof"]
    """With which each joint presses at rest, newton metres; its sign is the way in which it closes."""
    stiffness: Float[Array, "dof"]
    """How much harder it presses when it is pushed back, newton metres per radian; 0 where it keeps its place."""
    most: Float[Array, "dof"]
    """What it gives at the most, newton metres."""


@dataclass(frozen=True)
class Settled:
    """What closing the hand came to."""

    dof: Float[Array, "dof"]
    """Joint angles, radians."""
    T_hand_object: Float[Array, "4 4"]
    moved: float
    """How far the object's centre moved while the hand closed, metres."""
    contacts: int
    """Links of the hand that press on the object."""
    force: float
    """The most that one digit presses on the object, newtons; the palm is no digit."""
    grip: Grip
    """How it holds on from now."""
    state: int
    """PyBullet's identifier of the saved state from which the shakes start."""


@dataclass(frozen=True)
class Shaken:
    """Motion of the object relative to the hand in each direction of :data:`yaff.grasp.SHAKE_DIRECTIONS`."""

    translation: Float[Array, "6"]
    """Metres; the most at any time of the shake, 0 where it was not shaken."""
    rotation: Float[Array, "6"]
    """Radians; the most at any time of the shake, 0 where it was not shaken."""
    shaken: Bool[Array, "6"]
    """Directions that were tried; the shakes stop at the first that fails unless all are wanted."""
    force: float
    """The most that one digit pressed on the object at any time, newtons."""
    held: bool
    """Whether the object stayed within the limits in every direction that was tried."""

    @property
    def tried(self) -> int:
        """How many directions were tried."""
        return int(self.shaken.sum())
