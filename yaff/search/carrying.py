"""Can the contacts of a hand carry the object at all? A cheap test before physics.

A contact may push along its inward normal, to the side within friction, and turn about the normal within torsional
friction; its six extreme wrenches stand for the cone. What the hand can do to the object is what combinations of
these, none negative, can do: non-negative least squares (Lawson and Hanson 1974), lightly regularised, finds the
least of them that takes up one newton at the centre of mass.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from yaff.objects import ObjectModel
from yaff.search.rig import HandRig, farthest_points

Array = np.ndarray

EDGES = 4
"""Extreme forces of the friction pyramid of a contact."""
SHARING = 0.02
"""Weight of the forces themselves against what stays unbalanced: small, it only makes contacts share."""
TOUCHING = 0.004
"""Skin this near to the object will touch it when the hand closes, metres."""
APART = 0.006
"""Two contacts of one bone are this far apart, metres."""
PALM_CONTACTS = 6


def contact_skin(rig: HandRig, vertices: Float[Array, "778 3"], distance: Float[Array, "778"]) -> Int[Array, "_"]:
    """Vertices that stand for the contacts of a hand: two of each finger bone, some more of the palm.

    Args:
        rig: the hand.
        vertices: of the skin, metres.
        distance: of each to the object, metres.
    """
    chosen: list[int] = []
    near = distance < TOUCHING
    for bone in range(16):
        here = np.flatnonzero(near & (rig.vertex_bones == bone))
        if not len(here):
            continue
        if bone == 0:
            chosen.extend(here[farthest_points(vertices[here], PALM_CONTACTS)])
            continue
        first = here[distance[here].argmin()]
        chosen.append(first)
        others = here[np.linalg.norm(vertices[here] - vertices[first], axis=1) > APART]
        if len(others):
            chosen.append(others[distance[others].argmin()])
    return np.array(chosen, np.intp)


def carrying(
    rig: HandRig,
    obj: ObjectModel,
    vertices: Float[Array, "778 3"],
    distance: Float[Array, "778"],
    directions: Float[Array, "d 3"],
    friction: float,
    torsional: float,
) -> tuple[float, float]:
    """How well a hand that lies on the object like this can carry it along each of some directions.

    Args:
        rig: the hand.
        obj: the object.
        vertices: of the skin, object frame, metres.
        distance: of each to the object, metres.
        directions: unit vectors, object frame.
        friction: Coulomb's coefficient.
        torsional: radius of a contact's patch, metres.

    Returns:
        The largest share of a load that stays unbalanced, 0 to 1, and the largest sum of normal forces needed, as a
        multiple of the load.
    """
    chosen = contact_skin(rig, vertices, distance)
    if not len(chosen):
        return 1.0, np.inf
    depth, outward = obj.sdf.distance_and_gradient(vertices[chosen])
    normals = -outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    points = vertices[chosen] + depth[:, None] * normals
    centre = np.asarray(obj.centre_of_mass, np.float64)
    wrenches = extreme_wrenches(points, normals, centre, float(obj.radius), friction, torsional)
    system = np.vstack([wrenches, SHARING * np.eye(wrenches.shape[1])])
    worst = most = 0.0
    for direction in directions:
        load = np.concatenate([direction, np.zeros(3)])
        share, _ = nnls(system, np.concatenate([load, np.zeros(wrenches.shape[1])]))
        worst = max(worst, float(np.linalg.norm(wrenches @ share - load)))
        most = max(most, float(share.sum()))
    return min(worst, 1.0), most


def extreme_wrenches(
    points: Float[Array, "n 3"],
    normals: Float[Array, "n 3"],
    centre: Float[Array, "3"],
    radius: float,
    friction: float,
    torsional: float,
) -> Float[Array, "6 k"]:
    """Forces and torques (over ``radius``) about ``centre`` of the edges of all cones, for normal forces of one newton.

    Args:
        points: contacts, metres.
        normals: into the object, unit length.
        centre: metres.
        radius: metres.
        friction: Coulomb's coefficient.
        torsional: radius of a contact's patch, metres.
    """
    lever, least = points - centre, np.abs(normals).argmin(axis=1)
    first = np.cross(normals, np.eye(3)[least])
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    second = np.cross(normals, first)
    wrenches = []
    for angle in 2.0 * np.pi * np.arange(EDGES) / EDGES:
        force = normals + friction * (np.cos(angle) * first + np.sin(angle) * second)
        wrenches.append(np.hstack([force, np.cross(lever, force) / radius]))
    turning = [(np.cross(lever, normals) + turn * normals) / radius for turn in (torsional, -torsional)]
    wrenches.extend(np.hstack([normals, torque]) for torque in turning)
    return np.concatenate(wrenches).T
