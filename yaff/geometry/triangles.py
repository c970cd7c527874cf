"""Points and triangles: closest points, points spread over triangles, lines through triangles."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


def closest_points(
    points: Float[Array, "n 3"],
    a: Float[Array, "n 3"],
    b: Float[Array, "n 3"],
    c: Float[Array, "n 3"],
) -> Float[Array, "n 3"]:
    """The point of triangle ``(a, b, c)[i]`` nearest to ``points[i]``, for each row (any one length unit).

    By the Voronoi regions of the triangle's features (Ericson, *Real-Time Collision Detection*, 2005, section 5.1.5).
    Degenerate triangles (segments, points) are allowed.
    """
    ab, ac, ap = b - a, c - a, points - a
    d1, d2 = _dot(ab, ap), _dot(ac, ap)
    bp = points - b
    d3, d4 = _dot(ab, bp), _dot(ac, bp)
    cp = points - c
    d5, d6 = _dot(ab, cp), _dot(ac, cp)
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2

    # Barycentric coordinates (v of b, w of c); the interior first, then edges, then corners overrule.
    total = va + vb + vc
    v, w = _ratio(vb, total), _ratio(vc, total)
    on_bc = (va <= 0) & (d4 - d3 >= 0) & (d5 - d6 >= 0)
    t = _ratio(d4 - d3, (d4 - d3) + (d5 - d6))
    v, w = np.where(on_bc, 1 - t, v), np.where(on_bc, t, w)
    on_ac = (vb <= 0) & (d2 >= 0) & (d6 <= 0)
    v, w = np.where(on_ac, 0.0, v), np.where(on_ac, _ratio(d2, d2 - d6), w)
    on_ab = (vc <= 0) & (d1 >= 0) & (d3 <= 0)
    v, w = np.where(on_ab, _ratio(d1, d1 - d3), v), np.where(on_ab, 0.0, w)
    at_c = (d6 >= 0) & (d5 <= d6)
    v, w = np.where(at_c, 0.0, v), np.where(at_c, 1.0, w)
    at_b = (d3 >= 0) & (d4 <= d3)
    v, w = np.where(at_b, 1.0, v), np.where(at_b, 0.0, w)
    at_a = (d1 <= 0) & (d2 <= 0)
    v, w = np.where(at_a, 0.0, v), np.where(at_a, 0.0, w)
    return a + v[:, None] * ab + w[:, None] * ac


def _dot(u: Float[Array, "n 3"], v: Float[Array, "n 3"]) -> Float[Array, "n"]:
    return np.einsum("ij,ij->i", u, v)


def _ratio(numerator: Float[Array, "n"], denominator: Float[Array, "n"]) -> Float[Array, "n"]:
    """A quotient that is 0 where the denominator is."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def spread_points(triangles: Float[Array, "f 3 3"], spacing: float) -> tuple[Float[Array, "n 3"], Int[Array, "n"]]:
    """Points over triangles, no place of a triangle farther than ``spacing`` from one, and their triangles.

    Each triangle is laid on its longest edge and covered by rows of points parallel to it, as many as its height asks
    for, so that a sliver gets few.
    """
    corners = np.asarray(triangles, np.float64)
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=-1)
    row, longest = np.arange(len(corners)), sides.argmax(axis=1)
    a, b, c = (corners[row, (longest + k) % 3] for k in range(3))
    length = sides[row, longest]
    along = _scaled(b - a, length)
    foot = _dot(c - a, along)
    rise = c - a - foot[:, None] * along
    height = np.linalg.norm(rise, axis=1)
    up = _scaled(rise, height)

    rows = np.maximum(np.ceil(height / spacing).astype(np.int64), 1)
    owner = np.repeat(row, rows)
    low = (np.arange(len(owner)) - np.repeat(np.cumsum(rows) - rows, rows)) / rows[owner]
    left = foot[owner] * low
    width = length[owner] * (1.0 - low)
    columns = np.maximum(np.ceil(width / spacing).astype(np.int64), 1)
    strip = np.repeat(np.arange(len(owner)), columns)
    place = np.arange(len(strip)) - np.repeat(np.cumsum(columns) - columns, columns) + 0.5
    x = left[strip] + width[strip] * place / columns[strip]
    owner, low = owner[strip], low[strip]
    # Half-way up the strip, or half-way up to the slanting edge where that is nearer.
    edge = np.where(x < foot[owner], _ratio(x, foot[owner]), _ratio(length[owner] - x, length[owner] - foot[owner]))
    y = 0.5 * height[owner] * (low + np.minimum(low + 1.0 / rows[owner], edge))
    return a[owner] + x[:, None] * along[owner] + y[:, None] * up[owner], owner


def _scaled(vectors: Float[Array, "n 3"], lengths: Float[Array, "n"]) -> Float[Array, "n 3"]:
    """Vectors over their lengths; zero stays zero."""
    return vectors / np.where(lengths > 0.0, lengths, 1.0)[:, None]


def winding_along_axis(
    vertices: Float[Array, "v 3"],
    faces: Int[Array, "f 3"],
    axis: int,
    origin: Float[Array, "3"],
    spacing: float,
    shape: tuple[int, int, int],
) -> Int[Array, "nx ny nz"]:
    """How often the surface winds round each node of a grid, counted along the grid lines parallel to one axis.

    Crossings into the solid count +1 and out of it -1, so overlapping parts of a closed surface do not cancel as they
    do in a parity count. A line through an edge meets exactly one of its two faces: the side of an edge is computed
    from its end points in one fixed order.

    Returns:
        int16 array of ``shape``: 0 outside, 1 inside, 2 where two parts of the solid overlap.
    """
    other = [k for k in range(3) if k != axis]
    plane = (vertices[:, other] - origin[other]) / spacing
    height = (vertices[:, axis] - origin[axis]) / spacing
    rows, columns = shape[other[0]], shape[other[1]]

    corners = plane[faces]
    first = np.maximum(np.ceil(corners.min(axis=1)).astype(np.int64), 0)
    last = np.minimum(np.floor(corners.max(axis=1)).astype(np.int64), [rows - 1, columns - 1])
    extent = np.maximum(last - first + 1, 0)
    count = extent[:, 0] * extent[:, 1]
    face = np.repeat(np.arange(len(faces)), count)
    offset = np.arange(len(face)) - np.repeat(np.cumsum(count) - count, count)
    width = np.maximum(extent[face, 1], 1)
    line = np.stack([first[face, 0] + offset // width, first[face, 1] + offset % width], axis=-1)

    sides = np.empty((len(face), 3), dtype=bool)
    for k in range(3):
        start, end = faces[face, k], faces[face, (k + 1) % 3]
        low, high = np.minimum(start, end), np.maximum(start, end)
        p, q = plane[low], plane[high]
        left = (q[:, 0] - p[:, 0]) * (line[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (line[:, 0] - p[:, 0]) >= 0
        sides[:, k] = left == (low == start)
    hit = (sides.all(axis=1)) | (~sides.any(axis=1))
    face, line = face[hit], line[hit]

    a, b, c = (plane[faces[face, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    solid = area != 0.0
    face, line, area, a, b, c = face[solid], line[solid], area[solid], a[solid], b[solid], c[solid]
    offset_line = line - a
    v = (offset_line[:, 0] * (c[:, 1] - a[:, 1]) - offset_line[:, 1] * (c[:, 0] - a[:, 0])) / area
    w = ((b[:, 0] - a[:, 0]) * offset_line[:, 1] - (b[:, 1] - a[:, 1]) * offset_line[:, 0]) / area
    z = height[faces[face]]
    crossing = z[:, 0] + v * (z[:, 1] - z[:, 0]) + w * (z[:, 2] - z[:, 0])

    # The other two axes in increasing order are right-handed with this one except for the middle axis.
    facing = np.sign(area) * (-1 if axis == 1 else 1)
    node = np.clip(np.ceil(crossing), 0, shape[axis]).astype(np.int64)
    depth = shape[axis] + 1
    index = (line[:, 0] * columns + line[:, 1]) * depth + node
    steps = np.bincount(index, weights=-facing, minlength=rows * columns * depth)
    winding = np.cumsum(steps.reshape(rows, columns, depth), axis=-1)[..., :-1].astype(np.int16)
    return np.moveaxis(winding, -1, axis)
