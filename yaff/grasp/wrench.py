"""Grasp wrench spaces: contact wrenches, force closure, Ferrari-Canny epsilon and volume.

The convention is GraspIt's (Miller and Allen 2004, after Ferrari and Canny 1992): the friction cone of a contact is
linearised into edges whose component along the contact normal is one; a wrench is ``(force, torque / torque_scale)``
with torques about the centre of mass and ``torque_scale`` the object's largest radius; the grasp wrench space is the
convex hull of the wrenches of all contacts together (the L1 space: normal forces that sum to at most one). *Epsilon*
is the radius of the largest ball about the origin inside it, *volume* its content.

Everything is deterministic: qhull joggles degenerate input (``QJ``) by a fixed sequence, by some 1e-10 of its size.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls
from scipy.spatial import ConvexHull, QhullError

from yaff.errors import InputError

Array = np.ndarray

_FLAT = 1e-7
"""A set whose smallest singular value is below this part of its largest spans no volume."""
_GAP = 1e-7
"""Epsilon is exact to this much (wrenches are of size one)."""
_START, _GROWTH, _WIDTH, _ROUNDS = 16, 8, 24, 16
"""Wrenches to begin with, most added in a round, nearest facets looked at in a round, rounds before the whole hull."""


def friction_cones(normals: Float[Array, "k 3"], friction: float, edges: int = 8) -> Float[Array, "k {edges} 3"]:
    """Forces along the edges of linearised friction cones: ``n + friction (cos a t1 + sin a t2)``.

    Args:
        normals: unit contact normals, the direction in which the contact pushes.
        friction: Coulomb coefficient, >= 0.
        edges: number of edges, >= 3; the inscribed cone is smaller than the round one by at most
            ``cos(pi / edges)`` (0.92 at 8).

    Raises:
        InputError: negative friction or fewer than three edges.
    """
    if not friction >= 0.0:
        raise InputError(f"friction is {friction}", remedy="give a coefficient of zero or more")
    if edges < 3:
        raise InputError(f"a friction cone of {edges} edges", remedy="give three edges or more")
    normals = np.asarray(normals, np.float64)
    # The axis least aligned with the normal starts the tangents: defined for every normal, the same every time.
    axis = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    angle = 2.0 * np.pi * np.arange(edges) / edges
    tangents = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    return normals[:, None] + friction * tangents


def contact_wrenches(
    points: Float[Array, "k 3"],
    normals: Float[Array, "k 3"],
    friction: float,
    centre: Float[Array, "3"],
    torque_scale: float,
    edges: int = 8,
) -> Float[Array, "k*{edges} 6"]:
    """Wrenches ``(force, torque / torque_scale)`` of hard point contacts with friction.

    Args:
        points: contact points, metres.
        normals: unit normals into the object (the direction in which the finger pushes).
        friction: Coulomb coefficient.
        centre: where torques are taken about, metres (the centre of mass).
        torque_scale: metres; the object's largest radius about ``centre``.
        edges: edges of each linearised friction cone.

    Returns:
        (k * edges, 6), contact after contact.

    Raises:
        InputError: ``torque_scale`` not positive, negative friction, too few edges.
    """
    if not torque_scale > 0.0:
        raise InputError(f"torque_scale is {torque_scale}", remedy="give the object's largest radius, in metres")
    forces = friction_cones(normals, friction, edges)
    arms = (np.asarray(points, np.float64) - centre) / torque_scale
    torques = np.cross(arms[:, None], forces)
    return np.concatenate([forces, torques], axis=-1).reshape(-1, 6)


def is_force_closure(wrenches: Float[Array, "n d"], tolerance: float = 1e-9) -> bool:
    """Whether the origin is strictly inside the convex hull of the wrenches: every wrench can be resisted.

    Exact, without a hull: the wrenches span the space and zero is a positive combination of *all* of them,
    ``W (1 + x) = 0`` with ``x >= 0`` (non-negative least squares).
    """
    wrenches = np.asarray(wrenches, np.float64)
    if not _spans(wrenches):
        return False
    balance = wrenches.sum(axis=0)
    try:
        _, residual = nnls(wrenches.T, -balance)
    except RuntimeError:  # the active set cycled: decide by the hull
        return _lowest(_hull(wrenches)) > _GAP
    return bool(residual <= tolerance * max(1.0, float(np.linalg.norm(balance))))


def epsilon(wrenches: Float[Array, "n d"]) -> float:
    """Ferrari-Canny epsilon: the radius of the largest ball about the origin inside the hull of the wrenches.

    Exact to 1e-7 without building the whole hull: the hull of a few spread wrenches is grown where it is nearest to
    the origin, until its nearest facet supports all wrenches (after Zheng, "An efficient algorithm for a grasp
    quality measure", IEEE T-RO 2013). Zero when the set is flat or the origin is not inside.
    """
    wrenches = np.asarray(wrenches, np.float64)
    if not is_force_closure(wrenches):
        return 0.0
    return _settle(_grown(wrenches))


def epsilon_and_volume(wrenches: Float[Array, "n d"]) -> tuple[float, float]:
    """Epsilon and volume of the convex hull of *all* the wrenches; (0, 0) without force closure.

    The hull of 15 contacts with 8 edges has some ten thousand facets in six dimensions (30 to 50 ms); see
    :func:`epsilon` and :func:`grasp_quality` for less work.
    """
    wrenches = np.asarray(wrenches, np.float64)
    if not is_force_closure(wrenches):
        return 0.0, 0.0
    try:
        hull = _hull(wrenches)
    except QhullError:
        return 0.0, 0.0
    radius = _settle(_lowest(hull))
    return (radius, float(hull.volume)) if radius > 0.0 else (0.0, 0.0)


def grasp_quality(
    points: Float[Array, "k 3"],
    normals: Float[Array, "k 3"],
    centre: Float[Array, "3"],
    torque_scale: float,
    *,
    friction: float = 1.0,
    edges: int = 8,
    volume_points: int = 10,
) -> tuple[float, float]:
    """Epsilon over all contact points, and volume over the ``volume_points`` most different of them.

    Epsilon is that of :func:`epsilon_and_volume`. The volume's hull grows with the third power of the contacts, so
    it is taken over the contacts that :func:`spread_contacts` picks: a lower bound, some 70 to 80 % of the hull of
    50 to 75 points of a hand round a rod; equal to it for ``k <= volume_points``. Zeros without force closure.
    """
    wrenches = contact_wrenches(points, normals, friction, centre, torque_scale, edges)
    radius = epsilon(wrenches)
    if radius == 0.0:
        return 0.0, 0.0
    if len(points) > volume_points:
        chosen = spread_contacts(points, normals, torque_scale, volume_points)
        wrenches = wrenches.reshape(len(points), -1)[chosen].reshape(-1, 6)
    try:
        return radius, float(_hull(wrenches).volume) if _spans(wrenches) else 0.0
    except QhullError:
        return radius, 0.0


def spread_contacts(
    points: Float[Array, "k 3"], normals: Float[Array, "k 3"], torque_scale: float, count: int
) -> Int[Array, "m"]:
    """Indices of at most ``count`` contacts, farthest point first, by ``(point / torque_scale, normal)``."""
    return _spread(np.concatenate([np.asarray(points) / torque_scale, normals], axis=1), count)


def _spans(wrenches: Array) -> bool:
    n, dimension = wrenches.shape
    if n <= dimension:  # the origin inside needs a simplex at least
        return False
    singular = np.linalg.svd(wrenches, compute_uv=False)
    return bool(singular[-1] > _FLAT * singular[0])


def _hull(wrenches: Array) -> ConvexHull:
    return ConvexHull(wrenches, qhull_options="QJ")


def _lowest(hull: ConvexHull) -> float:
    return float((-hull.equations[:, -1]).min())


def _settle(radius: float) -> float:
    return radius if radius > _GAP else 0.0


def _grown(wrenches: Array) -> float:
    """Distance of the origin to the hull of all wrenches, by hulls of few of them."""
    chosen = list(_spread(wrenches, min(_START, len(wrenches))))
    try:
        for _ in range(_ROUNDS):
            equations = _hull(wrenches[chosen]).equations
            offsets = -equations[:, -1]
            nearest = np.argsort(offsets, kind="stable")[:_WIDTH]
            supports = wrenches @ equations[nearest, :-1].T
            if supports[:, 0].max() <= offsets[nearest[0]] + _GAP:
                return float(offsets[nearest[0]])
            gains = supports.max(axis=0) - offsets[nearest]
            known = set(chosen)
            fresh = [i for i in supports.argmax(axis=0)[gains > _GAP] if i not in known]
            chosen += list(dict.fromkeys(fresh))[:_GROWTH]
    except QhullError:  # the few wrenches were flat
        pass
    try:
        return _lowest(_hull(wrenches))
    except QhullError:
        return 0.0


def _spread(features: Array, count: int) -> Array:
    """Farthest-point order of rows: first the one farthest from the mean, ties to the lowest index."""
    distance = np.sum((features - features.mean(axis=0)) ** 2, axis=1)
    chosen = [int(distance.argmax())]
    distance = np.sum((features - features[chosen[0]]) ** 2, axis=1)
    while len(chosen) < min(count, len(features)):
        best = int(distance.argmax())
        if distance[best] < 1e-18:
            break
        chosen.append(best)
        distance = np.minimum(distance, np.sum((features - features[best]) ** 2, axis=1))
    return np.asarray(chosen, dtype=np.intp)
