"""The made-up datasets of the store's tests, and scenes of boxes with the real hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / "store"), str(Path(__file__).parent)]

from made_up import make_dataset
from scenes import OBJECTS, write_scenes

from yaff.hand import load_hand
from yaff.learning.batches import BatchMaker
from yaff.learning.clouds import ObjectClouds
from yaff.learning.config import ObservationConfig
from yaff.learning.instances import InstanceTable
from yaff.learning.targets import GraspTargets
from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.store.layouts import LAYOUTS
from yaff.store.reading import ShardSet


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of the same dataset by layout."""
    root = tmp_path_factory.mktemp("learning")
    for layout in LAYOUTS:
        make_dataset(root / layout, layout)
    return {layout: root / layout for layout in LAYOUTS}


@pytest.fixture(scope="session")
def boxes(cache_dir: Path) -> list[ObjectModel]:
    """Two stand-ins that are boxes."""
    source = StandInSource()
    return [load_object(name, source, cache_dir) for name in OBJECTS]


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory, boxes: list[ObjectModel]) -> Path:
    """Folder of shards of the boxes, with hands of the built-in model."""
    folder = tmp_path_factory.mktemp("scenes") / "shards"
    write_scenes(folder, load_hand(), boxes)
    return folder


@pytest.fixture(scope="session")
def table(scenes: Path) -> InstanceTable:
    """All instances of the boxes."""
    return InstanceTable.read(ShardSet.open(scenes))


@pytest.fixture(scope="session")
def maker(table: InstanceTable, boxes: list[ObjectModel]) -> BatchMaker:
    """Batches of the boxes."""
    targets = GraspTargets.of(table, load_hand(), boxes)
    return BatchMaker(table, ObjectClouds.of(boxes), targets, ObservationConfig(points=64, clutter=16), 4)
