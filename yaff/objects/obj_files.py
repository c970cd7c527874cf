"""Textured meshes as the three files of YCB-Video's ``models/NNN_name``: written from arrays, or moved as text.

Everything that is installed has this one form, so that one reader suffices: ``FolderSource``.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from yaff.errors import MeshError

Array = np.ndarray

MESH_FILE = "textured_simple.obj"
MATERIAL_FILE = "textured_simple.obj.mtl"
TEXTURE_FILE = "texture_map.png"
PARTS = (MESH_FILE, MATERIAL_FILE, TEXTURE_FILE)
"""The files of one object; the last two are absent where there is no texture."""

MATERIAL = b"newmtl material_0\nKa 0.2 0.2 0.2\nKd 1.0 1.0 1.0\nKs 0.0 0.0 0.0\nillum 1\nmap_Kd texture_map.png\n"
LARGEST_TEXTURE = 8192
"""Pixels along a side; a picture that claims more is not decoded."""
_KEPT = {b"vt", b"vn", b"f"}
_JOINED = re.compile(rb"\\\r?\n")


def obj_vertices(data: bytes, where: str | Path) -> Float[Array, "n 3"]:
    """The positions in an OBJ file, in its own unit and frame.

    Raises:
        MeshError: no vertices, or one that is not three finite numbers.
    """
    rows = [line.split()[1:4] for line in _lines(data) if line.startswith((b"v ", b"v\t"))]
    try:
        vertices = np.array([[float(word) for word in row] for row in rows], np.float64)
    except ValueError as error:
        raise MeshError(f"a vertex is not three numbers: {error}", where=where, remedy="give another file") from error
    if vertices.ndim != 2 or vertices.shape[1:] != (3,):
        raise MeshError("the mesh is empty: no vertices", where=where, remedy="give another file")
    bad = ~np.isfinite(vertices).all(axis=1)
    if bad.any():
        raise MeshError(
            f"{int(bad.sum())} of {len(vertices)} vertices hold NaN or infinity, first vertex {int(bad.argmax())}",
            where=where,
            remedy="export the mesh again, or give another file",
        )
    return vertices


def move_obj(data: bytes, scale: float, offset: Float[Array, "3"], textured: bool, where: str | Path) -> bytes:
    """The OBJ with every vertex ``p`` at ``scale * p + offset``; faces and texture coordinates stay as they are.

    Positions are written in steps of 10 nm. Groups, comments and foreign materials are dropped.

    Raises:
        MeshError: as :func:`obj_vertices`.
    """
    moved = iter((scale * obj_vertices(data, where) + offset).tolist())
    lines = [b"mtllib " + MATERIAL_FILE.encode(), b"usemtl material_0"] if textured else []
    for line in _lines(data):
        words = line.split()
        if words and words[0] == b"v":
            x, y, z = next(moved)
            rest = b"".join(b" " + word for word in words[4:7])  # colours, where there are any
            lines.append(f"v {x:.8f} {y:.8f} {z:.8f}".encode() + rest)
        elif words and words[0] in _KEPT:
            lines.append(b" ".join(words))
    return b"\n".join(lines) + b"\n"


def _lines(data: bytes) -> list[bytes]:
    return _JOINED.sub(b" ", data).splitlines()


def obj_of_mesh(mesh: trimesh.Trimesh, textured: bool) -> bytes:
    """A mesh as OBJ: with its texture coordinates, or else with vertex colours where it has them."""
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64) + 1
    uv = texture_coordinates(mesh) if textured else None
    colours = _vertex_colours(mesh) if uv is None else None
    out = [] if uv is None else [f"mtllib {MATERIAL_FILE}", "usemtl material_0"]
    if colours is None:
        out += [f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in vertices.tolist()]
    else:
        table = zip(vertices.tolist(), (colours / 255.0).tolist(), strict=True)
        out += [f"v {x:.8f} {y:.8f} {z:.8f} {r:.4f} {g:.4f} {b:.4f}" for (x, y, z), (r, g, b) in table]
    if uv is None:
        out += [f"f {a} {b} {c}" for a, b, c in faces.tolist()]
    else:
        out += [f"vt {u:.6f} {v:.6f}" for u, v in uv.tolist()]
        out += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces.tolist()]
    return ("\n".join(out) + "\n").encode()


def texture_coordinates(mesh: trimesh.Trimesh) -> Float[Array, "n 2"] | None:
    """Texture coordinates of each vertex, where the mesh has them."""
    uv = getattr(mesh.visual, "uv", None)
    if uv is None or len(uv) != len(mesh.vertices) or not np.isfinite(uv).all():
        return None
    return np.asarray(uv, np.float64)


def texture_of(mesh: trimesh.Trimesh) -> Image.Image | None:
    """The colour picture of a mesh, if it has one; trimesh's placeholder of two by two pixels is none."""
    material = getattr(mesh.visual, "material", None)
    picture = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    return picture if isinstance(picture, Image.Image) and max(picture.size) > 2 else None


def _vertex_colours(mesh: trimesh.Trimesh) -> Float[Array, "n 3"] | None:
    visual = mesh.visual
    if visual is None or visual.kind not in ("vertex", "face"):
        return None
    return np.asarray(visual.vertex_colors, np.float64)[:, :3]  # pyright: ignore[reportAttributeAccessIssue]


def png_of(picture: Image.Image) -> bytes:
    """A picture as PNG."""
    stream = io.BytesIO()
    picture.convert("RGB").save(stream, "PNG")
    return stream.getvalue()


def checked_texture(data: bytes) -> tuple[bytes | None, str]:
    """A texture as PNG, or none with the reason: a broken picture must not cost the mesh."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if max(picture.size) > LARGEST_TEXTURE:
                return None, f"the texture is {picture.size[0]} x {picture.size[1]}, too large: left out"
            picture.load()
            return (data if picture.format == "PNG" else png_of(picture)), ""
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return None, f"the texture cannot be read and was left out: {error}"
