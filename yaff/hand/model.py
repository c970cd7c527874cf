"""The hand as arrays, and its forward kinematics in NumPy (MANO semantics: Romero, Tzionas, Black 2017, eqs.
1-5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from yaff.errors import InputError
from yaff.geometry.transforms import (
    axis_angle_from_rotation,
    check_rigid,
    make_transform,
    rotation_from_axis_angle,
)
from yaff.hand.components import PoseComponents

Array = np.ndarray
Side = Literal["right", "left"]

JOINT_NAMES: tuple[str, ...] = (
    "wrist",
    *(f"{finger}.{joint}" for finger in ("index", "middle", "pinky", "ring") for joint in ("mcp", "pip", "dip")),
    *(f"thumb.{joint}" for joint in ("cmc", "mcp", "ip")),
)
"""Names of the 16 joints in MANO order."""

PARENTS: tuple[int, ...] = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""The joint each joint hangs on; -1 for the root."""

FINGER_JOINTS: dict[str, tuple[int, int, int]] = {
    "thumb": (13, 14, 15),
    "index": (1, 2, 3),
    "middle": (4, 5, 6),
    "ring": (10, 11, 12),
    "pinky": (7, 8, 9),
}
"""The three joints of each finger, from the palm outwards; thumb first, then from the radial to the ulnar
side.
"""

FINGERTIP_VERTICES: dict[str, int] = {"thumb": 745, "index": 317, "middle": 444, "ring": 556, "pinky": 673}
"""The vertex at each fingertip, where manopth looks for it (for a left hand it takes 445 for the middle finger)."""

FINGERTIP_VERTICES_SMPLX: dict[str, int] = {
    "thumb": 744,
    "index": 320,
    "middle": 443,
    "ring": 554,
    "pinky": 671,
}
"""The vertex at each fingertip, where smplx looks for it."""

KEYPOINT_NAMES: tuple[str, ...] = (
    "wrist",
    *(
        name
        for finger, chain in FINGER_JOINTS.items()
        for name in (*(JOINT_NAMES[joint] for joint in chain), f"{finger}.tip")
    ),
)
"""Names of the 21 keypoints: wrist, then thumb, index, middle, ring, pinky, each from the palm to the tip."""

_CHUNK = 64  # poses skinned at a time: their blended transforms are about 5 MB, which stays in the cache

ARRAYS: tuple[str, ...] = (
    "template",
    "faces",
    "weights",
    "shape_directions",
    "pose_directions",
    "joint_regressor",
    "parents",
)
"""What a hand is made of, each an array of :class:`HandModel` and of the built-in hand's file."""


@runtime_checkable
class HandPoses(Protocol):
    """Whatever carries hand poses in arrays; :class:`yaff.grasp.batch.Grasps` does."""

    @property
    def pose(self) -> Float[Array, "n 45"]:
        """Axis-angle of the 15 finger joints relative to the flat hand, radians."""
        ...

    @property
    def wrist_rotation(self) -> Float[Array, "n 3"]:
        """Axis-angle of the wrist in the object frame, radians."""
        ...

    @property
    def translation(self) -> Float[Array, "n 3"]:
        """What :class:`HandModel` adds after it has turned the hand about its root joint, metres."""
        ...

    @property
    def shape(self) -> Float[Array, "n 10"]:
        """Shape coefficients, zero for the mean hand."""
        ...


Poses = Float[Array, "n 45"] | HandPoses
Shape = Float[Array, "n 10"] | Float[Array, "10"] | None


@dataclass(frozen=True, eq=False)
class HandModel:
    """A hand in MANO's terms: 16 joints, 778 vertices, 45 pose numbers, 10 shape numbers. Metres, float64.

    Poses are axis-angle per joint relative to the flat hand. Vertices are ``R (x - J0) + J0 + t`` with ``R``
    the wrist rotation, ``J0`` the root joint and ``t`` the translation, as manopth and smplx compute them.
    The frame that the results are in is called *object* here: whichever frame wrist rotation and translation
    are given in. The *hand* frame has its origin at the root joint and the axes of the template.

    Raises:
        InputError: arrays of the wrong shape, not finite, faces out of range, or weights that do not sum to
            one.
    """

    name: str
    """``builtin`` or ``mano``."""
    side: Side
    template: Float[Array, "778 3"]
    faces: Int[Array, "1538 3"]
    weights: Float[Array, "778 16"]
    shape_directions: Float[Array, "778 3 10"]
    pose_directions: Float[Array, "778 3 135"]
    joint_regressor: Float[Array, "16 778"]
    parents: Int[Array, "16"]
    components: PoseComponents | None = None
    """Mean pose and principal components that the hand's file brought. Nothing here uses them: poses are relative to
    the flat hand. They are not part of the digest, which says what hand a file's numbers belong to.
    """

    def __post_init__(self) -> None:
        for name in ARRAYS:
            values = getattr(self, name)
            kind = np.int64 if name in ("faces", "parents") else np.float64
            values = np.array(values, dtype=kind, order="C")
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        _check(self)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of side and arrays: what a file records to say which hand its numbers belong to."""
        digest = hashlib.sha256(self.side.encode())
        for name in ARRAYS:
            values = getattr(self, name)
            digest.update(f"{name}{values.shape}{values.dtype.str}".encode())
            digest.update(values.tobytes())
        return digest.hexdigest()

    @cached_property
    def rest_joints(self) -> Float[Array, "16 3"]:
        """Joints of the mean hand in the rest pose, template frame."""
        return self.joint_regressor @ self.template

    @cached_property
    def _directions(self) -> Float[Array, "145 3 778"]:
        """Blend shapes of pose, then of shape."""
        both = np.concatenate([self.pose_directions, self.shape_directions], axis=2)
        return np.ascontiguousarray(both.transpose(2, 1, 0))

    @cached_property
    def _joint_shape_directions(self) -> Array:
        return np.einsum("jv,vck->jck", self.joint_regressor, self.shape_directions)

    def rest_joints_of(self, shape: Shape = None) -> Float[Array, "m 16 3"]:
        """Joints (m, 16, 3) of shaped hands in the rest pose; m = 1 for no shape or for a single one."""
        if shape is None:
            return self.rest_joints[None]
        return self.rest_joints + _blend(np.atleast_2d(shape), self._joint_shape_directions)

    def root(self, shape: Shape = None) -> Float[Array, "*n 3"]:
        """The root joint J0 in the template frame: (3,), or (n, 3) for shapes (n, 10)."""
        roots = self.rest_joints_of(shape)[:, 0]
        return roots if shape is not None and np.ndim(shape) == 2 else roots[0]

    def vertices(
        self,
        pose: Poses,
        wrist_rotation: Float[Array, "n 3"] | None = None,
        translation: Float[Array, "n 3"] | None = None,
        shape: Shape = None,
        vertex_indices: Int[Array, "v"] | Sequence[int] | None = None,
    ) -> Float[Array, "n v 3"]:
        """Skin vertices (n, 778, 3) in the object frame, metres; only ``vertex_indices`` of them where given.

        Args:
            pose: (n, 45) radians, or anything with pose, wrist_rotation, translation and shape, such as
                ``Grasps``.
            wrist_rotation: (n, 3) axis-angle about the root joint; none means no rotation.
            translation: (n, 3) metres; none means no translation.
            shape: (10,) or (n, 10); none means the mean hand.
            vertex_indices: the vertices wanted, in the order wanted.
        """
        pose, wrist_rotation, translation, shape = _unpack(pose, wrist_rotation, translation, shape)
        directions, template, weights = self._directions, self.template.T, self.weights.T
        if vertex_indices is not None:
            rows = np.asarray(vertex_indices, np.intp)
            directions, template, weights = directions[..., rows], template[:, rows], weights[:, rows]
        v = weights.shape[1]
        directions = directions.reshape(145, 3 * v)
        result = np.empty((len(pose), v, 3))
        for start in range(0, len(pose), _CHUNK):
            part = slice(start, start + _CHUNK)
            part_shape = shape[part] if shape is not None and shape.ndim == 2 else shape
            rotations, T = self._forward(pose[part], wrist_rotation[part], translation[part], part_shape)
            n = len(T)
            rest = (rotations[:, 1:] - np.eye(3)).reshape(n, 135) @ directions[:135] + template.ravel()
            if part_shape is not None:
                rest += np.atleast_2d(part_shape) @ directions[135:]
            rest = rest.reshape(n, 1, 3, v)
            # T_object_bone applied to x - J_bone is linear blend skinning with G' = G - G [J, 0] (MANO eq. 4)
            relative = T[:, :, :3].copy()
            relative[..., 3] -= (relative[..., :3] @ self.rest_joints_of(part_shape)[..., None])[..., 0]
            # vertices last: products of matrices for bones and blend shapes, contiguous memory for all else
            blended = relative.reshape(n, 16, 12).swapaxes(1, 2).reshape(12 * n, 16) @ weights
            blended = blended.reshape(n, 3, 4, v)
            blended[:, :, :3] *= rest
            result[part] = blended.sum(axis=2).swapaxes(1, 2)
        return result

    def joints(
        self,
        pose: Poses,
        wrist_rotation: Float[Array, "n 3"] | None = None,
        translation: Float[Array, "n 3"] | None = None,
        shape: Shape = None,
    ) -> Float[Array, "n 16 3"]:
        """The 16 joints (n, 16, 3) in the object frame, MANO order, metres."""
        return self.bone_transforms(pose, wrist_rotation, translation, shape)[:, :, :3, 3].copy()

    def keypoints(
        self,
        pose: Poses,
        wrist_rotation: Float[Array, "n 3"] | None = None,
        translation: Float[Array, "n 3"] | None = None,
        shape: Shape = None,
    ) -> Float[Array, "n 21 3"]:
        """The 21 keypoints (n, 21, 3) of :data:`KEYPOINT_NAMES`: joints and manopth's fingertips, manopth's
        order.
        """
        joints = self.joints(pose, wrist_rotation, translation, shape)
        tips = self.vertices(pose, wrist_rotation, translation, shape, list(FINGERTIP_VERTICES.values()))
        parts = [joints[:, :1]]
        for k, chain in enumerate(FINGER_JOINTS.values()):
            parts += [joints[:, list(chain)], tips[:, k : k + 1]]
        return np.concatenate(parts, axis=1)

    def bone_transforms(
        self,
        pose: Poses,
        wrist_rotation: Float[Array, "n 3"] | None = None,
        translation: Float[Array, "n 3"] | None = None,
        shape: Shape = None,
    ) -> Float[Array, "n 16 4 4"]:
        """``T_object_bone`` (n, 16, 4, 4): origin at the bone's joint, axes those of the template in the
        rest pose.
        """
        return self._forward(*_unpack(pose, wrist_rotation, translation, shape))[1]

    def wrist_transform(
        self,
        wrist_rotation: Float[Array, "n 3"],
        translation: Float[Array, "n 3"],
        shape: Shape = None,
    ) -> Float[Array, "n 4 4"]:
        """``T_object_hand`` (n, 4, 4) = [R | J0 + t]; the hand frame sits at the root joint."""
        return make_transform(rotation_from_axis_angle(wrist_rotation), self.root(shape) + translation)

    def wrist_parameters(
        self, T_object_hand: Float[Array, "n 4 4"], shape: Shape = None
    ) -> tuple[Float[Array, "n 3"], Float[Array, "n 3"]]:
        """Wrist rotation (n, 3) axis-angle and translation (n, 3) of transforms; inverse of
        :meth:`wrist_transform`.

        Raises:
            PoseError: a transform that is not rigid.
        """
        check_rigid(T_object_hand, where="T_object_hand")
        T = np.asarray(T_object_hand, np.float64)
        return axis_angle_from_rotation(T[:, :3, :3]), T[:, :3, 3] - self.root(shape)

    def mirrored(self) -> HandModel:
        """The other hand: this one reflected in x, as MANO's left hand is its right one's mirror image."""
        flip = np.array([-1.0, 1.0, 1.0])
        # R' = M R M changes entry (i, j) of R - I by s_i s_j
        signs = np.tile(np.outer(flip, flip).ravel(), 15)
        return HandModel(
            name=self.name,
            side="left" if self.side == "right" else "right",
            template=self.template * flip,
            faces=self.faces[:, ::-1],
            weights=self.weights,
            shape_directions=self.shape_directions * flip[None, :, None],
            pose_directions=self.pose_directions * flip[None, :, None] * signs,
            joint_regressor=self.joint_regressor,
            parents=self.parents,
            components=self.components.mirrored() if self.components else None,
        )

    def _forward(
        self, pose: Array, wrist_rotation: Array, translation: Array, shape: Array | None
    ) -> tuple[Array, Array]:
        """Local rotations (n, 16, 3, 3) and bone transforms (n, 16, 4, 4)."""
        n = len(pose)
        rest = self.rest_joints_of(shape)
        rotations = rotation_from_axis_angle(np.concatenate([wrist_rotation, pose], 1).reshape(n, 16, 3))
        T = np.zeros((n, 16, 4, 4))
        T[..., 3, 3] = 1.0
        T[:, 0, :3, :3] = rotations[:, 0]
        T[:, 0, :3, 3] = rest[:, 0] + translation
        for level in (1, 2, 3):  # the first joints of all fingers, then the second, then the third
            here, above = slice(level, 16, 3), slice(level - 1, 1 if level == 1 else 15, 3)
            turn = T[:, above, :3, :3]
            T[:, here, :3, :3] = turn @ rotations[:, here]
            offset = (turn @ (rest[:, here] - rest[:, above])[..., None])[..., 0]
            T[:, here, :3, 3] = offset + T[:, above, :3, 3]
        return rotations, T


def mirror_axis_angle(axis_angle: Float[Array, "n k"]) -> Float[Array, "n k"]:
    """Axis-angle vectors (n, 3 m) of the hand reflected in x: the pose or wrist rotation of the other
    hand.
    """
    flipped = np.asarray(axis_angle, np.float64).reshape(len(axis_angle), -1, 3) * np.array([1.0, -1.0, -1.0])
    return flipped.reshape(np.shape(axis_angle))


def _blend(coefficients: Array, directions: Array) -> Array:
    """Blend shapes: coefficients (n, k) of directions (v, 3, k) give offsets (n, v, 3), as one matrix
    product.
    """
    v, c, k = directions.shape
    flat = np.asarray(coefficients, np.float64) @ directions.reshape(v * c, k).T
    return flat.reshape(len(flat), v, c)


def _unpack(
    pose: Array | HandPoses, wrist_rotation: Array | None, translation: Array | None, shape: Array | None
) -> tuple[Array, Array, Array, Array | None]:
    if not isinstance(pose, np.ndarray):
        if wrist_rotation is not None or translation is not None or shape is not None:
            raise InputError(
                "wrist rotation, translation and shape were given beside grasps that carry their own",
                remedy="pass the grasps alone, or their arrays one by one",
            )
        pose, wrist_rotation, translation, shape = (
            pose.pose,
            pose.wrist_rotation,
            pose.translation,
            pose.shape,
        )
    zero = np.zeros((len(pose), 3))
    return (
        np.asarray(pose, np.float64),
        zero if wrist_rotation is None else np.asarray(wrist_rotation, np.float64),
        zero if translation is None else np.asarray(translation, np.float64),
        None if shape is None else np.asarray(shape, np.float64),
    )


def _check(model: HandModel) -> None:
    where, remedy = (
        f"hand model {model.name!r} ({model.side})",
        "use an unmodified MANO file or the built-in hand",
    )
    for name in ARRAYS:
        if not np.isfinite(getattr(model, name)).all():
            raise InputError(f"{name} holds NaN or infinity", where=where, remedy=remedy)
    if model.faces.min() < 0 or model.faces.max() >= len(model.template):
        raise InputError(
            f"faces name vertex {model.faces.min()} to {model.faces.max()} of {len(model.template)}",
            where=where,
            remedy=remedy,
        )
    for name, sums in (("weights", model.weights.sum(1)), ("joint_regressor", model.joint_regressor.sum(1))):
        worst = int(np.abs(sums - 1.0).argmax())
        if abs(sums[worst] - 1.0) > 1e-3:
            raise InputError(f"row {worst} of {name} sums to {sums[worst]:.4g}, not 1", where=where, remedy=remedy)
    if tuple(model.parents) != PARENTS:
        raise InputError(f"parents are {model.parents.tolist()}, MANO's are {list(PARENTS)}", where=where)
