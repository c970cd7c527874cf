"""Signed distances in blocks, each sampled as finely as it needs, and the look-up in them.

Space is divided into cubic blocks of ``BLOCK`` cells of a regular grid. Where the distance is nearly linear a block
keeps its 8 corners, where it bends more nodes: 1, 2, 4, 8 or 16 cells along an edge, all of a block's nodes one after
the other in memory. A look-up reads one entry of the blocks' table and the corners of one cell, interpolated
trilinearly: in most of space that is one line of the processor's cache.

Outside the blocks, the surface point ``c = b - d(b) grad d(b)`` that the nearest point ``b`` of the box points at is
taken for the nearest: the distance is ``|p - c|`` and its gradient the unit vector from ``c``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.compiled import compiled, inlined

Array = np.ndarray

BLOCK = 4
"""Cells of the grid along the edge of a block."""
_LEVEL_BITS = 3
_LARGEST = 32767.0


@dataclass(frozen=True, eq=False)
class Blocks:
    """Blocks of one object, or of several one after the other."""

    origin: Float[Array, "k 3"]
    """Corner of the first block of each object, metres."""
    size: Float[Array, "k"]
    """Edge of a block, metres."""
    shape: Int[Array, "k 3"]
    """Number of blocks along each axis."""
    first: Int[Array, "k"]
    """Where each object's table begins."""
    table: Int[Array, "t"]
    """For each block where its nodes begin, times 8, plus the level: 2**level cells along an edge. int64."""
    unit: Float[Array, "k"]
    """Metres that 1 in the pool stands for: some 3 micrometres."""
    pool: Int[Array, "s"]
    """Signed distances in these units, int16: for each block (n + 1)**3 of them, z fastest."""


def packed(
    origin: Float[Array, "3"], size: float, level: Int[Array, "bx by bz"], nodes: dict[int, Float[Array, "_ _"]]
) -> Blocks:
    """Blocks from their levels and, for each level, the nodes of its blocks in the order of the table."""
    flat = level.reshape(-1).astype(np.int64)
    count = ((1 << flat) + 1) ** 3
    start = np.cumsum(count) - count
    pool = np.zeros(int(count.sum()), np.int16)
    # half the memory of floats, and memory is what a look-up waits for
    unit = max(max(float(np.abs(values).max(initial=0.0)) for values in nodes.values()), 1e-6) / _LARGEST
    for number, values in nodes.items():
        rows = start[flat == number]
        pool[rows[:, None] + np.arange(values.shape[1])] = np.rint(values / unit)
    return Blocks(
        np.asarray(origin, np.float64)[None],
        np.array([float(size)]),
        np.array([level.shape], np.int64),
        np.zeros(1, np.int64),
        (start << _LEVEL_BITS) | flat,
        np.array([unit]),
        pool,
    )


def joined(parts: list[Blocks]) -> Blocks:
    """Several objects' blocks as one."""
    tables, before = [], 0
    for part in parts:
        tables.append(part.table + (before << _LEVEL_BITS))
        before += len(part.pool)
    length = np.array([len(part.table) for part in parts])
    return Blocks(
        np.concatenate([part.origin for part in parts]),
        np.concatenate([part.size for part in parts]),
        np.concatenate([part.shape for part in parts]),
        np.cumsum(length) - length,
        np.concatenate(tables),
        np.concatenate([part.unit for part in parts]),
        np.concatenate([part.pool for part in parts]),
    )


def look_up(blocks: Blocks, points: Float[Array, "n 3"], which: Int[Array, "n"] | None = None) -> Float[Array, "n"]:
    """Signed distance (metres) at points of a floating type, of object ``which`` (the first without it)."""
    result = np.empty_like(points, shape=len(points))
    b = blocks
    _values(points, _rows(which), b.origin, b.size, b.shape, b.first, b.table, b.unit, b.pool, result)
    return result


def look_up_with_gradient(
    blocks: Blocks, points: Float[Array, "n 3"], which: Int[Array, "n"] | None = None
) -> tuple[Float[Array, "n"], Float[Array, "n 3"]]:
    """Signed distance (metres) and the gradient of the interpolant."""
    result, slope = np.empty_like(points, shape=len(points)), np.empty_like(points)
    b = blocks
    _slopes(points, _rows(which), b.origin, b.size, b.shape, b.first, b.table, b.unit, b.pool, result, slope)
    return result, slope


def _rows(which: Int[Array, "n"] | None) -> Int[Array, "m"]:
    """The object of each point; empty for the first object throughout."""
    return np.zeros(0, np.int64) if which is None else np.ascontiguousarray(which, np.int64)


# Two things double the speed of what follows: unsigned indices (a signed one is checked for being negative, which
# counts from the end) and no slices of arrays (their owners are counted in and out).


@inlined
def _interpolate(x, y, z, i, j, k, nx, ny, nz, first, table, scale, pool):
    """Value and gradient, per block edge, at a place (in edges from the first corner) in block (i, j, k)."""
    entry = table[np.uint64(first + (i * ny + j) * nz + k)]
    cells = np.int64(1) << (entry & np.int64(7))
    x, y, z = (x - i) * cells, (y - j) * cells, (z - k) * cells
    i, j, k = min(np.int64(x), cells - 1), min(np.int64(y), cells - 1), min(np.int64(z), cells - 1)
    u, v, w = x - i, y - j, z - k
    row = cells + 1
    a = (entry >> np.int64(3)) + (i * row + j) * row + k
    b = a + row * row
    near00, near01 = np.int64(pool[np.uint64(a)]), np.int64(pool[np.uint64(a + row)])
    near10, near11 = np.int64(pool[np.uint64(b)]), np.int64(pool[np.uint64(b + row)])
    dz00, dz01 = pool[np.uint64(a + 1)] - near00, pool[np.uint64(a + row + 1)] - near01
    dz10, dz11 = pool[np.uint64(b + 1)] - near10, pool[np.uint64(b + row + 1)] - near11
    v00, v01, v10, v11 = near00 + w * dz00, near01 + w * dz01, near10 + w * dz10, near11 + w * dz11
    dy0, dy1 = v01 - v00, v11 - v10
    v0, v1 = v00 + v * dy0, v10 + v * dy1
    dz0, dz1 = dz00 + v * (dz01 - dz00), dz10 + v * (dz11 - dz10)
    steep = scale * cells
    return (
        scale * (v0 + u * (v1 - v0)),
        (v1 - v0) * steep,
        (dy0 + u * (dy1 - dy0)) * steep,
        (dz0 + u * (dz1 - dz0)) * steep,
    )


@inlined
def _outside(x, y, z, size, nx, ny, nz, first, table, scale, pool):
    """Value and gradient at a place, in edges from the first corner, outside the blocks or on their boundary."""
    bx, by, bz = min(max(x, 0.0), nx), min(max(y, 0.0), ny), min(max(z, 0.0), nz)
    i, j, k = min(np.int64(bx), nx - 1), min(np.int64(by), ny - 1), min(np.int64(bz), nz - 1)
    value, gx, gy, gz = _interpolate(bx, by, bz, i, j, k, nx, ny, nz, first, table, scale, pool)
    if bx == x and by == y and bz == z:
        return value, gx / size, gy / size, gz / size
    # from the surface point that the box's point b points at; everything in edges
    length = max(np.sqrt(gx * gx + gy * gy + gz * gz), 1e-6 * size)
    step = value / (size * length)
    gx, gy, gz = x - bx + step * gx, y - by + step * gy, z - bz + step * gz
    length = np.sqrt(gx * gx + gy * gy + gz * gz)
    return size * length, gx / length, gy / length, gz / length


@inlined
def _at(points, n, o, origin, size, shape, first, table, unit, pool):
    """Value and gradient at point n of object o."""
    edge = size[np.uint64(o)]
    per = 1.0 / edge
    x = (points[n, 0] - origin[np.uint64(o), 0]) * per
    y = (points[n, 1] - origin[np.uint64(o), 1]) * per
    z = (points[n, 2] - origin[np.uint64(o), 2]) * per
    nx, ny, nz = shape[np.uint64(o), 0], shape[np.uint64(o), 1], shape[np.uint64(o), 2]
    start, scale = first[np.uint64(o)], unit[np.uint64(o)]
    if 0.0 <= x < nx and 0.0 <= y < ny and 0.0 <= z < nz:
        i, j, k = np.int64(x), np.int64(y), np.int64(z)
        value, gx, gy, gz = _interpolate(x, y, z, i, j, k, nx, ny, nz, start, table, scale, pool)
        return value, gx * per, gy * per, gz * per
    return _outside(x, y, z, edge, nx, ny, nz, start, table, scale, pool)


@compiled
def _values(points, which, origin, size, shape, first, table, unit, pool, result):
    if len(which) == 0:
        for n in range(len(points)):
            result[n] = _at(points, n, 0, origin, size, shape, first, table, unit, pool)[0]
    else:
        for n in range(len(points)):
            result[n] = _at(points, n, which[n], origin, size, shape, first, table, unit, pool)[0]


@compiled
def _slopes(points, which, origin, size, shape, first, table, unit, pool, result, slope):
    for n in range(len(points)):
        o = which[n] if len(which) else np.int64(0)
        value, gx, gy, gz = _at(points, n, o, origin, size, shape, first, table, unit, pool)
        result[n] = value
        slope[n, 0] = gx
        slope[n, 1] = gy
        slope[n, 2] = gz
