"""Opening vessels whose scan is closed.

A scanner sees into a vessel as far as its rim lets it; what it does not see, surface reconstruction fills. The
catalogue says how the vessel is inside (:class:`yaff.objects.catalogue.Cavity`), and what fills it is taken away.
"""

from __future__ import annotations

import numpy as np
import trimesh
from manifold3d import CrossSection, Manifold, Mesh64

from yaff.objects.catalogue import CatalogueEntry, Cavity

Array = np.ndarray

_FITS = 0.01  # metres by which the extents of a mesh may differ from the catalogue's: a lid that is taken away is less

FILLED = 0.10
"""A vessel with more than this share of its cavity filled is opened."""
_SIDES = 180
_CRUMB = 1e-3  # share of the volume below which a body cut off is dropped
_SLIVER = 1e-5  # metres: features smaller than this go


def cavity_of(solid: trimesh.Trimesh, entry: CatalogueEntry) -> Cavity | None:
    """The cavity that the catalogue knows of the object; None where the mesh is not of the object's size."""
    same = np.abs(solid.extents - np.array(entry.dimensions)).max() < _FITS
    return entry.cavity if same else None


def hollowed(solid: trimesh.Trimesh, cavity: Cavity) -> tuple[trimesh.Trimesh, str | None]:
    """The solid without what fills its cavity, and a note; the solid itself and None where the cavity is open."""
    whole = manifold_of(solid)
    inside = cavity_solid(cavity)
    filled = (whole ^ inside).volume()
    if filled < FILLED * inside.volume():
        return solid, None
    bodies = (whole - inside).simplify(_SLIVER).decompose()
    kept = [body for body in bodies if body.volume() > _CRUMB * whole.volume()]
    mesh = Manifold.compose(kept).to_mesh64()
    opened = trimesh.Trimesh(
        np.array(mesh.vert_properties[:, :3], np.float64), np.array(mesh.tri_verts, np.int64), process=False
    )
    return opened, (
        f"opened its inside: {1e6 * filled:.0f} cm3 that the scan filled were taken away along the catalogue's cavity"
    )


def cavity_solid(cavity: Cavity) -> Manifold:
    """What is empty in a vessel, metres, object frame."""
    profile = np.array([(0.0, cavity.profile[0][1]), *cavity.profile, (0.0, cavity.profile[-1][1])])
    return CrossSection([profile]).revolve(_SIDES).translate((*cavity.axis, 0.0))


def manifold_of(solid: trimesh.Trimesh) -> Manifold:
    """A closed mesh as a solid for booleans."""
    return Manifold(Mesh64(np.array(solid.vertices, np.float64), np.array(solid.faces, np.uint64)))
