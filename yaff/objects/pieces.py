"""Convex pieces of a solid for the physics engine, keeping the concavities that hands use."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import trimesh
from jaxtyping import Float
from manifold3d import Manifold, Mesh64, OpType

from yaff.errors import MeshError
from yaff.objects.splitting import split_to_ratio
from yaff.objects.surface import farthest_first

Array = np.ndarray
Pieces = tuple[Float[Array, "_ 3"], ...]


@dataclass(frozen=True)
class PieceParameters:
    """How a solid is divided."""

    ratio: float = 1.10
    """Dividing ends when the pieces together have at most this many times the solid's volume."""
    threshold: float = 0.1
    """CoACD's concavity threshold, share of the object's size: how deep a hollow the first cuts must open."""
    most_pieces: int = 64
    """No more pieces than this."""
    most_corners: int = 48
    """Corners of a piece."""

    def key(self) -> str:
        """Everything that a cached result depends on, beside the mesh."""
        return f"{self!r} coacd {version('coacd')} manifold3d {version('manifold3d')}"


def convex_pieces(solid: trimesh.Trimesh, parameters: PieceParameters, where: str) -> Pieces:
    """Corners of convex pieces (metres, the solid's frame) whose union is the solid, nearly.

    Nearly convex solids are one piece. Others are divided by CoACD (Wei et al. 2022, "Approximate Convex Decomposition
    for 3D Meshes with Collision-Aware Concavity and Tree Search", fixed seed), which finds the cuts that open mugs and
    handles; its parts are then cut further by volume (:mod:`yaff.objects.splitting`).

    Raises:
        MeshError: if no solid piece is found.
    """
    whole = _simplified(solid)
    hull = whole.hull()
    if hull.volume() <= parameters.ratio * whole.volume():
        return (_corners(hull, parameters.most_corners),)
    parts, rest = [], whole
    for corners in _coacd(whole, parameters.threshold):
        piece = Manifold.hull_points(corners)
        parts.append(rest ^ piece)
        rest = rest - piece
    bodies = split_to_ratio([*parts, rest], parameters.ratio, parameters.most_pieces)
    if not bodies:
        raise MeshError("no convex pieces found", where=where, remedy="check that the mesh is a closed solid")
    return tuple(_corners(body.hull(), parameters.most_corners) for body in bodies)


def _coacd(solid: Manifold, threshold: float) -> list[Float[Array, "_ 3"]]:
    import coacd  # loads a large library, and only here

    coacd.set_log_level("off")
    mesh = solid.to_mesh64()
    vertices = np.array(mesh.vert_properties[:, :3], np.float64)
    parts = coacd.run_coacd(
        coacd.Mesh(vertices, np.array(mesh.tri_verts, np.int32)),
        threshold=threshold,
        preprocess_mode="off",  # the mesh is a manifold already; remeshing would thicken thin walls
        resolution=500,
        mcts_nodes=12,
        mcts_iterations=40,
        merge=False,
        seed=0,
    )
    return [np.asarray(corners, np.float64) for corners, _ in parts]


def union_volume(pieces: Pieces) -> float:
    """Volume of the union of convex pieces, cubic metres."""
    hulls = [Manifold.hull_points(np.asarray(piece, np.float64)) for piece in pieces]
    return float(Manifold.batch_boolean(hulls, OpType.Add).volume())


def _simplified(solid: trimesh.Trimesh) -> Manifold:
    """The solid with fewer faces, moved by no more than a fraction of its walls; itself where that goes wrong."""
    wall = 2.0 * float(solid.volume) / float(solid.area)
    exact = Manifold(Mesh64(np.array(solid.vertices, np.float64), np.array(solid.faces, np.uint64)))
    fewer = exact.simplify(float(np.clip(wall / 6.0, 1e-4, 5e-4)))
    spoiled = fewer.is_empty() or abs(fewer.volume() - exact.volume()) > 0.05 * exact.volume()
    return exact if spoiled else fewer


def _corners(hull: Manifold, count: int) -> Float[Array, "m 3"]:
    """At most ``count`` corners of a convex solid."""
    simple = hull.simplify(2e-4)
    mesh = (hull if simple.is_empty() else simple).to_mesh64()
    return few_corners(np.array(mesh.vert_properties[:, :3], np.float64), count)


def few_corners(points: Float[Array, "n 3"], count: int) -> Float[Array, "m 3"]:
    """The hull's corners, thinned to the ones farthest apart."""
    return points if len(points) <= count else points[farthest_first(points, count)]
