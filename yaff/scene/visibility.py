"""How much of each object a camera sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float, Float64, Int64, Integer, UInt8

from yaff.scene.cameras import image_boxes
from yaff.scene.render import Renderer, RenderMesh

Array = np.ndarray

_LARGEST_CANVAS = 4096
"""Pixels; an object that fills more than this is in the camera's face."""


@dataclass(frozen=True)
class Visibility:
    """Of each instance of a frame."""

    visible_share: Float64[Array, "k"]
    """Pixels in which it is seen, as a share of those it would fill alone on an endless image; 0 to 1."""
    visible_pixels: Int64[Array, "k"]
    boxes: Float64[Array, "k 4"]
    """x1, y1, x2, y2 of the whole object, hidden parts and parts beyond the image included, pixels; NaN behind the
    camera."""


def visibility(
    renderer: Renderer,
    meshes: Sequence[trimesh.Trimesh],
    Ts_camera_object: Float[Array, "k 4 4"],
    object_index: Integer[Array, "k"],
    intrinsics: Float[Array, "3 3"],
    size: tuple[int, int],
    labels: UInt8[Array, "h w"] | None = None,
) -> Visibility:
    """Visible share of each instance: from the label image where there is one, else from rendered depth order.

    Args:
        renderer: draws the silhouettes.
        meshes: of each instance, model frame, metres.
        Ts_camera_object: poses.
        object_index: YCB-Video indices, as in the label image.
        intrinsics: pinhole matrix, pixels.
        size: width and height of the image, pixels.
        labels: YCB-Video index of the object seen at each pixel.
    """
    boxes = image_boxes([np.asarray(m.vertices) for m in meshes], Ts_camera_object, intrinsics)
    index = np.asarray(object_index, np.int64)
    items = [RenderMesh(mesh, T, (128, 128, 128)) for mesh, T in zip(meshes, Ts_camera_object, strict=True)]
    if labels is not None and len(np.unique(index)) == len(index):
        pixels = np.bincount(labels.ravel(), minlength=256)[index]
    else:
        order = renderer.render(items, intrinsics, size).index
        if labels is not None:  # several of one object: the label says which object, depth order which of them
            order = np.where(labels == np.append(index, 0)[order], order, -1)
        pixels = np.bincount(order.ravel() + 1, minlength=len(items) + 1)[1:]
    alone = np.array([_silhouette(renderer, item, box, intrinsics) for item, box in zip(items, boxes, strict=True)])
    share = np.minimum(pixels / np.maximum(alone, 1), 1.0) if len(items) else np.zeros(0)
    return Visibility(visible_share=share, visible_pixels=pixels.astype(np.int64), boxes=boxes)


def _silhouette(renderer: Renderer, item: RenderMesh, box: Float64[Array, "4"], intrinsics: Float[Array, "3 3"]) -> int:
    """Pixels that an instance fills when nothing is before it and the image is as large as its box."""
    if not np.isfinite(box).all():
        return 0
    corner = np.floor(box[:2])
    width, height = (int(n) for n in np.clip(np.ceil(box[2:]) - corner + 1, 1, _LARGEST_CANVAS))
    shifted = np.array(intrinsics, np.float64)
    shifted[:2, 2] -= corner
    return int((renderer.render([item], shifted, (width, height)).index == 0).sum())
