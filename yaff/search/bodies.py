"""The bodies of a PyBullet world: a hand of revolute joints with convex pieces, and an object with its real mass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
from jaxtyping import Float

from yaff.errors import PhysicsError
from yaff.geometry.transforms import apply, invert, make_transform
from yaff.hand import Anatomy, BonePiece, HandModel
from yaff.objects import ObjectModel
from yaff.search.config import PhysicsConfig

Array = np.ndarray

PALM = -1
"""PyBullet's index of the base of a body."""

COLLISION_MARGIN = 0.0005
"""Bullet keeps hulls apart by the sum of their margins; the hand's pieces are made thinner by that sum, metres."""


@dataclass(frozen=True)
class MadeHand:
    """The hand in the world; its links are the degrees of freedom, in their order."""

    body: int
    """PyBullet's number of it."""
    bone_of_link: list[int]
    """MANO joint that each link turns."""


@dataclass(frozen=True)
class MadeObject:
    """The object in the world."""

    body: int
    """PyBullet's number of it."""
    T_object_body: Float[Array, "4 4"]
    """Its body frame: centre of mass, principal axes."""
    moments: Float[Array, "3"]
    """Principal moments of inertia, kilogram square metres."""


class BodyMaker:
    """Makes the bodies of one world.

    Args:
        client: the world.
        config: friction and the inertia of links.
        folder: where shapes are written; PyBullet reads them again later.
    """

    def __init__(self, client: int, config: PhysicsConfig, folder: Path) -> None:
        self._client, self._config, self._folder, self._files = client, config, folder, 0

    def hand(self, model: HandModel, anatomy: Anatomy, pieces: Sequence[BonePiece]) -> MadeHand:
        """A chain of revolute joints, one for each degree of freedom; the palm is fixed.

        Raises:
            PhysicsError: PyBullet could not make it.
        """
        by_bone: dict[int, list[Array]] = {}
        for piece in pieces:
            by_bone.setdefault(piece.bone, []).append(np.asarray(piece.vertices))
        joints = model.rest_joints
        last_link: dict[int, int] = {0: 0}  # bone -> PyBullet's parent index (0 is the base)
        shapes, positions, masses, centres, parents, axes = [], [], [], [], [], []
        freedoms = anatomy.degrees_of_freedom
        for k, freedom in enumerate(freedoms):
            bone = freedom.joint
            parent_bone = int(model.parents[bone])
            first = k == 0 or freedoms[k - 1].joint != bone
            final = k == len(freedoms) - 1 or freedoms[k + 1].joint != bone
            parents.append(last_link[parent_bone] if first else k)
            positions.append((joints[bone] - joints[parent_bone]).tolist() if first else [0.0, 0.0, 0.0])
            axes.append(np.asarray(freedom.axis, np.float64).tolist())
            collides = final and bone in by_bone
            shapes.append(self._hull(np.concatenate(by_bone[bone])) if collides else -1)
            # the light links between the axes of one joint need some mass for the solver
            masses.append(0.02 if final else 0.004)
            centres.append(np.concatenate(by_bone[bone]).mean(0).tolist() if collides else [0.0, 0.0, 0.0])
            last_link[bone] = k + 1
        count = len(freedoms)
        identity = [[0.0, 0.0, 0.0, 1.0]] * count
        hand = pybullet.createMultiBody(
            baseMass=0.0,
            baseCollisionShapeIndex=self._compound(by_bone[0]),
            basePosition=[0.0, 0.0, 0.0],
            linkMasses=masses,
            linkCollisionShapeIndices=shapes,
            linkVisualShapeIndices=[-1] * count,
            linkPositions=positions,
            linkOrientations=identity,
            linkInertialFramePositions=centres,
            linkInertialFrameOrientations=identity,
            linkParentIndices=parents,
            linkJointTypes=[pybullet.JOINT_REVOLUTE] * count,
            linkJointAxis=axes,
            physicsClientId=self._client,
        )
        if hand < 0:
            raise PhysicsError("PyBullet could not make the hand", where=model.name)
        for link in range(PALM, count):
            # one call for each property: PyBullet drops the friction of a link from a call that also sets its margin
            change = {"bodyUniqueId": hand, "linkIndex": link, "physicsClientId": self._client}
            pybullet.changeDynamics(lateralFriction=1.0, spinningFriction=0.0, rollingFriction=0.0, **change)
            if link == PALM or shapes[link] >= 0:
                pybullet.changeDynamics(collisionMargin=COLLISION_MARGIN, **change)
            if link != PALM:
                pybullet.changeDynamics(localInertiaDiagonal=[self._config.armature] * 3, **change)
                pybullet.changeDynamics(
                    jointLowerLimit=freedoms[link].lower, jointUpperLimit=freedoms[link].upper, **change
                )
        return MadeHand(hand, [freedom.joint for freedom in freedoms])

    def object(self, obj: ObjectModel) -> MadeObject:
        """A free body of the object's convex pieces, with its mass, inertia and friction.

        Raises:
            PhysicsError: PyBullet could not make it.
        """
        moments, axes = np.linalg.eigh(np.asarray(obj.inertia, np.float64))
        if np.linalg.det(axes) < 0:
            axes[:, 0] = -axes[:, 0]
        # the body's frame is the principal frame, so that Bullet's diagonal inertia is exact
        T_object_body = make_transform(axes, np.asarray(obj.centre_of_mass, np.float64))
        T_body_object = invert(T_object_body)
        body = pybullet.createMultiBody(
            baseMass=float(obj.mass),
            baseCollisionShapeIndex=self._compound([apply(T_body_object, np.asarray(p)) for p in obj.pieces]),
            basePosition=[0.0, 0.0, 1.0],
            physicsClientId=self._client,
        )
        if body < 0:
            raise PhysicsError("PyBullet could not make the object", where=obj.name)
        # Bullet multiplies lateral friction and cross-multiplies torsional friction of the two bodies
        pybullet.changeDynamics(
            body,
            PALM,
            lateralFriction=self._config.friction,
            spinningFriction=self._config.torsional_friction,
            rollingFriction=0.0,
            collisionMargin=COLLISION_MARGIN,
            localInertiaDiagonal=moments.tolist(),
            activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING,
            physicsClientId=self._client,
        )
        return MadeObject(body, T_object_body, moments)

    def _hull(self, vertices: Array) -> int:
        return pybullet.createCollisionShape(
            pybullet.GEOM_MESH, vertices=np.asarray(vertices, np.float64).tolist(), physicsClientId=self._client
        )

    def _compound(self, pieces: Sequence[Array]) -> int:
        """One collision shape of several convex pieces; PyBullet takes compounds of hulls from files only."""
        self._files += 1
        path = self._folder / f"pieces-{self._files}.obj"
        path.write_text(_obj_of_pieces(pieces), encoding="ascii")
        return pybullet.createCollisionShape(pybullet.GEOM_MESH, fileName=str(path), physicsClientId=self._client)


def _obj_of_pieces(pieces: Sequence[Array]) -> str:
    """A Wavefront file with one named object per convex piece; faces are a fan, Bullet takes the hull of the points."""
    lines: list[str] = []
    offset = 1
    for k, piece in enumerate(pieces):
        lines.append(f"o piece{k}")
        lines += [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in piece]
        lines += [f"f {offset} {offset + i} {offset + i + 1}" for i in range(1, len(piece) - 1)]
        offset += len(piece)
    return "\n".join(lines) + "\n"
