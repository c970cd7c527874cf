"""Objects set down as recorded ones stand: on the table, as tilted and as deep in it, and clear of each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from yaff.geometry.transforms import apply
from yaff.learning.instances import InstanceTable
from yaff.learning.standing import APART, LEANING, WITHIN, Standings, separate, set_down
from yaff.objects import ObjectModel


@pytest.fixture(scope="module")
def standings(table: InstanceTable, boxes: list[ObjectModel]) -> Standings:
    return Standings.of(table, boxes)


def solid(model: ObjectModel) -> np.ndarray:
    return np.asarray(model.solid.vertices)


def test_recorded_objects_stand_as_the_table_has_them(
    table: InstanceTable, standings: Standings, boxes: list[ObjectModel]
) -> None:
    by_index = {model.index: model for model in boxes}
    assert len(standings.height) == len(np.unique(table.placement[table.rows]))
    np.testing.assert_allclose(np.linalg.norm(standings.up, axis=1), 1.0)
    for index, up, tilt in zip(standings.object_index.tolist(), standings.up, standings.tilt, strict=True):
        faces = by_index[index].tables[:, :3]
        assert np.isclose(np.cos(tilt), (faces @ up).max(), atol=1e-9)
    sunk = replace(table, plane=table.plane - np.array([0.0, 0.0, 0.0, 0.004]))
    np.testing.assert_allclose(Standings.of(sunk, boxes).height, standings.height - 0.004)


def test_what_leans_or_hangs_in_the_air_is_not_standing(table: InstanceTable, boxes: list[ObjectModel]) -> None:
    lifted = replace(table, plane=table.plane + np.array([0.0, 0.0, 0.0, 0.05]))
    assert not len(Standings.of(lifted, boxes).height)
    nowhere = replace(table, plane_known=np.zeros_like(table.plane_known))
    empty = Standings.of(nowhere, boxes)
    up, height = empty.draw(boxes[0], np.random.default_rng(0))
    assert height == 0.0
    assert (boxes[0].tables[:, :3] == up).all(1).any()


def test_up_is_a_recorded_one_or_as_far_off_a_face_as_a_recorded_one(
    standings: Standings, boxes: list[ObjectModel]
) -> None:
    rng, model = np.random.default_rng(3), boxes[0]
    own = standings.up[standings.object_index == model.index]
    level = standings.tilt[standings.tilt < LEANING]
    recorded = 0
    for _ in range(60):
        up, height = standings.draw(model, rng)
        assert np.isclose(np.linalg.norm(up), 1.0)
        assert np.isin(height, standings.height)
        if (own == up).all(1).any():
            recorded += 1
        else:
            off = np.arccos(np.clip(model.tables[:, :3] @ up, -1.0, 1.0))
            assert np.abs(off[:, None] - level).min() < 1e-6
    assert 15 <= recorded <= 45, "half of them, within three sigma and more"


def test_they_are_on_the_table_and_clear_of_each_other(standings: Standings, boxes: list[ObjectModel]) -> None:
    models = [*boxes, *boxes, *boxes]
    most = 0
    for number in range(5):
        kept, Ts = set_down(models, standings, np.random.default_rng(number))
        again, same = set_down(models, standings, np.random.default_rng(number))
        np.testing.assert_array_equal(kept, again)
        np.testing.assert_array_equal(Ts, same)
        assert list(kept) == sorted(set(kept.tolist()))
        assert kept[0] == 0, "there is room for the first"
        most = max(most, len(kept))
        flat = []
        for place, T in zip(kept.tolist(), Ts, strict=True):
            np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-12)
            assert np.isclose(np.linalg.det(T[:3, :3]), 1.0)
            points = apply(T, solid(models[place]))
            assert np.abs(points[:, 2].min() - standings.height).min() < 1e-9
            assert np.linalg.norm(apply(T, models[place].centre_of_mass[None])[0, :2]) <= WITHIN + 1e-9
            flat.append(points[:, :2])
        for i, one in enumerate(flat):
            assert all(distance(one, other) >= APART for other in flat[:i])
    assert most >= 4, "the table holds several boxes"


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between two convex hulls in the plane, by their Minkowski difference; 0 where they overlap."""
    differences = (one[ConvexHull(one).vertices, None] - other[None, ConvexHull(other).vertices]).reshape(-1, 2)
    corners = differences[ConvexHull(differences).vertices]
    if (ConvexHull(differences).equations[:, 2] <= 0.0).all():  # the origin is inside
        return 0.0
    ends = np.roll(corners, -1, axis=0)
    along = ends - corners
    share = np.clip(-(corners * along).sum(1) / (along**2).sum(1), 0.0, 1.0)
    return float(np.linalg.norm(corners + share[:, None] * along, axis=1).min())


def test_outlines_are_separate_when_their_minkowski_difference_says_so() -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(300):
        one, other = rng.normal(size=(7, 2)), rng.normal(size=(5, 2)) + rng.uniform(-3.0, 3.0, size=2)
        one, other = one[ConvexHull(one).vertices], other[ConvexHull(other).vertices]
        apart = distance(one, other)
        verdicts.append(separate(one, other, 0.0))
        assert verdicts[-1] == (apart > 0.0)
        assert separate(other, one, 0.0) == verdicts[-1]
        # a gap along a side is one in all directions
        assert not separate(one, other, apart + 1e-9)
    assert 50 < sum(verdicts) < 250
