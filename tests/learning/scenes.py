"""Two boxes on a table, seen from all round, with hands about them: enough to learn something from in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from yaff.geometry.transforms import invert, make_transform, rotation_from_axis_angle
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.scene.arrangements import group_arrangements
from yaff.scene.frames import FrameTable
from yaff.scene.plane import Plane
from yaff.store.content import Candidates, assemble_shard
from yaff.store.manifest import Sources, finish_dataset
from yaff.store.shards import ShardRecord, shard_name, write_shard

OBJECTS = ("009_gelatin_box", "061_foam_brick")
SCENES, FRAMES, GRASPS = 4, 8, 24
TYPES = (1, 9, 22, 31)
INTRINSICS = np.array([[1066.8, 0.0, 313.0], [0.0, 1067.5, 241.3], [0.0, 0.0, 1.0]])


def hands_about(hand: HandModel, name: str, rng: np.random.Generator) -> Grasps:
    """Flat hands whose palms face an object, each type from a side of its own; called verified."""
    types = np.resize(TYPES, GRASPS)
    turn = rotation_from_axis_angle(np.array([[0.0, 0.0, 0.5 * np.pi * (t % 4)] for t in types]))
    rotation = turn @ rotation_from_axis_angle(0.1 * rng.normal(size=(GRASPS, 3)))
    palm_to_object = 0.05 * rotation[:, :, 1]
    T_object_hand = make_transform(rotation, palm_to_object - rotation @ np.array([-0.09, -0.03, 0.0]))
    wrist, translation = hand.wrist_parameters(T_object_hand)
    state = np.full(GRASPS, ReviewState.VERIFIED, np.uint8)
    batch = Grasps.make(name, np.zeros((GRASPS, 45)), wrist, translation, types, review_state=state)
    measures = {key: np.zeros((GRASPS, *measure.shape), np.float32) for key, measure in MEASURES.items()}
    return replace(batch, measures=measures)


def table_of(scene: int, models: list[ObjectModel]) -> tuple[FrameTable, list[Plane]]:
    """Boxes side by side on z = 0, and a camera that goes round them."""
    rng = np.random.default_rng(scene)
    poses = []
    for k, model in enumerate(models):
        spin = rotation_from_axis_angle(np.array([0.0, 0.0, rng.uniform(0.0, 2.0 * np.pi)]))
        low = float((np.asarray(model.solid.vertices) @ spin.T)[:, 2].min())
        poses.append(make_transform(spin, np.array([0.13 * k, 0.0, -low])))
    Ts_camera_world = []
    for k in range(FRAMES):
        angle = 2.0 * np.pi * k / FRAMES
        eye = np.array([0.06 + 0.7 * np.cos(angle), 0.7 * np.sin(angle), 0.5])
        forward = np.array([0.06, 0.0, 0.02]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R_world_camera = np.stack([right, np.cross(forward, right), forward], axis=1)
        Ts_camera_world.append(invert(make_transform(R_world_camera, eye)))
    index = np.array([model.index for model in models], np.uint8)
    table = FrameTable.from_rows(
        scene,
        list(range(1, FRAMES + 1)),
        [INTRINSICS] * FRAMES,
        [index] * FRAMES,
        [T @ np.stack(poses) for T in Ts_camera_world],
    )
    ground = Plane(np.array([0.0, 0.0, 1.0]), 0.0)
    return table, [ground.transformed(T) for T in Ts_camera_world]


def write_scenes(folder: Path, hand: HandModel, models: list[ObjectModel]) -> None:
    """The dataset: the last scene is the split "keyframe", the others are "train"; some grasps are infeasible."""
    rng = np.random.default_rng(0)
    grasps = {model.index: Candidates.usable(hands_about(hand, model.name, rng)) for model in models}
    records = []
    for scene in range(1, SCENES + 1):
        table, planes = table_of(scene, models)
        arrangements = group_arrangements(table)
        (representative,) = arrangements.representative.tolist()
        codes = [(rng.uniform(size=GRASPS) < 0.3).astype(np.uint8) for _ in models]
        content = assemble_shard(
            table,
            arrangements,
            [[(code, np.zeros(GRASPS, np.float32)) for code in codes]],
            [planes[representative]],
            grasps,
            hand,
            {model.name: model.index for model in models},
            splits={
                "train": np.full(FRAMES, scene < SCENES),
                "val": np.zeros(FRAMES, bool),
                "keyframe": np.full(FRAMES, scene == SCENES),
            },
            inputs=f"test/{scene}",
        )
        path = folder / shard_name(scene)
        write_shard(path, "compact", content)
        records.append(ShardRecord.of(path))
    names = [model.name for model in models]
    meshes = {model.name: model.digest for model in models}
    finish_dataset(folder, records, Sources("library digest", meshes, {"standins": names}, {"yaff": "0"}))
