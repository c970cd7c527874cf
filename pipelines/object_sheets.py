"""Contact sheet of the objects: each as it looks, with its symmetry axes and dimensions, and beside it its pieces."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from pipelines.pictures import FIELD, draw_meshes, look_at, sheet

if TYPE_CHECKING:
    import trimesh

    from yaff.objects import CatalogueEntry, ObjectModel
    from yaff.objects.catalogue import Symmetry

Array = np.ndarray
Colour = tuple[int, int, int]

_DIRECTION = np.array([0.8, -1.0, 0.7])
_APART = 0.15
"""Pieces are drawn away from the middle by this share of their distance from it, so that each shows."""
_GREY, _CONTINUOUS, _DISCRETE = (90, 90, 90), (200, 30, 30), (30, 70, 200)


def draw_objects(
    objects: Sequence[tuple[ObjectModel, CatalogueEntry]], size: int = 260, columns: int = 3
) -> UInt8[Array, "h w 3"]:
    """A sheet of objects, two pictures of ``size`` pixels for each.

    On the left the mesh, its bounding box's lengths in mm, continuous symmetry axes in red and discrete ones in blue
    with their order; on the right the convex pieces, drawn a little apart. The caption says how thick the solid is, in
    the median over its surface.
    """
    pictures = [(_pair(model, entry, size), _caption(model, entry)) for model, entry in objects]
    return sheet(pictures, min(columns, len(pictures)))


def _caption(model: ObjectModel, entry: CatalogueEntry) -> str:
    count = f"{len(model.pieces)} piece" + ("s" if len(model.pieces) > 1 else "")
    wall = 1e3 * float(np.median(model.surface_thickness))
    return f"{model.name}, {entry.mass:g} kg, {wall:.1f} mm thick, {count}{', stand-in' if model.standin else ''}"


def _pair(model: ObjectModel, entry: CatalogueEntry, size: int) -> UInt8[Array, "h w 3"]:
    low, high = np.asarray(model.solid.bounds, np.float64)
    length = 0.58 * float(np.linalg.norm(high - low))
    axes = [_ends(symmetry, low, high, length) for symmetry in entry.symmetries]
    within = np.concatenate([_corners(low, high), *axes])
    left = Image.fromarray(draw_meshes([model.visual], _DIRECTION, size, within))
    canvas, T = ImageDraw.Draw(left), look_at(within, _DIRECTION)
    _draw_lengths(canvas, T, low, high, size)
    for symmetry, ends in zip(entry.symmetries, axes, strict=True):
        colour = _DISCRETE if symmetry.order else _CONTINUOUS
        start, end = _projected(T, ends, size)
        canvas.line([*start, *end], fill=colour, width=2)
        label = str(symmetry.order) if symmetry.order else "any"
        canvas.text(tuple(np.clip(end, 2, size - 22)), label, fill=colour)
    right = draw_meshes(_pieces(model), _DIRECTION, size)
    return np.concatenate([np.asarray(left), right], axis=1)


def _ends(symmetry: Symmetry, low: Float[Array, "3"], high: Float[Array, "3"], length: float) -> Float[Array, "2 3"]:
    """Both ends of an axis as it is drawn, as long as the object is along it and a little more."""
    axis = np.array(symmetry.axis) / np.linalg.norm(symmetry.axis)
    half = min(length, 0.5 * float(np.abs(axis) @ (high - low)) + 0.02)
    middle = np.array(symmetry.offset)
    return np.stack([middle - half * axis, middle + half * axis])


def _corners(low: Float[Array, "3"], high: Float[Array, "3"]) -> Float[Array, "8 3"]:
    return np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])


def _projected(T: Float[Array, "4 4"], points: Float[Array, "n 3"], size: int) -> Float[Array, "n 2"]:
    """Pixels of points in a picture made by :func:`draw_meshes`."""
    seen = points @ T[:3, :3].T + T[:3, 3]
    return 0.5 * size / FIELD * seen[:, :2] / seen[:, 2:] + 0.5 * (size - 1)


def _draw_lengths(
    canvas: ImageDraw.ImageDraw, T: Float[Array, "4 4"], low: Float[Array, "3"], high: Float[Array, "3"], size: int
) -> None:
    """Three edges of the bounding box that lie outside the object in the picture, and their lengths."""
    for start, end, aside in (
        ((low[0], low[1], low[2]), (high[0], low[1], low[2]), (-18.0, 2.0)),
        ((high[0], low[1], low[2]), (high[0], high[1], low[2]), (4.0, 2.0)),
        ((high[0], high[1], low[2]), (high[0], high[1], high[2]), (4.0, -4.0)),
    ):
        ends = np.array([start, end])
        a, b = _projected(T, ends, size)
        canvas.line([*a, *b], fill=_GREY, width=1)
        text = f"{1e3 * float(np.linalg.norm(ends[1] - ends[0])):.0f}"
        place = 0.5 * (a + b) + np.array(aside)
        canvas.text(tuple(np.clip(place, 1, size - 20)), text, fill=_GREY)


def _pieces(model: ObjectModel) -> list[trimesh.Trimesh]:
    """The pieces as meshes of colours far apart, moved away from their common middle."""
    import trimesh
    from trimesh.visual import ColorVisuals

    middle = np.concatenate(model.pieces).mean(axis=0)
    meshes = []
    for number, piece in enumerate(model.pieces):
        hull = trimesh.convex.convex_hull(piece + _APART * (piece.mean(axis=0) - middle))
        red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1.0, 0.55, 0.9)
        colour = np.array([255 * red, 255 * green, 255 * blue, 255], np.uint8)
        hull.visual = ColorVisuals(hull, face_colors=np.tile(colour, (len(hull.faces), 1)))
        meshes.append(hull)
    return meshes
