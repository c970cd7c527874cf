"""Where the 778 vertices go: rings round the digits, a ring at the wrist, the rest spread over the palm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from yaff.hand.builtin import flesh
from yaff.hand.builtin.skeleton import DIGIT, DIGITS, WRIST, rest_joints

VERTICES = 778
WRIST_RING = 16


@dataclass(frozen=True)
class Rings:
    """How one digit is divided."""

    first: float
    """Coordinate of the first ring along the digit, metres: just beyond the web."""
    steps: tuple[int, int, int]
    """Rings on the way to the next joint, to the last joint, and to where the tip begins to round off."""
    around: int
    """Vertices of a ring; neighbouring rings are turned by half a step, so that triangles come out even."""


RINGS: Mapping[str, Rings] = {
    "index": Rings(0.0150, (3, 4, 2), 9),
    "middle": Rings(0.0135, (3, 4, 2), 9),
    "pinky": Rings(0.0150, (1, 3, 2), 9),
    "ring": Rings(0.0165, (2, 4, 2), 9),
    "thumb": Rings(0.0410, (0, 3, 3), 10),
}
_CAP = 7  # vertices of the small ring round the apex of a tip


@dataclass(frozen=True)
class Seeds:
    """Points on the skin that become vertices."""

    points: Float[np.ndarray, "n 3"]
    """Metres. Wrist ring first, then digits (ring by ring, apex last), then the palm."""
    apex: Mapping[str, int]
    """Row of each digit's tip."""
    pad: Mapping[str, int]
    """Row of the vertex beside the tip, on the pad's side."""
    fixed: int
    """Rows before this one stay where they are."""


def place_seeds(
    vertices: Float[np.ndarray, "v 3"], normals: Float[np.ndarray, "v 3"], rim: Int[np.ndarray, "b"]
) -> Seeds:
    """Seeds on the dense skin ``vertices`` whose open boundary is the loop ``rim`` (in order)."""
    rays = [_digit_rays(name) for name in DIGITS]
    points = _cast(np.concatenate([o for o, _ in rays]), np.concatenate([d for _, d in rays]))
    fixed = np.concatenate([_wrist_ring(vertices[rim]), points])
    ends = WRIST_RING + np.cumsum([len(origins) for origins, _ in rays])
    apex = {name: int(end) - 1 for name, end in zip(DIGITS, ends, strict=True)}
    pad = {name: row - _CAP for name, row in apex.items()}
    count = len(fixed)
    palm = _spread(vertices, normals, fixed, VERTICES - count)
    return Seeds(np.round(np.concatenate([fixed, palm]), 7), apex, pad, count)


def _wrist_ring(loop: Float[np.ndarray, "b 3"]) -> Float[np.ndarray, "16 3"]:
    """Points at equal distances along the closed loop, the first at the middle of the back."""
    start = int(np.argmax(loop[:, 1]))
    closed = np.concatenate([loop[start:], loop[: start + 1]])
    length = np.concatenate([[0.0], np.cumsum(np.sqrt(np.sum(np.diff(closed, axis=0) ** 2, axis=1)))])
    at = length[-1] * np.arange(WRIST_RING) / WRIST_RING
    return np.stack([np.interp(at, length, closed[:, k]) for k in range(3)], axis=1)


def ring_stations(name: str) -> Float[np.ndarray, "r"]:
    """Coordinates of the full rings along a digit, metres."""
    rings, digit = RINGS[name], DIGIT[name]
    end = float(digit.knots[3]) - flesh.PROFILES[name].tip * flesh.MILLIMETRE
    stops = [rings.first, *(float(k) for k in digit.knots[1:3]), end]
    if rings.steps[0] == 0:
        stops.pop(1)
    steps = [n for n in rings.steps if n]
    stations = [np.linspace(a, b, n, endpoint=False) for a, b, n in zip(stops, stops[1:], steps, strict=False)]
    return np.concatenate([*stations, [end]])


def _digit_rays(name: str) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Origins on the spine and directions of the rays to a digit's vertices: ring by ring, cap, apex."""
    digit, around = DIGIT[name], RINGS[name].around
    stations = ring_stations(name)
    along, lateral, dorsal = digit.axes
    origins, directions = [], []

    def add(station: float, angles: Float[np.ndarray, "_"], elevation: float) -> None:
        centre = digit.spine(np.array([station]))[0]
        across = np.cos(angles)[:, None] * -dorsal + np.sin(angles)[:, None] * lateral
        directions.append(np.cos(elevation) * across + np.sin(elevation) * along)
        origins.append(np.repeat(centre[None], len(angles), axis=0))

    for row, station in enumerate(stations):
        turn = 0.5 * ((len(stations) - 1 - row) % 2)
        last = row == len(stations) - 1
        add(station, 2.0 * np.pi * (np.arange(around) + turn) / around, np.deg2rad(15.0) * last)
    add(stations[-1], 2.0 * np.pi * np.arange(_CAP) / _CAP, np.deg2rad(53.0))
    add(stations[-1], np.zeros(1), np.deg2rad(90.0))
    return np.concatenate(origins), np.concatenate(directions)


def _cast(
    origins: Float[np.ndarray, "n 3"], directions: Float[np.ndarray, "n 3"], reach: float = 0.022
) -> Float[np.ndarray, "n 3"]:
    """The first points just outside the skin on rays that start inside."""
    samples = np.linspace(0.0, reach, 45)
    grid = origins[:, None] + samples[None, :, None] * directions[:, None]
    outside = flesh.field(grid.reshape(-1, 3)).reshape(len(origins), -1) > flesh.LIFT
    first = np.argmax(outside, axis=1)
    lost = np.flatnonzero(outside[:, 0] | ~outside.any(axis=1))
    if len(lost):
        raise RuntimeError(f"rings of the digits lie in a web: rays {lost.tolist()} do not leave the skin")
    low, high = samples[np.maximum(first - 1, 0)], samples[first]
    for _ in range(30):
        middle = 0.5 * (low + high)
        beyond = flesh.field(origins + middle[:, None] * directions) > flesh.LIFT
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return origins + low[:, None] * directions


NORMAL_WEIGHT = 0.006
"""Metres per unit of normal: keeps seeds on the two sides of a web or between fingers apart."""


def spacing(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    """Wanted distance between vertices, relative: 1 in the palm, less where knuckles bend and webs turn sharply."""

    def near(centres: Float[np.ndarray, "c 3"], full: float, none: float) -> Float[np.ndarray, "n"]:
        distance = np.sqrt(np.sum((points[:, None] - centres[None]) ** 2, axis=2)).min(axis=1)
        return np.clip((none - distance) / (none - full), 0.0, 1.0)

    webs = WRIST + flesh.MILLIMETRE * np.array([web.end for web in flesh.WEBS])
    knuckles = near(rest_joints()[[1, 4, 7, 10, 14]], 0.014, 0.030)
    return 1.0 - np.maximum(0.28 * knuckles, 0.45 * near(webs, 0.006, 0.014))


def _spread(
    vertices: Float[np.ndarray, "v 3"],
    normals: Float[np.ndarray, "v 3"],
    fixed: Float[np.ndarray, "m 3"],
    count: int,
    rounds: int = 60,
) -> Float[np.ndarray, "k 3"]:
    """Farthest-point samples relaxed by Lloyd's iteration, among the fixed ones."""
    space = np.concatenate([vertices, NORMAL_WEIGHT * normals], axis=1)
    size = spacing(vertices)
    anchors = space[KDTree(vertices).query(fixed)[1]]
    anchors[:, :3] = fixed
    nearest = KDTree(anchors).query(space)[0]
    chosen: list[int] = []
    for _ in range(count):
        pick = int(np.argmax(nearest / size))
        chosen.append(pick)
        nearest = np.minimum(nearest, np.sqrt(np.sum((space - space[pick]) ** 2, axis=1)))
    rows = np.array(chosen)
    weight = size**-4.0
    tree = KDTree(vertices)
    for _ in range(rounds):
        owner = KDTree(np.concatenate([anchors, space[rows]])).query(space)[1] - len(anchors)
        mine = owner >= 0
        total = np.zeros((count, 3))
        mass = np.zeros(count)
        np.add.at(total, owner[mine], weight[mine, None] * vertices[mine])
        np.add.at(mass, owner[mine], weight[mine])
        centre = total / np.maximum(mass, 1e-12)[:, None]
        centre = np.where(mass[:, None] > 0.0, centre, vertices[rows])
        rows = tree.query(np.round(centre, 9))[1]
    return vertices[rows]
