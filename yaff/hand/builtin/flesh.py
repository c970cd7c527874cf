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


_FINGER = (-0.40, 0.15, 0.55, 1.0, 1.5, 2.0, 2.45, 2.75)


def _finger(scale: float, tip: float) -> Profile:
    def scaled(*values: float) -> tuple[float, ...]:
        return tuple(scale * value for value in values)

    return Profile(
        _FINGER,
        half_breadth=scaled(8.7, 8.9, 8.9, 9.3, 8.5, 8.25, 7.9, 7.3),
        dorsal=scaled(9.0, 8.6, 7.7, 8.3, 6.9, 6.6, 5.4, 4.6),
        palmar=scaled(10.0, 9.4, 9.0, 7.9, 8.0, 6.9, 7.5, 7.0),
        tip=tip,
    )


PROFILES: Mapping[str, Profile] = {
    "index": _finger(0.98, 8.5),
    "middle": _finger(1.0, 8.5),
    "ring": _finger(0.94, 8.2),
    "pinky": _finger(0.82, 7.2),
    "thumb": Profile(
        (0.0, 0.5, 1.0, 1.5, 2.0, 2.45, 2.75),
        half_breadth=(11.0, 11.0, 10.8, 9.9, 10.5, 10.2, 9.2),
        dorsal=(9.5, 9.0, 9.3, 8.0, 8.4, 6.6, 5.4),
        palmar=(12.0, 11.5, 10.3, 9.3, 8.7, 9.4, 8.6),
        tip=10.0,
    ),
}


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
    Blob((-94.0, -5.5, 9.5), (-99.5, -4.0, 9.3), (7.6, 5.2)),
    Blob((-88.0, -5.0, -15.5), (-95.0, -3.5, -17.0), (7.5, 5.0)),
    Blob((-74.0, -9.5, -35.5), (-80.0, -7.5, -37.5), (7.0, 5.0)),
)
"""Between index and middle, middle and ring, ring and little finger; each ends at the edge of the web."""

PALM: Sequence[Blob] = (
    # forearm stump and carpus, wider than deep
    Blob((34.0, -2.5, -1.0), (4.0, -2.5, -1.0), (17.4, 16.8), 1.56),
    Blob((4.0, -2.5, -1.0), (-24.0, -3.5, 0.0), (16.4, 14.5), 1.64),
    _metacarpal((-18.0, -2.2, 12.0), "index", (11.6, 8.8)),
    _metacarpal((-18.0, -1.2, 3.0), "middle", (12.6, 10.3)),
    _metacarpal((-18.0, -1.8, -7.0), "ring", (12.6, 9.8)),
    _metacarpal((-16.0, -3.5, -17.0), "pinky", (11.4, 7.6)),
    # knuckles
    Blob((-86.0, 0.2, 20.3), (-89.5, 0.6, 21.0), (6.2, 6.0)),
    Blob((-92.0, 4.2, -2.8), (-96.5, 4.4, -3.0), (6.4, 6.2)),
    Blob((-79.5, 1.0, -26.2), (-83.5, 1.2, -27.4), (6.0, 5.8)),
    Blob((-67.0, -5.0, -42.0), (-70.5, -5.0, -43.4), (5.4, 5.2)),
    # pads below the metacarpal heads
    Blob((-78.0, -11.5, 18.0), (-91.0, -9.3, 19.8), (9.6, 8.6)),
    Blob((-82.0, -9.8, -2.0), (-98.0, -6.6, -4.0), (9.8, 8.7)),
    Blob((-72.0, -12.0, -21.0), (-87.0, -9.8, -27.0), (9.6, 8.2)),
    Blob((-58.0, -15.0, -32.0), (-71.0, -14.5, -39.0), (9.0, 7.4)),
    # hypothenar along the fifth metacarpal
    Blob((-8.0, -9.5, -18.0), (-46.0, -13.5, -30.0), (12.5, 10.5)),
    # thenar: round the thumb's metacarpal, bulging into the palm
    Blob((-10.0, -11.0, 14.0), (-38.0, -17.0, 28.0), (12.0, 12.5)),
    Blob((float(_CMC[0]), float(_CMC[1]) - 1.0, float(_CMC[2]) - 3.0), (-43.0, -20.5, 44.0), (13.0, 12.0)),
    # first dorsal interosseous and the web between thumb and index
    Blob((-36.0, -7.0, 24.0), (-64.0, -5.5, 24.0), (10.0, 9.5)),
    Blob((-46.0, -15.0, 40.0), (-66.0, -8.5, 28.0), (8.0, 8.0)),
    Blob((-52.0, -17.0, 44.0), (-70.0, -9.5, 29.0), (6.0, 6.0)),
    *WEBS,
)

BLEND = 2.4
"""Softness of the union, millimetres: parts nearer than about this flow together."""

LIFT = 0.00025
"""Vertices lie this far outside the skin, metres: their flat triangles cut as much off as this adds."""


def field(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Roughly the signed distance to the skin, negative inside; metres.

    The parts are joined by ``-k log(sum(exp(-f / k)))``, which is smooth where they meet.
    """
    parts = [_digit(name, points) for name in DIGITS] + [_blob(blob, points) for blob in PALM]
    stacked = np.stack(parts) / BLEND
    nearest = stacked.min(axis=0)
    total = np.zeros_like(nearest)
    for part in stacked:
        total += np.exp(np.maximum(nearest - part, -40.0))
    return (nearest - np.log(total)) * BLEND * MILLIMETRE


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
    scaled = np.sqrt((lateral / breadth) ** 2 + (dorsal / depth) ** 2 + cap**2)
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
