"""On which tables an object can rest, against solids whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from yaff.objects import StandInSource, load_object
from yaff.objects.resting import MOST, resting_planes


def test_a_box_rests_on_its_six_faces_the_largest_first() -> None:
    planes = resting_planes(trimesh.creation.box(extents=(0.05, 0.08, 0.10)), np.zeros(3))
    assert len(planes) == 6
    assert np.abs(planes[:, :3]).argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_allclose(np.abs(planes[:, :3]).sum(axis=1), 1.0, atol=1e-9)
    # the height of the centre over each table is half of the extent along its normal
    np.testing.assert_allclose(planes[:, 3], [0.025, 0.025, 0.04, 0.04, 0.05, 0.05], atol=1e-9)


def test_a_face_that_the_centre_of_mass_is_not_above_does_not_carry() -> None:
    corners = [(x + 1.5 * y, y, z) for x in (0.0, 0.03) for y in (0.0, 0.1) for z in (0.0, 0.05)]
    leaning = trimesh.convex.convex_hull(np.array(corners))
    beside = resting_planes(leaning, np.array([0.09, 0.05, 0.025]))
    assert len(beside) >= 2
    assert not np.isclose(np.abs(beside[:, 1]), 1.0).any()  # it falls off both of its ends
    above = resting_planes(leaning, np.array([0.02, 0.005, 0.025]))
    assert np.isclose(above[:, 1], 1.0).any()  # weighted down at its foot it stands


def test_nothing_of_the_object_is_below_its_tables_and_something_lies_on_each(cache_dir: Path) -> None:
    for name in ("025_mug", "011_banana", "005_tomato_soup_can"):
        obj = load_object(name, StandInSource(), cache_dir)
        planes = resting_planes(obj.solid, obj.centre_of_mass)
        assert 1 <= len(planes) <= MOST
        np.testing.assert_array_equal(planes, resting_planes(obj.solid, obj.centre_of_mass))
        heights = np.asarray(obj.solid.vertices) @ planes[:, :3].T + planes[:, 3]
        np.testing.assert_allclose(heights.min(axis=0), 0.0, atol=1e-6)
        assert ((heights < 1e-6).sum(axis=0) >= 3).all()
