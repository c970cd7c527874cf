"""Where hands touch each object: the share of its verified grasps that press on each place, on the mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import trimesh
from jaxtyping import Float, Int
from matplotlib.colors import LinearSegmentedColormap
from scipy.spatial import KDTree

from pipelines.loading import Recipes, hand_of, object_of
from pipelines.pictures import draw_meshes, sheet, to_png

if TYPE_CHECKING:
    from yaff.grasp.batch import Grasps
    from yaff.hand import HandModel

Array = np.ndarray

NEAR = 0.005
"""Skin this near touches, metres: contacts are counted within 3 mm of the surface, and samples of both lie apart."""
INSIDE = 0.002
"""Skin so far behind a place of the surface, metres, does not touch it from its outside."""
MOST = 64
"""Grasps of an object that are counted, spread over all of it: more make the same picture, slower."""
SPACING = 0.006
"""Longest edge of the triangles that are coloured, metres."""
SIZE = 260
_COLOURS = LinearSegmentedColormap.from_list("heat", ["#dcdcdc", "#ffe3a0", "#f39a3d", "#b3141d", "#5c0a12"])
VIEWS: tuple[tuple[float, float, float], ...] = ((0.8, -1.0, 0.7), (-0.8, 1.0, 0.7))
"""From before and from behind, object frame."""


def contact_pictures(recipes: Recipes, grasps: Mapping[str, Grasps]) -> list[tuple[bytes, str]]:
    """PNG and caption for each object that has verified grasps, in the order given."""
    pictures = []
    for name, batch in grasps.items():
        good = batch[batch.verified]
        if not len(good):
            continue
        chosen = good[np.unique(np.linspace(0, len(good) - 1, min(MOST, len(good))).astype(int))]
        obj = object_of(name, recipes.objects)
        heat = contact_share(hand_of(recipes.hand), chosen, obj.surface_points, obj.surface_normals)
        mesh = heated(obj.solid, obj.surface_points, heat)
        drawn = [(draw_meshes([mesh], np.array(view), SIZE), "") for view in VIEWS]
        pictures.append(
            (
                to_png(sheet(drawn, len(drawn))),
                f"{name}: {len(good)} grasps; the darkest place is touched by {100 * heat.max():.0f} %",
            )
        )
    return pictures


def contact_share(
    hand: HandModel, grasps: Grasps, points: Float[Array, "m 3"], normals: Float[Array, "m 3"]
) -> Float[Array, "m"]:
    """Share of the grasps whose skin is near each point, 0 to 1. Points and normals are in the object frame, metres."""
    count = np.zeros(len(points))
    for vertices in hand.vertices(grasps):
        skin = np.concatenate([vertices, vertices[hand.faces].mean(axis=1)])
        distance, nearest = _nearest(skin, points, 1)
        near = distance[:, 0] < NEAR
        # a finger on the outside of a thin wall is near its inside, too
        height = ((skin[nearest[near, 0]] - points[near]) * normals[near]).sum(axis=1)
        count[near] += height > -INSIDE
    return count / max(len(grasps), 1)


def heated(mesh: trimesh.Trimesh, points: Float[Array, "m 3"], heat: Float[Array, "m"]) -> trimesh.Trimesh:
    """The mesh in triangles small enough to be coloured, from light grey to the highest heat."""
    vertices, faces = trimesh.remesh.subdivide_to_size(mesh.vertices, mesh.faces, SPACING, max_iter=12)[:2]
    # an even colour in spite of samples that lie apart
    distance, nearest = _nearest(points, vertices, 6)
    weight = 1.0 / np.maximum(distance, 1e-4)
    value = (weight * heat[nearest]).sum(axis=1) / weight.sum(axis=1)
    colours = _COLOURS(value / max(float(heat.max()), 1e-9))[:, :3]
    return trimesh.Trimesh(vertices, faces, vertex_colors=np.uint8(255.0 * colours), process=False)


def _nearest(
    of: Float[Array, "n 3"], to: Float[Array, "m 3"], count: int
) -> tuple[Float[Array, "m count"], Int[Array, "m count"]]:
    """Distances and rows of the nearest points."""
    distance, rows = KDTree(of).query(to, k=count)
    return np.asarray(distance).reshape(len(to), count), np.asarray(rows).reshape(len(to), count)
