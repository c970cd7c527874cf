"""Rigid transforms as arrays ``(..., 4, 4)`` named ``T_target_source`` and axis-angle vectors, in NumPy.

``p_target = T_target_source @ p_source``. Everything is batched over the leading dimensions and computed in
float64.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.errors import PoseError

Array = np.ndarray


def rotation_from_axis_angle(axis_angle: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrices of axis-angle vectors (radians), by Rodrigues' formula.

    Smooth at zero: sin(t)/t and (1 - cos t)/t^2 are taken from their series below 1e-4 rad.
    """
    vector = np.asarray(axis_angle, dtype=np.float64)
    angle_squared = np.sum(vector * vector, axis=-1)
    angle = np.sqrt(angle_squared)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    sine_ratio = np.where(small, 1.0 - angle_squared / 6.0, np.sin(safe) / safe)
    cosine_ratio = np.where(small, 0.5 - angle_squared / 24.0, 2.0 * np.sin(safe / 2.0) ** 2 / (safe * safe))
    skew = skew_matrix(vector)
    return np.eye(3) + sine_ratio[..., None, None] * skew + cosine_ratio[..., None, None] * (skew @ skew)


def axis_angle_from_rotation(rotation: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 3"]:
    """Axis-angle vectors (radians, angle in [0, pi]) of rotation matrices, exact through the quaternion."""
    quaternion = quaternion_wxyz_from_rotation(rotation)
    w, xyz = quaternion[..., 0], quaternion[..., 1:]
    sine = np.linalg.norm(xyz, axis=-1)
    angle = 2.0 * np.arctan2(sine, w)
    scale = np.where(sine < 1e-12, 2.0, angle / np.where(sine < 1e-12, 1.0, sine))
    return xyz * scale[..., None]


def quaternion_wxyz_from_rotation(rotation: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch 4"]:
    """Unit quaternions (w, x, y, z), w >= 0, by the branch with the largest pivot (Shepperd 1978)."""
    m = np.asarray(rotation, dtype=np.float64)
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    trace = diagonal.sum(-1)
    pivots = np.concatenate([trace[..., None], diagonal], axis=-1)
    choice = pivots.argmax(-1)
    quaternion = np.zeros((*m.shape[:-2], 4))
    quaternion[..., 0] = 1.0 + trace
    quaternion[..., 1] = m[..., 2, 1] - m[..., 1, 2]
    quaternion[..., 2] = m[..., 0, 2] - m[..., 2, 0]
    quaternion[..., 3] = m[..., 1, 0] - m[..., 0, 1]
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        other = np.zeros_like(quaternion)
        other[..., 0] = m[..., j, i] - m[..., i, j]
        other[..., 1 + k] = 1.0 + m[..., k, k] - m[..., i, i] - m[..., j, j]
        other[..., 1 + i] = m[..., i, k] + m[..., k, i]
        other[..., 1 + j] = m[..., j, k] + m[..., k, j]
        quaternion = np.where((choice == k + 1)[..., None], other, quaternion)
    quaternion /= np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0.0, -quaternion, quaternion)


def rotation_from_quaternion_wxyz(quaternion: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation matrices of quaternions (w, x, y, z), normalised first."""
    q = np.asarray(quaternion, dtype=np.float64)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    w, vector = q[..., 0], q[..., 1:]
    skew = skew_matrix(vector)
    return np.eye(3) + 2.0 * w[..., None, None] * skew + 2.0 * (skew @ skew)


def skew_matrix(vector: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """The matrix ``[v]`` with ``[v] @ u == cross(v, u)``."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = np.zeros_like(x)
    rows = [np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)]
    return np.stack(rows, axis=-2)


def make_transform(
    rotation: Float[Array, "*#batch 3 3"], translation: Float[Array, "*#batch 3"]
) -> Float[Array, "*batch 4 4"]:
    """A rigid transform from its rotation and its translation (metres); leading dimensions broadcast."""
    rotation, translation = np.asarray(rotation, np.float64), np.asarray(translation, np.float64)
    batch = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    transform = np.zeros((*batch, 4, 4))
    transform[..., :3, :3] = rotation
    transform[..., :3, 3] = translation
    transform[..., 3, 3] = 1.0
    return transform


def invert(T: Float[Array, "*batch 4 4"]) -> Float[Array, "*batch 4 4"]:
    """The inverse of rigid transforms, by transposing the rotation."""
    rotation = np.swapaxes(T[..., :3, :3], -1, -2)
    return make_transform(rotation, -(rotation @ T[..., :3, 3:])[..., 0])


def apply(T: Float[Array, "*#batch 4 4"], points: Float[Array, "*#batch n 3"]) -> Float[Array, "*batch n 3"]:
    """Points ``(..., n, 3)`` moved by transforms ``(..., 4, 4)``."""
    return points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def rotation_angle(rotation: Float[Array, "*batch 3 3"]) -> Float[Array, "*batch"]:
    """The angle (radians, in [0, pi]) of each rotation matrix, accurate near 0 and near pi."""
    quaternion = quaternion_wxyz_from_rotation(rotation)
    return np.asarray(2.0 * np.arctan2(np.linalg.norm(quaternion[..., 1:], axis=-1), quaternion[..., 0]))


def check_rigid(T: Float[Array, "*batch 4 4"], *, where: str, tolerance: float = 1e-3) -> None:
    """Refuse transforms that are not finite or whose rotation is not orthonormal with determinant +1.

    Raises:
        PoseError: naming ``where`` and the first bad row.
    """
    T = np.asarray(T, np.float64)
    flat = T.reshape(-1, 4, 4)
    finite = np.isfinite(flat).all(axis=(1, 2))
    if not finite.all():
        raise PoseError(
            f"pose {int(np.flatnonzero(~finite)[0])} holds NaN or infinity",
            where=where,
            remedy="repair the pose at its source, or skip the frame with --skip-bad-frames",
        )
    rotation = flat[:, :3, :3]
    error = np.abs(np.swapaxes(rotation, 1, 2) @ rotation - np.eye(3)).max(axis=(1, 2), initial=0.0)
    bad = (error > tolerance) | (np.linalg.det(rotation) < 0.0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise PoseError(
            f"pose {row} is not a rotation: R^T R differs from identity by {error[row]:.3g}"
            f", determinant {np.linalg.det(rotation[row]):.3g}",
            where=where,
            remedy="orthonormalise the pose at its source, or skip the frame with --skip-bad-frames",
        )
