"""Objects dropped on a table one after another in PyBullet, until they rest."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pybullet
import trimesh
from jaxtyping import Float, Float64
from scipy.spatial import ConvexHull

from yaff.errors import InputError, PhysicsError
from yaff.geometry.transforms import (
    apply,
    make_transform,
    quaternion_wxyz_from_rotation,
    rotation_from_axis_angle,
    rotation_from_quaternion_wxyz,
)

Array = np.ndarray


@runtime_checkable
class Droppable(Protocol):
    """What a scene needs of an object; :class:`yaff.objects.ObjectModel` has it."""

    @property
    def name(self) -> str:
        """YCB name, for example ``025_mug``."""
        ...

    @property
    def index(self) -> int:
        """YCB-Video index, 1 to 21: the object's value in label images."""
        ...

    @property
    def visual(self) -> trimesh.Trimesh:
        """The mesh that is rendered, model frame, metres."""
        ...

    @property
    def pieces(self) -> tuple[Float[Array, "_ 3"], ...]:
        """Corners of the convex pieces that make up the solid, model frame, metres."""
        ...

    @property
    def mass(self) -> float:
        """Kilograms."""
        ...

    @property
    def centre_of_mass(self) -> Float[Array, "3"]:
        """Model frame, metres."""
        ...

    @property
    def inertia(self) -> Float[Array, "3 3"]:
        """About the centre of mass, along the axes of the model frame, kg m^2."""
        ...


@dataclass(frozen=True)
class PileConfig:
    """How objects are dropped."""

    spread: float = 0.13
    """Metres around the middle of the table within which objects fall."""
    limit: float = 0.32
    """Metres from the middle beyond which an object has fallen off or rolled away, and the pile is dropped anew."""
    upright: float = 0.8
    """Share of objects that are let go resting on a face, the others in any orientation."""
    stacking: float = 0.25
    """Share of objects that may fall on others."""
    drop: float = 0.004
    """Metres between the object and what is below it when it is let go."""
    friction: float = 0.7
    """Coulomb coefficient of objects and table; PyBullet multiplies those of the two that touch."""
    step: float = 1.0 / 240.0
    """Seconds."""
    patience: float = 4.0
    """Seconds within which a dropped object must come to rest."""
    attempts: int = 40
    """Piles tried before giving up."""


def drop_pile(
    objects: Sequence[Droppable], rng: np.random.Generator, config: PileConfig | None = None
) -> Float64[Array, "k 4 4"]:
    """Drop objects in the order given; poses at rest, in a world with the table at z = 0 and z up.

    The same generator state gives the same poses.

    Returns:
        ``Ts_world_object``, model frames, metres.

    Raises:
        InputError: no objects.
        PhysicsError: no pile stayed on the table within the attempts.
    """
    config = config or PileConfig()
    if not objects:
        raise InputError("a pile needs objects")
    for _ in range(config.attempts):
        poses = _Table(config).drop_all(objects, rng)
        if poses is not None:
            return poses
    raise PhysicsError(
        f"no pile of {', '.join(o.name for o in objects)} came to rest within {config.attempts} attempts",
        remedy="drop fewer objects, or allow more attempts",
    )


class _Table:
    """One PyBullet world, used once: worlds that are reused remember contacts."""

    def __init__(self, config: PileConfig) -> None:
        self._config = config
        self._client = pybullet.connect(pybullet.DIRECT)
        if self._client < 0:
            raise PhysicsError("PyBullet could not start a world", remedy="run `yaff doctor`")
        self._folder = tempfile.TemporaryDirectory(prefix="yaff-")

    def drop_all(self, objects: Sequence[Droppable], rng: np.random.Generator) -> Float64[Array, "k 4 4"] | None:
        try:
            self._prepare()
            bodies: list[int] = []
            for item in objects:
                bodies.append(self._let_go(item, bodies, rng))
                if not self._settle(bodies):
                    return None
            Ts_world_object = np.stack([self._pose(b, o) for b, o in zip(bodies, objects, strict=True)])
        except pybullet.error as error:
            raise PhysicsError(f"PyBullet refused a pile: {error}") from error
        finally:
            pybullet.disconnect(self._client)
            self._folder.cleanup()  # only now: PyBullet reads the files again when a body is made
        middle = np.stack([apply(T, o.centre_of_mass[None])[0] for T, o in zip(Ts_world_object, objects, strict=True)])
        fallen = (np.linalg.norm(middle[:, :2], axis=1) > self._config.limit) | (middle[:, 2] < 0.0)
        return None if fallen.any() else Ts_world_object

    def _prepare(self) -> None:
        client = self._client
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self._config.step,
            numSolverIterations=100,
            deterministicOverlappingPairs=1,
            enableFileCaching=0,
            physicsClientId=client,
        )
        pybullet.setGravity(0.0, 0.0, -9.81, physicsClientId=client)
        plane = pybullet.createCollisionShape(pybullet.GEOM_PLANE, physicsClientId=client)
        table = pybullet.createMultiBody(0.0, plane, physicsClientId=client)
        pybullet.changeDynamics(table, -1, lateralFriction=self._config.friction, physicsClientId=client)

    def _let_go(self, item: Droppable, bodies: list[int], rng: np.random.Generator) -> int:
        client, config = self._client, self._config
        corners = np.concatenate(item.pieces)
        rotation = _orientation(corners, item.centre_of_mass, rng, config.upright)
        turned = (corners - item.centre_of_mass) @ rotation.T
        low, high = turned.min(0), turned.max(0)
        centre = self._place(low, high, bodies, rng)
        w, x, y, z = quaternion_wxyz_from_rotation(rotation)
        body = pybullet.createMultiBody(
            baseMass=item.mass,
            baseCollisionShapeIndex=self._shape(item),
            basePosition=centre.tolist(),
            baseOrientation=[float(x), float(y), float(z), float(w)],
            physicsClientId=client,
        )
        if body < 0:
            raise PhysicsError("PyBullet could not make a body", where=item.name)
        moments = np.linalg.eigvalsh(item.inertia)
        pybullet.changeDynamics(
            body,
            -1,
            lateralFriction=config.friction,
            spinningFriction=0.002,
            rollingFriction=0.001,  # what keeps a can from rolling for ever
            restitution=0.0,
            linearDamping=0.1,
            angularDamping=0.2,
            # Bullet wants moments along the body's axes; for coming to rest, equal ones of the same size will do
            localInertiaDiagonal=[float(moments.mean())] * 3,
            physicsClientId=client,
        )
        return body

    def _shape(self, item: Droppable) -> int:
        """A compound of the convex pieces about the centre of mass; PyBullet takes such compounds from files only."""
        path = Path(self._folder.name) / f"{item.name}.obj"
        path.write_text(_obj_of_hulls([piece - item.centre_of_mass for piece in item.pieces]), encoding="ascii")
        return pybullet.createCollisionShape(pybullet.GEOM_MESH, fileName=str(path), physicsClientId=self._client)

    def _place(
        self, low: Float64[Array, "3"], high: Float64[Array, "3"], bodies: list[int], rng: np.random.Generator
    ) -> Float64[Array, "3"]:
        """Where to let the centre of mass go: free table if there is any, sometimes on top of what lies there."""
        boxes = [np.array(pybullet.getAABB(b, physicsClientId=self._client)) for b in bodies]
        angle = rng.uniform(0.0, 2.0 * np.pi, size=24)
        radius = self._config.spread * np.sqrt(rng.uniform(size=24))
        spots = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        may_stack = rng.uniform() < self._config.stacking
        tops = np.zeros(len(spots))
        for lower, upper in boxes:
            over = ((spots + high[:2] > lower[:2]) & (spots + low[:2] < upper[:2])).all(axis=1)
            tops = np.maximum(tops, np.where(over, upper[2], 0.0))
        choice = 0 if may_stack else int(np.argmin(tops))
        return np.array([*spots[choice], tops[choice] + self._config.drop - low[2]])

    def _settle(self, bodies: list[int]) -> bool:
        """Step until nothing moves for a quarter of a second; False when patience ends first."""
        still = 0
        for _ in range(int(self._config.patience / self._config.step)):
            pybullet.stepSimulation(physicsClientId=self._client)
            speeds = [pybullet.getBaseVelocity(b, physicsClientId=self._client) for b in bodies]
            linear = max(float(np.dot(v, v)) for v, _ in speeds)
            angular = max(float(np.dot(w, w)) for _, w in speeds)
            still = still + 1 if linear < 0.004**2 and angular < 0.05**2 else 0
            if still >= 60:
                return True
        return False

    def _pose(self, body: int, item: Droppable) -> Float64[Array, "4 4"]:
        position, (x, y, z, w) = pybullet.getBasePositionAndOrientation(body, physicsClientId=self._client)
        rotation = rotation_from_quaternion_wxyz(np.array([w, x, y, z]))
        return make_transform(rotation, np.array(position) - rotation @ item.centre_of_mass)


def _orientation(
    corners: Float[Array, "c 3"], centre: Float[Array, "3"], rng: np.random.Generator, upright: float
) -> Float64[Array, "3 3"]:
    """A random rotation; most often one that puts a face of the hull down which would carry the object."""
    turn = rotation_from_axis_angle(np.array([0.0, 0.0, rng.uniform(0.0, 2.0 * np.pi)]))
    if rng.uniform() >= upright:
        quaternion = rng.normal(size=4)
        return rotation_from_quaternion_wxyz(quaternion)
    normals, weights = _resting_faces(corners, centre)
    down = normals[rng.choice(len(normals), p=weights)]
    return turn @ _rotation_to_down(down)


def _resting_faces(
    corners: Float[Array, "c 3"], centre: Float[Array, "3"]
) -> tuple[Float64[Array, "r 3"], Float64[Array, "r"]]:
    """Outward normals of the hull's faces, weighted large ones near the centre first."""
    hull = ConvexHull(corners)
    normals = hull.equations[:, :3]
    triangles = corners[hull.simplices]
    areas = 0.5 * np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    height = np.maximum(-(normals @ centre + hull.equations[:, 3]), 1e-4)
    keys, group = np.unique(np.round(normals, 2), axis=0, return_inverse=True)
    weights = np.bincount(group.reshape(-1), areas / height, minlength=len(keys))
    return keys / np.linalg.norm(keys, axis=1, keepdims=True), weights / weights.sum()


def _rotation_to_down(direction: Float64[Array, "3"]) -> Float64[Array, "3 3"]:
    """The shortest rotation that turns a direction to -z."""
    axis = np.cross(direction, [0.0, 0.0, -1.0])
    sine, cosine = float(np.linalg.norm(axis)), float(-direction[2])
    if sine < 1e-9:
        return np.eye(3) if cosine > 0.0 else np.diag([1.0, -1.0, -1.0])
    return rotation_from_axis_angle(axis / sine * np.arctan2(sine, cosine))


def _obj_of_hulls(pieces: Sequence[Float[Array, "_ 3"]]) -> str:
    """An OBJ file with one object for each convex piece; Bullet makes each a hull."""
    lines: list[str] = []
    count = 1
    for k, piece in enumerate(pieces):
        hull = ConvexHull(piece)
        used = np.unique(hull.simplices)
        renumbered = np.searchsorted(used, hull.simplices) + count
        lines.append(f"o piece{k}")
        lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in np.asarray(piece)[used]]
        lines += [f"f {a} {b} {c}" for a, b, c in renumbered]
        count += len(used)
    return "\n".join(lines) + "\n"
