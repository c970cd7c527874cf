"""Arrangements that are made up: what they call feasible is, and training on them is resumed like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_model import SMALL

from pipelines.executor import Workforce
from pipelines.progress import QuietProgress
from pipelines.training.arranged import ArrangingTask, arranged, read_arranged, write_arranged
from pipelines.training.checkpoints import LAST, Checkpoint
from pipelines.training.config import DataSection, OptimiserSection, RunSection, TrainConfig
from pipelines.training.data import TrainingData
from pipelines.training.loop import Trainer
from pipelines.training.shapes import ShapeOptions
from yaff.errors import ConfigError
from yaff.geometry.transforms import apply, invert
from yaff.hand import load_hand
from yaff.learning.arranging import Arranged, Arranger, with_arranged
from yaff.learning.batches import BatchMaker
from yaff.learning.clouds import ObjectClouds
from yaff.learning.config import ArrangingConfig, LossConfig, ObservationConfig
from yaff.learning.instances import InstanceTable
from yaff.learning.standing import STANDING, Standings
from yaff.learning.targets import GraspTargets
from yaff.objects import ObjectModel

ARRANGING = ArrangingConfig(arrangements=2, set_down=2, views=2, fewest=2, most=2)
CONFIG = TrainConfig(
    data=DataSection(validation=0.34),
    generated=ARRANGING,
    observation=ObservationConfig(points=64, clutter=8),
    model=SMALL,
    loss=LossConfig(hands=8, vertices_posed=32),
    optimiser=OptimiserSection(steps=4, batch=4, grasps=2, warmup=2),
    run=RunSection(log_every=2, checkpoint_every=2, validation_batches=1),
)


@pytest.fixture(scope="module")
def data(scenes: Path, cache_dir: Path) -> TrainingData:
    return TrainingData.open(scenes, ShapeOptions(cache=cache_dir))


@pytest.fixture(scope="module")
def made(table: InstanceTable, boxes: list[ObjectModel]) -> list[Arranged]:
    arranger = Arranger(table, load_hand(), boxes, ARRANGING)
    some = [arranger.dropped((0, 11, number)) for number in range(2)]
    some += [arranger.set_down((0, 13, number)) for number in range(2)]
    return [one for one in some if one is not None]


@pytest.fixture(scope="module")
def extended(table: InstanceTable, made: list[Arranged]) -> InstanceTable:
    return with_arranged(table, made, 0, 2)


def scenes_of(table: InstanceTable) -> tuple[int, ...]:
    return tuple(np.unique(table.scene[table.frame[table.rows]]).tolist())


def test_what_is_called_feasible_is_free_of_table_and_neighbour(
    table: InstanceTable, made: list[Arranged], boxes: list[ObjectModel]
) -> None:
    """Held against the skin's own vertices, not against the code that decided."""
    hand, grasps = load_hand(), table.grasps
    by_index = {model.index: model for model in boxes}
    deepest: list[float] = []
    for one in made:
        for index, T in zip(one.object_index.tolist(), one.Ts_world_object, strict=True):
            corners = apply(T, np.asarray(by_index[index].solid.vertices))
            assert -0.002 < corners[:, 2].min() < 0.2
        for k, rows in enumerate(one.feasible):
            (other,) = [j for j in range(2) if j != k]
            assert (grasps.object_index[rows] == one.object_index[k]).all()
            neighbour = by_index[int(one.object_index[other])]
            every = np.flatnonzero(grasps.object_index == one.object_index[k])
            skin = hand.vertices(grasps.of_hand(hand, by_index[int(one.object_index[k])].name, every))
            world = apply(one.Ts_world_object[k], skin)
            inside = -neighbour.sdf.distance(apply(invert(one.Ts_world_object[other]), world)).min(1)
            below = -world[..., 2].min(1)
            feasible = np.isin(every, rows)
            assert (below[feasible] <= 0.003 + 1e-6).all()
            assert (inside[feasible] <= 0.002 + 1e-6).all()
            deepest += below[~feasible].tolist()
    # the hands stand level round the boxes, so that some are in the table wherever a box lies
    assert max(deepest) > 0.003


def test_they_join_the_table_as_if_they_had_been_recorded(
    table: InstanceTable, extended: InstanceTable, made: list[Arranged]
) -> None:
    np.testing.assert_array_equal(extended.rows[: len(table.rows)], table.rows)
    np.testing.assert_array_equal(extended.T_camera_object[: len(table.object_index)], table.T_camera_object)
    added = extended.rows[len(table.rows) :]
    assert len(added) == 2 * sum(len(rows) > 0 for one in made for rows in one.feasible)
    for row in added.tolist():
        one = made[-1 - extended.scene[extended.frame[row]]]
        first = extended.instance_start[extended.frame[row]]
        k = row - int(first)
        np.testing.assert_array_equal(extended.feasible_of(row), one.feasible[k])
        types = np.unique(table.grasps.grasp_type[one.feasible[k]])
        np.testing.assert_array_equal(np.flatnonzero(extended.feasible_types(np.array([row]))[0]) + 1, types)
        # one camera for all: objects are to each other as they came to rest, and the plane is z = 0 of their world
        T_camera_world = extended.T_camera_object[row] @ invert(one.Ts_world_object[k])
        here = extended.T_camera_object[first : first + len(one.object_index)]
        np.testing.assert_allclose(here, T_camera_world @ one.Ts_world_object, atol=1e-9)
        plane = extended.camera_plane(row)
        assert plane is not None
        np.testing.assert_allclose(plane[:3], T_camera_world[:3, 2], atol=1e-9)
        np.testing.assert_allclose(plane[:3] @ T_camera_world[:3, 3] + plane[3], 0.0, atol=1e-9)
        assert plane[3] > 0.1, "the camera is above the table"
        assert T_camera_world[2, 3] > 0.1, "and looks at it"


def test_batches_show_them(extended: InstanceTable, table: InstanceTable, boxes: list[ObjectModel]) -> None:
    targets, seen = GraspTargets.of(table, load_hand(), boxes), ObservationConfig(points=64, clutter=16)
    maker = BatchMaker(extended, ObjectClouds.of(boxes), targets, seen, 4)
    added = extended.rows[len(table.rows) :]
    batch = maker.make(added, (0,), augment=True)
    np.testing.assert_array_equal(batch.types.numpy(), extended.feasible_types(added))
    assert (batch.points[:, :64, 6].amin(1) > -0.01).all(), "nothing is seen below the table"
    assert (batch.points[:, :64, 6].amax(1) < 0.4).all()
    for k, row in enumerate(added.tolist()):
        assert np.isin(batch.grasp[k].numpy(), extended.feasible_of(row)).all()


def test_what_is_made_up_stands_as_deep_in_the_table_as_what_was_recorded(
    table: InstanceTable, made: list[Arranged], boxes: list[ObjectModel]
) -> None:
    by_index = {model.index: model for model in boxes}

    def lowest(one: Arranged) -> list[float]:
        pairs = zip(one.object_index.tolist(), one.Ts_world_object, strict=True)
        return [apply(T, np.asarray(by_index[index].solid.vertices))[:, 2].min() for index, T in pairs]

    sunk = replace(table, plane=table.plane - np.array([0.0, 0.0, 0.0, 0.004]))
    heights, deeper = Standings.of(table, boxes).height, Standings.of(sunk, boxes).height
    assert len(heights)
    np.testing.assert_allclose(deeper, heights - 0.004)
    standing = [height for one in made for height in lowest(one) if abs(height) < STANDING]
    assert standing
    assert all(np.abs(heights - height).min() < 1e-9 for height in standing)
    arranger = Arranger(sunk, load_hand(), boxes, ARRANGING)
    again = [arranger.dropped((0, 11, number)) for number in range(2)]
    standing = [height for one in again if one is not None for height in lowest(one) if abs(height) < STANDING]
    assert all(np.abs(deeper - height).min() < 1e-9 for height in standing)


def test_only_types_that_were_asked_for(table: InstanceTable, made: list[Arranged]) -> None:
    few = with_arranged(table, made, 0, 2, (9,))
    assert set(np.flatnonzero(few.type_counts[len(table.type_counts) :].sum(0)) + 1) <= {9}
    assert with_arranged(table, [], 0, 2) is table


def test_any_number_of_processes_makes_the_same(data: TrainingData, made: list[Arranged], tmp_path: Path) -> None:
    task = ArrangingTask(data.shards.folder, "all", scenes_of(data.table("all")), data.recipes, ARRANGING, 0)
    for _ in range(2):  # the second time from the parts that are there
        (one,) = [arranged(task, tmp_path, Workforce(1), QuietProgress())]
        assert len(one) == len(made)
        for a, b in zip(one, made, strict=True):
            np.testing.assert_array_equal(a.Ts_world_object, b.Ts_world_object)
            assert [rows.tolist() for rows in a.feasible] == [rows.tolist() for rows in b.feasible]
    write_arranged(tmp_path / "none.npz", [])
    assert read_arranged(tmp_path / "none.npz") == []


def test_objects_of_validation_scenes_do_not_show_how_to_stand(
    data: TrainingData, boxes: list[ObjectModel], tmp_path: Path
) -> None:
    learnt, kept = data.divided(CONFIG.data)
    assert not set(scenes_of(learnt)) & set(scenes_of(kept))
    recorded = Standings.of(learnt, boxes)
    assert len(recorded.height) < len(Standings.of(data.table("train"), boxes).height)
    few, by_index = replace(ARRANGING, arrangements=0), {model.index: model for model in boxes}
    task = ArrangingTask(data.shards.folder, "train", scenes_of(learnt), data.recipes, few, 0)
    for one in arranged(task, tmp_path, Workforce(1), QuietProgress()):
        for index, T in zip(one.object_index.tolist(), one.Ts_world_object, strict=True):
            lowest = apply(T, np.asarray(by_index[index].solid.vertices))[:, 2].min()
            assert np.abs(recorded.height - lowest).min() < 1e-9


def test_training_on_them_goes_on_where_it_was(data: TrainingData, made: list[Arranged], tmp_path: Path) -> None:
    scenes = scenes_of(data.divided(CONFIG.data)[0])
    task = ArrangingTask(data.shards.folder.resolve(), CONFIG.data.split, scenes, data.recipes, ARRANGING, 0)
    for folder in ("whole", "halves"):  # no processes for three arrangements
        arranged(task, tmp_path / folder, Workforce(1), QuietProgress())
    whole = Trainer(data, CONFIG, tmp_path / "whole")
    assert (whole.train_table.scene[whole.train_table.frame[whole.train_table.rows]] < 0).any()
    assert (whole.validation_table.scene[whole.validation_table.frame[whole.validation_table.rows]] > 0).all()
    whole.run(QuietProgress())
    half = replace(CONFIG, run=replace(CONFIG.run, minutes=0.0))
    assert Trainer(data, half, tmp_path / "halves").run(QuietProgress()).step == 2
    Trainer(data, CONFIG, tmp_path / "halves").run(QuietProgress())
    one, other = (Checkpoint.load(tmp_path / folder / LAST) for folder in ("whole", "halves"))
    assert one.history == other.history
    fewer = replace(CONFIG, generated=replace(ARRANGING, arrangements=1))
    with pytest.raises(ConfigError, match=r"generated\.arrangements"):
        Trainer(data, fewer, tmp_path / "whole")


def test_held_out_objects_only_stand_beside_others(data: TrainingData, made: list[Arranged], tmp_path: Path) -> None:
    held = replace(CONFIG, data=replace(CONFIG.data, held_out=("009_gelatin_box",)))
    table = Trainer(data, held, tmp_path).train_table
    number = data.shards.objects["009_gelatin_box"]
    added = table.rows[table.scene[table.frame[table.rows]] < 0]
    assert len(added)
    assert (table.object_index[added] != number).all()
    beside = table.scene[table.frame] < 0
    assert (table.object_index[beside] == number).any()


def test_numbers_that_make_no_sense() -> None:
    for wrong in ({"arrangements": -1}, {"set_down": -1}, {"views": 0}, {"fewest": 4, "most": 3}):
        with pytest.raises(ConfigError, match="generated"):
            ArrangingConfig(**wrong)
    with pytest.raises(ConfigError, match="made-up arrangements"):
        replace(CONFIG, observation=replace(CONFIG.observation, depth=True))
