"""From a mesh as it was found to the files that are installed: in metres, in the object frame.

The place of a mesh's bounding box says in which of the three known frames it is. That is believed over the name of the
folder it lay in, because an offset of a centimetre shows in no picture and spoils every grasp.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float
from trimesh.resolvers import Resolver

from yaff.errors import MeshError
from yaff.objects.catalogue import CatalogueEntry
from yaff.objects.collections import FoundMesh, RawMesh
from yaff.objects.obj_files import (
    MATERIAL,
    MATERIAL_FILE,
    MESH_FILE,
    TEXTURE_FILE,
    checked_texture,
    move_obj,
    obj_of_mesh,
    obj_vertices,
    texture_coordinates,
)
from yaff.objects.sources import MOST_FACES

Array = np.ndarray

SIZE_TOLERANCE = 3e-3
"""How far each extent may be from the catalogue's, metres."""
PLACE_TOLERANCE = 2e-3
"""How far the centre of the bounding box may be from where a frame has it, metres; measured: 0.42 mm at most."""
EXPECTED_FRAME = {"ycb-video": "YCB-Video", "google-16k": "YCB", "bop": "BOP"}
"""The frame that each layout is published in."""
_UNITS = {"metres": 1.0, "millimetres": 1e-3}


@dataclass(frozen=True)
class ConvertedMesh:
    """What is to be installed of one object."""

    files: dict[str, bytes] = field(repr=False)
    frame: str
    """The frame that the mesh was in."""
    scale: float
    offset: tuple[float, float, float]
    """Installed position = scale * found position + offset, metres."""
    notes: tuple[str, ...]


def frame_offsets(entry: CatalogueEntry) -> dict[str, Float[Array, "3"]]:
    """For each known frame, what to add to a position of the object frame to get one of that frame, metres."""
    return {"YCB-Video": np.zeros(3), "YCB": entry.ycb_offset, "BOP": entry.bop_offset}


def convert(found: FoundMesh, entry: CatalogueEntry) -> ConvertedMesh:
    """Read a mesh and move it to the object frame.

    Raises:
        FormatError: an archive or file that is damaged.
        MeshError: a mesh that cannot be parsed, or is not the object: of another size, or in no known frame.
    """
    raw = found.read()
    where = f"{found.origin}"
    if raw.mesh_file.lower().endswith(".obj"):
        vertices, mesh, faces = obj_vertices(raw.mesh, where), None, raw.mesh.count(b"\nf ")
    else:
        mesh = _parsed(raw, where)
        vertices, faces = np.asarray(mesh.vertices, np.float64), len(mesh.faces)
    if not 0 < faces <= MOST_FACES:
        raise MeshError(
            f"the mesh has {faces:,} triangles; a scan of the 16k kind has 16,384",
            where=where,
            remedy="give google_16k, not the finer scans" if faces else "give the mesh, not a point cloud",
        )
    frame, unit = _frame(vertices, entry, EXPECTED_FRAME[found.layout], where)
    scale, offset = _UNITS[unit], -frame_offsets(entry)[frame]
    notes = list(raw.notes)
    if frame != EXPECTED_FRAME[found.layout]:
        notes.append(f"the mesh is in the {frame} frame, although its folder looks like {found.layout}")
    texture, problem = (None, "") if raw.texture is None else checked_texture(raw.texture)
    notes += [problem] if problem else []
    if mesh is not None:
        files = mesh_files(mesh, scale, offset, texture)
    elif frame == "YCB-Video" and scale == 1.0 and _wants(raw.mesh, texture):
        files = _with_texture(raw.mesh, texture)  # byte for byte what lies in a models folder
    else:
        files = _with_texture(move_obj(raw.mesh, scale, offset, texture is not None, where), texture)
    x, y, z = offset.tolist()
    return ConvertedMesh(files, frame, scale, (x, y, z), tuple(notes))


def mesh_files(
    mesh: trimesh.Trimesh, scale: float, offset: Float[Array, "3"], texture: bytes | None
) -> dict[str, bytes]:
    """The files of a mesh, moved; with a texture (PNG) where the mesh has coordinates for it."""
    moved = mesh.copy()
    moved.vertices = scale * np.asarray(mesh.vertices, np.float64) + offset
    if texture_coordinates(mesh) is None:
        texture = None
    return _with_texture(obj_of_mesh(moved, texture is not None), texture)


def _with_texture(obj: bytes, texture: bytes | None) -> dict[str, bytes]:
    files = {MESH_FILE: obj}
    return files if texture is None else {**files, MATERIAL_FILE: MATERIAL, TEXTURE_FILE: texture}


def _wants(obj: bytes, texture: bytes | None) -> bool:
    """Whether an OBJ names the material that is installed with it, and only that, exactly when there is a texture."""
    uses = {line.split()[-1] for line in obj.splitlines() if line.startswith(b"usemtl ")}
    names = f"mtllib {MATERIAL_FILE}".encode() in obj and uses == {b"material_0"}
    return names if texture is not None else b"mtllib" not in obj


def _parsed(raw: RawMesh, where: str) -> trimesh.Trimesh:
    """A PLY or STL; its texture is put in by hand, so that no path inside the file is followed."""
    suffix = Path(raw.mesh_file).suffix[1:].lower()
    try:
        mesh = trimesh.load(io.BytesIO(raw.mesh), file_type=suffix, process=False, force="mesh", resolver=_Sealed(raw))
    except Exception as error:  # the parsers raise whatever their input provokes
        raise MeshError(
            f"the mesh cannot be read: {type(error).__name__}: {error}", where=where, remedy="get the file again"
        ) from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise MeshError("the file holds no triangles", where=where, remedy="give the mesh, not a point cloud")
    if not np.isfinite(mesh.vertices).all():
        bad = int((~np.isfinite(mesh.vertices).all(axis=1)).sum())
        raise MeshError(f"{bad} vertices hold NaN or infinity", where=where, remedy="give another file")
    return mesh


class _Sealed(Resolver):
    """Gives the texture that was found with the mesh under whatever name is asked for, and nothing else."""

    def __init__(self, raw: RawMesh) -> None:
        self._texture = None if raw.texture is None else checked_texture(raw.texture)[0]

    def get(self, key: str) -> bytes:
        if self._texture is None or not key.lower().endswith((".png", ".jpg", ".jpeg")):
            raise FileNotFoundError(key)
        return self._texture

    def keys(self):
        return ()

    def write(self, name: str, data: bytes) -> None:
        raise PermissionError(name)

    def namespaced(self, namespace: str) -> _Sealed:
        return self


def _frame(vertices: Float[Array, "n 3"], entry: CatalogueEntry, expected: str, where: str) -> tuple[str, str]:
    """The frame and unit of a mesh, from its bounding box."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    size = np.asarray(entry.dimensions)
    unit = min(_UNITS, key=lambda u: float(np.abs(_UNITS[u] * (high - low) - size).max()))
    extents = _UNITS[unit] * (high - low)
    if float(np.abs(extents - size).max()) > SIZE_TOLERANCE:
        measured, wanted = (" x ".join(f"{1e3 * v:.1f}" for v in values) for values in (extents, size))
        raise MeshError(
            f"this is not {entry.name}: it measures {measured} mm, the catalogue says {wanted} mm",
            where=where,
            remedy="give the folder of the right object, in metres (BOP: millimetres), axes as published",
        )
    centre = _UNITS[unit] * 0.5 * (low + high)
    gap = {
        frame: float(np.linalg.norm(centre + entry.bop_offset - offset))
        for frame, offset in frame_offsets(entry).items()
    }
    nearest = min(gap, key=lambda frame: gap[frame])
    if gap[nearest] > PLACE_TOLERANCE:
        away = ", ".join(f"{1e3 * distance:.1f} mm from {frame}'s" for frame, distance in gap.items())
        raise MeshError(
            f"the mesh of {entry.name} is in no known frame: the centre of its bounding box is {away}",
            where=where,
            remedy="give the mesh as it was published; moved or recentred ones cannot be trusted",
        )
    return (expected if gap[expected] <= gap[nearest] + 1e-3 and gap[expected] <= PLACE_TOLERANCE else nearest), unit
