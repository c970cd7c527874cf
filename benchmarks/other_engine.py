"""Kept grasps replayed in MuJoCo, an engine that the search never saw: which share still holds.

Usage:
    python -m benchmarks.other_engine library.h5 [--count 100] [--objects 025_mug] [--types 9]

Needs ``pip install -c constraints.txt -e '.[other-engine]'`` and YAFF_DATA (default ../shared/data).

What is the same as in the search: pieces of hand and object, mass and inertia, friction 0.6 and torsional 0.02, joints
and their limits, the torque and the stiffness of every joint, one weight along each axis of the object for a second, 2
cm and 15 degrees. What is MuJoCo's: its solver, its soft contacts, its elliptic friction cone. The hand starts in the
kept pose; the springs of its joints press in that pose with the torque that the type is given for the object, and for
half a second the object, still held, loses half of its velocity in each step. Then the shakes, each from the same
state, without any of that. Only grasps of types that are shaken along six axes are replayed.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.data import real_data
from benchmarks.running import status_of
from pipelines.commands.parsing import say, write_table
from pipelines.config import BuildConfig, HandSection, ObjectsSection
from pipelines.loading import hand_of, object_of, recipes_of
from yaff.errors import MissingFileError
from yaff.geometry.transforms import (
    invert,
    quaternion_wxyz_from_rotation,
    rotation_angle,
    rotation_from_quaternion_wxyz,
)
from yaff.grasp.batch import SHAKE_DIRECTIONS, Grasps
from yaff.hand import collision_pieces
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.grip import closing_effort
from yaff.search.judge import make_rig
from yaff.search.rig import HandRig
from yaff.store.library import GraspLibrary
from yaff.taxonomy import GRASP_TYPES, GraspType

Array = np.ndarray

TIME_STEP = 0.002
SETTLE_TIME = 0.5
"""Seconds that the hand presses before the shakes."""
FULL_TORQUE_ERROR = 0.02
"""Position error at which the motor of a joint that only keeps its place gives its whole torque, radians."""
EFFECTIVE_INERTIA = 3e-4
"""Of a finger about its joints, for motors that do not swing, kilogram square metres."""
LINK_MASS, LINK_INERTIA = 0.02, 1e-4
"""As in the search: kilograms, kilogram square metres."""


@dataclass(frozen=True)
class Options:
    """Replay kept grasps of a library in MuJoCo."""

    library: tyro.conf.Positional[Path]
    """A library written by yaff search."""
    count: int = 100
    """Random verified grasps, over all objects and types."""
    objects: tuple[str, ...] = ()
    """Of these objects only."""
    types: tuple[int, ...] = ()
    """Of these types only."""
    seed: int = 0
    """Other seeds pick other grasps."""


@dataclass(frozen=True)
class Replay:
    """What became of one grasp."""

    settled: float
    """Motion of the object while the hand presses, metres."""
    translation: Array
    """Most motion in each shake, (6,), metres."""
    rotation: Array
    """Radians."""

    def held(self, config: SearchConfig) -> bool:
        """By the limits of the search."""
        limits = config.physics
        return (
            self.settled <= limits.most_translation
            and bool((self.translation <= limits.most_translation).all())
            and bool((self.rotation <= limits.most_rotation).all())
        )


class OtherWorld:
    """One hand and one object in MuJoCo; the world frame is the hand frame, and there is no gravity."""

    def __init__(self, rig: HandRig, obj: ObjectModel, config: SearchConfig) -> None:
        mujoco: Any = import_module("mujoco")  # its type stubs know half of it
        self._mujoco, self._rig, self._object, self._config = mujoco, rig, obj, config
        self.model = self._compile(mujoco)
        self.data = mujoco.MjData(self.model)
        self._free = self.model.jnt_qposadr[self.model.joint("object").id]
        self._body = self.model.body("object").id
        self._joints = [self.model.jnt_qposadr[self.model.joint(name).id] for name in rig.anatomy.names]

    def _compile(self, mujoco: Any) -> Any:
        spec = mujoco.MjSpec()
        spec.option.timestep = TIME_STEP
        spec.option.gravity = [0.0, 0.0, 0.0]
        spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
        spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
        spec.option.impratio = 10.0  # of friction over normal constraints: MuJoCo's advice for grasping
        spec.compiler.degree = False
        physics = self._config.physics
        friction = [physics.friction, physics.torsional_friction, 0.0001]

        def geom(body: Any, name: str, vertices: Array, mine: int, theirs: int) -> None:
            mesh = spec.add_mesh(name=name)
            mesh.uservert = np.asarray(vertices, np.float64).ravel().tolist()
            shape = body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, condim=4, friction=friction, mass=0.0)
            shape.contype, shape.conaffinity = mine, theirs

        rig, joints = self._rig, self._rig.model.rest_joints
        by_bone: dict[int, list[Array]] = {}
        # MuJoCo keeps no margin between hulls: the pieces are thinner by the compliance of the skin only
        for piece in collision_pieces(rig.model, shrink=physics.skin_margin):
            by_bone.setdefault(piece.bone, []).append(np.asarray(piece.vertices))
        bodies = {0: spec.worldbody}
        for k, vertices in enumerate(by_bone[0]):
            geom(spec.worldbody, f"palm{k}", vertices, 1, 2)
        freedoms = rig.anatomy.degrees_of_freedom
        for k, freedom in enumerate(freedoms):
            bone, parent = freedom.joint, int(rig.model.parents[freedom.joint])
            first = k == 0 or freedoms[k - 1].joint != bone
            final = k == len(freedoms) - 1 or freedoms[k + 1].joint != bone
            above = bodies[parent] if first else bodies[bone]
            place = (joints[bone] - joints[parent]).tolist() if first else [0.0, 0.0, 0.0]
            body = above.add_body(name=f"link{k}", pos=place, mass=LINK_MASS, inertia=[LINK_INERTIA] * 3)
            body.explicitinertial = True
            body.add_joint(
                name=freedom.name,
                type=mujoco.mjtJoint.mjJNT_HINGE,
                axis=np.asarray(freedom.axis).tolist(),
                range=[freedom.lower, freedom.upper],
                limited=True,
            )
            if final and bone in by_bone:
                geom(body, f"bone{bone}", np.concatenate(by_bone[bone]), 1, 2)
            bodies[bone] = body
            motor = spec.add_actuator(name=freedom.name, target=freedom.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
            motor.set_to_position(kp=1.0, kv=1.0)
            motor.forcelimited, motor.forcerange = True, [-1.0, 1.0]
        thing = spec.worldbody.add_body(name="object")
        thing.add_freejoint(name="object")
        thing.explicitinertial = True
        obj = self._object
        inertia = np.asarray(obj.inertia)
        thing.mass, thing.ipos = obj.mass, np.asarray(obj.centre_of_mass).tolist()
        thing.fullinertia = [*np.diag(inertia), inertia[0, 1], inertia[0, 2], inertia[1, 2]]
        for k, piece in enumerate(obj.pieces):
            geom(thing, f"piece{k}", np.asarray(piece), 2, 1)
        return spec.compile()

    def replay(self, kind: GraspType, dof: Array, T_object_hand: Array) -> Replay:
        """Press, then shake along each axis of the object."""
        mujoco, model, data, config = self._mujoco, self.model, self.data, self._config
        effort = closing_effort(self._rig, kind, self._object, config)
        springs = effort.stiffness > 0.0
        stiffness = np.where(springs, effort.stiffness, effort.torque / FULL_TORQUE_ERROR)
        press = np.where(springs, effort.torque / stiffness, 0.0) * np.sign(self._rig.closing_direction(kind))
        damping = 2.0 * np.sqrt(stiffness * EFFECTIVE_INERTIA)
        model.actuator_gainprm[:, 0] = stiffness
        model.actuator_biasprm[:, 1], model.actuator_biasprm[:, 2] = -stiffness, -damping
        model.actuator_forcerange[:] = np.stack([-effort.most, effort.most], axis=1)
        mujoco.mj_resetData(model, data)
        data.qpos[self._joints] = dof
        T = invert(T_object_hand)
        data.qpos[self._free : self._free + 3] = T[:3, 3]
        data.qpos[self._free + 3 : self._free + 7] = quaternion_wxyz_from_rotation(T[:3, :3])
        data.ctrl[:] = dof + press
        mujoco.mj_forward(model, data)
        start = data.xipos[self._body].copy()
        speed = model.jnt_dofadr[model.joint("object").id]
        for _ in range(round(SETTLE_TIME / TIME_STEP)):
            mujoco.mj_step(model, data)
            data.qvel[speed : speed + 6] *= 0.5
        settled = float(np.linalg.norm(data.xipos[self._body] - start))
        state = np.zeros(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        moved, turned = np.zeros(6), np.zeros(6)
        for k in range(len(SHAKE_DIRECTIONS)):
            mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
            mujoco.mj_forward(model, data)
            moved[k], turned[k] = self._shake(k)
        return Replay(settled, moved, turned)

    def _shake(self, direction: int) -> tuple[float, float]:
        mujoco, model, data, limits = self._mujoco, self.model, self.data, self._config.physics
        start, turn = data.xipos[self._body].copy(), self._turn()
        axis = turn[:, direction // 2] * (1.0 if direction % 2 == 0 else -1.0)
        data.xfrc_applied[self._body, :3] = axis * self._object.mass * limits.gravity
        moved = turned = 0.0
        for step in range(round(limits.shake_time / TIME_STEP)):
            mujoco.mj_step(model, data)
            if step % 10 == 9:
                moved = max(moved, float(np.linalg.norm(data.xipos[self._body] - start)))
                turned = max(turned, float(rotation_angle(self._turn() @ turn.T)))
                if moved > limits.most_translation or turned > limits.most_rotation:
                    break
        data.xfrc_applied[self._body, :3] = 0.0
        return moved, turned

    def _turn(self) -> Array:
        return rotation_from_quaternion_wxyz(self.data.xquat[self._body])


def main(arguments: list[str]) -> int:
    """Replay and print the share that holds, in all and by object."""
    options = tyro.cli(Options, args=arguments, description=__doc__)
    try:
        version = import_module("mujoco").__version__
    except ImportError as error:
        raise MissingFileError("MuJoCo is not installed", remedy="pip install -c constraints.txt mujoco") from error
    models = real_data() / "YCB_Video_Dataset" / "models"
    recipes = recipes_of(
        BuildConfig(hand=HandSection(model="builtin"), objects=ObjectsSection(source="folder", models=models))
    )
    library, config = GraspLibrary.open(options.library), SearchConfig()
    rig = make_rig(hand_of(recipes.hand), config)
    six_axes = [number for number, kind in GRASP_TYPES.items() if kind.test == "six_axes"]
    wanted = [
        (name, int(row))
        for name in (options.objects or library.objects)
        for row in np.flatnonzero(library[name].verified & np.isin(library[name].grasp_type, options.types or six_axes))
    ]
    rng = np.random.default_rng(options.seed)
    chosen = sorted(wanted[i] for i in rng.permutation(len(wanted))[: options.count])
    held: Counter[str] = Counter()
    motions = []
    for name in dict.fromkeys(name for name, _ in chosen):
        world = OtherWorld(rig, object_of(name, recipes.objects), config)
        for _, row in (entry for entry in chosen if entry[0] == name):
            result = _replay(world, rig, library[name][row : row + 1])
            motions.append(float(result.translation.max()))
            held[name] += result.held(config)
            text = f"{name} #{row} type {int(library[name].grasp_type[row])}: settles {1e3 * result.settled:.1f} mm, "
            text += f"moves {1e3 * motions[-1]:.1f} mm, {np.rad2deg(result.rotation.max()):.1f} degrees"
            sys.stderr.write(text + ("" if result.held(config) else "  LOST") + "\n")
    total = Counter(name for name, _ in chosen)
    rows = [[name, total[name], held[name], f"{100 * held[name] / total[name]:.0f} %"] for name in total]
    share = sum(held.values()) / max(len(chosen), 1)
    rows.append(["all", len(chosen), sum(held.values()), f"{100 * share:.0f} %"])
    say(f"MuJoCo {version}: kept grasps that hold; median motion {1e3 * np.median(motions or [0.0]):.1f} mm")
    write_table("", ["object", "replayed", "held", "share"], rows)
    return 0


def _replay(world: OtherWorld, rig: HandRig, grasp: Grasps) -> Replay:
    dof, _ = rig.anatomy.dof_from_pose(np.asarray(grasp.pose, np.float64))
    T = rig.model.wrist_transform(
        np.asarray(grasp.wrist_rotation, np.float64), np.asarray(grasp.translation, np.float64)
    )
    return world.replay(GRASP_TYPES[int(grasp.grasp_type[0])], rig.anatomy.clip(dof[0]), T[0])


if __name__ == "__main__":
    raise SystemExit(status_of(main))
