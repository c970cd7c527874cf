"""The batch: rows, concatenation, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from yaff.errors import InputError
from yaff.grasp.batch import MEASURES, Grasps, ReviewState


def batch(n: int, name: str = "025_mug", measures: bool = True) -> Grasps:
    """Grasps whose every number says which row it is."""
    row = np.arange(n, dtype=np.float32)
    values = {
        k: np.broadcast_to(row.reshape(n, *[1] * len(m.shape)), (n, *m.shape)).copy() for k, m in MEASURES.items()
    }
    return Grasps.make(
        name,
        np.tile(row[:, None], 45),
        np.tile(row[:, None], 3),
        np.tile(row[:, None], 3),
        1 + np.arange(n) % 33,
        reason=tuple(f"r{i}" for i in range(n)),
        provenance=tuple(f"p{i}" for i in range(n)),
        review_state=(np.arange(n) % 4).astype(np.uint8),
        measures=values if measures else {},
    )


def same(a: Grasps, b: Grasps) -> bool:
    """Equal in every field."""
    for name in vars(a):
        x, y = getattr(a, name), getattr(b, name)
        if name == "measures":
            if x.keys() != y.keys() or any(not np.array_equal(x[k], y[k]) for k in x):
                return False
        elif isinstance(x, np.ndarray):
            if not np.array_equal(x, y) or x.dtype != y.dtype:
                return False
        elif x != y:
            return False
    return True


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -1), [4, 3, 2, 1, 0]),
        ([3, 0, 0], [3, 0, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
        ([-1], [4]),
        ([], []),
    ],
)
def test_rows_move_together(rows: object, expected: list[int]) -> None:
    taken = batch(5)[rows]  # type: ignore[index]
    assert len(taken) == len(expected)
    np.testing.assert_array_equal(taken.pose[:, 7], expected)
    np.testing.assert_array_equal(taken.pregrasp_translation[:, 2], expected)
    np.testing.assert_array_equal(taken.measures["shake_rotation"][:, 5], expected)
    assert taken.reason == tuple(f"r{i}" for i in expected)
    assert taken.provenance == tuple(f"p{i}" for i in expected)
    assert taken.object_name == "025_mug"


def test_taking_apart_and_putting_together_is_the_identity() -> None:
    whole = batch(6)
    assert same(Grasps.concatenate(list(whole)), whole)
    assert same(Grasps.concatenate([whole[:2], whole[2:2], whole[2:]]), whole)
    assert same(Grasps.concatenate([Grasps.empty("025_mug"), whole]), whole)


def test_verified_is_what_may_be_used() -> None:
    states = batch(4)
    expected = [ReviewState(s) in (ReviewState.VERIFIED, ReviewState.ACCEPTED) for s in states.review_state]
    np.testing.assert_array_equal(states.verified, expected)


def test_empty_has_every_measure() -> None:
    nothing = Grasps.empty("011_banana")
    assert len(nothing) == 0
    assert set(nothing.measures) == set(MEASURES)


def test_neutral_values() -> None:
    made = Grasps.make("011_banana", np.ones((2, 45)), np.ones((2, 3)), np.ones((2, 3)), np.array([1, 33]))
    assert (made.review_state == ReviewState.NEEDS_REVIEW).all()
    assert not made.shape.any()
    np.testing.assert_array_equal(made.pregrasp_pose, made.pose)
    assert made.pose.dtype == np.float32


def test_lengths_must_agree() -> None:
    with pytest.raises(InputError, match=r"reason has 1 rows where pose has 2"):
        Grasps.make(
            "025_mug", np.ones((2, 45)), np.ones((2, 3)), np.ones((2, 3)), np.array([1, 2]), reason=("only one",)
        )


def test_unknown_measure_is_named_with_the_valid_ones() -> None:
    with pytest.raises(InputError, match=r"unknown measure 'quality'(.|\n)*epsilon"):
        Grasps.make(
            "025_mug",
            np.ones((1, 45)),
            np.ones((1, 3)),
            np.ones((1, 3)),
            np.array([1]),
            measures={"quality": np.zeros(1)},
        )


def test_measure_of_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"shake_rotation.*\(2, 6\)"):
        Grasps.make(
            "025_mug",
            np.ones((2, 45)),
            np.ones((2, 3)),
            np.ones((2, 3)),
            np.array([1, 2]),
            measures={"shake_rotation": np.zeros(2)},
        )


def test_what_cannot_be_concatenated() -> None:
    with pytest.raises(InputError, match="nothing to concatenate"):
        Grasps.concatenate([])
    with pytest.raises(InputError, match="011_banana"):
        Grasps.concatenate([batch(1), batch(1, "011_banana")])
    with pytest.raises(InputError, match="measures"):
        Grasps.concatenate([batch(1), batch(1, measures=False)])
