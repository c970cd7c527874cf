"""The table of frames."""

from __future__ import annotations

import numpy as np
import pytest
from scene_doubles import random_transforms

from yaff.errors import InputError
from yaff.scene.frames import FrameTable


def _table(counts: list[int]) -> FrameTable:
    rng = np.random.default_rng(0)
    index = [np.arange(1, n + 1, dtype=np.uint8) for n in counts]
    poses = [random_transforms(rng, n) for n in counts]
    return FrameTable.from_rows(7, list(range(10, 10 + len(counts))), [np.eye(3)] * len(counts), index, poses)


def test_rows_and_instances() -> None:
    table = _table([2, 0, 3])
    assert len(table) == 3
    assert table.instance_start.tolist() == [0, 2, 2, 5]
    assert table.frame_row.tolist() == [0, 0, 2, 2, 2]
    assert table.object_index[table.instances(2)].tolist() == [1, 2, 3]


def test_select_reorders_and_repeats_frames() -> None:
    table = _table([2, 0, 3, 1])
    chosen = table.select([3, 0, 1, 3])
    assert chosen.frames.tolist() == [13, 10, 11, 13]
    for row, source in enumerate([3, 0, 1, 3]):
        assert np.array_equal(
            chosen.Ts_camera_object[chosen.instances(row)], table.Ts_camera_object[table.instances(source)]
        )
    assert len(table.select([])) == 0


def test_an_empty_table_is_a_table() -> None:
    table = FrameTable.from_rows(0, [], [], [], [])
    assert len(table) == 0
    assert table.Ts_camera_object.shape == (0, 4, 4)


def test_disagreeing_lengths_are_refused() -> None:
    table = _table([2, 1])
    for start, match in ((np.array([0, 3]), "disagree in length"), (np.array([0, 4, 3]), "ascending")):
        with pytest.raises(InputError, match=match):
            FrameTable(0, table.frames, table.intrinsics, start, table.object_index, table.Ts_camera_object)
