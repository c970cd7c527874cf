"""A small generated dataset and a library of unsearched grasps, so that projection can be tested in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand import load_hand
from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.scene.synthetic import SceneConfig, generate_scenes
from yaff.store.library import GraspLibrary

OBJECTS = ("009_gelatin_box", "061_foam_brick")


@pytest.fixture(scope="session")
def small_objects(cache_dir: Path) -> dict[str, ObjectModel]:
    """Two stand-ins that are boxes."""
    source = StandInSource()
    return {name: load_object(name, source, cache_dir) for name in OBJECTS}


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory, small_objects: dict[str, ObjectModel]) -> Path:
    """Two generated scenes of three frames; the first frame has pictures."""
    root = tmp_path_factory.mktemp("generated") / "dataset"
    config = SceneConfig(n_scenes=2, n_frames=3, min_objects=2, max_objects=2, image_every=3)
    generate_scenes(root, list(small_objects.values()), 0, config)
    return root


@pytest.fixture(scope="session")
def small_library(tmp_path_factory: pytest.TempPathFactory, small_objects: dict[str, ObjectModel]) -> Path:
    """Flat hands beside the objects, from random directions, called verified."""
    hand, rng, n = load_hand(), np.random.default_rng(0), 60
    grasps = {}
    for name in small_objects:
        rotation = rotation_from_axis_angle(rng.normal(size=(n, 3)))
        palm_to_object = 0.06 * rotation[:, :, 1]
        T_object_hand = make_transform(rotation, palm_to_object - rotation @ np.array([-0.09, -0.03, 0.0]))
        wrist, translation = hand.wrist_parameters(T_object_hand)
        batch = Grasps.make(
            name,
            np.zeros((n, 45)),
            wrist,
            translation,
            rng.integers(1, 34, n),
            review_state=np.full(n, ReviewState.VERIFIED, np.uint8),
        )
        measures = {key: np.zeros((n, *measure.shape), np.float32) for key, measure in MEASURES.items()}
        grasps[name] = replace(batch, measures=measures)
    path = tmp_path_factory.mktemp("library") / "library.h5"
    metadata = {
        "hand": {"name": hand.name, "side": hand.side, "digest": hand.digest},
        "meshes": {name: model.digest for name, model in small_objects.items()},
        "standins": list(small_objects),
    }
    GraspLibrary.write(path, grasps, metadata)
    return path
