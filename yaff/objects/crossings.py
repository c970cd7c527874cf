"""Surfaces that pass through themselves: found, and where closed parts overlap, united."""

from __future__ import annotations

from pathlib import Path

import manifold3d
import numpy as np
import trimesh
from jaxtyping import Bool

from yaff.errors import MeshError

Array = np.ndarray

TOLERANCE = 1e-6
"""Edges that end this near to a face touch it and do not cross it, metres."""
FEW = 0.01
"""Share of edges that may cross the surface: scans have such specks, and the signed distance bears them."""


def crossing_edges(mesh: trimesh.Trimesh) -> Bool[Array, "e"]:
    """For each of the mesh's unique edges, whether its inside pierces a face that it does not belong to.

    Two triangles intersect exactly if an edge of one pierces the other (coplanar ones aside). Rays along the edges,
    traced by Embree in single precision, are decided again in double precision.
    """
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    vertices, edges = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.edges_unique, np.int64)
    start, along = vertices[edges[:, 0]], vertices[edges[:, 1]] - vertices[edges[:, 0]]
    length = np.linalg.norm(along, axis=1)
    usable = np.flatnonzero(length > 2.0 * TOLERANCE)
    direction = along[usable] / length[usable, None]
    crossing = np.zeros(len(edges), dtype=bool)
    tracer = RayMeshIntersector(mesh, scale_to_box=False)
    faces, rays = tracer.intersects_id(start[usable], direction, multiple_hits=True, max_hits=12)  # pyright: ignore
    ends, corners = edges[usable[rays]], np.asarray(mesh.faces, np.int64)[faces]
    apart = ~(corners[:, :, None] == ends[:, None, :]).any(axis=(1, 2))
    rays, faces = rays[apart], faces[apart]
    triangles = vertices[np.asarray(mesh.faces)[faces]]
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    norm = np.linalg.norm(normal, axis=1)
    height = [
        np.einsum("ij,ij->i", vertices[edges[usable[rays], k]] - triangles[:, 0], normal) / np.maximum(norm, 1e-30)
        for k in (0, 1)
    ]
    through = (height[0] * height[1] < 0.0) & (np.minimum(np.abs(height[0]), np.abs(height[1])) > TOLERANCE)
    crossing[usable[rays[through]]] = True
    return crossing


def without_crossings(solid: trimesh.Trimesh, where: str | Path) -> tuple[trimesh.Trimesh, str]:
    """The solid, its closed parts united where they overlap, and a note on what was found.

    Args:
        solid: watertight, faces outward, metres.

    Raises:
        MeshError: a surface that passes through itself in more than a few places and is no union of closed parts.
    """
    crossing = crossing_edges(solid)
    if not crossing.any():
        return solid, ""
    found = f"{int(crossing.sum())} of {len(crossing)} edges cross the surface"
    parts = solid.split(only_watertight=False)
    if len(parts) > 1:
        united = _union(list(parts))
        if united is not None and crossing_edges(united).mean() <= FEW:
            return united, f"{found}: {len(parts)} overlapping parts were united"
    if crossing.mean() > FEW:
        raise MeshError(
            f"the mesh passes through itself: {found}",
            where=where,
            remedy="resolve the self-intersections in a modelling program (Blender: Remesh, or Boolean union)",
        )
    return solid, f"{found}: left as they are"


def _union(parts: list[trimesh.Trimesh]) -> trimesh.Trimesh | None:
    """The union of closed parts; none if one of them is not closed."""
    solids = []
    for part in parts:
        raw = manifold3d.Mesh64(
            vert_properties=np.asarray(part.vertices, np.float64), tri_verts=np.asarray(part.faces, np.uint64)
        )
        solid = manifold3d.Manifold(raw)
        if solid.status() != manifold3d.Error.NoError:
            return None
        solids.append(solid)
    union = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    vertices, faces = np.array(union.vert_properties[:, :3]), np.array(union.tri_verts, np.int64)
    return trimesh.Trimesh(vertices, faces, process=False, validate=False)
