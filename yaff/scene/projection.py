"""The heart of a dataset: object-frame wrists composed with object poses, millions of rows at a time.

The hand's vertices are ``R (x - J0) + J0 + t``. Moved by ``T = [Q | q]`` they are ``Q R (x - J0) + Q (J0 + t) + q``, so

    R' = Q R,    t' = Q (J0 + t) + q - J0.

Rotations are composed as quaternions, in float64, in blocks that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64, Integer

Array = np.ndarray

_BLOCK = 8192
"""Rows; about 1 MB of intermediate arrays."""


def compose_wrist(
    T_camera_object: Float[Array, "m 4 4"],
    wrist_rotation: Float[Array, "m 3"],
    translation: Float[Array, "m 3"],
    root: Float[Array, "3"] | Float[Array, "m 3"],
) -> tuple[Float64[Array, "m 3"], Float64[Array, "m 3"]]:
    """Wrist parameters in the camera frame, row by row.

    Args:
        T_camera_object: object poses (metres).
        wrist_rotation: axis-angle in the object frame, radians.
        translation: in the object frame, metres.
        root: the root joint J0 of the hand, metres; one for each row where hands differ in shape.

    Returns:
        wrist_rotation (axis-angle, angle in [0, pi]) and translation in the camera frame.
    """
    rows = np.arange(len(wrist_rotation))
    return compose_wrist_pairs(T_camera_object, rows, wrist_rotation, translation, rows, root)


def compose_wrist_pairs(
    Ts_camera_object: Float[Array, "i 4 4"],
    instance: Integer[Array, "m"],
    wrist_rotation: Float[Array, "g 3"],
    translation: Float[Array, "g 3"],
    grasp: Integer[Array, "m"],
    root: Float[Array, "3"] | Float[Array, "g 3"],
) -> tuple[Float64[Array, "m 3"], Float64[Array, "m 3"]]:
    """As :func:`compose_wrist` for (instance, grasp) pairs; what depends on one of them alone is computed once.

    Args:
        Ts_camera_object: poses of the instances.
        instance: row of ``Ts_camera_object`` for each pair.
        wrist_rotation, translation: of the grasps, object frame.
        grasp: row of ``wrist_rotation`` for each pair.
        root: the root joint J0 of the hand, metres; one for each grasp where hands differ in shape.
    """
    root = np.broadcast_to(np.asarray(root, np.float64), (len(translation), 3))
    poses = np.asarray(Ts_camera_object, np.float64)
    object_quaternions = _blockwise(_quaternions_from_rotations, poses[:, :3, :3], 4)
    grasp_quaternions = _blockwise(_quaternions_from_axis_angles, np.asarray(wrist_rotation, np.float64), 4)
    joints = root + np.asarray(translation, np.float64)
    m = len(instance)
    rotations, translations = np.empty((m, 3)), np.empty((m, 3))
    for start in range(0, m, _BLOCK):
        block = slice(start, start + _BLOCK)
        i, g = instance[block], grasp[block]
        rotations[block] = _composed_axis_angles(object_quaternions[i].T, grasp_quaternions[g].T).T
        np.einsum("nij,nj->ni", poses[i, :3, :3], joints[g], out=translations[block])
        translations[block] += poses[i, :3, 3] - root[g]
    return rotations, translations


def _blockwise(function: Callable[[Array], Array], values: Array, width: int) -> Float64[Array, "n w"]:
    result = np.empty((len(values), width))
    for start in range(0, len(values), _BLOCK):
        result[start : start + _BLOCK] = function(values[start : start + _BLOCK])
    return result


def _quaternions_from_rotations(rotation: Float64[Array, "n 3 3"]) -> Float64[Array, "n 4"]:
    """(w, x, y, z) as the row with the largest diagonal of ``4 q q^T``, which the entries of R give linearly."""
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(rotation, 0, -1)
    outer = np.empty((4, 4, len(rotation)))
    outer[0, 0], outer[1, 1] = 1.0 + a + e + i, 1.0 + a - e - i
    outer[2, 2], outer[3, 3] = 1.0 - a + e - i, 1.0 - a - e + i
    outer[0, 1] = outer[1, 0] = h - f
    outer[0, 2] = outer[2, 0] = c - g
    outer[0, 3] = outer[3, 0] = d - b
    outer[1, 2] = outer[2, 1] = b + d
    outer[1, 3] = outer[3, 1] = c + g
    outer[2, 3] = outer[3, 2] = f + h
    pivot = np.diagonal(outer).argmax(1)
    quaternion = outer[pivot, :, np.arange(len(rotation))]
    return quaternion / np.sqrt(np.einsum("ni,ni->n", quaternion, quaternion))[:, None]


def _quaternions_from_axis_angles(axis_angle: Float64[Array, "n 3"]) -> Float64[Array, "n 4"]:
    angle = np.sqrt(np.einsum("ni,ni->n", axis_angle, axis_angle))
    # np.sinc(x) is sin(pi x) / (pi x), 1 at zero: sin(angle / 2) / angle without a branch
    quaternion = np.empty((len(axis_angle), 4))
    quaternion[:, 0] = np.cos(0.5 * angle)
    quaternion[:, 1:] = (0.5 * np.sinc(angle / (2.0 * np.pi)))[:, None] * axis_angle
    return quaternion


def _composed_axis_angles(p: Float64[Array, "4 n"], q: Float64[Array, "4 n"]) -> Float64[Array, "3 n"]:
    """Axis-angle of the Hamilton product ``p q``, of the two quaternions the one with w >= 0."""
    w = p[0] * q[0] - p[1] * q[1] - p[2] * q[2] - p[3] * q[3]
    xyz = np.empty((3, p.shape[1]))
    xyz[0] = p[0] * q[1] + p[1] * q[0] + p[2] * q[3] - p[3] * q[2]
    xyz[1] = p[0] * q[2] - p[1] * q[3] + p[2] * q[0] + p[3] * q[1]
    xyz[2] = p[0] * q[3] + p[1] * q[2] - p[2] * q[1] + p[3] * q[0]
    sine = np.sqrt(xyz[0] * xyz[0] + xyz[1] * xyz[1] + xyz[2] * xyz[2])
    # below 1e-12 the ratio angle / sine has reached its limit 2 to full precision
    scale = np.where(sine > 1e-12, 2.0 * np.arctan2(sine, np.abs(w)) / np.maximum(sine, 1e-12), 2.0)
    return xyz * np.copysign(scale, w)
