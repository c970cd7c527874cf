"""Convex pieces of a solid for the physics engine, keeping the concavities that hands use."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import trimesh
from jaxtyping import Float
from manifold3d import Manifold, OpType
from scipy.spatial import ConvexHull

from yaff.errors import MeshError
from yaff.objects.catalogue import Cavity
from yaff.objects.hollowing import manifold_of
from yaff.objects.splitting import fitted_hull, split
from yaff.objects.vessels import vessel_parts

Array = np.ndarray
Pieces = tuple[Float[Array, "_ 3"], ...]

CLOSE_ENOUGH = 1e-4
"""Metres by which corners that are left out may stick out of a piece."""
_DIRECTIONS = 24
_FEW = 8  # so many pieces may have all corners that are allowed, more have half of them


@dataclass(frozen=True)
class PieceParameters:
    """How a solid is divided."""

    ratio: float = 1.10
    """Dividing ends when the pieces together have at most this many times the solid's volume."""
    threshold: float = 0.1
    """CoACD's concavity threshold, share of the object's size: how deep a hollow the first cuts must open."""
    padding: float = 1.2e-3
    """It also ends when no hull holds a layer of empty space thicker than this, metres; hulls are then flattened."""
    sectors: int = 16
    """Staves of which the wall of a vessel is made."""
    most_pieces: int = 56
    """No more pieces than this."""
    most_corners: int = 64
    """Corners of a piece; half of that where there are many pieces."""

    def key(self) -> str:
        """Everything that a cached result depends on, beside the mesh."""
        return f"{self!r} coacd {version('coacd')} manifold3d {version('manifold3d')}"


def convex_pieces(
    solid: trimesh.Trimesh, parameters: PieceParameters, where: str, cavity: Cavity | None = None
) -> Pieces:
    """Corners of convex pieces (metres, the solid's frame) whose union is the solid, nearly.

    Nearly convex solids are one piece. Vessels are divided into staves (:mod:`yaff.objects.vessels`). Others are
    divided by CoACD (Wei et al. 2022, "Approximate Convex Decomposition for 3D Meshes with Collision-Aware Concavity
    and Tree Search", fixed seed), which finds the cuts that open handles; its parts are then cut further
    (:mod:`yaff.objects.splitting`). Where a few hulls do not fit, they are flattened to the volume of their parts.

    Raises:
        MeshError: if no solid piece is found.
    """
    whole = _simplified(solid)
    hull = _corners(whole.hull(), parameters.most_corners)
    if Manifold.hull_points(hull).volume() <= parameters.ratio * whole.volume():
        return (hull,)
    if cavity is not None:
        bodies = vessel_parts(whole, solid, cavity, parameters.sectors, parameters.padding, parameters.most_pieces)
    else:
        parts, rest = [], whole
        for corners in _coacd(whole, parameters.threshold):
            piece = Manifold.hull_points(corners)
            parts.append(rest ^ piece)
            rest = rest - piece
        bodies = split(
            [*parts, rest], whole.volume(), parameters.padding, parameters.most_pieces, ratio=parameters.ratio
        )
    if not bodies:
        raise MeshError("no convex pieces found", where=where, remedy="check that the mesh is a closed solid")
    hulls = [body.hull() for body in bodies]
    if sum(hull.volume() for hull in hulls) > parameters.ratio * whole.volume():
        hulls = [fitted_hull(body) for body in bodies]
    count = parameters.most_corners if len(hulls) <= _FEW else parameters.most_corners // 2
    return tuple(_corners(hull, count) for hull in hulls)


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
    exact = manifold_of(solid)
    fewer = exact.simplify(float(np.clip(wall / 6.0, 1e-4, 5e-4)))
    spoiled = fewer.is_empty() or abs(fewer.volume() - exact.volume()) > 0.05 * exact.volume()
    return exact if spoiled else fewer


def _corners(hull: Manifold, count: int) -> Float[Array, "m 3"]:
    """At most ``count`` corners of a convex solid."""
    simple = hull.simplify(2e-4)
    mesh = (hull if simple.is_empty() else simple).to_mesh64()
    return few_corners(np.array(mesh.vert_properties[:, :3], np.float64), count)


def few_corners(points: Float[Array, "n 3"], count: int) -> Float[Array, "m 3"]:
    """At most ``count`` of a solid's corners, whose hull is nearly all of theirs.

    To those that are farthest in a few directions comes, again and again, the corner that sticks out of their hull the
    most, until none does by more than :data:`CLOSE_ENOUGH`.
    """
    k = np.arange(_DIRECTIONS) + 0.5
    polar, around = np.arccos(1.0 - 2.0 * k / _DIRECTIONS), np.pi * (1.0 + 5.0**0.5) * k
    directions = np.stack([np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)])
    chosen = list(dict.fromkeys((points @ directions).argmax(axis=0).tolist()))
    while len(chosen) < min(count, len(points)):
        planes = ConvexHull(points[chosen]).equations
        beyond = (points @ planes[:, :3].T + planes[:, 3]).max(axis=1)
        if beyond.max() < CLOSE_ENOUGH:
            break
        chosen.append(int(beyond.argmax()))
    return points[chosen]
