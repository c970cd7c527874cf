"""Points on the surface, and the mass of what is inside it."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float

Array = np.ndarray

_SURPLUS = 4  # candidates for each point that is kept


def surface_samples(mesh: trimesh.Trimesh, count: int) -> tuple[Float[Array, "m 3"], Float[Array, "m 3"]]:
    """``count`` points spread evenly over a mesh, and the unit normals of the faces they lie on.

    Candidates are spread by area with a low-discrepancy sequence, then thinned by always taking the one farthest from
    those taken (Gonzalez 1985). No randomness: the same mesh gives the same points.
    """
    triangles = np.asarray(mesh.triangles, np.float64)
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    doubled = np.linalg.norm(cross, axis=1)
    cumulative = np.cumsum(doubled)
    wanted = (np.arange(_SURPLUS * count) + 0.5) / (_SURPLUS * count) * cumulative[-1]
    face = np.minimum(np.searchsorted(cumulative, wanted), len(triangles) - 1)
    # The R2 sequence (Roberts 2018): the plane's generalised golden ratio.
    plastic = 1.32471795724474602596
    steps = np.arange(1, len(face) + 1)
    u, v = (0.5 + steps / plastic) % 1.0, (0.5 + steps / plastic**2) % 1.0
    fold = u + v > 1.0
    u, v = np.where(fold, 1.0 - u, u), np.where(fold, 1.0 - v, v)
    corners = triangles[face]
    points = corners[:, 0] + u[:, None] * (corners[:, 1] - corners[:, 0]) + v[:, None] * (corners[:, 2] - corners[:, 0])
    rows = farthest_first(points, count)
    normals = cross[face[rows]] / doubled[face[rows], None]
    return points[rows], normals


def farthest_first(points: Float[Array, "n 3"], count: int) -> np.ndarray:
    """Rows of ``count`` points, each the farthest from all before it, beginning with row 0."""
    single = points.astype(np.float32)
    squared = np.full(len(single), np.inf, dtype=np.float32)
    rows = np.zeros(count, dtype=np.int64)
    for k in range(1, count):
        offset = single - single[rows[k - 1]]
        np.minimum(squared, np.einsum("ij,ij->i", offset, offset), out=squared)
        rows[k] = int(squared.argmax())
    return rows


def mass_properties(mesh: trimesh.Trimesh, mass: float) -> tuple[Float[Array, "3"], Float[Array, "3 3"]]:
    """Centre of mass (metres) and inertia about it (kg m2) of a solid of uniform density with a given mass (kg).

    Exact sums over the signed tetrahedra between the faces and the mesh's middle (Tonon 2004, "Explicit exact formulas
    for the 3-D tetrahedron inertia tensor").
    """
    middle = np.asarray(mesh.vertices, np.float64).mean(axis=0)
    a, b, c = np.moveaxis(np.asarray(mesh.triangles, np.float64) - middle, 1, 0)
    volumes = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6.0
    volume = volumes.sum()
    total = a + b + c
    centre = (volumes @ total) / (4.0 * volume)
    second = np.einsum("f,fi,fj->ij", volumes, total, total)
    for corner in (a, b, c):
        second += np.einsum("f,fi,fj->ij", volumes, corner, corner)
    second /= 20.0
    covariance = second / volume - np.outer(centre, centre)
    inertia = mass * (np.trace(covariance) * np.eye(3) - covariance)
    return middle + centre, 0.5 * (inertia + inertia.T)
