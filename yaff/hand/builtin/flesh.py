"""The skin of the built-in hand as the zero set of a function: digits with a profile, blobs for the palm.

Lengths here are millimetres where a table says so; :func:`field` takes and returns metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from yaff.hand.builtin.skeleton import DIGIT, DIGITS, WRIST

MILLIMETRE = 1e-3


@dataclass(frozen=True)
class Profile:
    """Cross-sections of one digit at stations along it, millimetres.

    A station is a joint number plus the fraction of the way to the next one (3 is the tip of the skin).
    """

    stations: tuple[float, ...]
    half_breadth: tuple[float, ...]
    dorsal: tuple[float, ...]
    """Skin above the spine, on the nail's side."""
    palmar: tuple[float, ...]
    """Skin below the spine, on the pad's side."""
    tip: float
    """Length of the rounding of the tip."""


_FINGER = (-0.40, 0.15, 0.5, 0.78, 1.0, 1.25, 1.55, 1.85, 2.0, 2.3, 2.55, 2.8)


def _finger(scale: float, tip: float) -> Profile:
    def scaled(*values: float) -> tuple[float, ...]:
        return tuple(scale * value for value in values)

    return Profile(
        _FINGER,
        half_breadth=scaled(7.4, 8.2, 8.7, 9.1, 9.4, 9.0, 8.5, 8.3, 8.4, 8.3, 8.1, 7.6),
        dorsal=scaled(8.8, 8.4, 7.6, 7.8, 8.4, 7.5, 6.8, 6.7, 6.7, 5.6, 5.1, 4.8),
        palmar=scaled(10.0, 9.6, 9.2, 8.4, 7.9, 8.3, 8.3, 7.2, 6.9, 7.8, 8.1, 7.4),
        tip=tip,
    )


PROFILES: Mapping[str, Profile] = {
    "index": _finger(1.0, 8.2),
    "middle": _finger(1.02, 8.4),
    "ring": _finger(0.96, 8.0),
    "pinky": _finger(0.84, 7.2),
    "thumb": Profile(
        (0.0, 0.5, 0.9, 1.05, 1.5, 1.9, 2.05, 2.4, 2.75),
        half_breadth=(11.0, 11.0, 11.2, 11.2, 9.8, 10.3, 10.5, 10.5, 9.2),
        dorsal=(9.5, 9.2, 9.8, 9.8, 8.2, 8.4, 8.2, 6.6, 6.0),
        palmar=(12.0, 11.8, 10.8, 10.4, 9.4, 8.9, 8.9, 9.8, 8.4),
        tip=9.5,
    ),
}

SQUARENESS = 2.25
"""Exponent of the digits' cross-sections: 2 is an ellipse; bones and nail make fingers a little squarer."""


@dataclass(frozen=True)
class Blob:
    """A tapered ellipsoidal capsule: a segment, a radius at each end, and stretch factors across it."""

    start: tuple[float, float, float]
    """Millimetres from the wrist joint, template axes."""
    end: tuple[float, float, float]
    radius: tuple[float, float]
    """At start and end, along y when ``stretch`` is 1; millimetres."""
    stretch: float = 1.0
    """Breadth across the segment in the plane of the palm over depth."""


def _metacarpal(base: tuple[float, float, float], name: str, radius: tuple[float, float]) -> Blob:
    head = (DIGIT[name].joints[0] - WRIST) / MILLIMETRE
    return Blob(base, (float(head[0]), float(head[1]) - 0.3, float(head[2])), radius)


_CMC, _MCP = ((DIGIT["thumb"].joints[k] - WRIST) / MILLIMETRE for k in (0, 1))

WEBS: Sequence[Blob] = (
    Blob((-86.0, -6.5, 9.5), (-96.0, -5.6, 9.2), (7.0, 5.4)),
    Blob((-85.0, -6.0, -15.3), (-92.5, -5.0, -16.2), (7.0, 5.4)),
    Blob((-71.0, -10.0, -34.6), (-78.5, -8.8, -36.2), (6.8, 5.6)),
)
"""Between index and middle, middle and ring, ring and little finger; each ends at the edge of the web."""

PALM: Sequence[Blob] = (
    # forearm stump and carpus, wider than deep
    Blob((34.0, -3.0, -1.0), (4.0, -3.5, -1.0), (16.6, 15.6), 1.60),
    Blob((4.0, -3.5, -1.0), (-24.0, -4.5, 0.0), (15.2, 13.0), 1.66),
    _metacarpal((-18.0, -3.2, 12.0), "index", (10.0, 6.8)),
    _metacarpal((-18.0, -2.2, 3.0), "middle", (11.0, 9.0)),
    _metacarpal((-18.0, -2.8, -7.0), "ring", (11.0, 8.6)),
    _metacarpal((-16.0, -4.5, -17.0), "pinky", (9.8, 5.6)),
    # pads below the metacarpal heads
    Blob((-76.0, -11.5, 16.5), (-89.0, -9.8, 18.2), (8.4, 7.4)),
    Blob((-80.0, -9.8, -2.0), (-95.0, -7.4, -3.6), (8.6, 7.8)),
    Blob((-70.0, -12.0, -20.0), (-83.0, -10.4, -25.6), (8.4, 7.2)),
    Blob((-57.0, -14.5, -30.5), (-69.0, -14.2, -37.6), (8.0, 6.4)),
    # hypothenar along the fifth metacarpal
    Blob((-8.0, -9.5, -16.0), (-30.0, -12.5, -25.0), (11.0, 10.6)),
    Blob((-30.0, -12.5, -25.0), (-54.0, -12.5, -33.5), (10.6, 8.4)),
    # thenar: round the thumb's metacarpal, bulging into the palm
    Blob((-8.0, -9.0, 13.0), (-36.0, -16.5, 27.0), (10.5, 11.0)),
    Blob((float(_CMC[0]) + 3.0, float(_CMC[1]) + 1.0, float(_CMC[2]) - 4.0), (-43.0, -20.0, 44.0), (11.5, 10.2)),
    # first dorsal interosseous and the web between thumb and index
    Blob((-36.0, -7.5, 23.0), (-66.0, -6.0, 23.0), (9.0, 8.0)),
    Blob((-44.0, -14.0, 38.0), (-66.0, -8.8, 27.0), (6.6, 6.6)),
    Blob((-51.0, -17.0, 44.0), (-71.0, -9.8, 27.5), (5.2, 5.0)),
)
KNUCKLES: Sequence[Blob] = (
    Blob((-85.0, 0.9, 19.8), (-88.5, 0.9, 20.5), (5.8, 5.6)),
    Blob((-91.0, 4.4, -2.8), (-95.5, 4.4, -3.0), (6.2, 6.0)),
    Blob((-78.5, 1.2, -26.2), (-82.5, 1.2, -27.4), (5.8, 5.6)),
    Blob((-66.0, -4.6, -41.2), (-69.5, -4.8, -42.4), (5.0, 4.8)),
)

PALM_BLEND = 3.6
"""Softness with which the parts of the palm flow together, millimetres."""
BLEND = 2.2
"""Softness of the union of digits, knuckles, webs and palm, millimetres."""

LIFT = 0.00025
"""Vertices lie this far outside the skin, metres: their flat triangles cut as much off as this adds."""


def field(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Roughly the signed distance to the skin, negative inside; metres.

    The parts are joined by ``-k log(sum(exp(-f / k)))``, which is smooth where they meet.
    """
    palm = _union([_blob(blob, points) for blob in PALM], PALM_BLEND)
    rest = [_blob(blob, points) for blob in (*KNUCKLES, *WEBS)]
    return MILLIMETRE * _union([palm, *rest, *(_digit(name, points) for name in DIGITS)], BLEND)


def _union(parts: Sequence[Float[np.ndarray, "n"]], softness: float) -> Float[np.ndarray, "n"]:
    stacked = np.stack(parts) / softness
    nearest = stacked.min(axis=0)
    total = np.zeros_like(nearest)
    for part in stacked:
        total += np.exp(np.maximum(nearest - part, -40.0))
    return (nearest - np.log(total)) * softness


def gradient(points: Float[np.ndarray, "n 3"], step: float = 1e-5) -> Float[np.ndarray, "n 3"]:
    """Central differences of :func:`field`, 1/1."""
    columns = []
    for axis in range(3):
        shift = np.zeros(3)
        shift[axis] = step
        columns.append((field(points + shift) - field(points - shift)) / (2.0 * step))
    return np.stack(columns, axis=1)


def project(
    points: Float[np.ndarray, "n 3"], *, rounds: int = 4, level: float = 0.0, fixed_axis: int | None = None
) -> Float[np.ndarray, "n 3"]:
    """Move points by Newton steps to where the field is ``level``; ``fixed_axis`` keeps one coordinate."""
    moved = points.copy()
    for _ in range(rounds):
        slope = gradient(moved)
        if fixed_axis is not None:
            slope[:, fixed_axis] = 0.0
        length = np.maximum(np.sum(slope * slope, axis=1), 0.04)
        step = ((field(moved) - level) / length)[:, None] * slope
        moved = moved - np.clip(step, -0.002, 0.002)
    return moved


@cache
def _curves(name: str) -> PchipInterpolator:
    """(half breadth, dorsal, palmar) of a digit over the coordinate along it, millimetres."""
    profile, knots = PROFILES[name], DIGIT[name].knots / MILLIMETRE
    stations = np.interp(profile.stations, [-1.0, 0.0, 1.0, 2.0, 3.0], [-knots[1], *knots])
    return PchipInterpolator(stations, np.stack([profile.half_breadth, profile.dorsal, profile.palmar], axis=1))


def _digit(name: str, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    digit, profile, curves = DIGIT[name], PROFILES[name], _curves(name)
    along, lateral, dorsal = (digit.local(points) / MILLIMETRE).T
    first, last = curves.x[0], curves.x[-1]
    breadth, top, bottom = np.asarray(curves(np.clip(along, first, last))).T
    # the two depths meet smoothly at the spine
    share = 0.5 * (1.0 + np.tanh(dorsal / 3.0))
    depth = bottom + (top - bottom) * share
    start = digit.knots[3] / MILLIMETRE - profile.tip
    cap = np.maximum(along - start, 0.0) / profile.tip + np.minimum(along - first, 0.0) / 12.0
    powers = np.abs(np.stack([lateral / breadth, dorsal / depth, cap])) ** SQUARENESS
    scaled = np.sum(powers, axis=0) ** (1.0 / SQUARENESS)
    return (scaled - 1.0) * np.minimum(breadth, depth)


def _blob(blob: Blob, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    relative = (points - WRIST) / MILLIMETRE - np.array(blob.start)
    segment = np.array(blob.end) - np.array(blob.start)
    length_squared = float(np.sum(segment**2))
    share = np.clip((relative @ segment) / length_squared, 0.0, 1.0)
    radius = blob.radius[0] + (blob.radius[1] - blob.radius[0]) * share
    offset = relative - share[:, None] * segment
    if blob.stretch == 1.0:
        return np.sqrt(np.sum(offset**2, axis=1)) - radius
    offset = offset / np.array([1.0, 1.0, blob.stretch])
    return np.sqrt(np.sum(offset**2, axis=1)) - radius
