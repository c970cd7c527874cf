"""Changes of one grasp in anatomical terms, each a function from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from annotator.store.records import GraspState
from yaff.errors import InputError
from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import Anatomy, HandModel
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray

FRAMES = ("object", "hand")


class Editor:
    """What can be done with a grasp of one hand.

    Args:
        model: the hand.
    """

    def __init__(self, model: HandModel) -> None:
        self.model = model
        self.anatomy = Anatomy(model)

    def dof(self, state: GraspState) -> Float[Array, "d"]:
        """Its degrees of freedom, radians; the nearest ones for a pose that no anatomy takes."""
        return self.anatomy.dof_from_pose(state.pose.astype(np.float64)[None])[0][0]

    def with_dof(self, state: GraspState, changes: Mapping[str, float]) -> GraspState:
        """Some degrees of freedom moved, within their limits; joints that are not named keep their very numbers.

        Args:
            state: the grasp.
            changes: radians by name, for example ``{"thumb.cmc.abduction": 0.6}``.

        Raises:
            InputError: no such degree of freedom, or an angle that is not finite.
        """
        dof = self.dof(state)
        joints = set()
        for name, angle in changes.items():
            if not np.isfinite(angle):
                raise InputError(f"{name} set to {angle}")
            column = self.anatomy.index(name)
            dof[column] = np.clip(angle, self.anatomy.lower[column], self.anatomy.upper[column])
            joints.add(self.anatomy.degrees_of_freedom[column].joint)
        posed = self.anatomy.pose_from_dof(dof[None])[0]
        pose = state.pose.copy()
        for joint in joints:
            pose[3 * joint - 3 : 3 * joint] = posed[3 * joint - 3 : 3 * joint]
        return state.changed(pose=pose)

    def all_dof(self, state: GraspState, dof: Float[Array, "d"]) -> GraspState:
        """Every degree of freedom set, within its limits; those that stay the same keep their very numbers."""
        now = self.dof(state)
        moved = {n: float(v) for n, v, was in zip(self.anatomy.names, dof, now, strict=True) if abs(v - was) > 1e-9}
        return self.with_dof(state, moved)

    def wrist(self, state: GraspState) -> Float[Array, "4 4"]:
        """``T_object_hand``."""
        rotation, translation = state.wrist_rotation.astype(np.float64), state.translation.astype(np.float64)
        shape = state.shape.astype(np.float64)
        return self.model.wrist_transform(rotation[None], translation[None], shape[None])[0]

    def with_wrist(self, state: GraspState, T_object_hand: Float[Array, "4 4"]) -> GraspState:
        """The wrist placed."""
        shape = state.shape.astype(np.float64)
        rotation, translation = self.model.wrist_parameters(T_object_hand[None], shape[None])
        return state.changed(wrist_rotation=rotation[0], translation=translation[0])

    def nudge(
        self,
        state: GraspState,
        move: Float[Array, "3"] | None = None,
        turn: Float[Array, "3"] | None = None,
        frame: str = "hand",
    ) -> GraspState:
        """The wrist moved and turned about itself.

        Args:
            state: the grasp.
            move: metres.
            turn: axis-angle, radians.
            frame: whose axes both are along: ``hand`` or ``object``.

        Raises:
            InputError: another frame, or numbers that are not finite.
        """
        if frame not in FRAMES:
            raise InputError(f"no frame {frame!r} to nudge in", remedy="hand or object")
        move = np.zeros(3) if move is None else np.asarray(move, np.float64)
        turn = np.zeros(3) if turn is None else np.asarray(turn, np.float64)
        if not (np.isfinite(move).all() and np.isfinite(turn).all()):
            raise InputError("a nudge that is not finite")
        T = self.wrist(state)
        rotation = T[:3, :3]
        T[:3, 3] += rotation @ move if frame == "hand" else move
        delta = rotation_from_axis_angle(turn)
        T[:3, :3] = rotation @ delta if frame == "hand" else delta @ rotation
        return self.with_wrist(state, T)

    def with_type(self, state: GraspState, number: int) -> GraspState:
        """The label changed.

        Raises:
            InputError: no such type.
        """
        if number not in GRASP_TYPES:
            raise InputError(f"unknown grasp type {number}", remedy="a Feix number, 1 to 33")
        return state.changed(grasp_type=number)

    def copy_thumb(self, state: GraspState, other: GraspState) -> GraspState:
        """The thumb as another grasp has it."""
        theirs = self.dof(other)
        names = [name for name in self.anatomy.names if name.startswith("thumb.")]
        return self.with_dof(state, {name: float(theirs[self.anatomy.index(name)]) for name in names})

    def vertices(self, state: GraspState) -> Float[Array, "778 3"]:
        """The skin, object frame, metres."""
        pose, wrist, translation, shape = (
            getattr(state, name).astype(np.float64)[None] for name in ("pose", "wrist_rotation", "translation", "shape")
        )
        return self.model.vertices(pose, wrist, translation, shape)[0]
