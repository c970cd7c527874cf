"""Triangles that enclose a solid: what is inside, counted along lines."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Array = np.ndarray


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
