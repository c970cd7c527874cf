"""Sheets of pictures of the hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from pipelines.commands import hand as hand_command
from pipelines.hand_sheets import Sheet, draw_sheet, rounded
from yaff.hand import load_hand
from yaff.hand.postures import POSTURES
from yaff.taxonomy import GRASP_TYPES


def test_the_same_sheet_every_time_and_in_a_mirror_for_the_left_hand() -> None:
    right, again, left = (draw_sheet(load_hand(side), "turntable", 80) for side in ("right", "right", "left"))
    np.testing.assert_array_equal(right, again)
    assert left.shape == right.shape
    height = right.shape[0] // 2 - 16  # above the captions
    width = right.shape[1] // 5
    ours, theirs = ((sheet[:height, :width] < 250).any(axis=2) for sheet in (right, left))
    assert 0.1 < ours.mean() < 0.7
    overlap = (ours & theirs[:, ::-1]).sum() / (ours | theirs[:, ::-1]).sum()
    assert overlap > 0.93  # but for where pixels fall


@pytest.mark.parametrize(("kind", "count"), [("poses", 2 * len(POSTURES)), ("types", len(GRASP_TYPES))])
def test_every_posture_and_every_type_is_drawn(kind: Sheet, count: int) -> None:
    picture = draw_sheet(load_hand(), kind, 48)
    rows = -(-count // 6)
    assert picture.shape[0] % rows == 0
    height, width = picture.shape[0] // rows, picture.shape[1] // 6
    for place in range(count):
        cell = picture[place // 6 * height :, place % 6 * width :][: height - 16, :width]
        assert (cell < 220).any(axis=2).mean() > 0.1


def test_the_command_writes_a_picture(tmp_path: Path) -> None:
    assert hand_command.run(["show", "--out", str(tmp_path / "hand.png"), "--json"]) == 0
    with Image.open(tmp_path / "hand.png") as picture:
        assert picture.size[0] > 1000


def test_rounding_keeps_corners_and_lifts_edges_towards_a_sphere() -> None:
    coarse = trimesh.creation.icosphere(subdivisions=1)
    fine = rounded(coarse)
    np.testing.assert_array_equal(fine.vertices[: len(coarse.vertices)], coarse.vertices)
    assert len(fine.faces) == 4 * len(coarse.faces)
    assert fine.is_watertight
    flat = np.asarray(coarse.subdivide().vertices)
    assert np.linalg.norm(fine.vertices, axis=1).min() > np.linalg.norm(flat, axis=1).min()
    assert fine.volume == pytest.approx(4.0 / 3.0 * np.pi, rel=0.04)
