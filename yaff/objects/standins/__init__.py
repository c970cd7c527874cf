"""Parametric stand-ins for the 21 objects, in the YCB-Video object frame.

They let everything run without the scanned meshes. Dimensions and positions are plain measurements of the objects;
the shapes are built here from boxes, rings and tubes, hollow where the object is hollow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float
from trimesh.visual import ColorVisuals

from yaff.errors import InputError
from yaff.geometry.mesh import watertight_solid
from yaff.objects.pieces import few_corners
from yaff.objects.standins import containers, tools
from yaff.objects.standins.parts import Part

Array = np.ndarray

Colour = tuple[int, int, int]

MOST_CORNERS = 64
"""Corners of a convex piece."""

STANDINS: dict[str, tuple[Callable[[], Part], Colour]] = {
    "002_master_chef_can": (containers.master_chef_can, (40, 62, 120)),
    "003_cracker_box": (containers.cracker_box, (178, 44, 40)),
    "004_sugar_box": (containers.sugar_box, (232, 200, 60)),
    "005_tomato_soup_can": (containers.tomato_soup_can, (186, 52, 44)),
    "006_mustard_bottle": (containers.mustard_bottle, (236, 188, 40)),
    "007_tuna_fish_can": (containers.tuna_fish_can, (70, 110, 150)),
    "008_pudding_box": (containers.pudding_box, (120, 72, 50)),
    "009_gelatin_box": (containers.gelatin_box, (190, 60, 70)),
    "010_potted_meat_can": (containers.potted_meat_can, (52, 84, 140)),
    "011_banana": (tools.banana, (240, 206, 60)),
    "019_pitcher_base": (containers.pitcher_base, (60, 90, 160)),
    "021_bleach_cleanser": (containers.bleach_cleanser, (226, 226, 222)),
    "024_bowl": (containers.bowl, (170, 44, 52)),
    "025_mug": (containers.mug, (176, 40, 44)),
    "035_power_drill": (tools.power_drill, (60, 60, 62)),
    "036_wood_block": (containers.wood_block, (196, 156, 104)),
    "037_scissors": (tools.scissors, (220, 120, 40)),
    "040_large_marker": (tools.large_marker, (50, 50, 54)),
    "051_large_clamp": (tools.large_clamp, (44, 44, 46)),
    "052_extra_large_clamp": (tools.extra_large_clamp, (44, 44, 46)),
    "061_foam_brick": (containers.foam_brick, (190, 92, 70)),
}


SLIVER = 1e-5
"""Features smaller than this are simplified away, metres."""


@dataclass(frozen=True, eq=False)
class StandIn:
    """A stand-in: its watertight mesh (one plain colour) and the convex pieces that it is made of."""

    mesh: trimesh.Trimesh
    pieces: tuple[Float[Array, "_ 3"], ...]


def build_standin(name: str) -> StandIn:
    """The stand-in of an object of the catalogue.

    Raises:
        InputError: if there is none of that name.
    """
    if name not in STANDINS:
        raise InputError(
            f"there is no stand-in for {name!r}",
            remedy=f"use one of {', '.join(STANDINS)}, or give a folder of meshes",
        )
    make, colour = STANDINS[name]
    part = make()
    raw = part.solid.simplify(SLIVER).to_mesh64()
    union = trimesh.Trimesh(
        np.array(raw.vert_properties[:, :3], np.float64),
        np.array(raw.tri_verts, np.int64),
        process=False,
        validate=False,
    )
    mesh, _ = watertight_solid(union, name)
    mesh.visual = ColorVisuals(mesh, face_colors=np.tile(np.array([*colour, 255], np.uint8), (len(mesh.faces), 1)))
    return StandIn(mesh, tuple(few_corners(piece, MOST_CORNERS) for piece in part.pieces))
