"""Filling a signed distance grid from a watertight mesh.

Sign: the winding number counted along grid lines in three directions, two of which must agree. Magnitude: exact
point-triangle distance in a band round the surface; beyond it the closest surface point is handed on from node to
node (Danielsson 1980, "Euclidean distance mapping"), which is off by much less than the spacing.
"""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int
from scipy import ndimage
from scipy.spatial import KDTree

from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.geometry.triangles import closest_points, spread_points, winding_along_axis

Array = np.ndarray

FINEST = 1.0e-3
"""Smallest spacing chosen by :func:`choose_spacing`, metres."""
COARSEST = 1.5e-3
"""Largest spacing chosen for want of detail, metres."""
MOST_NODES = 4_000_000
"""The spacing grows until the grid has no more nodes than this (16 MB)."""

_BAND = 1.8  # nodes: where distances are computed against the triangles themselves
_CANDIDATES = 6  # surface points whose triangles are tried for each node in the band
_STRIDES = (4, 2, 1, 1)  # nodes: whose closest points are tried beyond the band
_CHUNK = 200_000


def choose_spacing(mesh: trimesh.Trimesh, margin: float = 0.03) -> float:
    """Spacing (metres) fine enough for the mesh's mean wall, within a bound on the number of nodes.

    The mean wall is 2 V / A, exact for a thin shell; four nodes across it, between 1 and 1.5 mm.
    """
    wall = 2.0 * abs(float(mesh.volume)) / max(float(mesh.area), 1e-12)
    spacing = float(np.clip(wall / 4.0, FINEST, COARSEST))
    box = mesh.extents + 2.0 * margin
    return max(spacing, float((np.prod(box) / MOST_NODES) ** (1.0 / 3.0)))


def build(mesh: trimesh.Trimesh, spacing: float | None = None, margin: float = 0.03) -> SignedDistanceGrid:
    """The signed distance grid of a watertight mesh (metres), reaching ``margin`` metres beyond it.

    Garbage unless watertight; :func:`yaff.geometry.mesh.watertight_solid` makes it so.
    """
    if spacing is None:
        spacing = choose_spacing(mesh, margin)
    vertices = np.asarray(mesh.vertices, np.float64)
    faces = np.asarray(mesh.faces, np.int64)
    lower, upper = vertices.min(axis=0) - margin, vertices.max(axis=0) + margin
    cells = np.ceil((upper - lower) / spacing).astype(np.int64)
    # Centred, and shifted by an odd fraction so that nodes do not fall on the planes that people model on.
    origin = 0.5 * (lower + upper) - 0.5 * spacing * cells + 0.01731 * spacing
    shape = (int(cells[0]) + 1, int(cells[1]) + 1, int(cells[2]) + 1)

    inside = inside_nodes(vertices, faces, origin, spacing, shape)
    distance = _unsigned(vertices[faces], origin, spacing, shape)
    return SignedDistanceGrid(origin, spacing, np.where(inside, -distance, distance))


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


def _unsigned(
    triangles: Float[Array, "f 3 3"], origin: Float[Array, "3"], spacing: float, shape: tuple[int, int, int]
) -> Float[Array, "nx ny nz"]:
    samples, owners = spread_points(triangles, spacing)
    nearest_node = np.rint((samples - origin) / spacing).astype(np.int64)
    away = np.ones(shape, dtype=bool)
    away[tuple(nearest_node.T)] = False
    band = np.asarray(ndimage.distance_transform_edt(away)) <= _BAND

    node = np.argwhere(band)
    points = origin + spacing * node
    tree = KDTree(samples, balanced_tree=False, compact_nodes=False)
    candidates = min(_CANDIDATES, len(samples))
    found = np.empty(points.shape, dtype=np.float32)
    for start in range(0, len(points), _CHUNK):
        rows = slice(start, start + _CHUNK)
        index = np.asarray(tree.query(points[rows], k=candidates)[1]).reshape(-1, candidates)
        found[rows] = _closest(points[rows], triangles, owners[index])

    # Beyond the band: the closest point of the nearest node in the band to begin with, then those of other nodes if
    # nearer. The band's edge is uneven by a node, which from afar turns a small gain in depth into several nodes
    # sideways: hence the far neighbours first (jump flooding, Rong and Tan 2006).
    number = np.zeros(shape, dtype=np.int32)
    number[band] = np.arange(len(points))
    source = np.asarray(ndimage.distance_transform_edt(~band, return_distances=False, return_indices=True))
    number = number[tuple(source)]
    foot = [np.ascontiguousarray(found[:, k])[number] for k in range(3)]
    nodes = [
        (origin[k] + spacing * np.arange(shape[k])).astype(np.float32).reshape([-1 if k == j else 1 for j in range(3)])
        for k in range(3)
    ]
    squared = sum(((foot[k] - nodes[k]) ** 2 for k in range(3)), np.zeros(shape, np.float32))
    for stride in _STRIDES:
        for axis in range(3):
            for step in (stride, -stride):
                here, there = _shifted(axis, step)
                other = np.zeros_like(squared[here])
                for k in range(3):
                    along = foot[k][there] - (nodes[k][here] if k == axis else nodes[k])
                    other += np.square(along, out=along)
                better = np.nonzero(other < squared[here])
                squared[here][better] = other[better]
                for k in range(3):
                    foot[k][here][better] = foot[k][there][better]
    return np.sqrt(squared)


def _shifted(axis: int, step: int) -> tuple[tuple[slice, slice, slice], tuple[slice, slice, slice]]:
    """Slices of the nodes that have a neighbour at ``step`` along ``axis``, and of these neighbours."""
    here, there = [slice(None)] * 3, [slice(None)] * 3
    front, back = slice(abs(step), None), slice(None, -abs(step))
    here[axis], there[axis] = (back, front) if step > 0 else (front, back)
    return (here[0], here[1], here[2]), (there[0], there[1], there[2])


def _closest(
    points: Float[Array, "n 3"], triangles: Float[Array, "f 3 3"], owners: Int[Array, "n k"]
) -> Float[Array, "n 3"]:
    best = np.full(len(points), np.inf)
    foot = np.zeros_like(points)
    for k in range(owners.shape[1]):
        # A triangle already tried in the column before costs nothing.
        fresh = np.flatnonzero(owners[:, k] != owners[:, k - 1]) if k else np.arange(len(points))
        corners = triangles[owners[fresh, k]]
        offered = closest_points(points[fresh], corners[:, 0], corners[:, 1], corners[:, 2])
        squared = np.sum((offered - points[fresh]) ** 2, axis=-1)
        better = squared < best[fresh]
        chosen = fresh[better]
        best[chosen], foot[chosen] = squared[better], offered[better]
    return foot
