"""An articulated hand and one object in PyBullet: close until the fingers stall, then shake.

The world frame is the hand frame (root joint at the origin, axes of the template): the palm is fixed, the object free,
and there is no gravity until a shake applies one weight of the object along one of its axes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import pybullet
from jaxtyping import Float

from yaff.errors import PhysicsError
from yaff.geometry.transforms import (
    invert,
    make_transform,
    quaternion_wxyz_from_rotation,
    rotation_angle,
    rotation_from_quaternion_wxyz,
)
from yaff.hand import Anatomy, BonePiece, HandModel
from yaff.objects import ObjectModel
from yaff.search.bodies import PALM, BodyMaker
from yaff.search.config import PhysicsConfig
from yaff.search.motors import Motors
from yaff.search.states import Effort, Grip, Settled, Shaken

Array = np.ndarray

PRESSES, FORCE_AIM, FIRM = 6, 0.95, 0.7
"""How often a closed hand presses farther or is eased; to what share of the limit at the most (a shake adds some), and
of the force wanted at the least."""

BURDEN = 0.5
"""Share of the weight by which a digit may have to press harder under a shake: the other side eases by the rest."""

THUMB = 4
"""The thumb's place among the digits, in the order of the joints."""

REACH_CHECK = 3
"""Steps between looks at which fingers touch, while the hand closes."""

HELD_MASS = 100.0
"""Mass of the object while the fingers come to it, kilograms: it is held, and nothing pushes it away."""

PRESSED_MASS = 0.2
"""Mass at the least while the object is pressed, kilograms: nothing weighs then, and Bullet's solver lets fingers sink
into a light object between them. The shakes have its real mass."""


class HandWorld:
    """One hand and one object in a PyBullet world of their own; reused for any number of grasps.

    Args:
        model: the hand.
        anatomy: its degrees of freedom; each becomes a revolute joint.
        pieces: convex pieces per bone, already thinner than the skin by the compliance margin.
        obj: the object; its convex pieces collide, its mass and inertia are its real ones.
        config: friction, forces, times and what counts as held.

    Raises:
        PhysicsError: the bodies could not be made.
    """

    def __init__(
        self,
        model: HandModel,
        anatomy: Anatomy,
        pieces: Sequence[BonePiece],
        obj: ObjectModel,
        config: PhysicsConfig,
    ) -> None:
        self.config = config
        self._object = obj
        self._anatomy = anatomy
        self._saved: set[int] = set()
        self._client = pybullet.connect(pybullet.DIRECT)
        if self._client < 0:
            raise PhysicsError("PyBullet could not start a world", remedy="run `yaff doctor`")
        # PyBullet reads the files again when it makes the bodies
        self._folder = tempfile.TemporaryDirectory(prefix="yaff-")
        try:
            self._configure()
            maker = BodyMaker(self._client, config, Path(self._folder.name))
            made = maker.hand(model, anatomy, pieces)
            held = maker.object(obj)
        except pybullet.error as error:
            self.close_world()
            raise PhysicsError(f"PyBullet refused a body: {error}", where=obj.name) from error
        self._hand, self._bone_of_link = made.body, made.bone_of_link
        self._links = list(range(len(made.bone_of_link)))
        self.motors = Motors(self._client, self._hand, self._links, config)
        # three joints to a digit, joint 0 is the wrist
        self._digit_of_link = (np.array(made.bone_of_link) - 1) // 3
        self._limits = np.asarray(anatomy.lower), np.asarray(anatomy.upper)
        self._body, self._T_object_body, self._moments = held.body, held.T_object_body, held.moments
        self._weight = obj.mass * config.gravity

    def __enter__(self) -> HandWorld:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_world()

    def close_world(self) -> None:
        """Disconnect from PyBullet; the world is gone."""
        if self._client >= 0:
            pybullet.disconnect(self._client)
            self._folder.cleanup()
            self._client = -1

    # ------------------------------------------------------------------ bodies

    def _configure(self) -> None:
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self.config.time_step,
            deterministicOverlappingPairs=1,
            enableFileCaching=0,
            physicsClientId=self._client,
        )
        pybullet.setGravity(0, 0, 0, physicsClientId=self._client)

    # ------------------------------------------------------------------ state

    def _place(self, dof: Array, T_hand_object: Array) -> None:
        for link, angle in zip(self._links, dof, strict=True):
            pybullet.resetJointState(self._hand, link, float(angle), 0.0, physicsClientId=self._client)
        T = T_hand_object @ self._T_object_body
        w, x, y, z = quaternion_wxyz_from_rotation(T[:3, :3])
        pybullet.resetBasePositionAndOrientation(
            self._body, T[:3, 3].tolist(), [x, y, z, w], physicsClientId=self._client
        )
        pybullet.resetBaseVelocity(self._body, [0, 0, 0], [0, 0, 0], physicsClientId=self._client)

    def _body_pose(self) -> Array:
        position, (x, y, z, w) = pybullet.getBasePositionAndOrientation(self._body, physicsClientId=self._client)
        return make_transform(rotation_from_quaternion_wxyz(np.array([w, x, y, z])), np.array(position))

    def _iterate(self, iterations: int) -> None:
        pybullet.setPhysicsEngineParameter(numSolverIterations=iterations, physicsClientId=self._client)

    def _pressing(self) -> tuple[Array, int]:
        """Force of each digit on the object (newtons, 5 of them, in the order of the joints) and links that press."""
        points = pybullet.getContactPoints(self._hand, self._body, physicsClientId=self._client)
        forces, links = np.zeros(5), set()
        for point in points:
            link, force = point[3], point[9]
            if force > 0.0:
                links.add(link)
                if link != PALM:
                    forces[self._digit_of_link[link]] += force
        return forces, len(links)

    def _burden(self, forces: Float[Array, "5"]) -> Float[Array, "5"]:
        """Share of the weight that falls to each digit: to a thumb all, to fingers what they share."""
        share = np.full(len(forces), 1.0 / max(1, np.count_nonzero(forces[:THUMB])))
        share[THUMB] = 1.0
        return share

    def bone_transforms(self, dof: Float[Array, "dof"]) -> dict[int, Float[Array, "4 4"]]:
        """``T_hand_bone`` of every bone as PyBullet has it at these angles; equal to the hand model's own."""
        for link, angle in zip(self._links, dof, strict=True):
            pybullet.resetJointState(self._hand, link, float(angle), 0.0, physicsClientId=self._client)
        transforms = {0: np.eye(4)}
        for link, bone in zip(self._links, self._bone_of_link, strict=True):
            state = pybullet.getLinkState(self._hand, link, computeForwardKinematics=True, physicsClientId=self._client)
            x, y, z, w = state[5]
            transforms[bone] = make_transform(rotation_from_quaternion_wxyz(np.array([w, x, y, z])), np.array(state[4]))
        return transforms

    # ------------------------------------------------------------------ closing and shaking

    def close(
        self,
        dof: Float[Array, "dof"],
        target: Float[Array, "dof"],
        effort: Effort,
        T_hand_object: Float[Array, "4 4"],
    ) -> Settled:
        """Close the hand from ``dof`` towards ``target`` until fingers and object rest.

        Args:
            dof: joint angles to start from, radians.
            target: joint angles asked for; beyond the surface, so that the motors press with their torque.
            effort: how hard.
            T_hand_object: where the object starts.
        """
        config = self.config
        self._iterate(config.closing_iterations)
        self._place(dof, T_hand_object)
        start = self._body_pose()
        # another hand or a table holds the object while the fingers come to it
        self._weigh(HELD_MASS)
        way = target - dof
        target = self._reach(target, effort.torque)
        target, torque = self._press(way, target, effort, start)
        if self._object.mass < PRESSED_MASS:
            self._weigh(self._object.mass)
            self._iterate(config.shaking_iterations)
            self._rest(0.5 * config.closing_time, start)
        forces, contacts = self._pressing()
        pose, angles = self._body_pose(), self.motors.angles()
        given = np.clip(self.motors.torques(), -torque, torque)
        soft = effort.stiffness > 0.0
        grip = Grip(
            angles=np.where(soft, angles, target),
            torque=np.where(soft, given, 0.0),
            stiffness=effort.stiffness,
            most=np.where(soft, np.maximum(effort.most, np.abs(given)), torque),
        )
        state = pybullet.saveState(physicsClientId=self._client)
        self._saved.add(state)
        return Settled(
            dof=angles,
            T_hand_object=pose @ invert(self._T_object_body),
            moved=float(np.linalg.norm(pose[:3, 3] - start[:3, 3])),
            contacts=contacts,
            force=float(forces.max()),
            grip=grip,
            state=state,
        )

    def _reach(self, target: Array, torque: Array) -> Array:
        """Close on the held object; returns where the joints are to stay, radians.

        A joint stops once something touches that it moves. What lies farther out on the same finger closes on, so that
        a finger wraps round what its root has met.
        """
        target, link = target.copy(), np.arange(len(self._links))
        moving, calm = np.ones(len(target), bool), 0
        self.motors.drive(target, torque)
        for step in range(round(self.config.reach_time / self.config.time_step)):
            self._step_slowed()
            if step % REACH_CHECK != REACH_CHECK - 1:
                continue
            touched = np.zeros(len(target), bool)
            for point in pybullet.getContactPoints(self._hand, self._body, physicsClientId=self._client):
                if point[9] > 0.0 and point[3] != PALM:
                    touched |= (self._digit_of_link == self._digit_of_link[point[3]]) & (link <= point[3])
            fresh = touched & moving
            if fresh.any():
                target = np.where(fresh, self.motors.angles(), target)
                moving &= ~touched
                self.motors.drive(target, torque)
            calm = calm + 1 if self.motors.fastest() < 0.1 else 0
            if calm >= 2:
                break
        return target

    def _press(self, way: Array, target: Array, effort: Effort, start: Array) -> tuple[Array, Array]:
        """Press the object between the digits; returns where joints are asked to be and with how much torque.

        From where it met the object, each digit presses on, little by little, until it presses hard enough: asked for
        all at once, the side that wins would push the object out of the posture. What a torque makes of force depends
        on where the finger touches: it is measured, and brought down where it is too much.
        """
        config, digit = self.config, self._digit_of_link
        torque, met = effort.torque, self.motors.angles()
        share = way / max(np.abs(way).max(), 1e-9)
        farther = np.full(len(effort.force), config.press)
        self._weigh(max(self._object.mass, PRESSED_MASS))
        for attempt in range(PRESSES):
            target = np.where(way != 0.0, np.clip(met + farther[digit] * share, *self._limits), target)
            self.motors.drive(target, torque)
            self._rest(config.closing_time if attempt == 0 else 0.25 * config.closing_time, start)
            forces = self._pressing()[0]
            most = FORCE_AIM * (config.most_digit_force - BURDEN * self._weight * self._burden(forces))
            weak = (forces < FIRM * np.minimum(effort.force, most)) & (farther < config.most_press)
            if not weak.any() and (forces <= most).all():
                break
            torque = torque * np.minimum(1.0, FORCE_AIM * most / np.maximum(forces, 1e-9))[digit]
            farther = np.where(weak, farther + config.press, farther)
        return target, torque

    def _weigh(self, mass: float) -> None:
        """Give the object another mass, its inertia in proportion."""
        moments = self._moments * (mass / self._object.mass)
        change = {"bodyUniqueId": self._body, "linkIndex": PALM, "physicsClientId": self._client}
        pybullet.changeDynamics(mass=mass, **change)
        pybullet.changeDynamics(localInertiaDiagonal=moments.tolist(), **change)

    def _step_slowed(self) -> tuple[Sequence[float], Sequence[float]]:
        """One step, after which the object loses a share of its velocity; what it had is returned."""
        pybullet.stepSimulation(physicsClientId=self._client)
        linear, angular = pybullet.getBaseVelocity(self._body, physicsClientId=self._client)
        slowed = 1.0 - self.config.closing_drag
        pybullet.resetBaseVelocity(
            self._body, [slowed * v for v in linear], [slowed * v for v in angular], physicsClientId=self._client
        )
        return linear, angular

    def _rest(self, time: float, start: Array | None = None) -> None:
        """Go on until fingers and object rest, at most ``time`` seconds, or the object is far from ``start``."""
        calm = 0
        for step in range(round(time / self.config.time_step)):
            linear, angular = self._step_slowed()
            if step % 8 == 7:
                resting = np.linalg.norm(linear) < 0.005 and np.linalg.norm(angular) < 0.1
                calm = calm + 1 if resting and self.motors.fastest() < 0.1 else 0
                if calm >= 2:
                    break
                if start is not None:
                    moved = np.linalg.norm(self._body_pose()[:3, 3] - start[:3, 3])
                    if moved > self.config.settle_translation:
                        break

    def shake(self, settled: Settled, directions: Sequence[int] = range(6), *, every_direction: bool = False) -> Shaken:
        """One weight of the object along each axis of the object, both ways, a second each, from the settled state.

        Args:
            settled: what :meth:`close` returned; its saved state is consumed. Where that was consumed before, hand
                and object are put where they had settled, at rest.
            directions: rows of :data:`yaff.grasp.SHAKE_DIRECTIONS` to try, in this order.
            every_direction: go on after a direction has failed, so that every measure is known.
        """
        config = self.config
        self._iterate(config.shaking_iterations)
        translation, rotation, shaken = np.zeros(6), np.zeros(6), np.zeros(6, bool)
        steps = round(config.shake_time / config.time_step)
        held, most = True, settled.force
        for direction in directions:
            self._restore(settled)
            start = self._body_pose()
            axis = settled.T_hand_object[:3, direction // 2] * (1.0 if direction % 2 == 0 else -1.0)
            force = (axis * self._weight).tolist()
            shaken[direction] = True
            for step in range(steps):
                position = pybullet.getBasePositionAndOrientation(self._body, physicsClientId=self._client)[0]
                pybullet.applyExternalForce(
                    self._body, PALM, force, position, pybullet.WORLD_FRAME, physicsClientId=self._client
                )
                self.motors.react()
                pybullet.stepSimulation(physicsClientId=self._client)
                if step % 6 == 5:
                    pose = self._body_pose()
                    translation[direction] = max(translation[direction], np.linalg.norm(pose[:3, 3] - start[:3, 3]))
                    turned = float(rotation_angle(pose[:3, :3] @ start[:3, :3].T))
                    rotation[direction] = max(rotation[direction], turned)
                    if translation[direction] > config.most_translation or turned > config.most_rotation:
                        held = False
                        break
                if step % 24 == 23:
                    most = max(most, float(self._pressing()[0].max()))
            if not held and not every_direction:
                break
        self.forget(settled)
        return Shaken(translation=translation, rotation=rotation, shaken=shaken, force=most, held=held)

    def forget(self, settled: Settled) -> None:
        """Free the saved state of a grasp that will not be shaken."""
        if settled.state in self._saved:
            self._saved.remove(settled.state)
            pybullet.removeState(settled.state, physicsClientId=self._client)

    def _restore(self, settled: Settled) -> None:
        if settled.state in self._saved:
            pybullet.restoreState(settled.state, physicsClientId=self._client)
        else:
            self._place(settled.dof, settled.T_hand_object)
        self.motors.hold(settled.grip)  # motors are not part of PyBullet's saved state
