"""The part of the forearm that the hand model leaves out, as far as it is in the way."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from yaff.hand.model import HandModel

Array = np.ndarray

FOREARM_LENGTH = 0.08
"""Metres of it that are looked at."""
FOREARM_RADIUS = 0.025
"""Metres."""
WRIST_BEND = float(np.radians(60.0))
"""Radians by which the wrist may bend to bring the forearm up."""


def forearm_direction(hand: HandModel) -> Float64[Array, "3"]:
    """From the wrist to the elbow, the wrist held straight: a unit vector of the hand frame."""
    away = hand.rest_joints[0] - hand.rest_joints[[1, 4, 7, 10]].mean(axis=0)
    return np.asarray(away / np.linalg.norm(away), np.float64)
