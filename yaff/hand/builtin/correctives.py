"""Pose directions: what linear blending loses at a bent joint is put back.

Halfway between two bones blended skin moves to the mean of two rotations, which shrinks its distance from the joint by
cos(angle / 2): knuckles flatten, creases swallow skin. Here each joint is bent through its whole range, skin is taken
along the arc that it should follow, and what blending leaves of that is fitted by MANO's pose blend shapes, which are
linear in the entries of R - 1 (for a hinge: in sin(angle) and 1 - cos(angle)).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.geometry.transforms import axis_angle_from_rotation, rotation_from_axis_angle
from yaff.hand.anatomy import Anatomy
from yaff.hand.axes import unit
from yaff.hand.builtin.skinning import smooth_step
from yaff.hand.model import HandModel

GAP = 0.0002
"""Skin stays this far from the plane on which the two sides of a bent joint meet, metres."""
REACH = 0.030
"""Skin further from a joint than this is not pushed out of its crease, metres."""
ARC = 0.038
"""Skin further from a joint than this is stretched between the bones rather than rolled round the joint, metres."""
BULGE = 1.0
"""How far skin swells out of a crease, as a share of how far it is pushed."""
RIDGE = 0.003
"""Weight of the size of the directions against the error of the fit, per sample."""
LEAST = 2e-5
"""Entries below this are left out, metres."""
STEPS = {1: (13,), 2: (5, 7), 3: (5, 5, 3)}
"""Samples along each degree of freedom of a joint that has one, two or three."""

_Directions = Float[np.ndarray, "v 3 135"]


def pose_directions(model: HandModel) -> _Directions:
    """Displacements (metres) per entry of R - 1 of joints 1 to 15, row-major, nine entries each.

    Args:
        model: the hand without corrections.
    """
    anatomy = Anatomy(model)
    carried = [model.weights[:, list(range(j, j + 3 - (j - 1) % 3))].sum(axis=1) for j in range(1, 16)]
    directions = np.zeros((len(model.template), 3, 15, 9))
    for joint in range(1, 16):
        rotations = _samples(anatomy, joint)
        wanted = np.stack([_missing(model, joint, carried[joint - 1], R) for R in rotations])
        features = (rotations - np.eye(3)).reshape(len(rotations), 9)
        normal = features.T @ features + RIDGE * len(rotations) * np.eye(9)
        fitted = np.linalg.solve(normal, features.T @ wanted.reshape(len(rotations), -1))
        directions[:, :, joint - 1] = np.moveaxis(fitted.reshape(9, -1, 3), 0, 2)
    return np.round(np.where(np.abs(directions) < LEAST, 0.0, directions), 6).reshape(len(model.template), 3, 135)


def _samples(anatomy: Anatomy, joint: int) -> Float[np.ndarray, "s 3 3"]:
    """Rotations of a joint all over its range, rest among them."""
    columns = [k for k, freedom in enumerate(anatomy.degrees_of_freedom) if freedom.joint == joint]
    ranges = [
        np.linspace(anatomy.lower[k], anatomy.upper[k], n) for k, n in zip(columns, STEPS[len(columns)], strict=True)
    ]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, len(columns))
    angles = np.zeros((len(grid), len(anatomy)))
    angles[:, columns] = grid
    return anatomy.rotations_from_dof(angles)[:, joint - 1]


def _missing(
    model: HandModel, joint: int, carried: Float[np.ndarray, "v"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "v 3"]:
    """What has to be added at rest so that blending takes skin where one bent joint should take it."""
    centre = model.rest_joints[joint]
    offsets = model.template - centre
    turn = axis_angle_from_rotation(rotation[None])[0]
    arcs = rotation_from_axis_angle(carried[:, None] * turn)
    blended = (1.0 - carried)[:, None, None] * np.eye(3) + carried[:, None, None] * rotation
    near = _near(offsets, ARC)
    wanted = ((near[:, None, None] * arcs + (1.0 - near[:, None, None]) * blended) @ offsets[..., None])[..., 0]
    wanted += _crease(model, joint, offsets, wanted, carried, rotation)
    return np.linalg.solve(blended, wanted[..., None])[..., 0] - offsets


def _crease(
    model: HandModel,
    joint: int,
    offsets: Float[np.ndarray, "v 3"],
    moved: Float[np.ndarray, "v 3"],
    carried: Float[np.ndarray, "v"],
    rotation: Float[np.ndarray, "3 3"],
) -> Float[np.ndarray, "v 3"]:
    """Skin of one side of a joint that has passed the plane half-way between its bones is brought back to it."""
    along = _bone(model, joint)
    half_way = unit(along + rotation @ along)
    side = np.where(carried < 0.5, -1.0, 1.0)
    beyond = np.maximum(GAP - side * (moved @ half_way), 0.0)
    beyond -= np.maximum(GAP - side * (offsets @ along), 0.0)  # what lies beyond at rest may stay there
    push = _near(offsets, REACH) * np.maximum(beyond, 0.0)
    outward = moved - (moved @ half_way)[:, None] * half_way
    outward /= np.maximum(np.sqrt(np.sum(outward**2, axis=1, keepdims=True)), 1e-9)
    bulge = BULGE * push if joint % 3 != 1 else 0.0 * push  # where a digit leaves the palm there is no room for it
    return (side * push)[:, None] * half_way + bulge[:, None] * outward


def _near(offsets: Float[np.ndarray, "v 3"], limit: float) -> Float[np.ndarray, "v"]:
    """1 near a joint, 0 further away than ``limit``."""
    distance = np.sqrt(np.sum(offsets**2, axis=1))
    return smooth_step(1.5 - 2.0 * distance / limit)


def _bone(model: HandModel, joint: int) -> Float[np.ndarray, "3"]:
    """The direction of the bone beyond a joint."""
    if (joint - 1) % 3 < 2:
        return unit(model.rest_joints[joint + 1] - model.rest_joints[joint])
    return unit(model.rest_joints[joint] - model.rest_joints[joint - 1])
