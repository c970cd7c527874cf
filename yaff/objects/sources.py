"""Where meshes come from: a folder of scanned ones, the parametric stand-ins, or what is installed of both."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
import trimesh
from jaxtyping import Float

from yaff.errors import MeshError, MissingFileError
from yaff.objects.obj_files import MATERIAL_FILE, MESH_FILE, TEXTURE_FILE

if TYPE_CHECKING:
    from yaff.objects.standins import StandIn

Array = np.ndarray


MOST_FACES = 200_000
"""Scans of the known objects with more triangles are refused: the 16k ones are wanted."""


@runtime_checkable
class MeshSource(Protocol):
    """Meshes by YCB name, in metres and the object frame."""

    @property
    def label(self) -> str:
        """``stand-in``, or the folder."""
        ...

    def mesh(self, name: str) -> trimesh.Trimesh:
        """The mesh to look at, with its texture where there is one.

        Raises:
            MissingFileError: if the source does not have it.
            MeshError: if it cannot be read.
        """
        ...

    def digest(self, name: str) -> str:
        """sha256 of what :meth:`mesh` is made from."""
        ...


@runtime_checkable
class PiecewiseSource(Protocol):
    """A source that knows the convex pieces of its solids by construction."""

    def pieces(self, name: str) -> tuple[Float[Array, "_ 3"], ...]:
        """Corners of convex pieces whose union is the solid."""
        ...


class FolderSource:
    """The meshes of a YCB-Video ``models`` folder: ``NNN_name/textured_simple.obj``.

    Args:
        folder: the ``models`` folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)

    @property
    def label(self) -> str:
        """The folder."""
        return str(self._folder)

    def file(self, name: str) -> Path:
        """The OBJ file of an object.

        Raises:
            MissingFileError: if it is not there.
        """
        path = self._folder / name / MESH_FILE
        if not path.is_file():
            raise MissingFileError(
                f"no mesh of {name}",
                where=path,
                remedy="yaff assets install brings the scanned meshes; or give the models folder of YCB-Video (with "
                "025_mug/textured_simple.obj and so on), or use the stand-ins",
            )
        return path

    def mesh(self, name: str) -> trimesh.Trimesh:
        """The mesh as its OBJ file has it, with its texture.

        Raises:
            MissingFileError: if the file is not there.
            MeshError: if it cannot be read, or has more than :data:`MOST_FACES` triangles.
        """
        path = self.file(name)
        mesh = read_mesh(path)
        if len(mesh.faces) > MOST_FACES:
            raise MeshError(
                f"the mesh has {len(mesh.faces):,} triangles, more than {MOST_FACES:,}",
                where=path,
                remedy="give the scan of 16k triangles; yaff objects add decimates other meshes",
            )
        return mesh

    def digest(self, name: str) -> str:
        """sha256 of the OBJ file, its materials and its texture, of those that there are.

        Raises:
            MissingFileError: if there is no OBJ file.
        """
        path = self.file(name)
        digest = hashlib.sha256()
        for part in (path, path.with_name(MATERIAL_FILE), path.with_name(TEXTURE_FILE)):
            digest.update(f"{part.name};".encode())
            if part.is_file():
                digest.update(hashlib.sha256(part.read_bytes()).digest())
        return digest.hexdigest()


def read_mesh(path: Path) -> trimesh.Trimesh:
    """One triangle mesh from a file (OBJ, PLY, STL, GLB), vertices as they stand in it.

    Raises:
        MissingFileError: if the file is not there.
        MeshError: if it holds no triangle mesh or cannot be parsed.
    """
    if not path.is_file():
        raise MissingFileError("mesh file not found", where=path, remedy="give the path of an OBJ, PLY, STL or GLB")
    try:
        mesh = trimesh.load(path, process=False, force="mesh")
    except Exception as error:  # the parsers raise whatever their input provokes
        raise MeshError(
            f"the mesh cannot be read: {type(error).__name__}: {error}",
            where=path,
            remedy="export it again as OBJ, PLY, STL or GLB",
        ) from error
    if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
        raise MeshError(
            "the file holds no triangles",
            where=path,
            remedy="give the triangle mesh of the object, not an empty file or a point cloud",
        )
    return mesh


class StandInSource:
    """The parametric stand-ins, built when asked for."""

    LABEL = "stand-in"

    def __init__(self) -> None:
        self._built: dict[str, StandIn] = {}

    @property
    def label(self) -> str:
        """:data:`LABEL`."""
        return self.LABEL

    def _standin(self, name: str) -> StandIn:
        from yaff.objects.standins import build_standin

        if name not in self._built:
            self._built[name] = build_standin(name)
        return self._built[name]

    def mesh(self, name: str) -> trimesh.Trimesh:
        """The watertight mesh of a stand-in, in one plain colour.

        Raises:
            InputError: if there is no stand-in of that name.
        """
        return self._standin(name).mesh

    def pieces(self, name: str) -> tuple[Float[Array, "_ 3"], ...]:
        """Corners (metres, object frame) of the convex pieces that a stand-in is built from.

        Raises:
            InputError: if there is no stand-in of that name.
        """
        return self._standin(name).pieces

    def digest(self, name: str) -> str:
        """sha256 of the name and of the program that makes the stand-ins; nothing is built for it."""
        return hashlib.sha256(f"{self.LABEL} {name} {_standins_code()} {version('manifold3d')}".encode()).hexdigest()


@lru_cache(maxsize=1)
def _standins_code() -> str:
    """sha256 of the modules that stand-ins are made by."""
    here, digest = Path(__file__).parent, hashlib.sha256()
    others = (here / "pieces.py", here / "splitting.py", here.parent / "geometry" / "mesh.py")
    for path in (*sorted((here / "standins").glob("*.py")), *others):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


SourceKind = Literal["auto", "installed", "stand-in", "folder"]
"""``auto`` takes the installed mesh of an object where there is one, else its stand-in."""


class SelectedSource:
    """The meshes that a configuration asks for, object by object; a user's own objects always come from where they are.

    Args:
        kind: which meshes of the 21.
        models: their folder, for ``folder``.
        installed: folder of the installed scans.
        own: folder of the user's own objects.
    """

    def __init__(self, kind: SourceKind, models: Path | None, installed: Path, own: Path) -> None:
        self._kind: SourceKind = kind
        self._scans = FolderSource(models if kind == "folder" and models is not None else installed)
        self._installed, self._own = installed, own
        self._standins = StandInSource()

    @property
    def label(self) -> str:
        """``stand-in`` where only these are asked for, else the folder of scanned meshes."""
        return StandInSource.LABEL if self._kind == "stand-in" else self._scans.label

    def of(self, name: str) -> FolderSource | StandInSource:
        """The source of one object.

        Raises:
            MissingFileError: only an installed mesh will do, and there is none.
        """
        if (self._own / name / MESH_FILE).is_file():
            return FolderSource(self._own)
        if self._kind == "stand-in":
            return self._standins
        there = self._kind == "folder" or (self._installed / name / MESH_FILE).is_file()
        if self._kind == "installed" and not there:
            raise MissingFileError(
                f"the mesh of {name} is not installed",
                where=self._installed / name,
                remedy=f"yaff assets install --objects {name}",
            )
        return self._scans if there else self._standins

    def mesh(self, name: str) -> trimesh.Trimesh:
        """The mesh from the source of that object.

        Raises:
            MissingFileError: if the source does not have it; see also :meth:`of`.
            MeshError: if it cannot be read.
            InputError: if it would be a stand-in and there is none.
        """
        return self.of(name).mesh(name)

    def digest(self, name: str) -> str:
        """The digest that the source of that object gives.

        Raises:
            MissingFileError: if the source does not have the object; see also :meth:`of`.
        """
        return self.of(name).digest(name)
