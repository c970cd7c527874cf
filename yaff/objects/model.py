"""What the rest of the program knows of an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import trimesh
from jaxtyping import Float, Float64

from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.objects.resting import resting_planes
from yaff.objects.sources import MeshSource
from yaff.objects.surface import thickness

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class ObjectModel:
    """An object with everything derived from its mesh; lengths in metres, all in the object frame."""

    name: str
    """YCB name, e.g. ``025_mug``."""
    index: int
    """YCB-Video's number, 1..21."""
    source: MeshSource = field(repr=False)
    """Where its mesh comes from."""
    solid: trimesh.Trimesh = field(repr=False)
    """The watertight surface, faces outward."""
    sdf: SignedDistanceGrid = field(repr=False)
    """Signed distance to the solid's surface, negative inside."""
    pieces: tuple[Float[Array, "_ 3"], ...] = field(repr=False)
    """Corners of convex pieces whose union is the solid, nearly."""
    mass: float
    """Kilograms, published."""
    centre_of_mass: Float[Array, "3"]
    """Of the solid at uniform density."""
    inertia: Float[Array, "3 3"] = field(repr=False)
    """About the centre of mass, axes of the object frame, kg m2."""
    surface_points: Float[Array, "m 3"] = field(repr=False)
    """Points spread evenly over the solid's surface."""
    surface_normals: Float[Array, "m 3"] = field(repr=False)
    """Unit outward normals at the points."""
    radius: float
    """Largest distance from the centre of mass to the surface."""
    symmetries: Float[Array, "k 4 4"] = field(repr=False)
    """Rigid motions that leave the shape as it is, the identity first; continuous ones sampled."""
    digest: str
    """sha256 of the solid and the mass."""
    standin: bool
    """Whether this is a parametric stand-in rather than the scanned object."""
    notes: tuple[str, ...] = ()
    """What had to be repaired."""

    @property
    def visual(self) -> trimesh.Trimesh:
        """The mesh to look at, with its texture where there is one; read when first asked for."""
        return self._visual

    @cached_property
    def _visual(self) -> trimesh.Trimesh:
        return self.source.mesh(self.name)

    @cached_property
    def surface_thickness(self) -> Float[Array, "m"]:
        """How far the solid reaches inward from each surface point, metres: the wall of a mug, the girth of a can."""
        return thickness(self.sdf, self.surface_points, self.surface_normals)

    @cached_property
    def tables(self) -> Float64[Array, "p 4"]:
        """Planes on which the object rests, the likeliest first (:func:`yaff.objects.resting.resting_planes`)."""
        return resting_planes(self.solid, self.centre_of_mass)
