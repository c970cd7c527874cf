"""A library of hands that are possible on the real tables, so that scale can be measured without a search.

Hands of random posture stand about each object with the palm towards it. Of many, those are kept that the support
planes of the 92 videos allow most often when the object stands there alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.loading import ObjectRecipe, catalogue, object_of
from yaff.geometry.transforms import invert, make_transform, rotation_from_axis_angle
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand import HandModel, load_hand
from yaff.scene.feasibility import FeasibilityConfig, hand_feasibility
from yaff.scene.frames import SceneReader
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import PosedHands, pose_hands
from yaff.scene.support import support_plane
from yaff.store.library import GraspLibrary

GRASPS = 110
"""Grasps of each object; four in five of them are possible over the table the object stands on."""
TRIED = 400
"""Hands of each object that they are chosen from."""
APPROACH = 0.05
"""Metres by which the pregrasp stands back."""


def write_library(path: Path, reader: SceneReader, objects: ObjectRecipe) -> Path:
    """The library, the same bytes each time; takes about half a minute."""
    hand, known = load_hand(), catalogue()
    planes = _planes(reader, objects)
    grasps, meshes = {}, {}
    for name in known.names:
        index = known[name].index
        model = object_of(name, objects)
        tried = _hands(hand, name, float(model.radius), np.asarray(model.centre_of_mass), np.random.default_rng(index))
        posed = pose_hands(hand, tried)
        order = np.argsort(-_share(posed, planes[index]), kind="stable")
        grasps[name] = tried[np.sort(order[:GRASPS])]
        meshes[name] = model.digest
    metadata = {"hand": {"name": hand.name, "side": hand.side, "digest": hand.digest}, "meshes": meshes}
    GraspLibrary.write(path, grasps, metadata)
    return path


def _planes(reader: SceneReader, objects: ObjectRecipe) -> Mapping[int, list[Plane]]:
    """For each object, the support planes it occurs over, in its own frame."""
    known = catalogue()
    result: dict[int, list[Plane]] = {known[name].index: [] for name in known.names}
    for scene in reader.scenes():
        table, _ = reader.read(scene, reader.frame_numbers(scene)[:1])
        models = [object_of(known.by_index(int(i)).name, objects) for i in table.object_index]
        plane = support_plane(
            table.Ts_camera_object,
            [np.asarray(model.surface_points) for model in models],
            masses=[model.mass for model in models],
            centres_of_mass=[np.asarray(model.centre_of_mass) for model in models],
        )
        for index, T in zip(table.object_index.tolist(), table.Ts_camera_object, strict=True):
            result[index].append(plane.transformed(invert(T)))
    return result


def _hands(hand: HandModel, name: str, radius: float, centre: np.ndarray, rng: np.random.Generator) -> Grasps:
    """Hands with the palm towards the middle of the object, from all sides, and their pregrasps."""
    rotation = rotation_from_axis_angle(rng.normal(size=(TRIED, 3)))
    palm = rotation @ np.array([-0.09, -0.03, 0.0])
    away = rotation[:, :, 1] * (0.5 * radius + rng.uniform(0.0, 0.05, (TRIED, 1)))
    there = make_transform(rotation, centre + away - palm)
    back = make_transform(rotation, centre + away + APPROACH * rotation[:, :, 1] - palm)
    pose = 0.2 * rng.normal(size=(TRIED, 45))
    wrist, translation = hand.wrist_parameters(there)
    before, before_translation = hand.wrist_parameters(back)
    batch = Grasps.make(
        name,
        pose,
        wrist,
        translation,
        rng.integers(1, 34, TRIED),
        review_state=np.full(TRIED, ReviewState.VERIFIED, np.uint8),
        pregrasp_pose=(0.5 * pose).astype(np.float32),
        pregrasp_wrist_rotation=before.astype(np.float32),
        pregrasp_translation=before_translation.astype(np.float32),
    )
    measures = {key: rng.uniform(size=(TRIED, *m.shape)).astype(np.float32) for key, m in MEASURES.items()}
    return replace(batch, measures=measures)


def _share(posed: PosedHands, planes: list[Plane]) -> np.ndarray:
    """The share of these planes over which each hand is possible."""
    allowed = np.zeros(len(posed))
    for plane in planes:
        allowed += hand_feasibility(posed, [], plane, FeasibilityConfig()).code == 0
    return allowed / max(len(planes), 1)
