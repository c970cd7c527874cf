"""Arrangements made up to learn from: the same objects and grasps, dropped anew beside each other.

All frames of a video show one arrangement, and it is the arrangement that decides which of an object's grasps are
feasible; a dataset of 80 videos has hardly any. So objects are dropped on a table in a simulation, feasibility is
decided by the code that decided it for the dataset, and the cameras are those of recorded frames, held over the new
table as they were over theirs. Poses that were measured have their objects some millimetres in the table or over it,
which for flat ones decides what a finger can get under: what is made up stands as recorded objects do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from yaff.errors import PhysicsError
from yaff.geometry.transforms import make_transform
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.learning.config import ArrangingConfig
from yaff.learning.instances import InstanceTable
from yaff.objects import ObjectModel
from yaff.scene.feasibility import FeasibilityConfig, feasibility
from yaff.scene.piles import drop_pile
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import PosedHands, pose_hands
from yaff.store.columns import TYPES

Array = np.ndarray

_TABLE = Plane(np.array([0.0, 0.0, 1.0]), 0.0)

STANDING = 0.01
"""An object whose lowest point is nearer to the table than this stands on it, metres."""


@dataclass(frozen=True, eq=False)
class Arranged:
    """Objects on z = 0, some millimetres in it or over it, and what is feasible there."""

    object_index: Int64[Array, "k"]
    Ts_world_object: Float64[Array, "k 4 4"]
    feasible: tuple[Int64[Array, "_"], ...]
    """For each object the rows of the grasp table that are feasible."""


class Arranger:
    """Drops objects and decides what is feasible.

    Args:
        table: whose grasps are tried, all that the dataset holds of each object; of its rows is learnt how exactly
            objects stand on their table.
        hand: the hand that took them.
        models: the objects to drop; grasps of other objects are not tried.
        config: how many are dropped.
    """

    def __init__(
        self, table: InstanceTable, hand: HandModel, models: Sequence[ObjectModel], config: ArrangingConfig
    ) -> None:
        self._hand, self._config = hand, config
        self._heights = standing_heights(table, models)
        self._models = {model.index: model for model in models}
        self._rows = {index: np.flatnonzero(table.grasps.object_index == index) for index in self._models}
        self._grasps: Mapping[int, Grasps] = {
            index: table.grasps.of_hand(hand, model.name, self._rows[index]) for index, model in self._models.items()
        }
        feasible = FeasibilityConfig()
        self._posed: Mapping[int, PosedHands] = {
            index: pose_hands(hand, grasps, feasible.path_steps, feasible.path_vertices)
            for index, grasps in self._grasps.items()
            if len(grasps)
        }

    def arrange(self, seed: tuple[int, ...]) -> Arranged | None:
        """One arrangement; None where its objects would not come to rest."""
        rng, config = np.random.default_rng(seed), self._config
        most = min(config.most, len(self._models))
        count = int(rng.integers(min(config.fewest, most), most + 1))
        chosen = rng.permutation(sorted(self._models))[:count]
        try:
            Ts = drop_pile([self._models[int(index)] for index in chosen], rng)
        except PhysicsError:
            return None
        if len(self._heights):
            for index, T, height in zip(chosen, Ts, rng.choice(self._heights, size=count), strict=True):
                lowest = _lowest(self._models[int(index)], T[2])
                T[2, 3] += height - lowest if abs(lowest) < STANDING else 0.0
        verdicts = feasibility(self._hand, self._models, Ts, chosen, _TABLE, self._grasps, posed=self._posed)
        rows = [self._rows[int(i)][np.flatnonzero(v.code == 0)] for i, v in zip(chosen, verdicts, strict=True)]
        return Arranged(chosen.astype(np.int64), Ts, tuple(rows))


def standing_heights(table: InstanceTable, models: Sequence[ObjectModel]) -> Float64[Array, "h"]:
    """How far the lowest points of objects that stand on a table are over it (metres; negative: in it), for every
    placement of the table's rows whose plane is known."""
    by_index = {model.index: model for model in models}
    placements, first = np.unique(table.placement[table.rows], return_index=True)
    heights = [
        _lowest(by_index[index], table.plane[placement])
        for placement, index in zip(placements.tolist(), table.object_index[table.rows[first]].tolist(), strict=True)
        if table.plane_known[placement] and index in by_index
    ]
    heights = np.array(heights, np.float64)
    return heights[np.abs(heights) < STANDING]


def _lowest(model: ObjectModel, plane: Float64[Array, "4"]) -> float:
    """The least height of an object over a plane of its frame, metres."""
    return float((np.asarray(model.solid.vertices) @ plane[:3]).min() + plane[3])


def seen_from(table: InstanceTable, seed: int, count: int) -> tuple[Float64[Array, "v 4 4"], Int64[Array, "v"]]:
    """Poses ``T_camera_world`` of the cameras of random frames of a table's rows, where their plane is known, and the
    rows of those frames.

    The world's z = 0 is the support plane, its origin below the middle of the objects; which way round it is is random.
    """
    known = table.rows[table.plane_known[table.placement[table.rows]]]
    result, frames = np.empty((count, 4, 4)), np.empty(count, np.int64)
    rng = np.random.default_rng((seed, 12))
    for k in range(count):
        row = int(rng.choice(known))
        plane, frame = table.camera_plane(row), int(table.frame[row])
        assert plane is not None
        middle = table.T_camera_object[table.instance_start[frame] : table.instance_start[frame + 1], :3, 3].mean(0)
        up = plane[:3] / np.linalg.norm(plane[:3])
        side = np.cross(up, rng.normal(size=3))
        side /= np.linalg.norm(side)
        rotation = np.stack([side, np.cross(up, side), up], axis=1)
        result[k] = make_transform(rotation, middle - (plane[:3] @ middle + plane[3]) * up)
        frames[k] = frame
    return result, frames


def with_arranged(
    table: InstanceTable, made: Sequence[Arranged], seed: int, views: int, types: Sequence[int] = ()
) -> InstanceTable:
    """A table with these arrangements beside its own, each seen from ``views`` cameras of its frames.

    Rows of the table stay what they were; what is added comes after them, in scenes numbered -1, -2, ...

    Args:
        table: whose grasps the arrangements were decided for.
        made: the arrangements.
        seed: decides which cameras see them.
        views: cameras for each.
        types: only grasps of these types (Feix numbers) count; all when empty.
    """
    if not made or not table.plane_known[table.placement[table.rows]].any():
        return table
    if types:
        asked = np.isin(table.grasps.grasp_type, list(types))
        made = [replace(one, feasible=tuple(rows[asked[rows]] for rows in one.feasible)) for one in made]
    cameras, source = seen_from(table, seed, views * len(made))
    scene_of = np.repeat(np.arange(len(made)), views)
    shown = [made[k] for k in scene_of.tolist()]
    counts = np.array([len(one.object_index) for one in shown])
    first_placement = len(table.type_counts) + np.concatenate([[0], np.cumsum([len(one.object_index) for one in made])])
    object_index = np.concatenate([one.object_index for one in shown])
    poses = np.concatenate([camera @ one.Ts_world_object for one, camera in zip(shown, cameras, strict=True)])
    placement = np.concatenate([first_placement[k] + np.arange(n) for k, n in zip(scene_of, counts, strict=True)])
    sizes = np.array([len(rows) for one in made for rows in one.feasible])
    feasible = np.concatenate([rows for one in made for rows in one.feasible])
    type_counts = np.zeros((len(sizes), TYPES), np.int64)
    np.add.at(type_counts, (np.repeat(np.arange(len(sizes)), sizes), table.grasps.grasp_type[feasible] - 1), 1)
    up = np.concatenate([one.Ts_world_object[:, 2] for one in made])
    old_instances, old_frames = len(table.object_index), len(table.scene)
    with_grasp = np.flatnonzero(sizes[placement - len(table.type_counts)] > 0)
    views_of = np.arange(len(scene_of)) % views
    return replace(
        table,
        rows=np.concatenate([table.rows, old_instances + with_grasp]),
        object_index=np.concatenate([table.object_index, object_index]),
        T_camera_object=np.concatenate([table.T_camera_object, poses]),
        placement=np.concatenate([table.placement, placement]),
        frame=np.concatenate([table.frame, old_frames + np.repeat(np.arange(len(scene_of)), counts)]),
        instance_start=np.concatenate([table.instance_start, table.instance_start[-1] + np.cumsum(counts)]),
        scene=np.concatenate([table.scene, -1 - scene_of]),
        frame_number=np.concatenate([table.frame_number, views_of]),
        intrinsics=np.concatenate([table.intrinsics, table.intrinsics[source]]),
        plane=np.concatenate([table.plane, up]),
        plane_known=np.concatenate([table.plane_known, np.ones(len(sizes), bool)]),
        feasible_start=np.concatenate([table.feasible_start, table.feasible_start[-1] + np.cumsum(sizes)]),
        feasible=np.concatenate([table.feasible, feasible]),
        type_counts=np.concatenate([table.type_counts, type_counts]),
    )
