"""Convex pieces of the hand for physics: what is left of the skin when its compliant layer is taken off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull

from yaff.errors import InputError
from yaff.hand.axes import PalmFrame, across, palm_frame, unit
from yaff.hand.model import FINGER_JOINTS, JOINT_NAMES, HandModel
from yaff.hand.patches import vertex_area_vectors

Array = np.ndarray

MAX_PIECE_VERTICES = 38
"""No piece has more vertices: physics engines slow down with them."""

_CARRIED = 0.35  # skinning weight from which skin belongs to a bone's piece; below one half, so that pieces overlap
_BEHIND = 0.12  # how far a phalanx's piece reaches behind its joint, as a share of its length
_FREE = 0.72  # of a phalanx's length: what lies beyond is free of webs
_PHALANX = {
    (False, "mcp"): "proximal",
    (False, "pip"): "middle",
    (False, "dip"): "distal",
    (True, "cmc"): "metacarpal",
    (True, "mcp"): "proximal",
    (True, "ip"): "distal",
}


@dataclass(frozen=True)
class BonePiece:
    """A convex piece that moves with one bone."""

    bone: int
    """MANO joint, 0 to 15."""
    name: str
    """For example ``index.distal`` or ``palm.ring.2``."""
    vertices: Float[Array, "k 3"]
    """Corners of the convex hull, metres, in the frame of ``HandModel.bone_transforms``."""


def collision_pieces(model: HandModel, shrink: float = 0.0015) -> tuple[BonePiece, ...]:
    """Convex pieces of the mean hand, in order of their bones; neighbours overlap.

    One piece per phalanx, one for the thumb's metacarpal with the thenar, and the palm in slices along its metacarpals,
    each cut in three, so that the cup of the palm stays free; behind them the wrist.

    Args:
        model: the hand.
        shrink: how far inside the skin the pieces lie, metres: the depth to which skin gives way in a grasp.

    Raises:
        InputError: ``shrink`` is negative or more than 4 mm, beyond which finger pieces vanish.
    """
    if not 0.0 <= shrink <= 0.004:
        raise InputError(f"shrink {shrink} m is not between 0 and 0.004 m")
    return _pieces(model, float(shrink))


@lru_cache(maxsize=8)
def _pieces(model: HandModel, shrink: float) -> tuple[BonePiece, ...]:
    normals = unit(vertex_area_vectors(model.faces, model.template[None])[0])
    core = model.template - shrink * normals
    edges = np.unique(np.sort(model.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    segments = [_carried(core[edges], model.weights[edges, bone]) for bone in range(16)]
    palm = palm_frame(model.rest_joints, model.side)
    pieces = _palm(model, segments[0], palm)
    for bone in range(1, 16):
        finger, joint = JOINT_NAMES[bone].split(".")
        name = f"{finger}.{_PHALANX[finger == 'thumb', joint]}"
        points = segments[bone]
        if bone in model.parents:
            points = _without_webs(points, model.rest_joints[bone], model.rest_joints[bone + 1], palm)
        pieces.append(_piece(model, bone, name, points.reshape(-1, 3)))
    return tuple(pieces)


def _without_webs(segments: Array, joint: Array, end: Array, palm: PalmFrame) -> Array:
    """A phalanx's skin no wider towards its neighbours than it is beyond the webs, and not far behind its joint."""
    length = end - joint
    along = unit(length)
    share = (segments - joint) @ along / np.linalg.norm(length)
    bounds = [(along, joint - _BEHIND * length)]
    for sideways in (palm.radial, -palm.radial):
        outward = unit(across(sideways, along))
        width = ((segments - joint) @ outward)[share > _FREE].max()
        bounds.append((-outward, joint + 1.05 * width * outward))
    return _clip(segments, bounds)


def _carried(segments: Array, weights: Array) -> Array:
    """The parts (m, 2, 3) of the skin's edges (e, 2, 3) whose skinning weight (e, 2) is at least :data:`_CARRIED`."""
    return _keep(segments, weights - _CARRIED)


def _palm(model: HandModel, segments: Array, palm: PalmFrame) -> list[BonePiece]:
    joints = model.rest_joints
    knuckles = np.stack([joints[FINGER_JOINTS[f][0]] for f in ("index", "middle", "ring", "pinky")])
    # slices fan out from the wrist: an edge's place between two metacarpals is its angle about the wrist, seen from a
    # point well behind it, so that the slices keep some width at the heel of the palm
    origin = joints[0] - 0.08 * palm.distal
    directions = (knuckles - origin) @ np.stack([palm.distal, palm.radial], axis=1)
    slopes = directions[:, 1] / directions[:, 0]
    between = (slopes[:-1] + slopes[1:]) / 2.0
    planes = [np.cross(palm.palmar, unit(palm.distal + slope * palm.radial)) * palm.handedness for slope in between]
    reach = (knuckles[1] - joints[0]) @ palm.distal
    cuts = joints[0][None] + np.array([0.0, 0.36, 0.70])[:, None] * reach * palm.distal
    pieces = [_piece(model, 0, "wrist", _clip(segments, [(-palm.distal, cuts[0])]).reshape(-1, 3))]
    for place, finger in enumerate(("index", "middle", "ring", "pinky")):
        bounds = []
        if place > 0:
            bounds.append((_facing(planes[place - 1], -palm.radial), origin))
        if place < 3:
            bounds.append((_facing(planes[place], palm.radial), origin))
        for part in range(3):
            ends = [(palm.distal, cuts[part])]
            if part < 2:
                ends.append((-palm.distal, cuts[part + 1]))
            points = _clip(segments, [*bounds, *ends]).reshape(-1, 3)
            if len(points) > 3:
                pieces.append(_piece(model, 0, f"palm.{finger}.{part + 1}", points))
    return pieces


def _facing(normal: Array, direction: Array) -> Array:
    return normal if normal @ direction > 0.0 else -normal


def _clip(segments: Array, halfspaces: Sequence[tuple[Array, Array]]) -> Array:
    """The parts (k, 2, 3) of segments (m, 2, 3) on the positive side of every (normal, point)."""
    for normal, point in halfspaces:
        segments = _keep(segments, (segments - point) @ normal)
    return segments


def _keep(segments: Array, height: Array) -> Array:
    """The parts of segments (m, 2, 3) where a height, linear along them and given at their ends (m, 2), is positive."""
    reaching = (height > 0.0).any(axis=1)
    segments, height = segments[reaching], height[reaching]
    crossing = (height < 0.0).any(axis=1)
    share = np.where(crossing, height[:, 0] / np.where(crossing, height[:, 0] - height[:, 1], 1.0), 0.0)
    cut = segments[:, :1] + share[:, None, None] * (segments[:, 1:] - segments[:, :1])
    return np.where((height < 0.0)[..., None], cut, segments)


def _piece(model: HandModel, bone: int, name: str, points: Array) -> BonePiece:
    local = points - model.rest_joints[bone]
    hull = local[np.sort(ConvexHull(local).vertices)]
    vertices = np.ascontiguousarray(_thin(hull))
    vertices.setflags(write=False)
    return BonePiece(bone, name, vertices)


def _thin(hull: Array) -> Array:
    """At most :data:`MAX_PIECE_VERTICES` corners: extreme points only, then the flattest go one by one."""
    if len(hull) > len(_DIRECTIONS) // 2:
        hull = hull[np.unique((hull @ _DIRECTIONS.T).argmax(axis=0))]
    while len(hull) > MAX_PIECE_VERTICES:
        shape = ConvexHull(hull)
        cost = np.zeros(len(hull))  # height of a corner over the plane of its neighbours; of an inner point, none
        for corner in shape.vertices:
            ring = np.setdiff1d(shape.simplices[(shape.simplices == corner).any(axis=1)], [corner])
            centre = hull[ring].mean(axis=0)
            normal: Array = np.linalg.svd(hull[ring] - centre)[2][2]
            cost[corner] = abs(float((hull[corner] - centre) @ normal))
        hull = np.delete(hull, int(cost.argmin()), axis=0)
    return hull


def _sphere(count: int) -> Array:
    """Directions spread evenly over the sphere (Fibonacci's spiral)."""
    k = np.arange(count) + 0.5
    height, turn = 1.0 - 2.0 * k / count, np.pi * (1.0 + np.sqrt(5.0)) * k
    radius = np.sqrt(1.0 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)


_DIRECTIONS = _sphere(90)
