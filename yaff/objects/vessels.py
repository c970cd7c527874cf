"""Dividing a vessel: its wall into staves, its bottom, and what is attached to it.

Cuts by planes across the whole of a bowl make crescents that no hull fits; staves are nearly flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float
from manifold3d import CrossSection, Manifold

from yaff.objects.catalogue import Cavity
from yaff.objects.splitting import split

Array = np.ndarray

_HEIGHTS, _RAYS, _SIDES = 60, 72, 180
_CLEARANCE = 1e-3  # metres: what is farther out than the wall by this is attached to it
_AROUND = 1.0  # metres: farther than any vessel reaches


def vessel_parts(
    whole: Manifold, solid: trimesh.Trimesh, cavity: Cavity, sectors: int, padding: float, most_parts: int
) -> list[Manifold]:
    """Parts of a vessel, each nearly flat or nearly convex.

    Args:
        whole: the vessel.
        solid: the vessel as a mesh, for rays.
        cavity: its inside.
        sectors: staves round the wall.
        padding: as for :func:`yaff.objects.splitting.split`, beyond the rise of a stave's arc, metres.
        most_parts: no more parts than this, nearly.
    """
    volume = whole.volume()
    outline = _outline(solid, cavity)
    low, high = (float(z) for z in solid.bounds[:, 2])
    profile = [(0.0, low - _CLEARANCE), (outline[0][0], low - _CLEARANCE), *outline]
    profile += [(outline[-1][0], high + _CLEARANCE), (0.0, high + _CLEARANCE)]
    core = CrossSection([np.array(profile)]).revolve(_SIDES).translate((*cavity.axis, 0.0))
    attached = whole - core
    wall, bottom = (whole ^ core).split_by_plane((0.0, 0.0, 1.0), cavity.profile[0][1] + 1e-4)

    staves = [wall ^ _wedge(cavity, sector, sectors) for sector in range(sectors)]
    rise = max(radius for radius, _ in outline) * (1.0 - np.cos(np.pi / sectors))
    upright = np.array([[0.0, 0.0, 1.0]])
    parts = split(staves, volume, padding + float(rise), (2 * most_parts) // 3, directions=upright)
    left = max(most_parts - len(parts), 8)
    parts += split([bottom], volume, padding, left // 3)
    return parts + split([attached], volume, 0.5 * padding, left - left // 3)


def _wedge(cavity: Cavity, sector: int, sectors: int) -> Manifold:
    angle = 2.0 * np.pi * (sector + np.array([0.0, 0.5, 1.0]) - 0.5) / sectors
    corners = np.concatenate([[[0.0, 0.0]], _AROUND * np.stack([np.cos(angle), np.sin(angle)], axis=-1)])
    return CrossSection([corners]).extrude(2.0 * _AROUND).translate((*cavity.axis, -_AROUND))


def _outline(solid: trimesh.Trimesh, cavity: Cavity) -> list[tuple[float, float]]:
    """Outer radius of the wall, a little more, and height; the median over rays from the axis."""
    low, high = solid.bounds[:, 2]
    angle = 2.0 * np.pi * np.arange(_RAYS) / _RAYS
    directions = np.stack([np.cos(angle), np.sin(angle), np.zeros(_RAYS)], axis=-1)
    rows = []
    for z in np.linspace(low + 2e-4, high - 2e-4, _HEIGHTS):
        hits: Any = solid.ray.intersects_id(
            np.tile([*cavity.axis, z], (_RAYS, 1)), directions, multiple_hits=True, return_locations=True
        )
        radius = np.linalg.norm(np.asarray(hits[2])[:, :2] - cavity.axis, axis=1) if len(hits[0]) else np.zeros(0)
        wall = _wall_exits(np.asarray(hits[1]), radius)
        if len(wall):
            rows.append((float(np.median(wall)) + _CLEARANCE, float(z)))
    return rows


def _wall_exits(ray: Array, radius: Float[Array, "n"]) -> Float[Array, "m"]:
    """Where each ray first leaves the solid."""
    exits, starts_inside = [], []
    for k in range(_RAYS):
        mine = np.sort(radius[ray == k])
        starts_inside.append(len(mine) % 2)
        exits.append(mine)
    first = 0 if np.median(starts_inside) > 0 else 1
    return np.array([mine[first] for mine in exits if len(mine) > first])
