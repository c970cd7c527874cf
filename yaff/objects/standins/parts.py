"""Building blocks of the stand-ins: solids that know the convex pieces they are made of.

Lengths in metres. Curved surfaces are polygons: many-sided in the solid, few-sided in its pieces, the few-sided ones
drawn to the same area.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from manifold3d import CrossSection, Manifold, Mesh64, OpType

from yaff.objects.splitting import fitted_hull

Array = np.ndarray
Ring = Float[np.ndarray, "_ 3"]
Pieces = tuple[Float[np.ndarray, "_ 3"], ...]

SIDES = 48
"""Sides of a round section in the solid."""
PIECE_SIDES = 16
"""Sides of a round section in a convex piece."""
JOIN = 1.04
"""Neighbouring pieces are made one where the hull has at most this many times their volume."""


@dataclass(frozen=True, eq=False)
class Part:
    """A solid and convex pieces that cover it."""

    solid: Manifold
    pieces: Pieces

    def __add__(self, other: Part) -> Part:
        return union([self, other])


def union(parts: Sequence[Part]) -> Part:
    """All parts together."""
    solid = Manifold.batch_boolean([part.solid for part in parts], OpType.Add)
    return Part(solid, tuple(piece for part in parts for piece in part.pieces))


def placed(part: Part, rotation: Float[Array, "3 3"], translation: Float[Array, "3"]) -> Part:
    """A part turned, then moved."""
    matrix = np.concatenate([rotation, np.asarray(translation)[:, None]], axis=1)
    pieces = tuple(piece @ rotation.T + translation for piece in part.pieces)
    return Part(part.solid.transform(matrix), pieces)


def turn_z(angle: float) -> Float[Array, "3 3"]:
    """Rotation about z by ``angle`` radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def hull(points: Float[Array, "n 3"]) -> Part:
    """The convex hull of points: one piece."""
    return Part(Manifold.hull_points(points), (np.asarray(points, np.float64),))


@dataclass(frozen=True)
class Section:
    """A superellipse ``|u/a|^p + |v/b|^p = 1`` in the plane of two unit vectors: p = 2 an ellipse, 4+ a rounded box."""

    centre: tuple[float, float, float]
    a: float
    b: float
    power: float = 2.0
    u: tuple[float, float, float] = (1.0, 0.0, 0.0)
    v: tuple[float, float, float] = (0.0, 1.0, 0.0)

    def ring(self, sides: int) -> Ring:
        """Corners of a polygon of the same area as the superellipse, nearly."""
        angle = 2.0 * np.pi * (np.arange(sides) + 0.5) / sides
        cosine, sine = np.cos(angle), np.sin(angle)
        x = np.sign(cosine) * np.abs(cosine) ** (2.0 / self.power)
        y = np.sign(sine) * np.abs(sine) ** (2.0 / self.power)
        fuller = np.sqrt((2.0 * np.pi / sides) / np.sin(2.0 * np.pi / sides)) if self.power <= 2.0 else 1.0
        offset = fuller * (self.a * x[:, None] * np.array(self.u) + self.b * y[:, None] * np.array(self.v))
        return np.array(self.centre) + offset


def chain(
    sections: Sequence[Section],
    sides: int = SIDES,
    piece_sides: int = PIECE_SIDES,
    join: float = JOIN,
    closed: bool = False,
) -> Part:
    """A tube through the sections, capped at its ends, or joined end to end when ``closed``.

    The pieces are runs of neighbours whose common hull is hardly larger than they are together.
    """
    rings = [section.ring(piece_sides) for section in sections]
    if closed:
        rings.append(rings[0])
    runs = _runs(len(rings), lambda i, j: Manifold.hull_points(np.concatenate(rings[i : j + 1])).volume(), join)
    pieces = tuple(_corners(np.concatenate(rings[i : j + 1])) for i, j in runs)
    return Part(_tube([section.ring(sides) for section in sections], closed), pieces)


def _tube(rings: Sequence[Ring], closed: bool) -> Manifold:
    """The solid between rings of equally many corners."""
    count, sides = len(rings), len(rings[0])
    vertices = np.concatenate(rings)
    here = np.arange(count if closed else count - 1)[:, None] * sides
    ahead = (here + sides) % (count * sides)
    k = np.arange(sides)[None]
    after = (k + 1) % sides
    quads = [[here + k, here + after, ahead + after], [here + k, ahead + after, ahead + k]]
    faces = np.concatenate([np.stack(np.broadcast_arrays(*q), axis=-1).reshape(-1, 3) for q in quads])
    if not closed:
        fan = np.arange(1, sides - 1)
        start = np.stack([np.zeros_like(fan), fan + 1, fan], axis=-1)
        end = (count - 1) * sides + start[:, [0, 2, 1]]
        faces = np.concatenate([faces, start, end])
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    if np.einsum("ij,ij->", a, np.cross(b, c)) < 0.0:
        faces = faces[:, ::-1]
    return Manifold(Mesh64(vertices, np.ascontiguousarray(faces, np.uint64)))


def _runs(count: int, volume: Callable[[int, int], float], join: float) -> list[tuple[int, int]]:
    """Stations 0 .. count - 1 in runs (first, last), each as long as its hull stays nearly full.

    Args:
        count: number of stations; neighbouring runs share one.
        volume: of the hull of stations i to j.
        join: how much larger a run's hull may be than the hulls of its links together.
    """
    links = [volume(k, k + 1) for k in range(count - 1)]
    runs, start = [], 0
    for end in range(1, count):
        if end + 1 < count and volume(start, end + 1) <= join * sum(links[start : end + 1]):
            continue
        runs.append((start, end))
        start = end
    return runs


def _corners(points: Float[Array, "n 3"]) -> Float[Array, "m 3"]:
    """The corners of the hull of points."""
    return np.asarray(Manifold.hull_points(points).to_mesh().vert_properties[:, :3], np.float64)


def stacked(
    levels: Sequence[tuple[float, float, float]],
    power: float = 2.0,
    centre: tuple[float, float] = (0.0, 0.0),
    join: float = JOIN,
    piece_sides: int = PIECE_SIDES,
) -> Part:
    """Sections one above the other: levels (height z, half-width x, half-width y)."""
    sections = [Section((centre[0], centre[1], z), a, b, power) for z, a, b in levels]
    return chain(sections, piece_sides=piece_sides, join=join)


def vessel(
    outer: Sequence[tuple[float, float]],
    inner: Sequence[tuple[float, float]],
    sectors: int = 16,
    wall_join: float = 1.15,
) -> Part:
    """A hollow body of revolution about z, open at the top, from two profiles (radius, height), bottom to top.

    Both profiles begin at the radius where the flat bottom ends and have equally many points; the pieces are the
    bottom's disc and, for each sector and each nearly straight run of the profile, a wedge of the wall; where the run
    bends, flattened to the wall's volume.
    """
    outline = [(0.0, outer[0][1]), *outer, *reversed(inner), (0.0, inner[0][1])]
    solid = CrossSection([np.array(outline)]).revolve(SIDES)
    bottom = [
        Section((0.0, 0.0, z), r, r).ring(PIECE_SIDES)
        for r, z in (outer[0], (0.5 * (outer[0][0] + inner[0][0]), inner[0][1]))
    ]
    pieces = [np.concatenate(bottom)]
    half = np.pi / sectors
    fuller = np.sqrt(2.0 * half / np.sin(2.0 * half))

    def wedge(sector: int, first: int, last: int) -> Float[Array, "n 3"]:
        angles = 2.0 * np.pi * (sector + np.array([0.0, 1.0])) / sectors
        spoke = fuller * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        profile = [*outer[first : last + 1], *inner[first : last + 1]]
        return _corners(np.array([[*(r * direction), z] for r, z in profile for direction in spoke]))

    def stave(sector: int, first: int, last: int) -> Float[Array, "n 3"]:
        links = [Manifold.hull_points(wedge(sector, k, k + 1)) for k in range(first, last)]
        wall = Manifold.batch_boolean(links, OpType.Add)
        return np.asarray(fitted_hull(wall).to_mesh().vert_properties[:, :3], np.float64)

    runs = _runs(len(outer), lambda first, last: Manifold.hull_points(wedge(0, first, last)).volume(), wall_join)
    pieces += [stave(sector, first, last) for sector in range(sectors) for first, last in runs]
    return Part(solid, tuple(pieces))


def sweep(
    path: Sequence[tuple[float, float, float]],
    half_widths: Sequence[tuple[float, float]] | tuple[float, float],
    up: tuple[float, float, float],
    power: float = 3.0,
    closed: bool = False,
    join: float = 1.08,
    piece_sides: int = 12,
) -> Part:
    """A section carried along a path.

    Args:
        path: centres of the sections.
        half_widths: (across the path in its plane, along ``up``), one for all or one for each.
        up: the normal of the plane in which the path turns.
        power: of the superellipse.
        closed: whether the last centre is joined to the first.
        join: as for :func:`chain`.
        piece_sides: sides of the sections of the pieces.
    """
    points = np.array(path)
    count = len(points)
    if closed:
        tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    else:
        tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.cross(np.array(up), tangent)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    upward = np.cross(tangent, across)
    if isinstance(half_widths[0], tuple):
        widths = np.array(half_widths, np.float64)
    else:
        widths = np.tile(np.array(half_widths, np.float64), (count, 1))
    sections = [
        Section(
            _triple(points[k]), float(widths[k, 0]), float(widths[k, 1]), power, _triple(across[k]), _triple(upward[k])
        )
        for k in range(count)
    ]
    return chain(sections, sides=20, piece_sides=piece_sides, join=join, closed=closed)


def _triple(values: Float[Array, "3"]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def box(size: tuple[float, float, float], centre: tuple[float, float, float], edge: float = 0.002) -> Part:
    """A box with its edges and corners cut off by ``edge`` metres."""
    half = np.array(size) / 2.0
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float64)
    corners = [signs * (half - edge * (1.0 - np.eye(3)[axis])) for axis in range(3)]
    return hull(np.concatenate(corners) + np.array(centre))
