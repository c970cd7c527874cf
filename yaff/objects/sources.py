"""Where meshes come from: a folder of scanned ones, or the parametric stand-ins."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import trimesh
from jaxtyping import Float

from yaff.errors import MeshError, MissingFileError

if TYPE_CHECKING:
    from yaff.objects.standins import StandIn

Array = np.ndarray


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
        return str(self._folder)

    def file(self, name: str) -> Path:
        """The OBJ file of an object.

        Raises:
            MissingFileError: if it is not there.
        """
        path = self._folder / name / "textured_simple.obj"
        if not path.is_file():
            raise MissingFileError(
                f"no mesh of {name}",
                where=path,
                remedy="give the models folder of YCB-Video (with 025_mug/textured_simple.obj and so on), "
                "or use the stand-ins",
            )
        return path

    def mesh(self, name: str) -> trimesh.Trimesh:
        return read_mesh(self.file(name))

    def digest(self, name: str) -> str:
        path = self.file(name)
        digest = hashlib.sha256()
        for part in (path, path.with_name("textured_simple.obj.mtl"), path.with_name("texture_map.png")):
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
        return self.LABEL

    def _standin(self, name: str) -> StandIn:
        from yaff.objects.standins import build_standin

        if name not in self._built:
            self._built[name] = build_standin(name)
        return self._built[name]

    def mesh(self, name: str) -> trimesh.Trimesh:
        return self._standin(name).mesh

    def pieces(self, name: str) -> tuple[Float[Array, "_ 3"], ...]:
        return self._standin(name).pieces

    def digest(self, name: str) -> str:
        mesh = self.mesh(name)
        digest = hashlib.sha256(b"stand-in")
        digest.update(np.ascontiguousarray(mesh.vertices, np.float64).tobytes())
        digest.update(np.ascontiguousarray(mesh.faces, np.int64).tobytes())
        return digest.hexdigest()
