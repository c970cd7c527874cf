"""Convex pieces of a solid for the physics engine, keeping the concavities that hands use."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import manifold3d
import numpy as np
import trimesh
from jaxtyping import Float

from yaff.errors import MeshError

Array = np.ndarray
Pieces = tuple[Float[Array, "_ 3"], ...]


@dataclass(frozen=True)
class PieceParameters:
    """How a solid is divided."""

    hull_ratio: float = 1.10
    """A solid whose convex hull has at most this many times its volume is one piece."""
    threshold: float = 0.05
    """CoACD's concavity threshold, share of the object's size."""
    most_pieces: int = 24
    """No more pieces than this."""
    most_corners: int = 48
    """Corners of a piece."""
    simplification: float = 5e-4
    """The mesh is first simplified by this much, metres."""

    def key(self) -> str:
        """Everything that a cached result depends on, beside the mesh."""
        return f"{self!r} coacd {version('coacd')} manifold3d {version('manifold3d')}"


def convex_pieces(solid: trimesh.Trimesh, parameters: PieceParameters, where: str) -> Pieces:
    """Corners of convex pieces (metres, the solid's frame) whose union is the solid, nearly.

    Nearly convex solids are one piece; others are divided by CoACD (Wei et al. 2022, "Approximate Convex Decomposition
    for 3D Meshes with Collision-Aware Concavity and Tree Search") with a fixed seed.

    Raises:
        MeshError: if the decomposition finds nothing.
    """
    hull = solid.convex_hull
    if float(hull.volume) <= parameters.hull_ratio * float(solid.volume):
        return (few_corners(np.asarray(hull.vertices, np.float64), parameters.most_corners),)
    import coacd

    coacd.set_log_level("off")
    vertices, faces = _simplified(solid, parameters.simplification)
    parts = coacd.run_coacd(
        coacd.Mesh(vertices, faces),
        threshold=parameters.threshold,
        max_convex_hull=parameters.most_pieces,
        preprocess_mode="off",
        resolution=1000,
        mcts_iterations=60,
        decimate=True,
        max_ch_vertex=parameters.most_corners,
        seed=0,
    )
    if not parts:
        raise MeshError("no convex pieces found", where=where, remedy="check that the mesh is a closed solid")
    return tuple(np.asarray(corners, np.float64) for corners, _ in parts)


def union_volume(pieces: Pieces) -> float:
    """Volume of the union of convex pieces, cubic metres."""
    hulls = [manifold3d.Manifold.hull_points(np.asarray(piece, np.float64)) for piece in pieces]
    return float(manifold3d.Manifold.batch_boolean(hulls, manifold3d.OpType.Add).volume())


def _simplified(solid: trimesh.Trimesh, tolerance: float) -> tuple[Array, Array]:
    """The solid with fewer faces, nowhere moved by more than the tolerance; itself where that cannot be had."""
    exact = manifold3d.Manifold(
        manifold3d.Mesh(np.asarray(solid.vertices, np.float32), np.asarray(solid.faces, np.uint32))
    )
    fewer = exact.simplify(tolerance)
    if fewer.is_empty() or abs(fewer.volume() - solid.volume) > 0.05 * float(solid.volume):
        return np.asarray(solid.vertices, np.float64), np.asarray(solid.faces, np.int64)
    mesh = fewer.to_mesh()
    return np.asarray(mesh.vert_properties[:, :3], np.float64), np.asarray(mesh.tri_verts, np.int64)


def few_corners(points: Float[Array, "n 3"], count: int) -> Float[Array, "m 3"]:
    """The hull's corners, thinned to the ones farthest apart."""
    from yaff.objects.surface import farthest_first

    return points if len(points) <= count else points[farthest_first(points, count)]
