"""Pose directions: what linear blending loses at a bent joint is put back.

Halfway between two bones blended skin moves to the mean of two rotations, which shrinks its distance from the joint
by cos(angle / 2): knuckles flatten. The correction grows with 1 - cos(angle), a linear function of the rotation
matrix (-1/2 of the trace of R - 1), so that it fits MANO's pose blend shapes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.hand.builtin.skeleton import DIGIT, DIGITS, first_joint

STRENGTH = 0.33
"""Fraction of the height above the joint put back per unit of 1 - cos(angle), fitted up to 100 degrees."""


def pose_directions(
    vertices: Float[np.ndarray, "v 3"], weights: Float[np.ndarray, "v 16"]
) -> Float[np.ndarray, "v 3 135"]:
    """Displacements (metres) per entry of R - 1 of joints 1 to 15, row-major, nine entries each.

    Only skin on the back of the digits moves; the pads' side is left to fold.
    """
    directions = np.zeros((len(vertices), 3, 15, 9))
    for name in DIGITS:
        digit = DIGIT[name]
        first = first_joint(name)
        for step in range(3):
            joint = first + step
            if name == "thumb" and step == 0:
                continue  # the saddle joint turns about every axis: no single back to restore
            beyond = weights[:, joint : first + 3].sum(axis=1)
            height = np.maximum((vertices - digit.joints[step]) @ digit.axes[2], 0.0)
            lift = STRENGTH * 4.0 * beyond * (1.0 - beyond) * height
            moved = np.round(-0.5 * lift[:, None] * digit.axes[2], 8)
            directions[:, :, joint - 1, [0, 4, 8]] = moved[:, :, None]
    return directions.reshape(len(vertices), 3, 135)
