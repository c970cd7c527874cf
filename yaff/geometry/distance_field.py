"""Sampling the signed distance of a watertight mesh.

Sign: the winding number counted along grid lines in three directions, two of which must agree. Magnitude: exact
distance to the nearest triangle. Where the interpolant between the nodes is off, nodes at a half and a quarter of the
spacing are added; where half or a quarter of the nodes do, the look-up uses these.
"""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int

from yaff.geometry.blocks import BLOCK, packed
from yaff.geometry.nearest import NearestTriangle
from yaff.geometry.signed_distance import SignedDistanceGrid, nodes_of_blocks
from yaff.geometry.triangles import winding_along_axis

Array = np.ndarray

FINEST = 1.0e-3
"""Smallest spacing chosen by :func:`choose_spacing`, metres."""
COARSEST = 1.5e-3
"""Largest spacing chosen for want of detail, metres."""
MOST_NODES = 4_000_000
"""The spacing grows until the grid has no more nodes than this (16 MB)."""
REACH = 0.033
"""Metres from the surface within which blocks are refined."""

_GRID, _HALF, _QUARTER = 2, 3, 4  # levels of blocks: 2**level cells along an edge
ERROR_OF_GRID, ERROR_OF_HALF = 8e-5, 3.5e-4
"""Errors (metres) of the grid, and of a grid of half its spacing, for which more nodes are taken."""

_CHUNK = 512  # blocks sampled at once


def tolerance(distance: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """Error (metres) at a distance from the surface (metres) for which fewer nodes are taken: 0.02 mm on it, 0.14 mm
    3 cm away."""
    return 2e-5 + 4e-3 * np.abs(distance)


def choose_spacing(mesh: trimesh.Trimesh, margin: float = 0.03) -> float:
    """Spacing (metres) fine enough for the mesh's mean wall, within a bound on the number of nodes.

    The mean wall is 2 V / A, exact for a thin shell; four nodes across it, between 1 and 1.5 mm.
    """
    wall = 2.0 * abs(float(mesh.volume)) / max(float(mesh.area), 1e-12)
    spacing = float(np.clip(wall / 4.0, FINEST, COARSEST))
    box = mesh.extents + 2.0 * margin
    return max(spacing, float((np.prod(box) / MOST_NODES) ** (1.0 / 3.0)))


def build(mesh: trimesh.Trimesh, spacing: float | None = None, margin: float = 0.03) -> SignedDistanceGrid:
    """The signed distance of a watertight mesh (metres), sampled to ``margin`` metres beyond it.

    Garbage unless watertight; :func:`yaff.geometry.mesh.watertight_solid` makes it so.
    """
    if spacing is None:
        spacing = choose_spacing(mesh, margin)
    vertices = np.asarray(mesh.vertices, np.float64)
    faces = np.asarray(mesh.faces, np.int64)
    lower, upper = vertices.min(axis=0) - margin, vertices.max(axis=0) + margin
    blocks = np.ceil((upper - lower) / (BLOCK * spacing)).astype(np.int64)
    # Centred, and shifted by an odd fraction so that nodes do not fall on the planes that people model on.
    origin = 0.5 * (lower + upper) - 0.5 * BLOCK * spacing * blocks + 0.01731 * spacing
    shape = (BLOCK * int(blocks[0]) + 1, BLOCK * int(blocks[1]) + 1, BLOCK * int(blocks[2]) + 1)

    surface = NearestTriangle.of(vertices, faces)
    inside = inside_nodes(vertices, faces, origin, spacing, shape)
    distance = np.abs(_on_grid(surface, origin, spacing, shape)).astype(np.float32)
    values = np.where(inside, -distance, distance)
    return _in_blocks(surface, origin, spacing, values)


def inside_nodes(
    vertices: Float[Array, "v 3"],
    faces: Int[Array, "f 3"],
    origin: Float[Array, "3"],
    spacing: float,
    shape: tuple[int, int, int],
) -> Bool[Array, "nx ny nz"]:
    """Which nodes of a grid lie inside a closed surface: two of three axes must say so."""
    votes = np.zeros(shape, dtype=np.int8)
    for axis in range(3):
        votes += winding_along_axis(vertices, faces, axis, origin, spacing, shape) > 0
    return votes >= 2


def _on_grid(
    surface: NearestTriangle, origin: Float[Array, "3"], spacing: float, shape: tuple[int, int, int]
) -> Float[Array, "nx ny nz"]:
    """Distances at the nodes, asked for block by block so that each is near the one before."""
    result = np.zeros(shape)
    for i in range(0, shape[0], BLOCK):
        for j in range(0, shape[1], BLOCK):
            part = result[i : i + BLOCK, j : j + BLOCK]
            size = (*part.shape[:2], shape[2])
            node = np.moveaxis(np.indices(size), 0, -1) + np.array([i, j, 0])
            along = np.moveaxis(node, 2, 0).reshape(-1, 3)
            found = surface.signed_distance(origin + spacing * along)
            part[:] = np.moveaxis(found.reshape(shape[2], *size[:2]), 0, 2)
    return result


def _in_blocks(
    surface: NearestTriangle, origin: Float[Array, "3"], spacing: float, values: Float[Array, "nx ny nz"]
) -> SignedDistanceGrid:
    """The grid with its look-up: as coarse as will do, refined where it must be."""
    nx, ny, nz = ((n - 1) // BLOCK for n in values.shape)
    nodes = {level: nodes_of_blocks(values, BLOCK, BLOCK >> level) for level in (0, 1, _GRID)}
    level = np.full(len(nodes[_GRID]), _GRID, np.int64)
    allowed = tolerance(nodes[_GRID])
    for coarser in (1, 0):
        off = np.abs(_resampled(nodes[coarser], coarser, _at_nodes(_GRID)) - nodes[_GRID])
        level[(off <= allowed).all(axis=1)] = coarser

    rows = np.flatnonzero((level == _GRID) & (np.abs(nodes[_GRID]).min(axis=1) < REACH))
    place = np.stack([rows // (ny * nz), rows // nz % ny, rows % nz], axis=-1)
    corner = origin + BLOCK * spacing * place
    sampled = nodes[_GRID][rows]
    for finer, limit in ((_HALF, ERROR_OF_GRID), (_QUARTER, ERROR_OF_HALF)):
        # the interpolant is farthest off in the middle of its cells
        exact = _in_cells(surface, corner, spacing, _at_centres(finer - 1), nodes[_GRID][rows])
        off = np.abs(_resampled(sampled, finer - 1, _at_centres(finer - 1)) - exact)
        bad = (off > np.maximum(tolerance(exact), limit)).any(axis=1)
        rows, corner = rows[bad], corner[bad]
        level[rows] = finer
        sampled = _in_cells(surface, corner, spacing, _at_nodes(finer), nodes[_GRID][rows])
        nodes[finer] = sampled
    nodes[_HALF] = nodes[_HALF][level[level >= _HALF] == _HALF]
    chosen = {n: some if n >= _HALF else some[level == n] for n, some in nodes.items()}
    return SignedDistanceGrid(
        origin, spacing, values, packed(origin, BLOCK * spacing, level.reshape(nx, ny, nz), chosen)
    )


def _at_nodes(level: int) -> Float[Array, "n"]:
    """Nodes along the edge of a block, edges from its first corner."""
    return np.linspace(0.0, 1.0, (1 << level) + 1)


def _at_centres(level: int) -> Float[Array, "n"]:
    """Middles of the cells along the edge of a block, edges from its first corner."""
    return (np.arange(1 << level) + 0.5) / (1 << level)


def _resampled(nodes: Float[Array, "b _"], level: int, places: Float[Array, "n"]) -> Float[Array, "b _"]:
    """Trilinear values of blocks of a level at a lattice of places."""
    cells = 1 << level
    weights = np.maximum(0.0, 1.0 - np.abs(cells * places[:, None] - np.arange(cells + 1))).astype(np.float32)
    cube = nodes.reshape(-1, cells + 1, cells + 1, cells + 1)
    for _ in range(3):
        cube = np.moveaxis(cube, 1, 3) @ weights.T
    return cube.reshape(len(nodes), len(places) ** 3)


def _in_cells(
    surface: NearestTriangle,
    corner: Float[Array, "b 3"],
    spacing: float,
    places: Float[Array, "n"],
    nodes: Float[Array, "b _"],
) -> Float[Array, "b _"]:
    """Exact signed distances at a lattice of places in blocks whose nodes of the grid are known."""
    lattice = np.stack(np.meshgrid(places, places, places, indexing="ij"), axis=-1).reshape(-1, 3)
    near = np.rint(BLOCK * lattice).astype(np.int64) @ [(BLOCK + 1) ** 2, BLOCK + 1, 1]
    result = np.zeros((len(corner), len(lattice)), np.float32)
    for start in range(0, len(corner), _CHUNK):
        part = slice(start, start + _CHUNK)
        points = corner[part, None] + BLOCK * spacing * lattice
        exact = surface.signed_distance(points.reshape(-1, 3)).reshape(-1, len(lattice))
        # no surface lies between a point and a node nearer to it than the surface is: they are on the same side
        known = np.abs(exact) > np.sqrt(0.75) * spacing
        result[part] = np.where(known, np.copysign(exact, nodes[part][:, near]), exact)
    return result
