"""Ten ways in which hands differ, as smooth displacements of the skin for one standard deviation each."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from yaff.hand.builtin import anthropometry
from yaff.hand.builtin.skeleton import DIGIT, DIGITS, WRIST
from yaff.hand.builtin.skinning import membership, smooth_step

MEANINGS: Mapping[str, str] = {
    "size": "the whole hand, scaled about the wrist; two units reach from the mean to the ends of the adult range",
    "finger length": "the four fingers longer from their knuckles, as thick as before",
    "palm breadth": "the palm broader, the digits carried along",
    "palm thickness": "the palm deeper from back to palm",
    "finger thickness": "all digits thicker about their bones",
    "thumb length": "the thumb longer from its base",
    "palm length": "the palm longer, the digits carried along",
    "index against ring": "the index longer, the ring finger shorter",
    "tapering": "digits thicker at their base and thinner at their tip",
    "thenar and hypothenar": "fuller balls of thumb and little finger",
}
"""What one positive unit of each shape parameter does."""
NAMES: tuple[str, ...] = tuple(MEANINGS)

SIZE = round(anthropometry.relative_spread(anthropometry.HAND_LENGTH) / 2.0, 3)
"""Growth per unit: two units of size reach from the 5th percentile of women to the 95th of men."""


def shape_directions(vertices: Float[np.ndarray, "v 3"], digit_of: Int[np.ndarray, "v"]) -> Float[np.ndarray, "v 3 10"]:
    """Displacements in metres for one unit of each shape parameter, in the order of :data:`NAMES`.

    The wrist joint stays where it is. Size is measured (see :data:`SIZE`); the others are proportions of 4 to 7 %,
    the variation of single bones that is left when size is taken out.
    """
    share = membership(vertices, digit_of)
    relative = vertices - WRIST
    palm = 1.0 - np.sum([share[name] for name in DIGITS], axis=0)
    fields = [
        SIZE * relative,
        np.sum([0.050 * _stretch(vertices, share, name) for name in DIGITS if name != "thumb"], axis=0),
        0.050 * _carried(vertices, share, palm, np.array([0.0, 0.0, 1.0])),
        0.060 * palm[:, None] * relative * np.array([0.0, 1.0, 0.0]),
        np.sum([0.060 * _thickness(vertices, share, name) for name in DIGITS], axis=0),
        0.060 * _stretch(vertices, share, "thumb"),
        0.040 * _carried(vertices, share, palm, np.array([1.0, 0.0, 0.0])),
        0.040 * (_stretch(vertices, share, "index") - _stretch(vertices, share, "ring")),
        np.sum([0.070 * _taper(vertices, share, name) for name in DIGITS], axis=0),
        0.0018 * _bulk(vertices),
    ]
    return np.round(np.stack(fields, axis=-1), 8)


_Share = Mapping[str, Float[np.ndarray, "v"]]


def _stretch(vertices: Float[np.ndarray, "v 3"], share: _Share, name: str) -> Float[np.ndarray, "v 3"]:
    """Along the digit, growing from its base."""
    digit = DIGIT[name]
    along = np.maximum(digit.local(vertices)[:, 0], 0.0)
    return (share[name] * along)[:, None] * digit.axes[0]


def _thickness(vertices: Float[np.ndarray, "v 3"], share: _Share, name: str) -> Float[np.ndarray, "v 3"]:
    """Away from the digit's spine."""
    digit = DIGIT[name]
    local = digit.local(vertices)
    return share[name][:, None] * (local[:, 1:2] * digit.axes[1] + local[:, 2:3] * digit.axes[2])


def _taper(vertices: Float[np.ndarray, "v 3"], share: _Share, name: str) -> Float[np.ndarray, "v 3"]:
    """Thinner towards the tip, thicker at the base."""
    digit = DIGIT[name]
    at = digit.local(vertices)[:, 0] / digit.knots[3]
    return (0.5 - np.clip(at, 0.0, 1.0))[:, None] * _thickness(vertices, share, name)


def _carried(
    vertices: Float[np.ndarray, "v 3"],
    share: _Share,
    palm: Float[np.ndarray, "v"],
    axis: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "v 3"]:
    """The palm scaled along one axis, the digits carried along unscaled by their base."""
    result = palm[:, None] * (vertices - WRIST) * axis
    for name in DIGITS:
        result += share[name][:, None] * (DIGIT[name].joints[0] - WRIST) * axis
    return result


def _bulk(vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Towards the palm's side over the balls of thumb and little finger."""
    relative = vertices - WRIST
    palmar = smooth_step((-relative[:, 1] - 0.012) / 0.012)
    total = np.zeros(len(vertices))
    for centre in (np.array([-0.030, 0.026]), np.array([-0.032, -0.024])):
        total += np.exp(-np.sum((relative[:, [0, 2]] - centre) ** 2, axis=1) / (2.0 * 0.013**2))
    return (palmar * total)[:, None] * np.array([0.0, -1.0, 0.0])
