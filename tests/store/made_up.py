"""Scenes and grasps made of random numbers: two scenes, three objects, one object that moves, every code."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand.model import PARENTS, HandModel
from yaff.scene.arrangements import group_arrangements
from yaff.scene.frames import BadFrame, FrameTable
from yaff.store.content import Candidates, ShardContent, assemble_shard
from yaff.store.library import GraspLibrary
from yaff.store.manifest import Manifest, Sources, finish_dataset
from yaff.store.shards import ShardRecord, shard_name, write_shard

OBJECTS = {"002_master_chef_can": 1, "011_banana": 10, "025_mug": 14}
SPLITS = ("train", "val")


class Plane:
    """A support plane as :mod:`yaff.scene` gives it."""

    def __init__(self, normal: np.ndarray, offset: float) -> None:
        self.normal, self.offset = normal, offset


@cache
def hand() -> HandModel:
    """A hand of noise on a plausible skeleton: shape moves its root joint, pose bends its skin."""
    rng = np.random.default_rng(7)
    weights = rng.uniform(size=(778, 16)) ** 8
    regressor = rng.uniform(size=(16, 778)) ** 20
    return HandModel(
        name="builtin",
        side="right",
        template=rng.normal(size=(778, 3)) * 0.05 + (0.0957, 0.0064, 0.0062),
        faces=rng.integers(0, 778, (1538, 3)),
        weights=weights / weights.sum(axis=1, keepdims=True),
        shape_directions=0.002 * rng.normal(size=(778, 3, 10)),
        pose_directions=0.001 * rng.normal(size=(778, 3, 135)),
        joint_regressor=regressor / regressor.sum(axis=1, keepdims=True),
        parents=np.array(PARENTS),
    )


def make_grasps(rng: np.random.Generator, name: str, n: int) -> Grasps:
    """``n`` grasps with everything set and shapes that are not the mean; two in three are verified."""
    measures = {key: rng.uniform(0, 1, (n, *m.shape)).astype(np.float32) for key, m in MEASURES.items()}
    state = np.where(np.arange(n) % 3 < 2, ReviewState.VERIFIED, ReviewState.NEEDS_REVIEW).astype(np.uint8)
    return Grasps.make(
        name,
        0.6 * rng.normal(size=(n, 45)),
        rng.normal(size=(n, 3)),
        0.1 * rng.normal(size=(n, 3)),
        rng.integers(1, 34, n),
        shape=rng.normal(size=(n, 10)).astype(np.float32),
        pregrasp_pose=rng.normal(size=(n, 45)).astype(np.float32),
        pregrasp_wrist_rotation=rng.normal(size=(n, 3)).astype(np.float32),
        pregrasp_translation=rng.normal(size=(n, 3)).astype(np.float32),
        review_state=state,
        reason=tuple("" if s == ReviewState.VERIFIED else f"Größe {k}" for k, s in enumerate(state)),
        provenance=tuple(f"contact/{k}/{n}" for k in range(n)),
        measures=measures,
    )


def make_grasp_sets(seed: int = 0, n: int = 30) -> dict[str, Grasps]:
    rng = np.random.default_rng(seed)
    return {name: make_grasps(rng, name, n + k) for k, name in enumerate(OBJECTS)}


def make_table(rng: np.random.Generator, scene: int, frames: int) -> FrameTable:
    """Frames of a moving camera; scene 1 shows its objects in changing order, and one of them moves half-way."""
    indices = list(OBJECTS.values()) if scene != 2 else list(OBJECTS.values())[:2]
    Ts_world_object = make_transform(
        rotation_from_axis_angle(rng.normal(size=(len(indices), 3))), 0.2 * rng.normal(size=(len(indices), 3))
    )
    object_index, poses, intrinsics = [], [], []
    for k in range(frames):
        if scene == 1 and k == frames // 2:
            Ts_world_object[1, :3, 3] += 0.1
        order = rng.permutation(len(indices)) if scene == 1 else np.arange(len(indices))
        T_camera_world = make_transform(
            rotation_from_axis_angle(rng.normal(size=3)), rng.normal(size=3) * 0.2 + (0, 0, 1)
        )
        object_index.append(np.array(indices, np.uint8)[order])
        poses.append((T_camera_world @ Ts_world_object)[order])
        intrinsics.append(np.array([[1066.8 + k, 0, 312.99], [0, 1067.5, 241.31], [0, 0, 1]]))
    return FrameTable.from_rows(scene, [3 * k + 1 for k in range(frames)], intrinsics, object_index, poses)


def make_content(
    grasps: dict[str, Grasps],
    scene: int,
    frames: int = 12,
    seed: int = 0,
    feasible: float = 0.6,
    model: HandModel | None = None,
) -> ShardContent:
    rng = np.random.default_rng([seed, scene])
    table = make_table(rng, scene, frames)
    arrangements = group_arrangements(table)
    candidates = {OBJECTS[name]: Candidates.usable(batch) for name, batch in grasps.items()}
    verdicts = []
    for row in arrangements.representative:
        here = []
        for index in table.object_index[table.instances(int(row))].tolist():
            n = len(candidates[index].grasps)
            codes = np.where(rng.uniform(size=n) < feasible, 0, rng.integers(1, 4, n)).astype(np.uint8)
            here.append((codes, rng.normal(size=n).astype(np.float32)))
        verdicts.append(here)
    planes = [None if k else Plane(np.array([0.0, -1.0, 0.0]), 0.4) for k in range(len(arrangements))]
    splits = {"train": np.arange(frames) % 3 > 0, "val": np.arange(frames) % 3 == 0}
    return assemble_shard(
        table,
        arrangements,
        verdicts,
        planes,
        candidates,
        model or hand(),
        OBJECTS,
        splits=splits,
        inputs=f"test/{scene}",
    )


def make_dataset(
    folder: Path,
    layout: str,
    scenes: tuple[int, ...] = (1, 2),
    frames: int = 12,
    grasps: int = 30,
    sets: dict[str, Grasps] | None = None,
) -> Manifest:
    """A small dataset on disk, of ``sets`` of grasps or of ``grasps`` an object."""
    sets = sets or make_grasp_sets(n=grasps)
    records = []
    for scene in scenes:
        path = folder / shard_name(scene)
        write_shard(path, layout, make_content(sets, scene, frames))
        records.append(ShardRecord.of(path))
    sources = Sources(
        library="library digest",
        meshes=dict.fromkeys(OBJECTS, "mesh digest"),
        configuration={"scene": {"stride": 10}},
        versions={"yaff": "0"},
        bad_frames=(BadFrame("data/0001/000002-meta.mat", 1, 2, "NaN in the pose of 025_mug"),),
    )
    return finish_dataset(folder, records[::-1], sources)


def make_library(path: Path) -> GraspLibrary:
    return GraspLibrary.write(path, make_grasp_sets(), {"hand": {"digest": hand().digest}})
