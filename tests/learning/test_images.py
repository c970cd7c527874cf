"""What images add: crops where the objects are, and points that a measured depth hides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_model import SMALL

from yaff.errors import ConfigError
from yaff.hand import load_hand
from yaff.learning.batches import BatchMaker
from yaff.learning.encoder import ImageEncoder
from yaff.learning.hand_space import HandSpace
from yaff.learning.images import colour_crops, hidden_by_depth, projected
from yaff.learning.model import AffordanceModel


class Pictures:
    """Red left of a column and blue right of it; a wall at some distance before the right half. Only odd frames."""

    def __init__(self, column: int = 320, wall: float = 0.3) -> None:
        self.column, self.wall = column, wall

    def colour(self, scene: int, frame: int) -> np.ndarray | None:
        photo = np.zeros((480, 640, 3), np.uint8)
        photo[:, : self.column, 0] = photo[:, self.column :, 2] = 255
        return photo if frame % 2 else None

    def depth(self, scene: int, frame: int) -> np.ndarray | None:
        depth = np.full((480, 640), np.nan, np.float32)
        depth[:, self.column :] = self.wall
        return depth if frame % 2 else None


def test_crops_show_the_objects(maker: BatchMaker) -> None:
    table, rows = maker.table, maker.table.rows[:16]
    crops = colour_crops(Pictures(), table, maker.clouds, rows, 32)
    there = table.frame_number[table.frame[rows]] % 2 == 1
    assert not crops[~there].any()
    assert (crops[there, 3, 16, 16] == 1.0).all()
    for k in np.flatnonzero(there):
        pixels, _ = projected(table, maker.clouds, int(rows[k]))
        low, high = pixels.min(0), pixels.max(0)
        middle, side = 0.5 * (low + high), 1.3 * float((high - low).max())
        red = crops[k, 0] > 0.0
        expected = np.clip((320 - (middle[0] - 0.5 * side)) / side, 0.0, 1.0)
        inside = crops[k, 3] > 0.5
        assert red[inside].mean() == pytest.approx(expected, abs=0.06) or not inside.all()


def test_measured_depth_hides_what_is_behind_it(maker: BatchMaker) -> None:
    table, rows = maker.table, maker.table.rows[:16]
    hidden = hidden_by_depth(Pictures(), table, maker.clouds, rows)
    for k, row in enumerate(rows.tolist()):
        pixels, _ = projected(table, maker.clouds, row)
        right = np.rint(pixels[:, 0]) >= 320
        inside = (np.rint(pixels) >= 0).all(1) & (np.rint(pixels) <= (639, 479)).all(1)
        odd = table.frame_number[table.frame[row]] % 2 == 1
        assert hidden[k].tolist() == (right & inside & odd).tolist()
    assert not hidden_by_depth(Pictures(wall=5.0), table, maker.clouds, rows).any()


def test_batches_with_images(maker: BatchMaker) -> None:
    config = replace(maker.config, crop=16, depth=True)
    with pytest.raises(ConfigError, match="--dataset"):
        BatchMaker(maker.table, maker.clouds, maker.targets, config, 2)
    looking = BatchMaker(maker.table, maker.clouds, maker.targets, config, 2, Pictures())
    rows = maker.table.rows[:8]
    batch, again = (looking.make(rows, (1,), augment=True) for _ in range(2))
    assert batch.image.shape == (8, 4, 16, 16)
    assert torch.equal(batch.image, again.image)
    torch.manual_seed(0)
    space = HandSpace(load_hand())
    model = AffordanceModel(replace(SMALL, image=True), space.width).eval()
    assert model.image_encoder is not None
    with torch.no_grad():
        blind, sees = model(batch.points), model(batch.points, batch.image)
        assert torch.equal(blind.type_logits, sees.type_logits)  # the image says nothing before it is learnt
        torch.nn.init.normal_(model.image_encoder.leave.weight)
        sees = model(batch.points, batch.image)
    differs = (blind.type_logits - sees.type_logits).abs().amax(1) > 0.0
    assert differs.tolist() == (batch.image[:, 3].amax((1, 2)) > 0.0).tolist()
    assert ImageEncoder(8)(batch.image).shape == (8, 8)


def test_a_crop_of_a_few_pixels_is_refused(maker: BatchMaker) -> None:
    with pytest.raises(ConfigError, match="crop"):
        replace(maker.config, crop=3)
