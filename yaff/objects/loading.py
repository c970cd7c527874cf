"""From a mesh to an object: repair, distance grid, convex pieces, mass; each part cached by content."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trimesh

from yaff.geometry import distance_field
from yaff.geometry.blocks import Blocks
from yaff.geometry.mesh import watertight_solid
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.objects.cache import cached_arrays, content_key
from yaff.objects.catalogue import Catalogue, CatalogueEntry
from yaff.objects.hollowing import cavity_of, hollowed
from yaff.objects.model import ObjectModel
from yaff.objects.pieces import PieceParameters, Pieces, convex_pieces
from yaff.objects.sources import MeshSource, PiecewiseSource, StandInSource
from yaff.objects.surface import mass_properties, surface_samples

if TYPE_CHECKING:
    from yaff.objects.cache import Arrays

Array = np.ndarray

SURFACE_POINTS = 4096
"""Points spread over each object's surface."""

# Raised when the code that makes an entry changes what it makes.
_SOLID_VERSION, _FIELD_VERSION, _PIECES_VERSION, _SURFACE_VERSION = 2, 5, 4, 3


def load_object(
    name: str,
    source: MeshSource,
    cache_dir: Path,
    catalogue: Catalogue | None = None,
    parameters: PieceParameters | None = None,
) -> ObjectModel:
    """An object of the catalogue with its mesh from ``source`` and everything derived from it.

    What takes long is kept under ``cache_dir`` by content, so that a changed mesh is derived anew and an unchanged one
    is read in a fraction of a second; the mesh itself is read again only when its looks are asked for. Two processes
    may ask for the same object at once.

    Raises:
        InputError: if the catalogue has no object of that name.
        MissingFileError: if the source has no mesh of it.
        MeshError: if the mesh cannot be repaired into a solid.
        StorageError: if the cache cannot be written.
    """
    entry = (catalogue or Catalogue.load())[name]
    parameters = parameters or PieceParameters()
    where = f"{source.label}: {name}"
    solid, notes = _solid(source, entry, where, cache_dir)
    vertices, faces = np.asarray(solid.vertices), np.asarray(solid.faces)
    shape = content_key(vertices, faces)
    points, normals = _surface(solid, shape, cache_dir)
    centre, inertia = mass_properties(solid, entry.mass)
    return ObjectModel(
        name=name,
        index=entry.index,
        source=source,
        solid=solid,
        sdf=_field(solid, shape, cache_dir),
        pieces=_pieces(source, solid, shape, entry, parameters, where, cache_dir),
        mass=entry.mass,
        centre_of_mass=centre,
        inertia=inertia,
        surface_points=points,
        surface_normals=normals,
        radius=float(np.linalg.norm(vertices - centre, axis=1).max()),
        symmetries=entry.symmetry_transforms(),
        digest=hashlib.sha256(f"{shape} {entry.mass!r}".encode()).hexdigest(),
        standin=source.label == StandInSource.LABEL,
        notes=notes,
    )


def _solid(
    source: MeshSource, entry: CatalogueEntry, where: str, cache_dir: Path
) -> tuple[trimesh.Trimesh, tuple[str, ...]]:
    def compute() -> Arrays:
        solid, notes = watertight_solid(source.mesh(entry.name), where)
        cavity = cavity_of(solid, entry)
        if cavity is not None:
            solid, opened = hollowed(solid, cavity)
            notes = notes if opened is None else (*notes, opened)
        return {
            "vertices": np.asarray(solid.vertices, np.float64),
            "faces": np.asarray(solid.faces, np.int64),
            "notes": np.array(notes, dtype=np.str_),
        }

    key = content_key(_SOLID_VERSION, source.digest(entry.name), entry.cavity, entry.dimensions)
    found = cached_arrays(cache_dir, "solid", key, compute)
    solid = trimesh.Trimesh(found["vertices"], found["faces"], process=False, validate=False)
    return solid, tuple(str(note) for note in found["notes"])


def _field(solid: trimesh.Trimesh, shape: str, cache_dir: Path) -> SignedDistanceGrid:
    def compute() -> Arrays:
        grid = distance_field.build(solid)
        parts = {f"block_{item.name}": getattr(grid.blocks, item.name) for item in fields(Blocks)}
        return {"origin": grid.origin, "spacing": np.array(grid.spacing), "values": grid.values, **parts}

    found = cached_arrays(cache_dir, "sdf", content_key(_FIELD_VERSION, shape), compute)
    blocks = Blocks(**{item.name: found[f"block_{item.name}"] for item in fields(Blocks)})
    return SignedDistanceGrid(found["origin"], float(found["spacing"]), found["values"], blocks)


def _pieces(
    source: MeshSource,
    solid: trimesh.Trimesh,
    shape: str,
    entry: CatalogueEntry,
    parameters: PieceParameters,
    where: str,
    cache_dir: Path,
) -> Pieces:
    def compute() -> Arrays:
        if isinstance(source, PiecewiseSource):
            pieces = source.pieces(entry.name)
        else:
            pieces = convex_pieces(solid, parameters, where, cavity_of(solid, entry))
        return {"corners": np.concatenate(pieces), "start": np.cumsum([0, *map(len, pieces)])}

    if isinstance(source, PiecewiseSource):
        key = content_key(_PIECES_VERSION, source.digest(entry.name))
    else:
        key = content_key(_PIECES_VERSION, parameters.key(), entry.cavity, entry.dimensions, shape)
    found = cached_arrays(cache_dir, "pieces", key, compute)
    corners, start = found["corners"], found["start"]
    return tuple(corners[start[k] : start[k + 1]] for k in range(len(start) - 1))


def _surface(solid: trimesh.Trimesh, shape: str, cache_dir: Path) -> tuple[Array, Array]:
    def compute() -> Arrays:
        points, normals = surface_samples(solid, SURFACE_POINTS)
        return {"points": points, "normals": normals}

    found = cached_arrays(cache_dir, "surface", content_key(_SURFACE_VERSION, SURFACE_POINTS, shape), compute)
    return found["points"], found["normals"]
