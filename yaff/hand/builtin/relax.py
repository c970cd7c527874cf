"""Even triangles: vertices slide over the skin and edges flip, while rings of digits and wrist stay in place."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from yaff.hand.builtin import flesh
from yaff.hand.builtin.cells import vertex_normals
from yaff.hand.builtin.seeds import spacing

DENSITY = 3.0
"""Power of the wanted distance between vertices with which triangles attract."""
ROUNDS = 48
FLIPS = 6
"""Rounds of sliding for each round of flips."""


def relax(
    points: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], fixed: int
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Points (metres) on the skin and as many triangles as before; the first ``fixed`` points stay where they are.

    Botsch and Kobbelt 2004, "A remeshing approach to multiresolution modeling", without splits and collapses:
    flips that bring the number of neighbours nearer to six, tangential smoothing, projection onto the skin.
    """
    points = points.copy()
    palm = np.arange(fixed, len(points))
    points[palm] = flesh.project(points[palm], level=flesh.LIFT)
    for turn in range(ROUNDS):
        if turn % FLIPS == 0:
            faces = _flip(points, faces, by_angle=turn >= ROUNDS // 3)
        normals = vertex_normals(points, faces)[palm]
        move = _towards_neighbours(points, faces)[palm]
        move -= np.sum(move * normals, axis=1, keepdims=True) * normals
        points[palm] = flesh.project(points[palm] + 0.6 * move, rounds=2, level=flesh.LIFT)
    points[palm] = flesh.project(points[palm], level=flesh.LIFT)
    return points, _flip(points, faces, by_angle=True)


def _towards_neighbours(points: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """From each vertex to the mean of the centres of its triangles, weighted by areas, and more where skin bends."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = np.sqrt(np.sum(np.cross(b - a, c - a) ** 2, axis=1, keepdims=True))
    area *= spacing((a + b + c) / 3.0)[:, None] ** -DENSITY
    total, mass = np.zeros_like(points), np.zeros((len(points), 1))
    for k in range(3):
        np.add.at(total, faces[:, k], area * (a + b + c) / 3.0)
        np.add.at(mass, faces[:, k], area)
    return total / mass - points


def _flip(points: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], *, by_angle: bool) -> Int[np.ndarray, "f 3"]:
    """Edges swapped for the other diagonal of their two triangles where that is better.

    Better is: a larger smallest angle (``by_angle``), or numbers of neighbours nearer to six.
    """
    triangles = [tuple(row) for row in faces.tolist()]
    sides: dict[tuple[int, int], int] = {}
    valence = np.bincount(np.unique(np.sort(_edges(faces), axis=1), axis=0).ravel(), minlength=len(points))
    for number, (a, b, c) in enumerate(triangles):
        sides[a, b] = sides[b, c] = sides[c, a] = number
    for a, b in sorted(sides):
        if a > b or (a, b) not in sides or (b, a) not in sides:
            continue
        left, right = sides[a, b], sides[b, a]
        c, d = (next(v for v in triangles[t] if v not in (a, b)) for t in (left, right))
        if (c, d) in sides or (d, c) in sides or min(valence[a], valence[b]) <= 4:
            continue
        before = (_corner(points, a, b, c), _corner(points, b, a, d))
        after = (_corner(points, a, d, c), _corner(points, d, b, c))
        if min(after) <= 0.0 or _bend(points, (a, d, c), (d, b, c)) < min(0.6, _bend(points, (a, b, c), (b, a, d))):
            continue
        if by_angle:
            better = min(after) > min(before) + 1e-3
        else:
            now = np.array([valence[a], valence[b], valence[c], valence[d]]) - 6
            better = np.sum((now + np.array([-1, -1, 1, 1])) ** 2) < np.sum(now**2) and min(after) > 0.2
        if not better:
            continue
        triangles[left], triangles[right] = (a, d, c), (d, b, c)
        del sides[a, b], sides[b, a]
        for number in (left, right):
            p, q, r = triangles[number]
            sides[p, q] = sides[q, r] = sides[r, p] = number
        valence[[a, b]] -= 1
        valence[[c, d]] += 1
    return np.array(triangles, dtype=np.int64)


def _corner(points: Float[np.ndarray, "v 3"], a: int, b: int, c: int) -> float:
    """The smallest angle of a triangle, radians."""
    edges = points[[b, c, a]] - points[[a, b, c]]
    edges /= np.sqrt(np.sum(edges**2, axis=1, keepdims=True))
    cosines = [-float(edges[k] @ edges[k - 1]) for k in range(3)]
    return float(np.arccos(np.clip(max(cosines), -1.0, 1.0)))


def _bend(points: Float[np.ndarray, "v 3"], first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Cosine of the angle between the normals of two triangles."""
    normals = []
    for a, b, c in (first, second):
        normal = np.cross(points[b] - points[a], points[c] - points[a])
        normals.append(normal / np.sqrt(np.sum(normal**2)))
    return float(normals[0] @ normals[1])


def _edges(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "e 2"]:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
