"""A user's own object: from any mesh file to what is installed beside the 21."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree

from yaff.errors import InputError, MeshError
from yaff.geometry.mesh import LARGEST_EXTENT, watertight_solid
from yaff.geometry.transforms import apply
from yaff.objects.catalogue import Symmetry
from yaff.objects.conversion import mesh_files
from yaff.objects.crossings import without_crossings
from yaff.objects.decimation import decimated
from yaff.objects.obj_files import png_of, texture_of
from yaff.objects.sources import read_mesh
from yaff.objects.surface import surface_samples

Array = np.ndarray

UNITS = {"m": 1.0, "mm": 1e-3}
SUFFIXES = (".obj", ".ply", ".stl", ".glb")
SMALLEST_EXTENT = 2e-3
"""Objects that a hand grasps are larger than this, metres; less means that the unit is not the one given."""
MOST_BYTES = 1 << 30
"""A mesh file above this is refused unread (1 GiB)."""
HEAVIEST = 20.0
"""Kilograms; the catalogue's limit."""
SYMMETRY_TOLERANCE = 3e-3
"""How far a symmetry may move the surface in the mean, metres; that of the 21."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_AXES = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True)
class OwnObject:
    """A user's object, ready to be installed."""

    files: dict[str, bytes] = field(repr=False)
    dimensions: tuple[float, float, float]
    """Extents along the axes of the file's frame, metres."""
    symmetry: tuple[dict[str, Any], ...]
    """Generators, as in a catalogue."""
    scale: float
    notes: tuple[str, ...]
    """What was repaired."""


def check_name(name: str) -> None:
    """Refuse names that could be taken for one of the YCB set, or that are no folder's or HDF5 group's.

    Raises:
        InputError: the name cannot be used.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of an object",
            remedy="begin with a small letter; then small letters, digits, _ and -, at most 63 characters",
        )


def parse_symmetry(text: str) -> tuple[tuple[float, float, float], int]:
    """Axis and order of ``AXIS:TURNS``, as in ``z:any``, ``x:2`` or ``0,0.1,1:4``.

    Raises:
        InputError: it is not of that form.
    """
    axis, _, turns = text.partition(":")
    try:
        direction = _AXES[axis] if axis in _AXES else tuple(float(part) for part in axis.split(","))
        order = 0 if turns == "any" else int(turns)
    except ValueError:
        direction, order = (), 1
    length = float(np.linalg.norm(direction)) if len(direction) == 3 else 0.0
    if not (np.isfinite(length) and length > 0.0) or order == 1 or not 0 <= order <= 360:
        raise InputError(
            f"{text!r} is not a symmetry",
            remedy="AXIS:TURNS, for example z:any (a surface of revolution), x:2 (half a turn) or 0,0.1,1:4",
        )
    x, y, z = (float(value) / length for value in direction)
    return (x, y, z), order


def prepare_own(path: Path, mass: float, unit: str = "m", symmetries: tuple[str, ...] = ()) -> OwnObject:
    """Read, check and where needed repair a user's mesh. Its frame stays that of the file.

    Args:
        path: OBJ, PLY, STL or GLB.
        mass: kilograms.
        unit: of the file: ``m`` or ``mm``.
        symmetries: generators as :func:`parse_symmetry` reads them, about axes through the centre of mass; the
            continuous one first.

    Raises:
        InputError: a mass, unit or symmetry that cannot be, or a symmetry that the mesh does not have.
        MissingFileError: no such file.
        MeshError: a mesh that is beyond repair, or of another unit.
    """
    turns = [parse_symmetry(text) for text in symmetries]
    if not 0.0 < mass <= HEAVIEST:
        raise InputError(f"a mass of {mass:g} kg", remedy=f"kilograms, above 0 and at most {HEAVIEST:g}")
    if unit not in UNITS:
        raise InputError(f"no unit {unit!r}", remedy=f"one of {', '.join(UNITS)}")
    if path.suffix.lower() not in SUFFIXES:
        raise MeshError(
            f"{path.suffix or 'a file without suffix'} is not a mesh format that can be read",
            where=path,
            remedy=f"export the mesh as one of {', '.join(SUFFIXES)}",
        )
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise MeshError(
            f"the file has {path.stat().st_size >> 20} MiB", where=path, remedy="decimate it in a modelling program"
        )
    mesh = read_mesh(path)
    _check_finite(mesh, path)
    scale = UNITS[unit]
    _check_unit(scale * np.ptp(np.asarray(mesh.vertices)[np.unique(mesh.faces)], axis=0), unit, path)
    mesh.vertices = scale * np.asarray(mesh.vertices, np.float64)

    fewer, decimation = decimated(mesh, path)
    with np.errstate(divide="ignore", invalid="ignore"):  # a mesh without volume is refused, but computed with first
        solid, repairs = watertight_solid(fewer, path)
    solid, crossings = without_crossings(solid, path)
    kept = solid if "united" in crossings else fewer
    notes = [note for note in (decimation, *repairs, crossings) if note]
    if "mtllib" in _head(path) and "map_Kd" not in "".join(_materials(path)):
        notes.append("the texture is missing: drawn plain")
    symmetry = [_measured(Symmetry(axis, _centre(solid), order), solid, path) for axis, order in turns]
    x, y, z = (float(value) for value in solid.extents)
    picture = texture_of(kept)
    files = mesh_files(kept, 1.0, np.zeros(3), None if picture is None else png_of(picture))
    return OwnObject(files, (x, y, z), tuple(symmetry), scale, tuple(notes))


def _check_finite(mesh: trimesh.Trimesh, path: Path) -> None:
    bad = ~np.isfinite(np.asarray(mesh.vertices, np.float64)).all(axis=1)
    if bad.any():
        raise MeshError(
            f"{int(bad.sum())} of {len(mesh.vertices)} vertices hold NaN or infinity, first vertex {int(bad.argmax())}",
            where=path,
            remedy="repair the mesh in a modelling program, or export it again",
        )


def _check_unit(extents: Float[Array, "3"], unit: str, path: Path) -> None:
    longest = float(extents.max())
    if longest > LARGEST_EXTENT:
        fits = unit == "m" and SMALLEST_EXTENT < 1e-3 * longest <= LARGEST_EXTENT
        raise MeshError(
            f"the mesh is {longest:.4g} m long, too large for an object that a hand grasps",
            where=path,
            remedy=f"the file seems to be in millimetres ({1e-3 * longest:.3g} m): --unit mm"
            if fits
            else "scale it to the object's real size, in metres or millimetres",
        )
    if longest < SMALLEST_EXTENT:
        fits = unit == "mm" and 1e3 * longest <= LARGEST_EXTENT
        raise MeshError(
            f"the mesh is {1e3 * longest:.3g} mm long, too small for an object that a hand grasps",
            where=path,
            remedy=f"the file seems to be in metres ({1e3 * longest:.3g} m): --unit m"
            if fits
            else "scale it to the object's real size, in metres or millimetres",
        )


def _centre(solid: trimesh.Trimesh) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in solid.center_mass)
    return x, y, z


def _measured(symmetry: Symmetry, solid: trimesh.Trimesh, path: Path) -> dict[str, Any]:
    """The generator as a catalogue lists it, if the mesh has it."""
    points, _ = surface_samples(solid, 2000)
    dense, _ = surface_samples(solid, 12000)
    tree = KDTree(dense)
    noise = float(tree.query(points)[0].mean())
    moves = [float(tree.query(apply(T, points))[0].mean()) - noise for T in symmetry.transforms(12)[1:]]
    if max(moves) > SYMMETRY_TOLERANCE:
        turns = "any angle" if symmetry.order == 0 else f"1/{symmetry.order} of a circle"
        raise InputError(
            f"the mesh is not symmetric under turns by {turns} about {list(symmetry.axis)}: they move its surface by "
            f"{1e3 * max(moves):.1f} mm in the mean",
            where=path,
            remedy=f"leave the symmetry out; at most {1e3 * SYMMETRY_TOLERANCE:g} mm is let pass",
        )
    return {"axis": list(symmetry.axis), "offset": list(symmetry.offset), "order": symmetry.order}


def _head(path: Path) -> str:
    if path.suffix.lower() != ".obj":
        return ""
    with path.open("rb") as stream:
        return stream.read(1 << 16).decode(errors="replace")


def _materials(path: Path) -> list[str]:
    """The materials files that an OBJ names and that are beside it; without those whose texture is missing."""
    found = []
    for line in _head(path).splitlines():
        if line.startswith("mtllib "):
            beside = path.with_name(Path(line.removeprefix("mtllib ").strip()).name)
            text = beside.read_text(errors="replace") if beside.is_file() else ""
            pictures = [row.split()[-1] for row in text.splitlines() if row.strip().startswith("map_Kd ")]
            found += [text] if all((beside.parent / picture).is_file() for picture in pictures) else []
    return found
