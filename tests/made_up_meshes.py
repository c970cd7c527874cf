"""Boxes that stand for scanned objects: of the catalogue's size, where the catalogue says, in any layout."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from yaff.objects import Catalogue

KNOWN = Catalogue.load()


def box(name: str) -> trimesh.Trimesh:
    """A box in the object frame with the bounding box that the catalogue gives."""
    entry = KNOWN[name]
    made = trimesh.creation.box(entry.dimensions)
    made.apply_translation(-entry.bop_offset)
    return made


def picture(fmt: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 30)).save(stream, fmt)
    return stream.getvalue()


def obj(mesh: trimesh.Trimesh, material: str | None = None) -> bytes:
    """With one texture coordinate for each vertex."""
    lines = [] if material is None else [f"mtllib {material}", "usemtl material_0"]
    lines += [f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in np.asarray(mesh.vertices)]
    lines += [f"vt {k / 10:.2f} {1 - k / 10:.2f}" for k in range(len(mesh.vertices))]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in np.asarray(mesh.faces) + 1]
    return ("\n".join(lines) + "\n").encode()


def ply(mesh: trimesh.Trimesh, texture: str | None = None) -> bytes:
    """ASCII, with a texture coordinate for each vertex."""
    lines = ["ply", "format ascii 1.0", *([f"comment TextureFile {texture}"] if texture else [])]
    lines += [f"element vertex {len(mesh.vertices)}"]
    lines += [f"property float {key}" for key in ("x", "y", "z", "texture_u", "texture_v")]
    lines += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices", "end_header"]
    lines += [f"{x:.5f} {y:.5f} {z:.5f} {k / 10} {1 - k / 10}" for k, (x, y, z) in enumerate(np.asarray(mesh.vertices))]
    lines += [f"3 {a} {b} {c}" for a, b, c in np.asarray(mesh.faces)]
    return ("\n".join(lines) + "\n").encode()


def ycb_video(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        folder = root / name
        folder.mkdir(parents=True)
        (folder / "textured_simple.obj").write_bytes(obj(box(name), "textured_simple.obj.mtl"))
        (folder / "textured_simple.obj.mtl").write_bytes(b"newmtl material_0\nmap_Kd texture_map.png\n")
        (folder / "texture_map.png").write_bytes(picture())
    return root


def google_files(name: str) -> dict[str, bytes]:
    moved = box(name)
    moved.apply_translation(KNOWN[name].ycb_offset)
    folder = f"{name}/google_16k"
    return {
        f"{folder}/textured.obj": obj(moved, "textured.mtl"),
        f"{folder}/textured.mtl": b"newmtl material_0\nmap_Kd texture_map.png\n",
        f"{folder}/texture_map.png": picture(),
        f"{folder}/kinbody.xml": b"<KinBody/>",
    }


def google_tree(root: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        for path, content in google_files(name).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
    return root


def tgz(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return stream.getvalue()


def bop(root: Path, names: tuple[str, ...]) -> Path:
    root.mkdir(parents=True)
    for name in names:
        entry = KNOWN[name]
        moved = box(name)
        moved.apply_translation(entry.bop_offset)
        moved.apply_scale(1000.0)
        stem = f"obj_{entry.bop_index:06d}"
        (root / f"{stem}.ply").write_bytes(ply(moved, f"{stem}.png"))
        (root / f"{stem}.png").write_bytes(picture())
    (root / "models_info.json").write_text("{}")
    return root
