"""What images add to an instance: a crop of the colour image, and what the measured depth says is hidden."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, UInt8

from yaff.geometry.transforms import apply
from yaff.learning.clouds import ObjectClouds
from yaff.learning.instances import InstanceTable
from yaff.scene.cameras import project_points

Array = np.ndarray

SLACK = 0.015
"""Metres by which a point may lie behind the measured depth and still be seen: sensors and poses are off by as much."""
MARGIN = 1.3
"""The crop's side over the longer side of the object's box: some of what is round it shows."""
SAMPLES = 2
"""Pixels of the image, along each side, that are averaged for one of the crop."""


@runtime_checkable
class ImageSource(Protocol):
    """Where images come from; every :class:`~yaff.scene.frames.SceneReader` is one."""

    def colour(self, scene: int, frame: int) -> UInt8[Array, "h w 3"] | None:
        """The colour image, or None where there is none."""
        ...

    def depth(self, scene: int, frame: int) -> Float32[Array, "h w"] | None:
        """Metres along the optical axis, NaN where nothing was measured, or None."""
        ...


def projected(table: InstanceTable, clouds: ObjectClouds, row: int) -> tuple[Float[Array, "p 2"], Float[Array, "p"]]:
    """Pixels (x, y) and depth along the optical axis, metres, of the cloud of the object in a row of the table."""
    points = clouds.points[clouds.slot_of_index[table.object_index[row]]].astype(np.float64)
    seen = apply(table.T_camera_object[row], points)
    return project_points(seen, table.intrinsics[table.frame[row]]), seen[:, 2]


def colour_crops(
    source: ImageSource, table: InstanceTable, clouds: ObjectClouds, rows: Int64[Array, "b"], size: int
) -> Float32[Array, "b 4 s s"]:
    """Squares round the objects: red, green and blue in -1 to 1, and 1 where there is image.

    Beyond its edge, and in frames without one, all is 0.
    """
    result = np.zeros((len(rows), 4, size, size), np.float32)
    steps = (np.arange(SAMPLES * size) + 0.5) / (SAMPLES * size) - 0.5
    for frame in np.unique(table.frame[rows]):
        photo = source.colour(int(table.scene[frame]), int(table.frame_number[frame]))
        if photo is None:
            continue
        for k in np.flatnonzero(table.frame[rows] == frame):
            pixels, _ = projected(table, clouds, int(rows[k]))
            low, high = np.nanmin(pixels, 0), np.nanmax(pixels, 0)
            places = 0.5 * (low + high)[:, None] + MARGIN * float((high - low).max()) * steps
            columns, lines = np.rint(places).astype(np.int64)
            there = ((lines >= 0) & (lines < photo.shape[0]))[:, None] & ((columns >= 0) & (columns < photo.shape[1]))
            inside = np.clip(lines, 0, photo.shape[0] - 1)[:, None], np.clip(columns, 0, photo.shape[1] - 1)[None]
            sampled = np.where(there[..., None], photo[inside].astype(np.float32) / 127.5 - 1.0, 0.0)
            both = np.concatenate([sampled, there[..., None].astype(np.float32)], axis=2)
            result[k] = both.reshape(size, SAMPLES, size, SAMPLES, 4).mean((1, 3)).transpose(2, 0, 1)
    return result


def hidden_by_depth(
    source: ImageSource, table: InstanceTable, clouds: ObjectClouds, rows: Int64[Array, "b"]
) -> Bool[Array, "b p"]:
    """Points of the clouds before which something else was measured; none in frames without depth."""
    result = np.zeros((len(rows), clouds.points.shape[1]), bool)
    for frame in np.unique(table.frame[rows]):
        depth = source.depth(int(table.scene[frame]), int(table.frame_number[frame]))
        if depth is None:
            continue
        for k in np.flatnonzero(table.frame[rows] == frame):
            pixels, far = projected(table, clouds, int(rows[k]))
            finite: Array = np.isfinite(pixels[:, 0])
            whole = np.rint(np.where(finite[:, None], pixels, -1.0)).astype(np.int64)
            column, line = whole[:, 0], whole[:, 1]
            within = [finite, line >= 0, line < depth.shape[0], column >= 0, column < depth.shape[1]]
            there = np.array(within, bool).all(axis=0)
            measured = depth[np.clip(line, 0, depth.shape[0] - 1), np.clip(column, 0, depth.shape[1] - 1)]
            result[k] = there & (far > np.where(np.isfinite(measured), measured, np.inf) + SLACK)
    return result
