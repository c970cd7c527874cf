"""Which grasps are possible in an arrangement: the hand and its way there against neighbours and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Float32, Float64, Integer, UInt8

from yaff.errors import InputError
from yaff.geometry.transforms import invert
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.hand.forearm import FOREARM_LENGTH, FOREARM_RADIUS, WRIST_BEND
from yaff.scene.ball_cover import BallCover
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import PosedHands, pose_hands

Array = np.ndarray


class Infeasible(IntEnum):
    """Why a grasp cannot be taken in an arrangement."""

    FEASIBLE = 0
    NEIGHBOUR = 1
    """The hand would be inside another object."""
    TABLE = 2
    """The hand, or the forearm at any bend of the wrist, would be below the support plane."""
    UNREACHABLE = 3
    """The grasp itself is free, but the way from the pregrasp to it is not."""


@dataclass(frozen=True)
class FeasibilityConfig:
    """How much overlap is forgiven: skin gives way, and poses err by millimetres."""

    neighbour_penetration: float = 0.002
    """Metres that skin may be inside a neighbour at the grasp."""
    table_penetration: float = 0.003
    """Metres that skin may be below the support plane at the grasp."""
    path_penetration: float = 0.005
    """Metres that skin may be inside a neighbour or below the plane on the way."""
    path_steps: int = 6
    """Poses of the approach that are looked at, the pregrasp first."""
    path_vertices: int = 128
    """Skin vertices that are followed along the approach."""
    forearm_length: float = FOREARM_LENGTH
    """Metres of forearm that must be above the support plane."""
    forearm_radius: float = FOREARM_RADIUS
    """Metres."""
    wrist_bend: float = WRIST_BEND
    """Radians by which the wrist may bend to bring the forearm up."""
    clearance_limit: float = 0.1
    """Metres. Clearances beyond this are not measured but stored as this."""


class Feasibility(NamedTuple):
    """The verdict on ``n`` grasps of one instance."""

    code: UInt8[Array, "n"]
    """Values of :class:`Infeasible`."""
    clearance: Float32[Array, "n"]
    """Metres from the skin at the grasp to the nearest neighbour or to the support plane, negative inside; at most
    ``clearance_limit``. The grasped object itself does not count."""


@runtime_checkable
class DistanceField(Protocol):
    """Signed distances to a solid, metres, negative inside."""

    @property
    def spacing(self) -> float:
        """Metres between the samples: bounds the error of interpolation between them."""
        ...

    def distance(self, points: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        """Distance of each point to the surface; points in the frame of the solid, anywhere."""
        ...


@runtime_checkable
class Obstacle(Protocol):
    """What feasibility needs of an object; :class:`yaff.objects.ObjectModel` has it."""

    @property
    def sdf(self) -> DistanceField:
        """Distance to the solid, model frame."""
        ...

    @property
    def solid(self) -> trimesh.Trimesh:
        """The closed mesh, model frame, metres; only its bounds are looked at."""
        ...


def feasibility(
    hand: HandModel,
    objects: Mapping[int, Obstacle],
    Ts_camera_object: Float[Array, "k 4 4"],
    object_index: Integer[Array, "k"],
    plane: Plane | None,
    grasps: Mapping[int, Grasps],
    config: FeasibilityConfig | None = None,
    posed: Mapping[int, PosedHands] | None = None,
) -> list[Feasibility]:
    """Decide for every grasp of every instance of an arrangement.

    Where several things are in the way at the grasp, the code names the one that is too deep by the most.

    Args:
        hand: the hand that took the grasps.
        objects: models by YCB-Video index.
        Ts_camera_object: poses of the instances (any common frame will do).
        object_index: their YCB-Video indices.
        plane: the support plane in the same frame; None where there is none.
        grasps: by YCB-Video index, object frame; instances of other objects have no grasps.
        config: tolerances.
        posed: :func:`~yaff.scene.posed_hands.pose_hands` of ``grasps``, to pose them once for many arrangements.

    Returns:
        One verdict for each instance, in order.

    Raises:
        InputError: an instance of an object that is not in ``objects``.
    """
    config = config or FeasibilityConfig()
    index = [int(i) for i in object_index]
    unknown = sorted(set(index) - set(objects))
    if unknown:
        raise InputError(f"no model of objects {unknown}", remedy=f"models given: {sorted(objects)}")
    result = []
    for k, target in enumerate(index):
        if target not in grasps or len(grasps[target]) == 0:
            result.append(Feasibility(np.zeros(0, np.uint8), np.zeros(0, np.float32)))
            continue
        if posed is not None and target in posed:
            hands = posed[target]
        else:
            hands = pose_hands(hand, grasps[target], config.path_steps, config.path_vertices)
        T_object_camera = invert(Ts_camera_object[k])
        neighbours = [
            _Neighbour.of(objects[other], T_object_camera @ Ts_camera_object[j])
            for j, other in enumerate(index)
            if j != k
        ]
        result.append(hand_feasibility(hands, neighbours, plane and plane.transformed(T_object_camera), config))
    return result


@dataclass(frozen=True)
class _Neighbour:
    sdf: DistanceField
    T_self_object: Float64[Array, "4 4"]
    centre: Float64[Array, "3"]
    half: Float64[Array, "3"]

    @classmethod
    def of(cls, model: Obstacle, T_object_self: Float64[Array, "4 4"]) -> _Neighbour:
        low, high = np.asarray(model.solid.bounds, np.float64)
        return cls(model.sdf, invert(T_object_self), 0.5 * (low + high), 0.5 * (high - low))

    def local(self, points: Float[Array, "*b 3"]) -> Float64[Array, "*b 3"]:
        return points @ self.T_self_object[:3, :3].T + self.T_self_object[:3, 3]

    def box_distance(self, local: Float[Array, "*b 3"]) -> Float64[Array, "*b"]:
        """Distance to the bounding box, 0 inside: never more than the distance to the solid."""
        outside = np.maximum(np.abs(local - self.centre) - self.half, 0.0)
        return np.sqrt(np.einsum("...i,...i->...", outside, outside))

    def nearest(self, cover: BallCover, rows: Integer[Array, "r"], limit: Float[Array, "r"]) -> Float64[Array, "r"]:
        """Least signed distance of these clouds to the neighbour, where it is below ``limit``."""
        return cover.nearest(
            rows,
            limit,
            lambda points: self.box_distance(self.local(points)),
            lambda points: self.sdf.distance(self.local(points)),
            self.sdf.spacing,
        )


def hand_feasibility(
    hands: PosedHands, neighbours: Sequence[_Neighbour], plane: Plane | None, config: FeasibilityConfig
) -> Feasibility:
    """The verdict on posed hands; neighbours and plane in the frame of the grasped object."""
    n = len(hands)
    clearance = np.full(n, config.clearance_limit)
    table_excess = np.full(n, -np.inf)
    if plane is not None:
        height = plane.height(hands.skin).min(axis=1)
        clearance = np.minimum(clearance, height)
        table_excess = np.maximum(-height - config.table_penetration, _forearm_excess(hands, plane, config))
    nearest, everyone = np.full(n, np.inf), np.arange(n)
    for neighbour in neighbours:
        # what is above both the clearance so far and zero changes neither the clearance nor the code
        limit = np.maximum(np.minimum(clearance, nearest), 0.0)
        nearest = np.minimum(nearest, neighbour.nearest(hands.skin_cover, everyone, limit))
    clearance = np.minimum(clearance, nearest)
    neighbour_excess = -nearest - config.neighbour_penetration

    code = np.full(n, Infeasible.FEASIBLE, np.uint8)
    blocked = np.maximum(table_excess, neighbour_excess) > 0.0
    by_table = table_excess >= neighbour_excess
    code[blocked & by_table] = Infeasible.TABLE
    code[blocked & ~by_table] = Infeasible.NEIGHBOUR
    free = np.flatnonzero(~blocked)
    code[free[_path_blocked(hands, free, neighbours, plane, config)]] = Infeasible.UNREACHABLE
    return Feasibility(code, clearance.astype(np.float32))


def _forearm_excess(hands: PosedHands, plane: Plane, config: FeasibilityConfig) -> Float64[Array, "n"]:
    """Metres by which the end of the forearm stub is too low, with the wrist bent upward as far as it goes."""
    elevation = np.arcsin(np.clip(hands.forearm @ plane.normal, -1.0, 1.0))
    raised = np.minimum(elevation + config.wrist_bend, 0.5 * np.pi)
    end = plane.height(hands.wrist) + config.forearm_length * np.sin(raised)
    return config.forearm_radius - end - config.table_penetration


def _path_blocked(
    hands: PosedHands,
    rows: Integer[Array, "r"],
    neighbours: Sequence[_Neighbour],
    plane: Plane | None,
    config: FeasibilityConfig,
) -> Bool[Array, "r"]:
    """Whether the approach of these hands is blocked."""
    blocked = np.zeros(len(rows), bool)
    steps = hands.path.shape[1]
    if steps == 0:
        return blocked
    if plane is not None:
        blocked |= plane.height(hands.path[rows]).min(axis=(1, 2)) < -config.path_penetration
    for neighbour in neighbours:
        free = np.flatnonzero(~blocked)
        clouds = (rows[free][:, None] * steps + np.arange(steps)).reshape(-1)
        depth = neighbour.nearest(hands.path_cover, clouds, np.full(len(clouds), -config.path_penetration))
        blocked[free] = (depth.reshape(-1, steps) < -config.path_penetration).any(axis=1)
    return blocked
