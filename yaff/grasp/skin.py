"""The skin of many posed hands near an object, as points that each stand for a small piece of area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from yaff.grasp.interfaces import SignedDistance

Array = np.ndarray


@dataclass(frozen=True)
class SkinSamples:
    """The pieces of skin of ``n`` hands that lie within reach of an object's surface; object frame, metres.

    Each triangle near the surface is cut into equal ones; a sample is the centre of one of them. Ordered by
    grasp, then face.
    """

    grasp: Int[Array, "s"]
    """Row of the grasp, ascending."""
    vertex: Int[Array, "s"]
    """The skin vertex nearest to the sample (on its own triangle): says which patch it belongs to."""
    point: Float[Array, "s 3"]
    """Centre of the piece."""
    area: Float[Array, "s"]
    """Square metres."""
    skin_normal: Float[Array, "s 3"]
    """Unit, out of the hand."""
    distance: Float[Array, "s"]
    """To the object's surface, negative inside."""
    gradient: Float[Array, "s 3"]
    """Unit, out of the object."""
    vertex_distance: Float[Array, "n v"]
    """Distance of every vertex of every hand."""

    @property
    def n(self) -> int:
        """Number of grasps."""
        return len(self.vertex_distance)


def sample_skin(
    vertices: Float[Array, "n v 3"],
    faces: Int[Array, "f 3"],
    sdf: SignedDistance,
    *,
    reach: float = 0.003,
    divisions: int = 3,
) -> SkinSamples:
    """Sample the skin within ``reach`` of the object, all grasps at once.

    Vertices are looked up first; a triangle can hold a point within reach only if one of its vertices is nearer than
    reach plus the largest distance between a point of a triangle and its nearest corner (its longest edge over the
    square root of three), for a signed distance never changes faster than the way walked.

    Args:
        vertices: posed skin, object frame, metres.
        faces: triangles, counter-clockwise seen from outside the hand.
        sdf: signed distance of the object.
        reach: metres outside the surface up to which skin is sampled.
        divisions: each edge is cut in so many: a face of 6 mm gives 9 pieces of 2 mm at 3.
    """
    vertices = np.asarray(vertices, np.float64)
    n = len(vertices)
    vertex_distance = np.asarray(sdf.distance(vertices), np.float64)
    near_grasp, near_face, corners = _near_faces(vertices, faces, vertex_distance, reach)
    weights, corner = _pieces(divisions)
    pieces = len(weights)
    points = np.einsum("pc,fcx->fpx", weights, corners).reshape(-1, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(cross, axis=1)
    normals = cross / np.where(double_area > 0.0, double_area, 1.0)[:, None]
    distance, gradient = sdf.distance_and_gradient(points)
    keep = np.flatnonzero(distance <= reach)
    row = keep // pieces
    return SkinSamples(
        grasp=near_grasp[row],
        vertex=faces[near_face[row], corner[keep % pieces]],
        point=points[keep],
        area=0.5 * double_area[row] / pieces,
        skin_normal=normals[row],
        distance=np.asarray(distance, np.float64)[keep],
        gradient=np.asarray(gradient, np.float64)[keep],
        vertex_distance=vertex_distance.reshape(n, -1),
    )


def _near_faces(vertices: Array, faces: Array, distance: Array, reach: float) -> tuple[Array, Array, Array]:
    """Rows (grasp, face) of the triangles that may come within reach, and their corners (m, 3, 3)."""
    longest = np.zeros((len(vertices), len(faces)))
    for i, j in ((0, 1), (1, 2), (2, 0)):
        edges = vertices[:, faces[:, i]] - vertices[:, faces[:, j]]
        np.maximum(longest, np.einsum("nfx,nfx->nf", edges, edges), out=longest)
    nearest = distance[:, faces].min(axis=2)
    grasp, face = np.nonzero(nearest <= reach + np.sqrt(longest / 3.0))
    return grasp, face, vertices[grasp[:, None], faces[face]]


def _pieces(divisions: int) -> tuple[Array, Array]:
    """Barycentric centres (divisions^2, 3) of the equal parts of a triangle, and the corner nearest to each."""
    k = divisions
    centres = []
    for i in range(k):
        for j in range(k - i):
            centres.append((i + 1 / 3, j + 1 / 3))
            if i + j < k - 1:
                centres.append((i + 2 / 3, j + 2 / 3))
    first = np.asarray(centres) / k
    weights = np.column_stack([first, 1.0 - first.sum(axis=1)])
    return weights, np.round(weights, 9).argmax(axis=1)
