"""Checking meshes, and repairing scanned ones into watertight solids.

Everything here keeps the surface where it is: vertices are merged, spurious scraps dropped, small holes closed and
faces turned round, but nothing is remeshed or wrapped, so that the inside of a mug stays outside the solid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from yaff.errors import MeshError

Array = np.ndarray

LARGEST_EXTENT = 2.0
"""Objects that a hand grasps are smaller than this, metres; more means that the unit is not the metre."""
SCRAP_AREA = 0.01
"""A connected part with less than this share of the surface, and no volume to speak of, is a scrap of the scan."""
SCRAP_VOLUME = 1e-3
LARGEST_HOLE = 0.05
"""Holes are closed when all of them together have at most this share of the surface's area."""

_REMEDY = "repair the mesh in a modelling program, or give another file"


def check_mesh(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"], where: str | Path) -> None:
    """Refuse arrays that cannot be the surface of an object in metres.

    Raises:
        MeshError: no vertices, no faces, NaN, indices out of range, no extent, or an extent above 2 m.
    """
    if len(vertices) == 0:
        raise MeshError("the mesh is empty: no vertices", where=where, remedy=_REMEDY)
    if len(faces) == 0:
        raise MeshError(
            f"the mesh has {len(vertices)} vertices but no faces",
            where=where,
            remedy="give the triangle mesh of the object, not its point cloud",
        )
    finite = np.isfinite(vertices).all(axis=1)
    if not finite.all():
        raise MeshError(
            f"{int((~finite).sum())} of {len(vertices)} vertices hold NaN or infinity, "
            f"first vertex {int(np.flatnonzero(~finite)[0])}",
            where=where,
            remedy=_REMEDY,
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise MeshError(
            f"a face names vertex {int(faces.max())}, but there are {len(vertices)}", where=where, remedy=_REMEDY
        )
    used = vertices[np.unique(faces)]
    extent = float((used.max(axis=0) - used.min(axis=0)).max())
    if extent > LARGEST_EXTENT:
        millimetres = extent < 1000.0 * LARGEST_EXTENT
        guess = f"; in millimetres it would be {extent / 1000.0:.3f} m" if millimetres else ""
        raise MeshError(
            f"the mesh is {extent:.4g} m long, too large for an object that a hand grasps{guess}",
            where=where,
            remedy="scale the mesh to metres (a mesh in millimetres: by 0.001)",
        )
    if extent <= 0.0:
        raise MeshError("all vertices of the mesh are in one place", where=where, remedy=_REMEDY)


def watertight_solid(mesh: trimesh.Trimesh, where: str | Path) -> tuple[trimesh.Trimesh, tuple[str, ...]]:
    """The closed, outward-facing surface of the object, and notes on what had to be repaired.

    Args:
        mesh: any triangle mesh in metres; vertices split by texture or normals are merged.
        where: what to name in errors, usually the file.

    Raises:
        MeshError: if the mesh is empty, not finite, not in metres, or open beyond repair.
    """
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    check_mesh(vertices, faces, where)
    notes: list[str] = []

    vertices, faces = _merged(vertices, faces)
    faces, dropped = _without_degenerate(faces)
    if dropped:
        notes.append(f"dropped {dropped} degenerate or doubled faces")
    if len(faces) == 0:
        raise MeshError("all faces of the mesh are degenerate", where=where, remedy=_REMEDY)
    faces, scraps = _without_scraps(vertices, faces)
    if scraps:
        notes.append(f"dropped {scraps} loose scraps")

    solid = _plain(vertices, faces)
    if not (solid.is_watertight and solid.is_winding_consistent):
        solid = _closed(solid, where, notes)
    volume = _volume(solid)
    if volume < 0.0:
        solid.invert()
        volume = -volume
        notes.append("turned the faces outward")
    if volume <= 1e-5 * float(solid.area):
        raise MeshError(
            f"the mesh encloses no volume ({volume * 1e6:.3g} cm3 within {solid.area * 1e4:.3g} cm2)",
            where=where,
            remedy="give the object's walls a thickness: an open sheet is no solid",
        )
    return solid, tuple(notes)


def _volume(solid: trimesh.Trimesh) -> float:
    """Signed volume; trimesh's own divides by it for the centre of mass, also where it is nothing."""
    a, b, c = np.moveaxis(np.asarray(solid.triangles) - np.asarray(solid.vertices).mean(axis=0), 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0)


def _plain(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> trimesh.Trimesh:
    """A mesh of the used vertices only, in their order."""
    used, index = np.unique(faces, return_inverse=True)
    return trimesh.Trimesh(vertices[used], index.reshape(-1, 3), process=False, validate=False)


def _merged(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> tuple[Float[Array, "w 3"], Int[Array, "f 3"]]:
    """Vertices in the same place (to 1e-8 of a metre) made one."""
    keys = np.rint(vertices * 1e8).astype(np.int64)
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return vertices[first], index.reshape(-1)[faces]


def _without_degenerate(faces: Int[Array, "f 3"]) -> tuple[Int[Array, "g 3"], int]:
    """Faces with three different vertices, doubled ones once, and pairs of opposite faces not at all."""
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    kept = faces[distinct]
    _, group = np.unique(np.sort(kept, axis=1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    # +1 for an even permutation of the sorted corners, -1 for an odd one.
    order = np.argsort(kept, axis=1)
    turn = np.where(((order[:, 1] - order[:, 0]) % 3) == 1, 1, -1)
    balance = np.bincount(group, weights=turn)
    alive = np.abs(balance[group]) > 0.5
    wanted = alive & (turn * balance[group] > 0)
    first = np.zeros(len(kept), dtype=bool)
    rows = np.flatnonzero(wanted)
    _, earliest = np.unique(group[rows], return_index=True)
    first[rows[earliest]] = True
    return kept[first], len(faces) - int(first.sum())


def _parts(faces: Int[Array, "f 3"]) -> Int[Array, "f"]:
    """The connected part of each face; faces sharing a vertex are connected."""
    count = int(faces.max()) + 1
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    return label[faces[:, 0]]


def _without_scraps(vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]) -> tuple[Int[Array, "g 3"], int]:
    part = _parts(faces)
    corners = vertices[faces] - vertices.mean(axis=0)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.bincount(part, weights=0.5 * np.linalg.norm(cross, axis=1))
    volume = np.abs(np.bincount(part, weights=np.einsum("ij,ij->i", corners[:, 0], cross) / 6.0))
    present = np.bincount(part) > 0
    scrap: Bool[Array, "p"] = present & (area < SCRAP_AREA * area.sum()) & (volume < SCRAP_VOLUME * volume.max())
    return faces[~scrap[part]], int(scrap.sum())


def _boundary(faces: Int[Array, "f 3"]) -> tuple[int, int]:
    """How many edges belong to one face only, and how many to more than two."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    return int((count == 1).sum()), int((count > 2).sum())


def _closed(solid: trimesh.Trimesh, where: str | Path, notes: list[str]) -> trimesh.Trimesh:
    """Consistent winding and closed holes, or a refusal."""
    open_edges, crowded = _boundary(np.asarray(solid.faces))
    faces_before, area_before = len(solid.faces), float(solid.area)
    trimesh.repair.fix_winding(solid)
    if open_edges:
        vertices, faces = np.asarray(solid.vertices), np.asarray(solid.faces)
        vertices, faces = _with_holes_closed(vertices, faces)
        solid = _plain(vertices, faces)
        trimesh.repair.fix_winding(solid)
        added = float(solid.area) - area_before
        if added > LARGEST_HOLE * area_before:
            raise MeshError(
                f"the mesh is open: {open_edges} edges border on nothing and closing them would add "
                f"{100.0 * added / area_before:.0f} % to its surface",
                where=where,
                remedy="close the mesh in a modelling program; a vessel needs walls with an inside and an outside",
            )
        notes.append(f"closed holes with {len(solid.faces) - faces_before} faces")
    if not solid.is_winding_consistent or not solid.is_watertight:
        left, crowded = _boundary(np.asarray(solid.faces))
        if left or not solid.is_winding_consistent:
            raise MeshError(
                f"the mesh cannot be made a solid: {left} open edges and {crowded} edges with more than two faces "
                "are left after repair",
                where=where,
                remedy=_REMEDY,
            )
    return solid


def _with_holes_closed(
    vertices: Float[Array, "v 3"], faces: Int[Array, "f 3"]
) -> tuple[Float[Array, "w 3"], Int[Array, "g 3"]]:
    """Each loop of open edges closed by a fan round its middle."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    count = len(vertices)
    forward = directed[:, 0] * count + directed[:, 1]
    backward = directed[:, 1] * count + directed[:, 0]
    lonely = directed[~np.isin(forward, backward)]
    if len(lonely) == 0:
        return vertices, faces
    graph = sparse.coo_matrix((np.ones(len(lonely), np.int8), (lonely[:, 0], lonely[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    loops, loop = np.unique(label[lonely[:, 0]], return_inverse=True)
    size = np.bincount(loop)
    centres = np.stack([np.bincount(loop, weights=vertices[lonely[:, 0], k]) / size for k in range(3)], axis=-1)
    fan = np.stack([lonely[:, 1], lonely[:, 0], count + loop], axis=-1)
    assert len(loops) == len(centres)
    return np.concatenate([vertices, centres]), np.concatenate([faces, fan])
