"""The plane on which the objects stand, from their poses; refined by a depth image where there is one.

A table touches the convex hull of everything that stands on it, so every face of that hull is a hypothesis. What
tells the table from the other faces: the camera is above it; objects that touch it would rest on it, each with its
own centre of mass above its own contacts and the whole pile with its centre of mass above all of them; and a camera
is held upright rather than not. Objects that stand on others simply do not vote.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64
from scipy.spatial import ConvexHull, QhullError

from yaff.errors import InputError
from yaff.geometry.transforms import apply, invert
from yaff.scene.arrangements import Arrangements
from yaff.scene.frames import FrameTable
from yaff.scene.plane import Plane

Array = np.ndarray


@dataclass(frozen=True)
class SupportConfig:
    """How well objects and table must agree."""

    contact: float = 0.006
    """Metres. An object this far above a face counts for 1/e of one that touches it (6-D poses err by millimetres)."""
    patch: float = 0.003
    """Metres. Points this close to an object's lowest point are its contacts."""
    overhang: float = 0.010
    """Metres. An object whose centre of mass lies this far outside its contacts counts for 1/e."""
    contact_area: float = 2e-4
    """Square metres. Contacts of this area count for one half: objects rest on faces, not on corners."""
    topple: float = 0.3
    """Factor for a face that would not carry the pile as a whole."""
    upright: float = 2.0
    """Votes for a face whose normal points straight up in an upright camera that looks 45 degrees down."""
    refinements: int = 3
    """Rounds of re-fitting the plane to the contacts."""


_UP_AND_BACK = np.array([0.0, -1.0, -1.0]) / np.sqrt(2.0)
_NEGLIGIBLE = 0.05
_ABOVE = 0.9
"""Share of the frames in which the camera must be above the table."""
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])


@dataclass(frozen=True)
class _Body:
    corners: Float64[Array, "p 3"]
    box: Float64[Array, "8 3"]
    """Corners of a box round it."""
    centre: Float64[Array, "3"]
    mass: float


def support_plane(
    Ts_camera_object: Float[Array, "k 4 4"],
    points: Sequence[Float[Array, "_ 3"]],
    *,
    convex: bool = False,
    masses: Sequence[float] | None = None,
    centres_of_mass: Sequence[Float[Array, "3"]] | None = None,
    Ts_camera_view: Float[Array, "v 4 4"] | None = None,
    config: SupportConfig | None = None,
) -> Plane:
    """The support plane of the objects of one arrangement.

    Args:
        Ts_camera_object: poses, with the camera at the origin.
        points: of each object's surface, model frame, metres. Only their convex hull matters: the corners of the mesh
            serve better than samples of it, which miss the edges.
        convex: whether the points are corners of their convex hull already, which then is not looked for.
        masses: kilograms; equal where not given.
        centres_of_mass: model frame, metres; the mean of the hull's corners where not given.
        Ts_camera_view: poses of the cameras of other frames of this arrangement (see :func:`viewpoints`): the table
            is below nearly all of them, and they are held upright on average. The camera itself where not given.
        config: tolerances.

    Returns:
        The plane in the camera frame, ``source="objects"``.

    Raises:
        InputError: no objects, or points that span no volume.
    """
    config = config or SupportConfig()
    hulls = [np.asarray(p, np.float64) for p in points] if convex else [_hull(p, k) for k, p in enumerate(points)]
    bodies = _bodies(Ts_camera_object, hulls, masses, centres_of_mass)
    views = np.eye(4)[None] if Ts_camera_view is None or not len(Ts_camera_view) else Ts_camera_view
    best = _best_hypothesis(*_hypotheses(bodies, views[:, :3, 3]), views[:, :3, :3], bodies, config)
    for _ in range(config.refinements):
        best = _refit(best, bodies, config)
    return replace(best, source="objects")


def viewpoints(table: FrameTable, arrangements: Arrangements, group: int, limit: int = 32) -> Float64[Array, "v 4 4"]:
    """Camera poses of up to ``limit`` frames of a group, evenly spaced, in the camera frame of its representative.

    From the first instance: in one arrangement all agree within tolerance. Empty where there are no objects.
    """
    rows = arrangements.members(group)
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, limit).round().astype(int))]
    reference = table.Ts_camera_object[table.instances(int(arrangements.representative[group]))]
    if not len(reference):
        return np.zeros((0, 4, 4))
    first = arrangements.instance_of(table, rows, 0)
    return reference[0] @ invert(table.Ts_camera_object[first])


def _hull(points: Float[Array, "_ 3"], number: int) -> Float64[Array, "p 3"]:
    """The corners of the convex hull of an object's points."""
    try:
        return np.asarray(points, np.float64)[ConvexHull(points).vertices]
    except (QhullError, ValueError) as error:
        raise InputError(f"the points of object {number} span no volume ({error})"[:200]) from error


_BOX = np.stack(np.meshgrid(*[[0.0, 1.0]] * 3, indexing="ij"), axis=-1).reshape(8, 3)


def _bodies(
    Ts: Float[Array, "k 4 4"],
    hulls: Sequence[Float64[Array, "_ 3"]],
    masses: Sequence[float] | None,
    centres: Sequence[Float[Array, "3"]] | None,
) -> list[_Body]:
    if len(hulls) == 0 or len(hulls) != len(Ts):
        raise InputError(f"a support plane needs objects: {len(Ts)} poses, points of {len(hulls)}")
    bodies = []
    for k, (T, corners) in enumerate(zip(Ts, hulls, strict=True)):
        centre = corners.mean(0) if centres is None else np.asarray(centres[k], np.float64)
        low, high = corners.min(0), corners.max(0)
        moved = apply(T, np.vstack([corners, low + _BOX * (high - low), centre]))
        bodies.append(_Body(moved[:-9], moved[-9:-1], moved[-1], 1.0 if masses is None else float(masses[k])))
    return bodies


def _hypotheses(
    bodies: list[_Body], cameras: Float64[Array, "v 3"]
) -> tuple[Float64[Array, "h 3"], Float64[Array, "h"]]:
    """Normals and offsets of the faces of the hull of everything with the cameras above them, upside in."""
    hull = ConvexHull(np.concatenate([b.corners for b in bodies]))
    faces = -np.unique(np.round(hull.equations, 6), axis=0)
    faces /= np.linalg.norm(faces[:, :3], axis=1)[:, None]
    normals, offsets = faces[:, :3], faces[:, 3]
    # a camera beside the table may dip below its top for a moment: YCB-Video's does, by 46 mm in video 23
    above = ((cameras @ normals.T + offsets) > 0.0).mean(axis=0) >= _ABOVE
    # a camera that goes all round: every face has it on the wrong side for long
    return (normals[above], offsets[above]) if above.any() else (normals, offsets)


def _best_hypothesis(
    normals: Float64[Array, "h 3"],
    offsets: Float64[Array, "h"],
    rotations: Float64[Array, "v 3 3"],
    bodies: list[_Body],
    config: SupportConfig,
) -> Plane:
    """The plane of the highest score; planes whose upper bound cannot win are not looked at."""
    lowest = np.stack([_lowest(body, normals, offsets, _FAR * config.contact) for body in bodies], axis=1)
    contact = np.exp(-((lowest / config.contact) ** 2))
    prior = config.upright * np.maximum(0.0, normals @ (rotations @ _UP_AND_BACK).T).mean(1)
    bound = prior + contact.sum(1)
    best, best_score = Plane(normals[0], float(offsets[0])), -np.inf
    for row in np.argsort(-bound, kind="stable"):
        if bound[row] <= best_score:
            break
        plane = Plane(normals[row], float(offsets[row]))
        score = prior[row] + _support(plane, bodies, contact[row], config, best_score - prior[row])
        if score > best_score:
            best, best_score = plane, score
    return best


_FAR = 6.0
"""An object this many times the contact tolerance above a face has no vote there: exp(-36)."""


def _lowest(
    body: _Body, normals: Float64[Array, "h 3"], offsets: Float64[Array, "h"], far: float
) -> Float64[Array, "h"]:
    """Height of the lowest corner over each plane; where it is above ``far``, something between ``far`` and that."""
    result = (body.box @ normals.T + offsets).min(0)  # no corner is below the box
    near = np.flatnonzero(result <= far)
    result[near] = (body.corners @ normals[near].T + offsets[near]).min(0)
    return result


def _support(
    plane: Plane, bodies: list[_Body], contact: Float64[Array, "k"], config: SupportConfig, to_beat: float = -np.inf
) -> float:
    """Votes of the objects that touch the plane and would rest on it, at most ``contact`` each.

    Where they cannot be more than ``to_beat``, anything from the votes up to that.
    """
    axes = _plane_axes(plane)
    patches, weights = [], []
    for body, weight in zip(bodies, contact, strict=True):
        if weight < _NEGLIGIBLE:
            continue
        heights = plane.height(body.corners)
        patch = body.corners[heights <= heights.min() + config.patch] @ axes.T
        patches.append(patch)
        weights.append(weight * np.exp(-((_overhang(patch, axes @ body.centre) / config.overhang) ** 2)))
    mass = sum(b.mass for b in bodies)
    centre = axes @ (sum(b.mass * b.centre for b in bodies) / mass)
    stands = bool(patches) and _overhang(np.concatenate(patches), centre) <= config.overhang
    share = 1.0 if stands else config.topple
    if share * sum(weights) <= to_beat:  # contacts of any area would not do
        return float(share * sum(weights))
    areas = np.array([_area(patch) for patch in patches])
    return float(share * np.sum(areas / (areas + config.contact_area) * weights))


def _plane_axes(plane: Plane) -> Float64[Array, "2 3"]:
    """Two unit vectors that span the plane."""
    normal = plane.normal.tolist()
    helper = [0.0, 0.0, 0.0]
    helper[min(range(3), key=lambda axis: abs(normal[axis]))] = 1.0
    first = _cross(normal, helper)
    length = math.sqrt(sum(value * value for value in first))
    first = [value / length for value in first]
    return np.array([first, _cross(normal, first)])


def _cross(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """The cross product; NumPy's takes ten times as long for one pair, and there are thousands."""
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


def _overhang(patch: Float64[Array, "p 2"], centre: Float64[Array, "2"]) -> float:
    """Metres by which a point lies outside the convex hull of a patch, 0 inside; by support functions."""
    return float(max(0.0, -((patch - centre) @ _DIRECTIONS).max(0).min()))


def _area(patch: Float64[Array, "p 2"]) -> float:
    try:
        return float(ConvexHull(patch).volume)  # in two dimensions qhull's volume is the area
    except (QhullError, ValueError):
        return 0.0


def _refit(plane: Plane, bodies: list[_Body], config: SupportConfig) -> Plane:
    """Least squares through the contacts of the objects that touch, each object with the weight of its vote."""
    points, weights = [], []
    for body in bodies:
        heights = plane.height(body.corners)
        lowest = heights.min()
        vote = np.exp(-((lowest / (2.0 * config.contact)) ** 2))
        if vote < _NEGLIGIBLE:
            continue
        patch = body.corners[heights <= lowest + config.patch]
        points.append(patch)
        weights.append(np.full(len(patch), vote / len(patch)))
    try:
        return Plane.fit(np.concatenate(points), np.concatenate(weights), up=plane.normal)
    except (InputError, ValueError):
        return plane  # a single object on an edge: the face of the hull is all there is
