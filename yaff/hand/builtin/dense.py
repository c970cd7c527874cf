"""A fine triangulation of the skin: surface nets (Gibson 1998) on a grid, cut open at the wrist."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from yaff.hand.builtin import flesh

CUT_X = 0.1137
"""Plane of the wrist's opening, metres: 18 mm behind the wrist joint."""

SPACING = 0.0014
LOWER = np.array([-0.090, -0.040, -0.078])
UPPER = np.array([0.1137, 0.034, 0.104])


def dense_skin() -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices (metres, rounded to 0.1 um) and outward triangles of the skin, open at ``x = CUT_X``."""
    vertices, quads = _surface_nets()
    # the layer of cells that straddles the plane becomes the boundary
    keep = vertices[:, 0] < CUT_X + 0.5 * SPACING
    quads = quads[keep[quads].all(axis=1)]
    used = np.unique(quads)
    number = np.full(len(vertices), -1, dtype=np.int64)
    number[used] = np.arange(len(used))
    vertices, quads = vertices[used], number[quads]
    faces = _split(vertices, quads)
    rim = boundary_vertices(faces)
    inner = np.ones(len(vertices), dtype=bool)
    inner[rim] = False
    vertices[rim, 0] = CUT_X
    vertices[rim] = flesh.project(vertices[rim], fixed_axis=0)
    for _ in range(3):
        vertices = _smooth(vertices, faces, inner)
        vertices[inner] = flesh.project(vertices[inner], rounds=1)
    return np.round(vertices, 7), faces


def boundary_vertices(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "b"]:
    """Vertices of edges that belong to one triangle only."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    return np.unique(unique[count == 1])


def _surface_nets() -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "q 4"]]:
    count = np.ceil((UPPER - LOWER) / SPACING).astype(int) + 3
    origin = UPPER - (count - 2.5) * SPACING  # the plane of the cut lies in the middle of a layer of cells
    origin[1:] = LOWER[1:]
    axes = [origin[k] + SPACING * np.arange(count[k]) for k in range(3)]
    values = _sample(axes)
    inside = values < 0.0
    corners = [inside[i : i + count[0] - 1, j : j + count[1] - 1, k : k + count[2] - 1] for i, j, k in _CORNERS]
    filled = np.sum(corners, axis=0)
    cells = np.argwhere((filled > 0) & (filled < 8))
    number = np.full(filled.shape, -1, dtype=np.int64)
    number[tuple(cells.T)] = np.arange(len(cells))
    vertices = _cell_vertices(cells, values, origin)
    quads = [_quads(axis, inside, number) for axis in range(3)]
    return vertices, np.concatenate(quads)


_CORNERS = [(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]


def _sample(axes: list[Float[np.ndarray, "_"]]) -> Float[np.ndarray, "nx ny nz"]:
    """The field on the grid, evaluated only near the skin; elsewhere a constant of the right sign."""
    step = 6
    coarse = [axis[::step] for axis in axes]
    rough = flesh.field(np.stack(np.meshgrid(*coarse, indexing="ij"), axis=-1).reshape(-1, 3))
    rough = rough.reshape([len(axis) for axis in coarse])
    nearest = [
        np.minimum((np.arange(len(a)) + step // 2) // step, len(c) - 1) for a, c in zip(axes, coarse, strict=True)
    ]
    rough = rough[np.ix_(*nearest)]
    # a coarse sample is at most a block's half diagonal away, and the field's slope is about one
    near = np.argwhere(np.abs(rough) < 2.2 * step * SPACING)
    values = np.sign(rough)
    points = np.stack([axes[k][near[:, k]] for k in range(3)], axis=1)
    chunks = [flesh.field(points[start : start + 100_000]) for start in range(0, len(points), 100_000)]
    values[tuple(near.T)] = np.concatenate(chunks)
    return values


def _cell_vertices(
    cells: Int[np.ndarray, "v 3"], values: Float[np.ndarray, "nx ny nz"], origin: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "v 3"]:
    """The mean of the crossings on a cell's edges."""
    total, count = np.zeros((len(cells), 3)), np.zeros(len(cells))
    for axis in range(3):
        for shift in _CORNERS:
            if shift[axis] == 1:
                continue
            low = cells + np.array(shift)
            high = low.copy()
            high[:, axis] += 1
            a, b = values[tuple(low.T)], values[tuple(high.T)]
            crosses = (a < 0.0) != (b < 0.0)
            share = np.where(crosses, a / np.where(crosses, a - b, 1.0), 0.0)
            point = low + share[:, None] * np.eye(3)[axis]
            total += np.where(crosses[:, None], point, 0.0)
            count += crosses
    return origin + SPACING * total / count[:, None]


def _quads(axis: int, inside: np.ndarray, number: Int[np.ndarray, "nx ny nz"]) -> Int[np.ndarray, "q 4"]:
    """One quad for each grid edge along ``axis`` that crosses the skin, through the four cells around it."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    low = [slice(None)] * 3
    high = [slice(None)] * 3
    low[axis], high[axis] = slice(0, -1), slice(1, None)
    starts, ends = inside[tuple(low)], inside[tuple(high)]
    edges = np.argwhere(starts != ends)
    edges = edges[(edges[:, u] > 0) & (edges[:, v] > 0)]
    limit = np.array(number.shape)
    edges = edges[(edges < limit).all(axis=1)]
    ring = []
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
        cell = edges.copy()
        cell[:, u] -= du
        cell[:, v] -= dv
        ring.append(number[tuple(cell.T)])
    quads = np.stack(ring, axis=1)
    outward = starts[tuple(edges.T)]  # the skin's normal points along +axis where the edge starts inside
    quads[outward] = quads[outward][:, ::-1]
    return quads[:, ::-1]


def _split(vertices: Float[np.ndarray, "v 3"], quads: Int[np.ndarray, "q 4"]) -> Int[np.ndarray, "f 3"]:
    """Quads along their shorter diagonal."""
    a, b, c, d = (vertices[quads[:, k]] for k in range(4))
    first = np.sum((a - c) ** 2, axis=1) <= np.sum((b - d) ** 2, axis=1)
    along_ac = np.concatenate([quads[first][:, [0, 1, 2]], quads[first][:, [0, 2, 3]]])
    along_bd = np.concatenate([quads[~first][:, [0, 1, 3]], quads[~first][:, [1, 2, 3]]])
    return np.concatenate([along_ac, along_bd])


def _smooth(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], movable: np.ndarray
) -> Float[np.ndarray, "v 3"]:
    """One step of each movable vertex to the mean of its neighbours."""
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    total, count = np.zeros_like(vertices), np.zeros(len(vertices))
    for start, end in ((0, 1), (1, 0)):
        np.add.at(total, ends[:, start], vertices[ends[:, end]])
        np.add.at(count, ends[:, start], 1.0)
    return np.where(movable[:, None], total / count[:, None], vertices)
