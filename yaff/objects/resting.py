"""How an object comes to rest on a table."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float, Float64
from trimesh.poses import compute_stable_poses

Array = np.ndarray

LIKELY = 0.005
"""Poses are left out in which less than this share of drops ends."""
MOST = 12
"""Poses at the most: round things have one for every facet of their scan."""


def resting_planes(solid: trimesh.Trimesh, centre_of_mass: Float[Array, "3"]) -> Float64[Array, "p 4"]:
    """Tables on which the object stands or lies still, in its own frame, the likeliest first.

    A face of the convex hull carries the object if its centre of mass is above it; how likely it is follows from the
    solid angle of drops that end on it (Goldberg, Mirtich, Zhuang, Craig, Carlisle and Canny, "Part pose statistics",
    IEEE Trans. Robotics and Automation 1999), as trimesh has it.

    Args:
        solid: the closed mesh, metres.
        centre_of_mass: in its frame, metres.

    Returns:
        Unit normal, into free space, and offset, metres: ``normal @ p + offset`` is the height of ``p``.
    """
    centre = np.asarray(centre_of_mass, np.float64)
    # nothing is drawn: with no spread of the centre of mass one sample is exact
    Ts, _ = compute_stable_poses(solid.convex_hull, center_mass=centre, sigma=0.0, threshold=LIKELY)
    return np.asarray(Ts, np.float64).reshape(-1, 4, 4)[:MOST, 2]
