"""From seeds to triangles: Voronoi cells grown over the dense skin, and the triangulation dual to them.

The dual of cells that are discs has the topology of the skin; with all of the open boundary owned by the 16 wrist
seeds, Euler's formula leaves 2 x 778 - 2 - 16 = 1538 triangles.
"""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from yaff.hand.builtin.seeds import NORMAL_WEIGHT


def rim_loop(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "b"]:
    """The boundary as one loop of vertices, in the direction of the triangles' own edges."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    present = {(int(a), int(b)) for a, b in directed}
    follow = {a: b for a, b in sorted(present) if (b, a) not in present}
    loop = [min(follow)]
    while follow[loop[-1]] != loop[0]:
        loop.append(follow[loop[-1]])
    if len(loop) != len(follow):
        raise RuntimeError(f"the dense skin has more than one boundary ({len(loop)} of {len(follow)} edges)")
    return np.array(loop)


def vertex_normals(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "v 3"]:
    """Unit normals, weighted by area."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], cross)
    return total / np.maximum(np.sqrt(np.sum(total**2, axis=1, keepdims=True)), 1e-30)


def grow_cells(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    seeds: Float[np.ndarray, "s 3"],
    rim: Int[np.ndarray, "b"],
    wrist: int,
) -> Int[np.ndarray, "v"]:
    """The seed that owns each dense vertex: nearest seed, reached over the skin without leaving its cell.

    Distances are in position and normal together, so that a cell does not look across a gap. Boundary vertices
    (``rim``) go to the first ``wrist`` seeds only.
    """
    normals = vertex_normals(vertices, faces)
    space = np.concatenate([vertices, NORMAL_WEIGHT * normals], axis=1)
    neighbours = _neighbours(faces, len(vertices))
    boundary = np.zeros(len(vertices), dtype=bool)
    boundary[rim] = True
    start = _nearest_rows(vertices, seeds, rim, wrist)
    centres = space[start]
    centres[:, :3] = seeds
    owner = np.full(len(vertices), -1, dtype=np.int64)
    places, targets = space.tolist(), centres.tolist()
    heap: list[tuple[float, int, int]] = [(0.0, int(row), seed) for seed, row in enumerate(start)]
    heapq.heapify(heap)
    while heap:
        _, row, seed = heapq.heappop(heap)
        if owner[row] >= 0:
            continue
        owner[row] = seed
        for other in neighbours[row]:
            if owner[other] >= 0 or (boundary[other] and seed >= wrist):
                continue
            distance = sum((a - b) ** 2 for a, b in zip(places[other], targets[seed], strict=True))
            heapq.heappush(heap, (distance, other, seed))
    return owner


def dual_triangles(faces: Int[np.ndarray, "f 3"], owner: Int[np.ndarray, "v"]) -> Int[np.ndarray, "t 3"]:
    """One triangle for each dense triangle whose corners have three owners."""
    owners = owner[faces]
    corner = (owners[:, 0] != owners[:, 1]) & (owners[:, 1] != owners[:, 2]) & (owners[:, 2] != owners[:, 0])
    return owners[corner]


def _nearest_rows(
    vertices: Float[np.ndarray, "v 3"], seeds: Float[np.ndarray, "s 3"], rim: Int[np.ndarray, "b"], wrist: int
) -> Int[np.ndarray, "s"]:
    rows = np.array(KDTree(vertices).query(seeds)[1], dtype=np.int64)
    rows[:wrist] = rim[np.array(KDTree(vertices[rim]).query(seeds[:wrist])[1])]
    return rows


def _neighbours(faces: Int[np.ndarray, "f 3"], count: int) -> list[list[int]]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges = np.unique(edges, axis=0)
    result: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges.tolist():
        result[a].append(b)
        result[b].append(a)
    return result
