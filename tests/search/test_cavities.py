"""A hollow is filled, a handle stays open, and the outside stays where it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.search.cavities import enclosure, field_of


@pytest.fixture(scope="module")
def mug(cache_dir: Path) -> ObjectModel:
    return load_object("025_mug", StandInSource(), cache_dir)


def test_the_hollow_of_a_mug_is_inside_and_its_outside_stays(mug: ObjectModel) -> None:
    field = field_of(mug, "filled")
    assert field is field_of(mug, "filled")
    assert field_of(mug, "as_is") is mug.sdf
    low, high = mug.solid.bounds
    axis = mug.solid.vertices[np.abs(mug.solid.vertices[:, 2] - low[2]) < 0.002].mean(axis=0)
    middle = np.array([axis[0], axis[1], 0.5 * (low[2] + high[2])])
    assert mug.sdf.distance(middle[None])[0] > 0.02
    assert field.distance(middle[None])[0] < -0.02
    # never farther than the surface, and the same beside the mug; the field itself is finer than the regular grid
    rng = np.random.default_rng(0)
    points = rng.uniform(low - 0.04, high + 0.04, size=(4000, 3))
    before, after = mug.sdf.distance(points), field.distance(points)
    assert (after <= before + 1e-3).all()
    beside = np.hypot(*(points[:, :2] - middle[:2]).T) > 0.06
    np.testing.assert_allclose(after[beside], before[beside], atol=1e-3)


def test_a_solid_can_is_left_alone(cache_dir: Path) -> None:
    can = load_object("005_tomato_soup_can", StandInSource(), cache_dir)
    assert field_of(can, "filled") is can.sdf


def test_enclosure_of_a_point_far_away_is_small_and_deep_in_the_mug_nearly_whole(mug: ObjectModel) -> None:
    low, high = mug.solid.bounds
    centre = 0.5 * (low + high)
    far = np.array([centre[0], centre[1], high[2] + 0.03])
    foot = mug.solid.vertices[np.abs(mug.solid.vertices[:, 2] - low[2]) < 0.002].mean(axis=0)
    floor = foot + np.array([0.0, 0.0, 0.012])
    above, inside = enclosure(mug.sdf, np.stack([far, floor]))
    assert above < 0.5
    assert inside > 0.8
