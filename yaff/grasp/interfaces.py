"""What the measures need of an object and of a hand's patches, as protocols."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.signed_distance import SignedDistanceGrid

Array = np.ndarray


@runtime_checkable
class SignedDistance(Protocol):
    """Signed distance to an object's surface: metres, object frame, negative inside."""

    def distance(self, points: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Distance of each point to the surface, negative inside."""
        ...

    def distance_and_gradient(
        self, points: Float[Array, "*batch 3"]
    ) -> tuple[Float[Array, "*batch"], Float[Array, "*batch 3"]]:
        """The distance, and the unit direction in which it grows: out of the object."""
        ...


@runtime_checkable
class MeasuredObject(Protocol):
    """An object that grasps can be measured on; :class:`yaff.objects.ObjectModel` is one."""

    @property
    def name(self) -> str:
        """YCB name, for example ``025_mug``; named in messages."""
        ...

    @property
    def sdf(self) -> SignedDistance:
        """Distance to the object's solid."""
        ...

    @property
    def centre_of_mass(self) -> Float[Array, "3"]:
        """Object frame, metres: the point about which torques are taken."""
        ...

    @property
    def radius(self) -> float:
        """Largest distance from the centre of mass to the surface, metres."""
        ...


@runtime_checkable
class GriddedObject(MeasuredObject, Protocol):
    """A measured object whose signed distance is sampled on a grid, as all loaded objects' are."""

    @property
    def sdf(self) -> SignedDistanceGrid:
        """Distance to the object's solid, sampled on a grid in the object frame, metres."""
        ...


@runtime_checkable
class SkinPatches(Protocol):
    """A partition of the hand's vertices into named regions; :class:`yaff.hand.Patches` is one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each region, in the order of its number."""
        ...

    @property
    def labels(self) -> Int[Array, "v"]:
        """Number of the region of each vertex: a row of ``names``."""
        ...
