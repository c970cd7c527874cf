"""Fewer triangles where there are far more than the rest of the program has use for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from scipy.spatial import KDTree

from yaff.errors import MeshError
from yaff.objects.obj_files import texture_of

ENOUGH_FACES = 50_000
"""Meshes are brought down to this; the scanned ones have 16,384."""
MANY_FACES = 100_000
"""Meshes with more are decimated."""
MOST_FACES = 5_000_000
"""Meshes with more are refused unseen to: they would take minutes and gigabytes."""
LARGEST_DEVIATION = 1e-3
"""A decimation that moves the surface by more is refused, metres."""


def decimated(mesh: trimesh.Trimesh, where: str | Path) -> tuple[trimesh.Trimesh, str]:
    """The mesh itself, or one with about :data:`ENOUGH_FACES` triangles and a note that says so.

    Quadric error decimation (Garland and Heckbert 1997) as in the package fast-simplification. Texture is lost with it.

    Args:
        mesh: in metres, vertices finite.

    Raises:
        MeshError: too many triangles, or a surface that moves by more than 1 mm.
    """
    count = len(mesh.faces)
    if count > MOST_FACES:
        raise MeshError(
            f"the mesh has {count:,} triangles, more than {MOST_FACES:,}",
            where=where,
            remedy=f"decimate it to {MANY_FACES:,} or fewer in a modelling program",
        )
    if count <= MANY_FACES:
        return mesh, ""
    import fast_simplification

    # Vertices that were split by texture or normals would stay as cracks.
    points, index = np.unique(np.asarray(mesh.vertices, np.float64), axis=0, return_inverse=True)
    faces = index.reshape(-1)[np.asarray(mesh.faces, np.int64)]
    simplified = fast_simplification.simplify(points, faces.astype(np.int32), target_count=ENOUGH_FACES, agg=3)
    vertices, triangles = np.asarray(simplified[0], np.float64), np.asarray(simplified[1], np.int64)
    result = trimesh.Trimesh(vertices, triangles, process=False)
    moved = _deviation(points, result)
    if moved > LARGEST_DEVIATION:
        raise MeshError(
            f"{count:,} triangles are too many; {len(result.faces):,} would move the surface by {1e3 * moved:.1f} mm",
            where=where,
            remedy=f"decimate it to {MANY_FACES:,} triangles or fewer in a modelling program",
        )
    note = f"decimated from {count:,} to {len(result.faces):,} triangles, moving the surface by {1e3 * moved:.2f} mm"
    return result, f"{note} at most; texture left out" if texture_of(mesh) is not None else note


def _deviation(points: np.ndarray, result: trimesh.Trimesh) -> float:
    """Distance of 20,000 of the former vertices to the new surface, the largest; metres."""
    chosen = points[:: max(1, len(points) // 20_000)]
    corners = np.asarray(result.triangles)
    _, near = KDTree(corners.mean(axis=1)).query(chosen, k=8)
    candidates = corners[near].reshape(-1, 3, 3)
    closest = trimesh.triangles.closest_point(candidates, np.repeat(chosen, 8, axis=0))
    gap = np.linalg.norm(closest - np.repeat(chosen, 8, axis=0), axis=1).reshape(-1, 8)
    return float(gap.min(axis=1).max())
