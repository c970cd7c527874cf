"""Instances and batches: what the dataset holds, in the net frame, whatever the order in which it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from yaff.errors import ConfigError, InputError
from yaff.geometry.transforms import apply
from yaff.hand import load_hand
from yaff.learning import GraspDataset
from yaff.learning.batches import BatchMaker, Epochs, training_batches
from yaff.learning.clouds import ObjectClouds
from yaff.learning.config import ObservationConfig
from yaff.learning.hand_space import HandSpace
from yaff.learning.instances import InstanceTable
from yaff.learning.observing import observe
from yaff.learning.targets import GraspTargets
from yaff.objects import ObjectModel
from yaff.store.reading import ShardSet


def test_instances_afford_what_the_dataset_says(scenes: Path, table: InstanceTable) -> None:
    dataset = GraspDataset(scenes, by="instance")
    assert len(table) == len(dataset)
    for k in range(0, len(dataset), 7):
        sample, row = dataset[k], int(table.rows[k])
        grasps = table.feasible_of(row)
        assert table.name(row) == sample["object"]
        assert table.grasps.library_row[grasps].tolist() == sample["library_row"].tolist()
        assert np.flatnonzero(table.feasible_types(np.array([row]))[0] + 0).tolist() == sorted(
            {t - 1 for t in sample["grasp_type"].tolist()}
        )
        T_camera_hand = table.T_camera_object[row] @ table.grasps.T_object_hand[grasps]
        assert np.abs(T_camera_hand - sample["T_camera_hand"].numpy()).max() < 1e-5


def test_every_object_stands_on_its_plane(table: InstanceTable, boxes: list[ObjectModel]) -> None:
    corners = {box.index: np.asarray(box.solid.vertices) for box in boxes}
    for row in table.rows.tolist():
        plane = table.camera_plane(row)
        assert plane is not None
        points = apply(table.T_camera_object[row], corners[int(table.object_index[row])])
        assert abs((points @ plane[:3] + plane[3]).min()) < 1e-9


def test_scenes_are_not_divided(table: InstanceTable) -> None:
    first, second = table.divided(0.25)
    scenes = [set(table.scene[table.frame[part.rows]].tolist()) for part in (first, second)]
    assert len(scenes[1]) == 1
    assert not scenes[0] & scenes[1]
    assert sorted([*first.rows, *second.rows]) == table.rows.tolist()
    one = table.where(table.scene[table.frame[table.rows]] == 2)
    assert [len(part) for part in one.divided(0.25)] == [12, 4]


def test_objects_held_out(table: InstanceTable) -> None:
    kept, held = table.without(["061_foam_brick"]), table.only(["061_foam_brick"])
    assert len(kept) + len(held) == len(table)
    assert {kept.name(int(row)) for row in kept.rows} == {"009_gelatin_box"}
    with pytest.raises(InputError, match="025_mug"):
        table.without(["025_mug"])


def test_an_empty_split_says_what_to_do(scenes: Path) -> None:
    shards = ShardSet.open(scenes)
    with pytest.raises(InputError, match="'val' has no instance") as caught:
        InstanceTable.read(shards, "val")
    assert "another split" in str(caught.value)
    with pytest.raises(InputError, match="train, val, keyframe"):
        InstanceTable.read(shards, "test")
    with pytest.raises(InputError, match="no instance"):
        InstanceTable.read(shards, types=[33])


@pytest.mark.parametrize("augment", [False, True])
def test_a_batch_is_the_scene_in_the_net_frame(maker: BatchMaker, boxes: list[ObjectModel], augment: bool) -> None:
    rows = maker.table.rows[::5]
    still = BatchMaker(maker.table, maker.clouds, maker.targets, ObservationConfig(points=64, clutter=16, noise=0.0), 4)
    batch = still.make(rows, (3,), augment=augment)
    table, hand = maker.table, load_hand()
    space = HandSpace(hand)
    skin = space.vertices(batch.rotation.flatten(0, 1), batch.origin.flatten(0, 1), batch.dof.flatten(0, 1))
    for b, row in enumerate(rows.tolist()):
        box = next(box for box in boxes if box.index == table.object_index[row])
        T_net_object = batch.T_net_object[b].double().numpy()
        seen = batch.points[b, :64, :3].double().numpy()
        on_object = (seen - T_net_object[:3, 3]) @ T_net_object[:3, :3]
        assert np.abs(box.sdf.distance(on_object)).max() < 2e-3
        assert np.abs(seen.mean(0)).max() < 1e-5
        # z is up: heights over the plane, and the plane where the object ends
        heights = batch.points[b, :64, 6] - batch.points[b, :64, 2]
        assert np.allclose(heights, float(batch.height[b]), atol=1e-5)
        lowest = apply(T_net_object, np.asarray(box.solid.vertices))[:, 2].min()
        assert abs(lowest + float(batch.height[b])) < 1e-5
        assert (
            np.abs(batch.T_camera_net[b].numpy() @ batch.T_net_object[b].numpy() - table.T_camera_object[row]).max()
            < 1e-5
        )
        # the hands lie to the object as they did: symmetries change nothing that can be measured
        for k in range(4):
            g = int(batch.grasp[b, k])
            assert g in table.feasible_of(row)
            true = hand.vertices(table.grasps.pose[[g]], np.zeros((1, 3)), np.zeros((1, 3)))[0] - hand.root()
            true = apply(table.grasps.T_object_hand[g], true)
            here = (skin[4 * b + k].double().numpy() - T_net_object[:3, 3]) @ T_net_object[:3, :3]
            assert np.abs(box.sdf.distance(here) - box.sdf.distance(true)).max() < 1.5e-3


def test_only_what_faces_the_camera_is_seen(maker: BatchMaker) -> None:
    batch = maker.make(maker.table.rows[:8], (4,))
    eye = batch.T_camera_net.inverse()[:, :3, 3]
    points, normals = batch.points[:, :64, :3], batch.points[:, :64, 3:6]
    assert (((points - eye[:, None]) * normals).sum(-1) < 0.0).all()
    whole = BatchMaker(
        maker.table, maker.clouds, maker.targets, ObservationConfig(points=64, clutter=16, occlusion=False), 4
    ).make(maker.table.rows[:8], (4,))
    assert not (((whole.points[:, :64, :3] - eye[:, None]) * whole.points[:, :64, 3:6]).sum(-1) < 0.0).all()


def test_what_stands_before_an_object_hides_it(boxes: list[ObjectModel]) -> None:
    clouds = ObjectClouds.of(boxes)
    far, near = np.eye(4), np.eye(4)
    far[2, 3], near[:3, 3] = 1.0, (0.03, 0.0, 0.8)  # a second box before the right part of the first
    seen, clutter = np.zeros((1, 200, 6), np.float32), np.zeros((1, 16, 6), np.float32)
    counts = np.zeros(1, np.int64)
    for neighbours in (0, 1):
        observe(
            clouds.points,
            clouds.normals,
            np.array([0]),
            far[None],
            np.array([0, neighbours]),
            np.zeros(neighbours, np.int64),
            np.tile(near, (neighbours, 1, 1)),
            np.array([[[500.0, 0.0, 320.0], [0.0, 500.0, 240.0], [0.0, 0.0, 1.0]]]),
            np.array([640, 480]),
            True,
            np.zeros((1, clouds.points.shape[1]), bool),
            0.5,
            np.array([5]),
            seen,
            clutter,
            counts,
        )
        # well inside the outline of the nearer box
        outline = (clouds.points[0] + near[:3, 3]) / 0.8
        middle = outline[:, :2].mean(0)
        covered = Delaunay(middle + 0.8 * (outline[:, :2] - middle)).find_simplex(seen[0, :, :2] / seen[0, :, 2:3]) >= 0
        assert covered.any() == (neighbours == 0)
        assert not covered.all()
        assert counts[0] == 16 * neighbours


def test_batches_depend_on_their_place_alone(maker: BatchMaker) -> None:
    epochs = Epochs(maker.table.rows, 8, seed=1)
    assert epochs.batches == len(maker.table) // 8
    once = [maker_rows.rows for maker_rows in training_batches(maker, epochs, 1, 0, epochs.batches)]
    assert len({int(row) for rows in once for row in rows}) == 8 * epochs.batches
    late = next(training_batches(maker, Epochs(maker.table.rows, 8, seed=1), 1, 5, 6))
    early = maker.make(epochs.rows(5), (1, 2, 5), augment=True)
    for name, values in vars(early).items():
        assert torch.equal(values, getattr(late, name)), name
    other = maker.make(epochs.rows(5), (2, 2, 5), augment=True)
    assert not torch.equal(early.points, other.points)
    assert epochs.rows(0).tolist() != epochs.rows(epochs.batches).tolist()
    with pytest.raises(ConfigError, match="nothing to learn"):
        Epochs(maker.table.rows[:0], 8, 0)


def test_objects_without_a_shape_are_named(table: InstanceTable, boxes: list[ObjectModel]) -> None:
    targets = GraspTargets.of(table, load_hand(), boxes[:1])
    with pytest.raises(InputError, match="061_foam_brick"):
        BatchMaker(table, ObjectClouds.of(boxes[:1]), targets, ObservationConfig(), 1)


@pytest.mark.parametrize("wrong", [{"points": 3}, {"clutter": 0}, {"reach": 0.0}, {"noise": -1.0}])
def test_impossible_observations(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="observation"):
        ObservationConfig(**wrong)  # type: ignore[arg-type]
