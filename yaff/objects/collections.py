"""Folders of scanned meshes as people have them, recognised by what is in them.

Layouts: YCB-Video's ``models``, a download of the YCB set (unpacked, or the archives), and BOP's ``models``. What is
found is only read; :mod:`yaff.objects.conversion` moves it to the object frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from yaff.errors import FormatError, MissingFileError
from yaff.objects.archives import SUFFIXES, is_archive, read_archive
from yaff.objects.catalogue import Catalogue
from yaff.objects.obj_files import MESH_FILE, TEXTURE_FILE

MOST_MESH_BYTES = 1 << 28
"""A mesh file above this is refused unread (256 MiB; the scanned ones have 1)."""
_GOOGLE_MESHES = ("textured.obj", "nontextured.ply", "nontextured.stl")
"""Of a download of the YCB set, the best first."""


@dataclass(frozen=True)
class RawMesh:
    """The files of one object as they were found."""

    mesh_file: str
    """Name of the mesh's file; its suffix says how to read it."""
    mesh: bytes = field(repr=False)
    texture: bytes | None = field(repr=False)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundMesh:
    """One object's mesh in a collection, not read yet."""

    name: str
    """Name in the catalogue."""
    layout: str
    """What the place looks like: a key of :data:`LAYOUTS`."""
    origin: Path
    """The file."""
    read: Callable[[], RawMesh] = field(repr=False)


def recognise(source: Path, catalogue: Catalogue) -> dict[str, FoundMesh]:
    """The meshes of the catalogue's objects below ``source``, in the catalogue's order.

    ``source`` is a folder of one of the layouts, the root of a dataset that holds it as ``models``, or one archive.
    Where several layouts fit, the one with most objects counts.

    Raises:
        MissingFileError: nothing there, or nothing in it that is known.
    """
    if not source.exists():
        raise MissingFileError("no such folder", where=source, remedy="give the folder that holds the meshes")
    if is_archive(source):
        found = {mesh.name: mesh for mesh in _archives([source], catalogue)}
    else:
        choices = [
            {mesh.name: mesh for mesh in look(folder, catalogue)}
            for folder in (source, source / "models", source / "ycb")
            if folder.is_dir()
            for look in LAYOUTS.values()
        ]
        found = max(choices, key=len, default={})  # the first of equals
    if not found:
        raise MissingFileError(
            "no meshes of known objects",
            where=source,
            remedy=f"give a folder with 025_mug/{MESH_FILE} (YCB-Video), with 025_mug/google_16k/textured.obj or "
            "025_mug_google_16k.tgz (YCB), or with obj_000014.ply (BOP)",
        )
    return {name: found[name] for name in catalogue.names if name in found}


def _ycb_video(folder: Path, catalogue: Catalogue) -> Iterator[FoundMesh]:
    for name in catalogue.names:
        path = folder / name / MESH_FILE
        if path.is_file():
            yield FoundMesh(name, "ycb-video", path, _reader(path, (path.with_name(TEXTURE_FILE),)))


def _google_16k(folder: Path, catalogue: Catalogue) -> Iterator[FoundMesh]:
    yield from _archives(sorted(path for path in folder.iterdir() if is_archive(path)), catalogue)
    for name in catalogue.names:  # unpacked ones take precedence: they come last
        for inside in (folder / name / "google_16k", folder / name):
            path = next((inside / mesh for mesh in _GOOGLE_MESHES if (inside / mesh).is_file()), None)
            if path is not None:
                yield FoundMesh(name, "google-16k", path, _reader(path, (inside / TEXTURE_FILE,)))
                break


def _bop(folder: Path, catalogue: Catalogue) -> Iterator[FoundMesh]:
    for name in catalogue.names:
        if catalogue[name].own:
            continue
        path = folder / f"obj_{catalogue[name].bop_index:06d}.ply"
        if path.is_file():
            yield FoundMesh(name, "bop", path, _reader(path, (path.with_suffix(".png"), path.with_suffix(".jpg"))))


LAYOUTS: Mapping[str, Callable[[Path, Catalogue], Iterator[FoundMesh]]] = {
    "ycb-video": _ycb_video,
    "google-16k": _google_16k,
    "bop": _bop,
}
"""How each layout is looked for."""


def _archives(paths: list[Path], catalogue: Catalogue) -> Iterator[FoundMesh]:
    for path in paths:
        stem = next(path.name[: -len(suffix)] for suffix in SUFFIXES if path.name.lower().endswith(suffix))
        name = stem.removesuffix("_google_16k")
        if name in catalogue:
            yield found_archive(name, path)


def found_archive(name: str, path: Path) -> FoundMesh:
    """An archive of the YCB set, as it is downloaded."""
    return FoundMesh(name, "google-16k", path, lambda: _read_archive(path))


def _read_archive(path: Path) -> RawMesh:
    names = (*_GOOGLE_MESHES, TEXTURE_FILE)
    members = read_archive(path, lambda member: PurePosixPath(member).name in names and "__MACOSX" not in member)
    for mesh_file in _GOOGLE_MESHES:
        for member, data in members.items():
            if PurePosixPath(member).name == mesh_file:
                texture = members.get(str(PurePosixPath(member).with_name(TEXTURE_FILE)))
                return _raw(mesh_file, data, texture, path)
    raise FormatError(
        f"the archive holds none of {', '.join(_GOOGLE_MESHES)}",
        where=path,
        remedy="give the archive NNN_name_google_16k.tgz of the YCB set",
    )


def _reader(path: Path, textures: tuple[Path, ...]) -> Callable[[], RawMesh]:
    def read() -> RawMesh:
        size = path.stat().st_size
        if size > MOST_MESH_BYTES:
            raise FormatError(
                f"the mesh file has {size >> 20} MiB, too large for a scanned object",
                where=path,
                remedy="give the scans of 16k triangles",
            )
        texture = next((entry for entry in textures if entry.is_file()), None)
        return _raw(path.name, path.read_bytes(), None if texture is None else texture.read_bytes(), path)

    return read


def _raw(mesh_file: str, mesh: bytes, texture: bytes | None, where: Path) -> RawMesh:
    if not mesh.strip():
        raise FormatError("the mesh file is empty", where=where, remedy="get it again")
    missing = texture is None and (b"mtllib" in mesh[:4096] or b"TextureFile" in mesh[:4096])
    return RawMesh(mesh_file, mesh, texture, ("the texture is missing: drawn plain",) if missing else ())
