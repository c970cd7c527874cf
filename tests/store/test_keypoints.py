"""Keypoints in the image, on demand, from what a reader of shards gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_up import hand

from yaff.geometry.transforms import apply
from yaff.scene.keypoints import image_keypoints
from yaff.store.reading import ShardSet


@pytest.mark.parametrize("layout", ["compact", "wrist", "full"])
def test_keypoints_are_those_of_the_grasp_carried_by_the_object(layout: str, datasets: dict[str, Path]) -> None:
    shards = ShardSet.open(datasets[layout])
    rows = np.arange(0, len(shards), 17)
    samples = shards.batch(rows)
    pixels, points = image_keypoints(hand(), samples)
    assert pixels.shape == (len(rows), 21, 2)
    # the same from the grasps in the object frame
    for k, row in enumerate(rows.tolist()):
        number = int(np.searchsorted(shards.index["shards/annotation_start"], row, side="right") - 1)
        reader = shards.reader(number)
        grasp = int(reader["annotations/grasp"][row - shards.index["shards/annotation_start"][number]])
        names = ("pose", "wrist_rotation", "translation", "shape")
        there = hand().keypoints(*(np.array(reader[f"grasps/{n}"][grasp : grasp + 1], np.float64) for n in names))[0]
        expected = apply(samples["T_camera_object"][k], there)
        assert np.abs(points[k] - expected).max() < 2e-6
        u = samples["intrinsics"][k] @ expected.T
        front = expected[:, 2] > 1e-3
        assert np.allclose(pixels[k][front], (u[:2] / u[2]).T[front], atol=0.05)
        assert np.isnan(pixels[k][expected[:, 2] < -1e-3]).all()
