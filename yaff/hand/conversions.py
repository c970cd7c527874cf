"""Ways of saying where a hand is, and the exact ways between them; the page *Conventions* lists who uses which.

Vertices are ``R (x - J0) + J0 + t`` with J0 the root joint of the shaped hand in its template's frame: the wrist turns
about the root joint, which is not the origin. A hand that is turned about the origin, or carried from one camera's
frame into another's, has another ``t`` than one might think; these functions do the bookkeeping.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.geometry.transforms import apply, axis_angle_from_rotation, check_rigid, rotation_from_axis_angle
from yaff.hand.model import FINGER_JOINTS, mirror_axis_angle

Array = np.ndarray
Root = Float[Array, "3"] | Float[Array, "n 3"]

KEYPOINTS_FROM_MANO: tuple[int, ...] = (
    0,
    *(k for place, chain in enumerate(FINGER_JOINTS.values()) for k in (*chain, 16 + place)),
)
"""For each of the 21 keypoints (:data:`yaff.hand.model.KEYPOINT_NAMES`: wrist, then thumb, index, middle, ring, pinky
from the palm to the tip; OpenPose's and manopth's order), its row in MANO's order: the 16 joints, then the tips of
thumb, index, middle, ring, pinky, which is how smplx returns them.
"""

MANO_FROM_KEYPOINTS: tuple[int, ...] = tuple(KEYPOINTS_FROM_MANO.index(k) for k in range(21))
"""The inverse of :data:`KEYPOINTS_FROM_MANO`."""


def keypoints_from_mano(points: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch 21 3"]:
    """16 joints and 5 tips in MANO's order, into the order of the 21 keypoints."""
    return points[..., list(KEYPOINTS_FROM_MANO), :]


def mano_from_keypoints(keypoints: Float[Array, "*batch 21 3"]) -> Float[Array, "*batch 21 3"]:
    """21 keypoints into MANO's order: 16 joints, then 5 tips."""
    return keypoints[..., list(MANO_FROM_KEYPOINTS), :]


def mirror_parameters(
    pose: Float[Array, "n 45"], wrist_rotation: Float[Array, "n 3"], translation: Float[Array, "n 3"]
) -> tuple[Float[Array, "n 45"], Float[Array, "n 3"], Float[Array, "n 3"]]:
    """The 51 parameters of the other hand in the world reflected in x; its own inverse.

    The other hand's vertices under them are this hand's with x negated, if the two models are mirror images
    (:meth:`yaff.hand.model.HandModel.mirrored`) and have the same shape coefficients.
    """
    flipped = np.asarray(translation, np.float64) * np.array([-1.0, 1.0, 1.0])
    return mirror_axis_angle(pose), mirror_axis_angle(wrist_rotation), flipped


def about_origin(
    wrist_rotation: Float[Array, "n 3"], translation: Float[Array, "n 3"], root: Root
) -> Float[Array, "n 3"]:
    """Translation ``p`` of ``R x + p``, a hand turned about its template's origin, from ``t`` about the root joint.

    The rotation is the same. GraspIt's hand and most renderers turn about the origin.

    Args:
        wrist_rotation: (n, 3) axis-angle, radians.
        translation: (n, 3) metres, of the hand turned about the root joint.
        root: J0 (3,) or (n, 3), :meth:`yaff.hand.model.HandModel.root` of the hands' shapes, metres.
    """
    return np.asarray(translation, np.float64) - _swing(wrist_rotation, root)


def about_root(wrist_rotation: Float[Array, "n 3"], position: Float[Array, "n 3"], root: Root) -> Float[Array, "n 3"]:
    """Translation ``t`` about the root joint from ``p`` about the origin; inverse of :func:`about_origin`."""
    return np.asarray(position, np.float64) + _swing(wrist_rotation, root)


def move_hand(
    T_target_source: Float[Array, "4 4"] | Float[Array, "n 4 4"],
    wrist_rotation: Float[Array, "n 3"],
    translation: Float[Array, "n 3"],
    root: Root,
) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"]]:
    """Wrist rotation and translation in another frame: from one camera to the next, from object to camera.

    With ``T = [Q | q]`` the hand's points become ``Q x + q``, so the rotation is ``Q R`` and the translation
    ``Q (J0 + t) + q - J0``: not ``Q t + q``, which is off by ``(Q - 1) J0``, up to 19 cm.
    :func:`yaff.scene.projection.compose_wrist` does the same for millions.

    Raises:
        PoseError: a transform that is not rigid.
    """
    check_rigid(T_target_source, where="T_target_source")
    T = np.broadcast_to(np.asarray(T_target_source, np.float64), (len(wrist_rotation), 4, 4))
    rotation = T[:, :3, :3] @ rotation_from_axis_angle(wrist_rotation)
    joint = np.asarray(root, np.float64) + translation
    return axis_angle_from_rotation(rotation), apply(T, joint[:, None])[:, 0] - root


def _swing(wrist_rotation: Array, root: Array) -> Array:
    """(R - 1) J0: where turning about the origin takes the root joint."""
    arm = np.broadcast_to(np.asarray(root, np.float64), (len(wrist_rotation), 3))
    return (rotation_from_axis_angle(wrist_rotation) @ arm[..., None])[..., 0] - arm
