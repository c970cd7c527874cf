"""A real frame, all the way: what the loader gives against what library and ``meta.mat`` say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from made_up import make_grasps

from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import load_hand
from yaff.learning import GraspDataset
from yaff.scene.arrangements import group_arrangements
from yaff.scene.image_sets import SPLITS, read_classes, read_image_set
from yaff.scene.ycb_video import YcbVideoReader
from yaff.store.content import Candidates, assemble_shard
from yaff.store.layouts import LAYOUTS
from yaff.store.library import GraspLibrary
from yaff.store.manifest import finish_dataset
from yaff.store.shards import ShardRecord, shard_name, write_shard
from yaff.store.splits import splits_of
from yaff.store.validation import Against, verify_path


@pytest.mark.realdata
@pytest.mark.parametrize("layout", LAYOUTS)
def test_loader_equals_library_and_meta(tmp_path: Path, real_data: Path, layout: str) -> None:
    root = real_data / "YCB_Video_Dataset"
    reader, hand, rng = YcbVideoReader(root), load_hand(), np.random.default_rng(0)
    names = dict(enumerate(read_classes(root), start=1))
    table, _ = reader.read(0, [1])
    here = [names[int(index)] for index in np.unique(table.object_index)]
    library = GraspLibrary.write(tmp_path / "library.h5", {name: make_grasps(rng, name, 12) for name in here}, {})
    index_of = {name: index for index, name in names.items()}
    candidates = {index_of[name]: Candidates.usable(library[name]) for name in here}
    decided = [
        (np.zeros(8, np.uint8), np.zeros(8, np.float32))
        for index in table.object_index[table.instances(0)].tolist()
        if len(candidates[index].grasps) == 8
    ]
    splits = splits_of(table, {name: read_image_set(root, name) for name in SPLITS})
    content = assemble_shard(
        table, group_arrangements(table), [decided], [None], candidates, hand, index_of, splits=splits
    )
    path = tmp_path / "shards" / shard_name(0)
    write_shard(path, layout, content)
    finish_dataset(path.parent, [ShardRecord.of(path)])
    assert verify_path(path.parent, Against(library=library, source=reader)).passed

    meta = scipy.io.loadmat(root / "data/0000/000001-meta.mat", variable_names=["cls_indexes", "poses"])
    classes = meta["cls_indexes"].reshape(-1).tolist()
    dataset = GraspDataset(path.parent, split="train")
    assert len(dataset) == 8 * len(classes)
    assert not len(GraspDataset(path.parent, split="val"))
    for position in rng.choice(len(dataset), 20, replace=False).tolist():
        sample = dataset[position]
        assert (sample["scene"], sample["frame"]) == (0, 1)
        T_camera_object = np.eye(4)
        T_camera_object[:3] = meta["poses"][:, :, classes.index(sample["object_index"])]
        grasp = library[sample["object"]][[sample["library_row"]]]
        rotation = rotation_from_axis_angle(grasp.wrist_rotation[0].astype(float))
        T_object_hand = np.eye(4)
        T_object_hand[:3, :3] = rotation
        T_object_hand[:3, 3] = hand.root(grasp.shape.astype(float))[0] + grasp.translation[0]
        assert np.abs(sample["T_camera_hand"].numpy() - T_camera_object @ T_object_hand).max() < 1e-5
        vertices = hand.vertices(grasp)[0] @ T_camera_object[:3, :3].T + T_camera_object[:3, 3]
        assert np.abs(dataset.vertices(hand, sample)[0] - vertices).max() < 1e-5
