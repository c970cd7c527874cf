"""Arrangements made up to learn from: the same objects and grasps, dropped anew beside each other.

All frames of a video show one arrangement, and it is the arrangement that decides which of an object's grasps are
feasible; a dataset of 80 videos has hardly any. So objects are dropped on a table in a simulation, or set down there as
recorded ones stand (:mod:`yaff.learning.standing`), feasibility is decided by the code that decided it for the dataset,
and the cameras are those of recorded frames, held over the new table as they were over theirs.
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
from yaff.learning.standing import STANDING, Standings, set_down
from yaff.objects import ObjectModel
from yaff.scene.feasibility import FeasibilityConfig, feasibility
from yaff.scene.piles import drop_pile
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import PosedHands, pose_hands
from yaff.store.columns import TYPES

Array = np.ndarray

_TABLE = Plane(np.array([0.0, 0.0, 1.0]), 0.0)


@dataclass(frozen=True, eq=False)
class Arranged:
    """Objects on z = 0, some millimetres in it or over it, and what is feasible there."""

    object_index: Int64[Array, "k"]
    Ts_world_object: Float64[Array, "k 4 4"]
    feasible: tuple[Int64[Array, "_"], ...]
    """For each object the rows of the grasp table that are feasible."""


class Arranger:
    """Drops objects or sets them down, and decides what is feasible.

    Args:
        table: whose grasps are tried, all that the dataset holds of each object; of its rows is learnt how objects
            stand on their table.
        hand: the hand that took them.
        models: the objects; grasps of others are not tried.
        config: how many are put beside each other.
    """

    def __init__(
        self, table: InstanceTable, hand: HandModel, models: Sequence[ObjectModel], config: ArrangingConfig
    ) -> None:
        self._hand, self._config = hand, config
        self._standings = Standings.of(table, models)
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

    def dropped(self, seed: tuple[int, ...]) -> Arranged | None:
        """Objects dropped one after the other; None where they would not come to rest."""
        rng = np.random.default_rng(seed)
        chosen = self._chosen(rng)
        try:
            Ts = drop_pile([self._models[int(index)] for index in chosen], rng)
        except PhysicsError:
            return None
        if len(self._standings.height):
            for index, T, height in zip(chosen, Ts, rng.choice(self._standings.height, size=len(chosen)), strict=True):
                lowest = (np.asarray(self._models[int(index)].solid.vertices) @ T[2, :3]).min() + T[2, 3]
                T[2, 3] += height - lowest if abs(lowest) < STANDING else 0.0
        return self._decided(chosen, Ts)

    def set_down(self, seed: tuple[int, ...]) -> Arranged:
        """Objects set down beside each other as recorded ones stand; what finds no room is left out."""
        rng = np.random.default_rng(seed)
        chosen = self._chosen(rng)
        kept, Ts = set_down([self._models[int(index)] for index in chosen], self._standings, rng)
        return self._decided(chosen[kept], Ts)

    def _chosen(self, rng: np.random.Generator) -> Int64[Array, "k"]:
        most = min(self._config.most, len(self._models))
        count = int(rng.integers(min(self._config.fewest, most), most + 1))
        return rng.permutation(sorted(self._models))[:count].astype(np.int64)

    def _decided(self, chosen: Int64[Array, "k"], Ts: Float64[Array, "k 4 4"]) -> Arranged:
        verdicts = feasibility(self._hand, self._models, Ts, chosen, _TABLE, self._grasps, posed=self._posed)
        rows = [self._rows[int(i)][np.flatnonzero(v.code == 0)] for i, v in zip(chosen, verdicts, strict=True)]
        return Arranged(chosen, Ts, tuple(rows))


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
