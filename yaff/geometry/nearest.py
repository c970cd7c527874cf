"""The nearest point of a triangle mesh, exactly, through a tree of boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.compiled import compiled

Array = np.ndarray

_LEAF = 2  # triangles in a leaf

# Features of a triangle on which the nearest point can lie: inside, edges ab bc ca, corners a b c.
_INSIDE, _AB, _BC, _CA, _A, _B, _C = range(7)


@dataclass(frozen=True, eq=False)
class NearestTriangle:
    """A mesh prepared for questions after its nearest point; any one length unit.

    The triangles are halved again and again along the longest side: a complete binary tree of bounding boxes.
    """

    triangles: Float[Array, "m 3 3"]
    """In the order of the tree, the last repeated to fill it up."""
    lower: Float[Array, "t 3"]
    """Low corners of the boxes of the tree; the children of box k are 2 k + 1 and 2 k + 2."""
    upper: Float[Array, "t 3"]
    """High corners of the boxes."""
    normals: Float[Array, "m 7 3"]
    """Outward directions at each feature: of the face, of its edges and of its corners (weighted by angle)."""

    @classmethod
    def of(cls, vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> NearestTriangle:
        """Prepare a mesh; outward directions are meaningful for closed ones."""
        corners = vertices[faces]
        order = _halved(corners.mean(axis=1))
        triangles = np.ascontiguousarray(corners[order])
        low = triangles.reshape(-1, 3 * _LEAF, 3).min(axis=1)
        high = triangles.reshape(-1, 3 * _LEAF, 3).max(axis=1)
        lower, upper = [low], [high]
        while len(lower[0]) > 1:
            lower.insert(0, lower[0].reshape(-1, 2, 3).min(axis=1))
            upper.insert(0, upper[0].reshape(-1, 2, 3).max(axis=1))
        normals = _feature_normals(vertices, faces)[order]
        return cls(triangles, np.concatenate(lower), np.concatenate(upper), np.ascontiguousarray(normals))

    def signed_distance(self, points: Float[Array, "n 3"]) -> Float[Array, "n"]:
        """Exact distance to the mesh, negative where the nearest point faces away.

        The sign is right for closed meshes that do not go through themselves (Baerentzen and Aanaes 2005, "Signed
        distance computation using the angle weighted pseudonormal"). Points near one another should follow one
        another: each search begins with the answer before it.
        """
        result = np.zeros(len(points))
        _search(np.ascontiguousarray(points, np.float64), self.triangles, self.lower, self.upper, self.normals, result)
        return result


def _halved(centres: Float[Array, "f 3"]) -> Int[Array, "m"]:
    """Rows in the order of a balanced tree that halves every group along its longest side, some rows repeated."""
    depth = max(int(np.ceil(np.log2(max(len(centres) / _LEAF, 1.0)))), 0)
    order = np.minimum(np.arange(_LEAF << depth), len(centres) - 1)
    for level in range(depth):
        groups = order.reshape(1 << level, -1)
        places = centres[groups]
        axis = np.ptp(places, axis=1).argmax(axis=1)
        along = np.take_along_axis(places, axis[:, None, None], axis=2)[..., 0]
        order = np.take_along_axis(groups, np.argsort(along, axis=1, kind="stable"), axis=1).reshape(-1)
    return order


def _feature_normals(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> Float[Array, "f 7 3"]:
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    at_vertex = np.zeros((len(vertices), 3))
    for k in range(3):
        one = corners[:, (k + 1) % 3] - corners[:, k]
        two = corners[:, (k + 2) % 3] - corners[:, k]
        length = np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1), 1e-30)
        angle = np.arccos(np.clip(np.einsum("ij,ij->i", one, two) / length, -1.0, 1.0))
        np.add.at(at_vertex, faces[:, k], angle[:, None] * normal)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, edge = np.unique(edges[:, 0] * len(vertices) + edges[:, 1], return_inverse=True)
    edge = edge.reshape(-1, 3)
    at_edge = np.zeros((int(edge.max()) + 1, 3))
    for k in range(3):
        np.add.at(at_edge, edge[:, k], normal)
    return np.concatenate([normal[:, None], at_edge[edge], at_vertex[faces]], axis=1)


@compiled
def _nearest(px, py, pz, t):
    """Squared distance to a triangle, the vector to its nearest point, and the feature that this lies on.

    Ericson, *Real-Time Collision Detection*, 2005, section 5.1.5.
    """
    ax, ay, az = t[0, 0], t[0, 1], t[0, 2]
    ux, uy, uz = t[1, 0] - ax, t[1, 1] - ay, t[1, 2] - az
    wx, wy, wz = t[2, 0] - ax, t[2, 1] - ay, t[2, 2] - az
    qx, qy, qz = px - ax, py - ay, pz - az
    d1 = ux * qx + uy * qy + uz * qz
    d2 = wx * qx + wy * qy + wz * qz
    uu, ww, uw = ux * ux + uy * uy + uz * uz, wx * wx + wy * wy + wz * wz, ux * wx + uy * wy + uz * wz
    d3, d4, d5, d6 = d1 - uu, d2 - uw, d1 - uw, d2 - ww
    v, w, feature = 0.0, 0.0, _A
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    if d1 <= 0.0 and d2 <= 0.0:
        pass
    elif d3 >= 0.0 and d4 <= d3:
        v, feature = 1.0, _B
    elif d6 >= 0.0 and d5 <= d6:
        w, feature = 1.0, _C
    elif vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v, feature = d1 / (d1 - d3), _AB
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        w, feature = d2 / (d2 - d6), _CA
    elif va <= 0.0 and d4 - d3 >= 0.0 and d5 - d6 >= 0.0:
        w = (d4 - d3) / ((d4 - d3) + (d5 - d6))
        v, feature = 1.0 - w, _BC
    else:
        total = va + vb + vc
        v, w, feature = vb / total, vc / total, _INSIDE
    rx, ry, rz = qx - v * ux - w * wx, qy - v * uy - w * wy, qz - v * uz - w * wz
    return rx * rx + ry * ry + rz * rz, rx, ry, rz, feature


@compiled
def _box(px, py, pz, low, high):
    """Squared distance to a box."""
    x = max(low[0] - px, 0.0, px - high[0])
    y = max(low[1] - py, 0.0, py - high[1])
    z = max(low[2] - pz, 0.0, pz - high[2])
    return x * x + y * y + z * z


@compiled
def _search(points, triangles, lower, upper, normals, result):
    first_leaf = len(lower) // 2
    stack, gaps = np.zeros(64, np.int64), np.zeros(64)
    face = 0
    for k in range(len(points)):
        px, py, pz = points[k, 0], points[k, 1], points[k, 2]
        best, rx, ry, rz, feature = _nearest(px, py, pz, triangles[face])
        stack[0], gaps[0], depth = 0, 0.0, 1
        while depth > 0:
            depth -= 1
            if gaps[depth] >= best:
                continue
            node = stack[depth]
            if node >= first_leaf:
                for row in range((node - first_leaf) * _LEAF, (node - first_leaf + 1) * _LEAF):
                    squared, x, y, z, at = _nearest(px, py, pz, triangles[row])
                    if squared < best:
                        best, rx, ry, rz, feature, face = squared, x, y, z, at, row
                continue
            left, right = 2 * node + 1, 2 * node + 2
            near, far = _box(px, py, pz, lower[left], upper[left]), _box(px, py, pz, lower[right], upper[right])
            if near > far:
                left, right, near, far = right, left, far, near
            # the nearer one is taken off first
            if far < best:
                stack[depth], gaps[depth] = right, far
                depth += 1
            if near < best:
                stack[depth], gaps[depth] = left, near
                depth += 1
        n = normals[face, feature]
        side = rx * n[0] + ry * n[1] + rz * n[2]
        result[k] = -np.sqrt(best) if side < 0.0 else np.sqrt(best)
