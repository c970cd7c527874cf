"""The support plane made exact by a depth image: the surface seen between and around the objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull, QhullError

from yaff.errors import InputError
from yaff.geometry.transforms import apply
from yaff.scene.cameras import project_points, unproject_depth
from yaff.scene.plane import Plane

Array = np.ndarray


@dataclass(frozen=True)
class DepthConfig:
    """What counts as table in a depth image."""

    reach: float = 0.35
    """Metres from the objects' middle within which the surface is taken for the table."""
    band: float = 0.04
    """Metres by which the hypothesis may be off."""
    tilt: float = float(np.radians(12.0))
    """Radians by which the hypothesis may be off."""
    inlier: float = 0.004
    """Metres. Noise of the depth camera at a metre."""
    margin: int = 12
    """Pixels around the objects that are left out: depth bleeds at edges."""
    minimum: int = 400
    """Pixels of table without which the hypothesis is left as it is."""
    trials: int = 256
    """Triples of points that are tried."""


def refine_with_depth(
    plane: Plane,
    depth: Float[Array, "h w"],
    intrinsics: Float[Array, "3 3"],
    Ts_camera_object: Float[Array, "k 4 4"],
    points: Sequence[Float[Array, "_ 3"]],
    config: DepthConfig | None = None,
) -> Plane:
    """The plane of the table seen in a depth image, near a hypothesis.

    RANSAC (Fischler and Bolles 1981) over the pixels that no object covers, then least squares over its inliers, with
    a fixed seed: equal input, equal plane.

    Args:
        plane: the hypothesis, camera frame.
        depth: metres along the optical axis; NaN or 0 where nothing was measured.
        intrinsics: pinhole matrix, pixels.
        Ts_camera_object: poses of the objects, which are masked.
        points: of each object, model frame, metres.
        config: tolerances.

    Returns:
        The refined plane (``source="depth"``), or the hypothesis itself where too little table is seen.
    """
    config = config or DepthConfig()
    candidates = _table_candidates(plane, depth, intrinsics, Ts_camera_object, points, config)
    if len(candidates) < config.minimum:
        return plane
    seed = _ransac(candidates, plane, config)
    if seed is None:
        return plane
    for _ in range(3):
        inliers = candidates[np.abs(seed.height(candidates)) < config.inlier]
        if len(inliers) < config.minimum:
            return plane
        seed = Plane.fit(inliers, up=plane.normal)
    return replace(seed, source="depth")


def _table_candidates(
    plane: Plane,
    depth: Float[Array, "h w"],
    intrinsics: Float[Array, "3 3"],
    Ts_camera_object: Float[Array, "k 4 4"],
    points: Sequence[Float[Array, "_ 3"]],
    config: DepthConfig,
) -> Float64[Array, "n 3"]:
    clouds = [apply(T, np.asarray(p, np.float64)) for T, p in zip(Ts_camera_object, points, strict=True)]
    covered = silhouette_mask(clouds, intrinsics, (depth.shape[1], depth.shape[0]), config.margin)
    seen = np.isfinite(depth) & (np.nan_to_num(depth) > 0.0) & ~covered
    cloud = unproject_depth(depth, intrinsics)[seen]
    middle = np.mean([c.mean(0) for c in clouds], axis=0) if clouds else cloud.mean(0)
    height = plane.height(cloud)
    aside = np.linalg.norm(cloud - middle - (height - plane.height(middle))[:, None] * plane.normal, axis=1)
    return cloud[(np.abs(height) < config.band) & (aside < config.reach)]


def _ransac(candidates: Float64[Array, "n 3"], plane: Plane, config: DepthConfig) -> Plane | None:
    rng = np.random.default_rng(0)
    triples = candidates[rng.integers(len(candidates), size=(config.trials, 3))]
    normals = np.cross(triples[:, 1] - triples[:, 0], triples[:, 2] - triples[:, 0])
    length = np.linalg.norm(normals, axis=1)
    wide = length > 1e-4  # square metres: twice the area of the triangle
    normals = normals[wide] / length[wide, None]
    normals *= np.where(normals @ plane.normal < 0.0, -1.0, 1.0)[:, None]
    level = normals @ plane.normal > np.cos(config.tilt)
    normals, anchors = normals[level], triples[wide, 0][level]
    if not len(normals):
        return None
    sample = candidates[rng.integers(len(candidates), size=min(len(candidates), 4000))]
    votes = (np.abs(sample @ normals.T - np.sum(normals * anchors, axis=1)) < config.inlier).sum(0)
    best = int(votes.argmax())
    return Plane(normals[best], float(-normals[best] @ anchors[best]))


def silhouette_mask(
    clouds: Sequence[Float[Array, "_ 3"]], intrinsics: Float[Array, "3 3"], size: tuple[int, int], margin: int = 0
) -> Bool[Array, "h w"]:
    """Pixels inside the projected convex hull of any of the camera-frame point clouds, grown by ``margin`` pixels."""
    image = Image.new("1", size)
    draw = ImageDraw.Draw(image)
    for cloud in clouds:
        pixels = project_points(cloud, intrinsics)
        pixels = pixels[np.isfinite(pixels).all(1)]
        try:
            outline = pixels[ConvexHull(pixels).vertices]
        except (QhullError, ValueError, InputError):
            continue  # behind the camera, or edge-on
        polygon = [(float(u), float(v)) for u, v in outline]
        draw.polygon(polygon, fill=1)
        if margin:
            draw.line([*polygon, polygon[0], polygon[1]], fill=1, width=2 * margin + 1, joint="curve")
    return np.array(image)
