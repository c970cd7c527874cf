"""`GraspDataset`: samples are what the store holds, in one process or in several."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up import OBJECTS, hand, make_grasp_sets
from torch.utils.data import DataLoader

from yaff.errors import InputError, MissingFileError
from yaff.geometry.transforms import apply
from yaff.learning import GraspDataset
from yaff.store.grouping import By
from yaff.store.layouts import LAYOUTS
from yaff.store.reading import ShardSet

SHAPES = {
    "intrinsics": (3, 3),
    "T_camera_object": (4, 4),
    "T_camera_hand": (4, 4),
    "wrist_rotation": (3,),
    "pose": (45,),
    "translation": (3,),
    "shape": (10,),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample(folders: dict[str, Path], layout: str) -> None:
    dataset = GraspDataset(folders[layout])
    assert len(dataset) == len(ShardSet.open(folders[layout]))
    sample = dataset[7]
    for name, shape in SHAPES.items():
        assert sample[name].shape == shape
        assert sample[name].dtype == torch.float32
    assert OBJECTS[sample["object"]] == sample["object_index"]
    for name in ("scene", "frame", "object_index", "grasp_type", "library_row"):
        assert type(sample[name]) is int
    last = dataset[-1]
    assert last["scene"] == 2
    assert torch.equal(last["pose"], dataset[len(dataset) - 1]["pose"])
    for position in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError):
            dataset[position]


def test_layouts_give_the_same_samples(folders: dict[str, Path]) -> None:
    sets = {layout: GraspDataset(folders[layout], split="train", types=range(1, 20)) for layout in LAYOUTS}
    positions = np.random.default_rng(0).permutation(len(sets["full"]))
    batches = {layout: dataset.batch(positions) for layout, dataset in sets.items()}
    for name, expected in batches["full"].items():
        for layout in ("compact", "wrist"):
            found = batches[layout][name]
            assert found == expected if isinstance(found, list) else torch.equal(found, expected), (layout, name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_hand_and_vertices_from_library_and_poses(folders: dict[str, Path], layout: str) -> None:
    """To 1e-5 m, recomputed from the grasps and the object's pose."""
    dataset, sets, model = GraspDataset(folders[layout]), make_grasp_sets(), hand()
    for position in np.random.default_rng(1).choice(len(dataset), 25, replace=False).tolist():
        sample = dataset[position]
        grasp = sets[sample["object"]][[sample["library_row"]]]
        assert int(grasp.grasp_type[0]) == sample["grasp_type"]
        T_camera_object = sample["T_camera_object"].numpy().astype(float)
        T_object_hand = model.wrist_transform(
            grasp.wrist_rotation.astype(float), grasp.translation.astype(float), grasp.shape.astype(float)
        )[0]
        assert np.abs(sample["T_camera_hand"].numpy() - T_camera_object @ T_object_hand).max() < 1e-5
        expected = apply(T_camera_object, model.vertices(grasp)[0])
        assert np.abs(dataset.vertices(model, sample)[0] - expected).max() < 1e-5
    batch = dataset.batch([0, 1, 2])
    assert dataset.vertices(model, batch).shape == (3, 778, 3)


def test_filters(folders: dict[str, Path]) -> None:
    dataset = GraspDataset(folders["wrist"], split="val", types=[3, 9, 14], objects=["025_mug", "011_banana"])
    assert 0 < len(dataset) < len(GraspDataset(folders["wrist"]))
    for sample in (dataset[k] for k in range(len(dataset))):
        assert sample["grasp_type"] in (3, 9, 14)
        assert sample["object"] in ("025_mug", "011_banana")
        assert (sample["frame"] - 1) // 3 % 3 == 0
    with pytest.raises(InputError, match="train, val"):
        GraspDataset(folders["wrist"], split="keyframe")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("by", ["instance", "frame"])
def test_grouped_samples_are_the_annotations_in_groups(folders: dict[str, Path], layout: str, by: By) -> None:
    asked = {"split": "train", "types": range(1, 15), "objects": ["025_mug", "011_banana"]}
    single, grouped = GraspDataset(folders[layout], **asked), GraspDataset(folders[layout], **asked, by=by)
    every = single.batch(np.arange(len(single)))
    samples = [grouped[k] for k in range(len(grouped))]
    hands = ["grasp_type", "library_row", "T_camera_hand", "wrist_rotation", "pose", "translation", "shape"]
    for name in hands:
        assert torch.equal(torch.cat([sample[name] for sample in samples]), every[name]), name
    counts = [len(sample["pose"]) for sample in samples]
    assert 0 not in counts
    for name in ("scene", "frame"):
        assert np.repeat([sample[name] for sample in samples], counts).tolist() == every[name].tolist()
    whose = [sample.get("instance", torch.zeros(len(sample["pose"]), dtype=torch.int64)) for sample in samples]
    poses = [sample["T_camera_object"].reshape(-1, 4, 4)[k] for sample, k in zip(samples, whose, strict=True)]
    assert torch.equal(torch.cat(poses), every["T_camera_object"])
    names = [np.atleast_1d(s["object"])[k].tolist() for s, k in zip(samples, whose, strict=True)]
    assert [name for part in names for name in part] == every["object"]
    keys = {"instance": ("scene", "frame", "object_index"), "frame": ("scene", "frame")}[by]
    assert len(grouped) == len(set(zip(*(every[key].tolist() for key in keys), strict=True)))


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers_by_frame(folders: dict[str, Path], context: str) -> None:
    dataset = GraspDataset(folders["wrist"], by="frame")
    loader = DataLoader(
        dataset, 5, num_workers=2, multiprocessing_context=context, collate_fn=GraspDataset.collate_groups
    )
    frames = [(s, f) for batch in loader for s, f in zip(batch["scene"], batch["frame"], strict=True)]
    assert frames == [(dataset[k]["scene"], dataset[k]["frame"]) for k in range(len(dataset))]


def test_an_unknown_kind_of_sample(folders: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="annotation, instance, frame"):
        GraspDataset(folders["full"], by="scene")


@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_workers(folders: dict[str, Path], context: str) -> None:
    dataset = GraspDataset(folders["compact"], types=range(1, 34))
    dataset[0]  # files are open here before the workers start
    expected = dataset.batch(np.arange(len(dataset)))
    loader = DataLoader(dataset, batch_size=64, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    for name, values in expected.items():
        if isinstance(values, list):
            assert [entry for batch in batches for entry in batch[name]] == values
        else:
            assert torch.equal(torch.cat([batch[name] for batch in batches]), values), name


@pytest.mark.parametrize("workers", [0, 1])
def test_collating_what_was_read_together_changes_nothing(folders: dict[str, Path], workers: int) -> None:
    dataset = GraspDataset(folders["full"], split="val")
    plain = DataLoader(dataset, batch_size=50)
    quick = DataLoader(dataset, batch_size=50, collate_fn=GraspDataset.collate, num_workers=workers)
    for one, other in zip(plain, quick, strict=True):
        assert one.keys() == other.keys()
        for name, values in one.items():
            assert other[name] == values if isinstance(values, list) else torch.equal(other[name], values)
            assert isinstance(values, list) or other[name].dtype == values.dtype
    assert GraspDataset.collate([dataset[0], dataset[1]])["pose"].shape == (2, 45)


def test_pickles_small(folders: dict[str, Path]) -> None:
    dataset = GraspDataset(folders["full"], objects=["025_mug"])
    dataset[0]
    data = pickle.dumps(dataset)
    assert len(data) < 20_000
    assert torch.equal(pickle.loads(data)[5]["translation"], dataset[5]["translation"])


def test_another_hand_is_refused(folders: dict[str, Path]) -> None:
    dataset = GraspDataset(folders["full"])
    other = replace(hand(), name="mano", template=hand().template + 0.001)
    with pytest.raises(InputError, match="load the hand that the dataset was built with"):
        dataset.vertices(other, dataset[0])


def test_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="has not ended"):
        GraspDataset(tmp_path)


def test_importing_does_not_import_torch() -> None:
    code = "import sys, yaff.learning, yaff.store.reading; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
