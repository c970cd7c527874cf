"""What the tests of the built-in hand measure on its skin."""

from __future__ import annotations

import numpy as np
import trimesh

from yaff.hand.builtin.assembly import WRIST_LOOP


def closed(vertices: np.ndarray, faces: np.ndarray) -> trimesh.Trimesh:
    """The hand with its wrist closed the way MANO's users close it."""
    centre = vertices[list(WRIST_LOOP)].mean(axis=0)
    cap = [(WRIST_LOOP[i - 1], WRIST_LOOP[i], len(vertices)) for i in range(len(WRIST_LOOP))]
    return trimesh.Trimesh(np.vstack([vertices, centre]), np.vstack([faces, cap]), process=False)


def crossings(vertices: np.ndarray, faces: np.ndarray) -> int:
    """How many edges pass through a triangle that they share no vertex with (exact test of every pair)."""
    return len(crossing_edges(vertices, faces))


def crossing_edges(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """These edges (k, 2), one for each triangle that they pass through."""
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), axis=1), axis=0)
    low, high = vertices[edges].min(axis=1), vertices[edges].max(axis=1)
    boxes = vertices[faces].min(axis=1), vertices[faces].max(axis=1)
    overlap = np.all((low[:, None] <= boxes[1][None]) & (high[:, None] >= boxes[0][None]), axis=2)
    e, f = np.nonzero(overlap)
    apart = ~(edges[e][:, :, None] == faces[f][:, None, :]).any(axis=(1, 2))
    e, f = e[apart], f[apart]
    start, end = vertices[edges[e, 0]], vertices[edges[e, 1]]
    a, b, c = (vertices[faces[f, k]] for k in range(3))

    def volume(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
        return np.einsum("ij,ij->i", np.cross(q - p, r - p), s - p)

    through = volume(a, b, c, start) * volume(a, b, c, end) < 0.0
    sides = np.stack([volume(start, end, *pair) for pair in ((a, b), (b, c), (c, a))])
    return edges[e[through & ((sides > 0).all(axis=0) | (sides < 0).all(axis=0))]]


def capped_volume(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Volume (n,) of patches of skin whose boundary loops are closed by fans about their centres."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    present = {(int(a), int(b)) for a, b in edges}
    follow = {a: b for a, b in present if (b, a) not in present}
    parts = [vertices[:, faces]]
    while follow:
        loop = [min(follow)]
        while follow[loop[-1]] != loop[0]:
            loop.append(follow[loop[-1]])
        follow = {a: b for a, b in follow.items() if a not in loop}
        rim = vertices[:, loop]
        centre = np.broadcast_to(rim.mean(axis=1, keepdims=True), rim.shape)
        parts.append(np.stack([np.roll(rim, -1, axis=1), rim, centre], axis=2))
    a, b, c = np.moveaxis(np.concatenate(parts, axis=1), 2, 0)
    return np.einsum("nfk,nfk->n", a, np.cross(b, c)) / 6.0


def deepest_overlap(vertices: np.ndarray, faces: np.ndarray) -> float:
    """How far any skin lies inside other skin, metres: the depth of points on triangles round the edges that cross.

    A point is inside where the closed hand winds round it once more than outside; its depth is its distance from
    triangles that are not its neighbours or theirs.
    """
    crossed = np.unique(crossing_edges(vertices, faces))
    if not len(crossed):
        return 0.0
    solid = closed(vertices, faces)
    centres = vertices[faces].mean(axis=1)
    near = np.linalg.norm(centres[:, None] - vertices[crossed][None], axis=2).min(axis=1) < 0.02
    touched = [set(np.flatnonzero((faces == vertex).any(axis=1))) for vertex in range(len(vertices))]
    deepest = 0.0
    shares = np.array([[1 / 3] * 3, [0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
    for face in np.flatnonzero(near):
        points = shares @ vertices[faces[face]]
        inside = points[winding(solid.triangles, points + 1e-4 * solid.face_normals[face]) > 0.5]
        if len(inside):
            ring = set().union(*(touched[v] for v in faces[face]))
            ring = set().union(*(touched[v] for other in ring for v in faces[other]))
            others = vertices[faces[np.setdiff1d(np.flatnonzero(near), list(ring))]]
            for point in inside:
                nearest = trimesh.triangles.closest_point(others, np.broadcast_to(point, (len(others), 3)))
                deepest = max(deepest, float(np.linalg.norm(nearest - point, axis=1).min()))
    return deepest


def winding(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How often a closed surface winds round points: 0 outside, 1 inside, more where it overlaps itself.

    Van Oosterom and Strackee 1983, "The solid angle of a plane triangle".
    """
    a, b, c = np.moveaxis(triangles[None] - points[:, None, None], 2, 0)
    lengths = [np.linalg.norm(corner, axis=-1) for corner in (a, b, c)]
    over = np.einsum("nfk,nfk->nf", a, np.cross(b, c))
    under = lengths[0] * lengths[1] * lengths[2]
    for p, q, length in ((a, b, lengths[2]), (b, c, lengths[0]), (c, a, lengths[1])):
        under = under + np.einsum("nfk,nfk->nf", p, q) * length
    return np.arctan2(over, under).sum(axis=1) / (2.0 * np.pi)
