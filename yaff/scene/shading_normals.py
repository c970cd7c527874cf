"""Normals to shade with: smooth over curved surface, sharp at creases, whichever way a mesh is cut into vertices."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float32

Array = np.ndarray

CREASE = float(np.radians(60.0))
"""Radians between faces above which an edge is drawn sharp: less than a box's, more than a low-polygon finger's."""


def corner_normals(mesh: trimesh.Trimesh, crease: float = CREASE) -> Float32[Array, "f 3 3"]:
    """Unit normals at the three corners of every face.

    Each is the mean, weighted by area, of the normals of the faces that meet at the corner's position and lie within
    ``crease`` of its own face. Vertices that texture seams have split count as one.
    """
    faces = np.asarray(mesh.faces)
    if not len(faces):
        return np.zeros((0, 3, 3), np.float32)
    vertices = np.asarray(mesh.vertices, np.float64)
    # one micron joins what a file format has rounded
    _, joined = np.unique(np.rint(vertices * 1e6).astype(np.int64), axis=0, return_inverse=True)
    corner_vertex = joined.reshape(-1)[faces].ravel()
    weighted = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    length = np.linalg.norm(weighted, axis=1, keepdims=True)
    unit = np.where(length > 0.0, weighted / np.where(length > 0.0, length, 1.0), [0.0, 0.0, 1.0])

    # every ordered pair of corners at the same position
    order = np.argsort(corner_vertex, kind="stable")
    counts = np.bincount(corner_vertex)
    start = np.concatenate([[0], np.cumsum(counts)[:-1]])
    pairs = counts[corner_vertex]
    first = np.repeat(np.arange(len(corner_vertex)), pairs)
    step = np.arange(len(first)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    second = order[start[corner_vertex[first]] + step]

    own, other = first // 3, second // 3
    smooth = np.einsum("pi,pi->p", unit[own], unit[other]) > np.cos(crease)
    total = np.stack(
        [np.bincount(first[smooth], weighted[other[smooth], k], minlength=len(corner_vertex)) for k in range(3)], axis=1
    )
    size = np.linalg.norm(total, axis=1, keepdims=True)
    fallback = np.repeat(unit, 3, axis=0)
    normals = np.where(size > 0.0, total / np.where(size > 0.0, size, 1.0), fallback)
    return normals.reshape(-1, 3, 3).astype(np.float32)
