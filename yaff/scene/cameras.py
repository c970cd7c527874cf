"""Pinhole camera: projection of points, image boxes. OpenCV axes; the centre of the first pixel is (0, 0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64

from yaff.geometry.transforms import apply

Array = np.ndarray


def project_points(
    points: Float[Array, "*batch n 3"], intrinsics: Float[Array, "*batch 3 3"]
) -> Float64[Array, "*batch n 2"]:
    """Pixels (u right, v down) of points in the camera frame (metres); NaN for points not in front of the camera."""
    points = np.asarray(points, np.float64)
    homogeneous = points @ np.swapaxes(np.asarray(intrinsics, np.float64), -1, -2)
    depth = homogeneous[..., 2:]
    return homogeneous[..., :2] / np.where(depth > 1e-9, depth, np.nan)


def unproject_depth(depth: Float[Array, "h w"], intrinsics: Float[Array, "3 3"]) -> Float64[Array, "h w 3"]:
    """Camera-frame points (metres) of a depth image (metres along the optical axis); NaN stays NaN."""
    height, width = depth.shape
    v, u = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(np.asarray(intrinsics, np.float64)).T
    return rays * np.asarray(depth, np.float64)[..., None]


def image_boxes(
    points: Sequence[Float[Array, "_ 3"]],
    Ts_camera_object: Float[Array, "k 4 4"],
    intrinsics: Float[Array, "3 3"],
) -> Float64[Array, "k 4"]:
    """Boxes (x1, y1, x2, y2) of all projected points of each instance, pixels, not clipped to the image.

    This is what YCB-Video's ``box.txt`` holds. NaN for an instance with no point in front of the camera.

    Args:
        points: of each instance, model frame, metres.
    """
    boxes = np.full((len(points), 4), np.nan)
    for k, (model_points, T) in enumerate(zip(points, Ts_camera_object, strict=True)):
        pixels = project_points(apply(T, model_points), intrinsics)
        pixels = pixels[np.isfinite(pixels[:, 0])]
        if len(pixels):
            boxes[k, :2], boxes[k, 2:] = pixels.min(0), pixels.max(0)
    return boxes


def _pinhole(fx: float, fy: float, cx: float, cy: float) -> Float64[Array, "3 3"]:
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


YCB_VIDEO_CAMERAS: Mapping[range, Float64[Array, "3 3"]] = {
    range(0, 60): _pinhole(1066.778, 1067.487, 312.9869, 241.3109),
    range(60, 92): _pinhole(1077.836, 1078.189, 323.7872, 279.6921),
}
"""Pinhole matrices of YCB-Video by video, pixels, 640x480 (Xiang et al. 2018, files ``cameras/*.json``)."""
