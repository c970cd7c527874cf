"""Writes what :mod:`yaff.scene.ycb_video` reads: frames, models and lists in YCB-Video's native layout."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
import trimesh
from jaxtyping import Float, Float32, UInt8
from PIL import Image

from yaff.scene.appearance import Appearance
from yaff.scene.cameras import image_boxes

Array = np.ndarray

FACTOR_DEPTH = 10000
_HEADER = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, written by YAFF"
_HEADER_LENGTH = 116


@dataclass(frozen=True)
class FrameImages:
    """The images of a frame; any of them may be missing."""

    colour: UInt8[Array, "h w 3"] | None = None
    depth: Float32[Array, "h w"] | None = None
    """Metres; not finite where nothing is measured."""
    labels: UInt8[Array, "h w"] | None = None
    vertmap: Float32[Array, "h w 3"] | None = None
    """Model-frame point of the object seen at each pixel, metres."""


def write_frame(
    folder: Path,
    frame: int,
    *,
    names: Sequence[str],
    object_index: Sequence[int],
    Ts_camera_object: Float[Array, "k 4 4"],
    intrinsics: Float[Array, "3 3"],
    points: Sequence[Float[Array, "_ 3"]],
    T_camera_world: Float[Array, "4 4"],
    images: FrameImages | None = None,
) -> None:
    """Write ``FFFFFF-meta.mat``, ``-box.txt`` and, where given, ``-color.png``, ``-depth.png``, ``-label.png``.

    Args:
        folder: ``data/SSSS``, which exists.
        frame: its number, from 1.
        names, object_index: YCB names and YCB-Video indices of the instances.
        Ts_camera_object: their poses.
        intrinsics: pinhole matrix, pixels.
        points: of each instance's surface, model frame, metres; for the boxes.
        T_camera_world: where the camera is.
        images: what it sees.
    """
    images = images or FrameImages()
    stem = f"{frame:06d}"
    poses = np.asarray(Ts_camera_object, np.float64)
    projected = poses[:, :3, 3] @ np.asarray(intrinsics, np.float64).T
    variables: dict[str, object] = {
        "cls_indexes": np.asarray(object_index, np.uint8)[:, None],
        "factor_depth": np.uint16(FACTOR_DEPTH),
        "intrinsic_matrix": np.asarray(intrinsics, np.float64),
        "rotation_translation_matrix": np.asarray(T_camera_world, np.float64)[:3],
        "poses": np.ascontiguousarray(poses[:, :3].transpose(1, 2, 0)),
        "center": projected[:, :2] / projected[:, 2:],
    }
    if images.vertmap is not None:
        variables["vertmap"] = images.vertmap
    (folder / f"{stem}-meta.mat").write_bytes(mat_bytes(variables))
    boxes = image_boxes(points, poses, intrinsics)
    lines = [
        f"{name} {x1:.2f} {y1:.2f} {x2:.2f} {y2:.2f}\n" for name, (x1, y1, x2, y2) in zip(names, boxes, strict=True)
    ]
    (folder / f"{stem}-box.txt").write_text("".join(lines), encoding="ascii")
    if images.colour is not None:
        Image.fromarray(images.colour).save(folder / f"{stem}-color.png")
    if images.depth is not None:
        units = np.where(np.isfinite(images.depth), images.depth, 0.0) * FACTOR_DEPTH
        units = np.where(units < 65535.5, np.rint(units), 0.0)  # what 16 bits cannot hold was not measured
        Image.fromarray(units.astype(np.uint16)).save(folder / f"{stem}-depth.png")
    if images.labels is not None:
        Image.fromarray(images.labels).save(folder / f"{stem}-label.png")


def mat_bytes(variables: dict[str, object]) -> bytes:
    """A MAT-file (version 5, compressed) whose bytes depend on its content only: no date in the header."""
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    return _HEADER.ljust(_HEADER_LENGTH) + stream.getvalue()[_HEADER_LENGTH:]


def write_model(folder: Path, mesh: trimesh.Trimesh, points: Float[Array, "p 3"]) -> None:
    """Write ``textured_simple.obj`` with its material and texture, and ``points.xyz``, into an existing folder."""
    (folder / "textured_simple.obj").write_text(_obj_text(mesh), encoding="ascii")
    look = Appearance.of(mesh)
    (folder / "textured_simple.obj.mtl").write_text(_mtl_text(look), encoding="ascii")
    if look.texture is not None:
        look.texture.save(folder / "texture_map.png")
    (folder / "points.xyz").write_text("".join(f"{x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in points), encoding="ascii")


def write_camera(path: Path, intrinsics: Float[Array, "3 3"], size: tuple[int, int]) -> None:
    """Write a camera file in the shape of YCB-Video's ``cameras/*.json``: one undistorted colour camera."""
    fx, fy, cx, cy = (float(intrinsics[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    camera = {
        "camera_model": {
            "type": "Poly3",
            "width": size[0],
            "height": size[1],
            "right": [1, 0, 0],
            "down": [0, 1, 0],
            "forward": [0, 0, 1],
            "param_names": ["fu", "fv", "u0", "v0", "k1", "k2", "k3"],
            "params": [fx, fy, cx, cy, 0.0, 0.0, 0.0],
        },
        "pose": np.eye(4)[:3].tolist(),
    }
    path.write_text(json.dumps({"rig": {"camera": [camera]}}, indent=2) + "\n", encoding="ascii")


def _obj_text(mesh: trimesh.Trimesh) -> str:
    look = Appearance.of(mesh)
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces)
    colours = look.vertex_colours
    if look.face_colours is not None:  # an OBJ has colours at vertices: give every face its own
        vertices = vertices[faces].reshape(-1, 3)
        colours = np.repeat(look.face_colours, 3, axis=0)
        faces = np.arange(len(vertices)).reshape(-1, 3)
    if colours is None:
        lines = ["mtllib textured_simple.obj.mtl", "usemtl material_0"]
        lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    else:
        lines = [  # without a material: readers let one hide the vertices' own colours
            f"v {x:.9g} {y:.9g} {z:.9g} {r:.6f} {g:.6f} {b:.6f}"
            for (x, y, z), (r, g, b) in zip(vertices, colours / np.float32(255.0), strict=True)
        ]
    if look.texture_coordinates is not None:
        lines += [f"vt {u:.9g} {v:.9g}" for u, v in look.texture_coordinates]
        lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces + 1]
    else:
        lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    return "\n".join(lines) + "\n"


def _mtl_text(look: Appearance) -> str:
    red, green, blue = np.ones(3) if look.colour is None else look.colour / 255.0
    lines = ["newmtl material_0", "Ka 0.2 0.2 0.2", f"Kd {red:.6f} {green:.6f} {blue:.6f}", "Ks 0.0 0.0 0.0"]
    if look.texture is not None:
        lines.append("map_Kd texture_map.png")
    return "\n".join(lines) + "\n"
