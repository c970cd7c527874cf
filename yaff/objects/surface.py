"""Points on the surface, and the mass of what is inside it."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from yaff.geometry.signed_distance import SignedDistanceGrid

Array = np.ndarray

_THIN = 2e-4  # metres: a wall is at least as thick
_NEAREST, _STEPS = 5e-5, 200

_SURPLUS = 4  # candidates for each point that is kept
# n points in an area A with no two nearer than r, placed one by one until few more fit: n is about 0.5 A / r^2.
_FILLS = (0.60, 0.55, 0.50, 0.45, 0.40, 0.35, 0.30)


def surface_samples(mesh: trimesh.Trimesh, count: int) -> tuple[Float[Array, "m 3"], Float[Array, "m 3"]]:
    """``count`` points spread evenly over a mesh, and the unit normals of the faces they lie on.

    Candidates are spread by area with a low-discrepancy sequence and taken one by one unless too near to one taken
    before (Poisson-disk sampling). No randomness: the same mesh gives the same points.
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
    normals = cross[face] / doubled[face, None]
    rows = _spaced(points, normals, count, area=0.5 * float(cumulative[-1]))
    return points[rows], normals[rows]


def _spaced(points: Float[Array, "n 3"], normals: Float[Array, "n 3"], count: int, area: float) -> Int[Array, "m"]:
    """Rows of ``count`` points of a surface of that area, no two nearer than the largest radius that allows it."""
    # A stride near the golden section visits all places of the surface early and evenly.
    total = len(points)
    stride = next(k for k in range(int(0.618 * total), total + 1) if np.gcd(k, total) == 1)
    order = (np.arange(total) * stride) % total
    tree, facing = KDTree(points[order]), normals[order]
    taken = np.ones(total, dtype=bool)
    for fill in _FILLS:
        pairs = tree.query_pairs(np.sqrt(fill * area / count), output_type="ndarray")
        # The two sides of a thin wall do not crowd each other.
        pairs = pairs[np.einsum("ij,ij->i", facing[pairs[:, 0]], facing[pairs[:, 1]]) > -0.5]
        pairs = pairs[np.argsort(pairs[:, 1], kind="stable")]
        start = np.searchsorted(pairs[:, 1], np.arange(total + 1))
        earlier = pairs[:, 0]
        taken[:] = True
        for k in range(total):
            taken[k] = not taken[earlier[start[k] : start[k + 1]]].any()
        if taken.sum() >= count:
            break
    kept = np.concatenate([np.flatnonzero(taken), np.flatnonzero(~taken)])
    return order[kept[:count]]


def thickness(
    field: SignedDistanceGrid, points: Float[Array, "n 3"], normals: Float[Array, "n 3"]
) -> Float[Array, "n"]:
    """How far the solid reaches inward from points of its surface, against their normals; metres.

    Sphere tracing (Hart 1996) through the field, until the surface is met from within; to 0.1 mm or so.
    """
    travelled = np.full(len(points), _THIN)
    alive = np.arange(len(points))
    for _ in range(_STEPS):
        depth = -field.distance(points[alive] - travelled[alive, None] * normals[alive])
        alive, depth = alive[depth > _NEAREST], depth[depth > _NEAREST]
        if len(alive) == 0:
            break
        travelled[alive] += depth
    return travelled


def farthest_first(points: Float[Array, "n 3"], count: int) -> Int[Array, "m"]:
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
