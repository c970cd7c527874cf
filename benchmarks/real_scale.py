"""Four real scenes of YCB-Video at every tenth frame, projected and verified, with the scanned meshes.

Needs YAFF_DATA (default ../shared/data). The library holds flat hands in random places about each object: what is
measured is the way through the frames, which is the same for grasps that hold.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.io

from benchmarks.figures import Figure
from pipelines.build import project_task
from pipelines.config import BuildConfig, DatasetSection, HandSection, ObjectsSection, OutputSection
from pipelines.executor import Workforce
from pipelines.loading import catalogue, recipes_of
from pipelines.progress import default_progress
from pipelines.stages.objects import prepare_objects
from pipelines.stages.project import project
from pipelines.stages.verify import problems_of
from yaff.errors import MissingFileError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle, rotation_from_quaternion_wxyz
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand import load_hand
from yaff.store.library import GraspLibrary
from yaff.store.manifest import Manifest

SCENES = (0, 48, 49, 50)
STRIDE = 10
GRASPS = 200
"""Grasps of each object."""
INTRINSICS = np.array([[1066.778, 0, 312.9869], [0, 1067.487, 241.3109], [0, 0, 1.0]])
"""Of the camera of videos 0 to 59."""


def real_scale() -> Iterator[Figure]:
    """Seconds of projection and verification, geometry of the objects prepared beforehand."""
    data = Path(os.environ.get("YAFF_DATA", "../shared/data")).resolve()
    if not data.is_dir():
        raise MissingFileError("real data not found", where=data, remedy="set YAFF_DATA")
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "dataset", Path(folder) / "out"
        write_frames(data / "ycb_video_poses.npz", root)
        config = BuildConfig(
            hand=HandSection(model="builtin"),
            dataset=DatasetSection("ycb-video", root),
            objects=ObjectsSection(source="folder", models=data / "YCB_Video_Dataset" / "models"),
            output=OutputSection(out),
        )
        recipes, progress = recipes_of(config), default_progress()
        library = write_library(Path(folder) / "library.h5")
        started = time.perf_counter()
        prepare_objects(catalogue().names, recipes.objects, out / "work", Workforce(), progress)
        yield "objects prepared", time.perf_counter() - started, "s"
        started = time.perf_counter()
        project(project_task(config, recipes, library), out / "shards", out / "work", Workforce(), progress)
        yield "projected", time.perf_counter() - started, "s"
        started = time.perf_counter()
        problems = problems_of(out / "shards")
        yield "verified", time.perf_counter() - started, "s"
        totals = Manifest.open(out / "shards").totals
        yield "frames", totals["frames"], ""
        yield "annotations", totals["annotations"], ""
        yield "problems", len(problems), ""


def write_frames(poses: Path, root: Path) -> None:
    """The scenes as a YCB-Video tree, without pictures."""
    tracks = np.load(poses)
    start = tracks["track_start"]
    rotation = rotation_from_quaternion_wxyz(tracks["quaternion_wxyz"])
    for scene in SCENES:
        here = np.flatnonzero(tracks["track_scene"] == scene)
        folder = root / "data" / f"{scene:04d}"
        folder.mkdir(parents=True)
        for frame in range(0, int(start[here[0] + 1] - start[here[0]]), STRIDE):
            rows = start[here] + frame
            poses_3x4 = np.concatenate([rotation[rows], tracks["translation_m"][rows][:, :, None]], axis=2)
            meta = {
                "cls_indexes": tracks["track_object"][here].astype(np.uint8)[:, None],
                "poses": np.moveaxis(poses_3x4, 0, 2),
                "intrinsic_matrix": INTRINSICS,
                "factor_depth": np.array([[10000]], np.uint16),
            }
            scipy.io.savemat(folder / f"{frame + 1:06d}-meta.mat", meta)


def write_library(path: Path) -> Path:
    """Flat hands with the palm a hand's breadth from the object, from random sides."""
    hand, rng = load_hand(), np.random.default_rng(0)
    grasps = {}
    for name in catalogue().names:
        rotation = rotation_from_axis_angle(rng.normal(size=(GRASPS, 3)))
        palm_to_object = rotation[:, :, 1] * rng.uniform(0.04, 0.1, (GRASPS, 1))
        T_object_hand = make_transform(rotation, palm_to_object - rotation @ np.array([-0.09, -0.03, 0.0]))
        wrist, translation = hand.wrist_parameters(T_object_hand)
        state = np.full(GRASPS, ReviewState.VERIFIED, np.uint8)
        batch = Grasps.make(
            name, np.zeros((GRASPS, 45)), wrist, translation, rng.integers(1, 34, GRASPS), review_state=state
        )
        measures = {key: np.zeros((GRASPS, *measure.shape), np.float32) for key, measure in MEASURES.items()}
        grasps[name] = replace(batch, measures=measures)
    metadata = {"hand": {"name": hand.name, "side": hand.side, "digest": hand.digest}}
    GraspLibrary.write(path, grasps, metadata)
    return path
