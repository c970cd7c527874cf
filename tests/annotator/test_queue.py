"""The order in which grasps are put before a person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator import Passing, review_queue, shortfall
from yaff.errors import InputError
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.taxonomy import GRASP_TYPES

V, N = ReviewState.VERIFIED, ReviewState.NEEDS_REVIEW
ABDUCTED = [t.number for t in GRASP_TYPES.values() if t.thumb == "abducted"]
ADDUCTED = [t.number for t in GRASP_TYPES.values() if t.thumb == "adducted"]


def grasps(rows: list[tuple[int, ReviewState, float]], name: str = "025_mug") -> Grasps:
    """Grasps of (type, state, penetration in units of its limit)."""
    n = len(rows)
    measures = {k: np.zeros((n, *m.shape), np.float32) for k, m in MEASURES.items()}
    measures["conformity"][:] = 1.0
    measures["max_penetration"][:] = [Passing().max_penetration * row[2] for row in rows]
    return Grasps.make(
        name,
        np.arange(n, dtype=np.float32)[:, None].repeat(45, axis=1),
        np.zeros((n, 3)),
        np.zeros((n, 3)),
        np.array([row[0] for row in rows], np.int16),
        review_state=np.array([row[1] for row in rows], np.uint8),
        reason=tuple(f"row {i}" if row[1] == N else "" for i, row in enumerate(rows)),
        measures=measures,
    )


def order(library: dict[str, Grasps]) -> list[tuple[str, int, int]]:
    """Object, type and row of the queue."""
    return [(item.object_name, item.grasp_type, item.row) for item in review_queue(library)]


def test_pairs_with_nothing_come_first_then_pairs_with_few() -> None:
    kinds = ABDUCTED[:3]
    rows = [(kinds[0], V, 0.0)] * 2 + [(kinds[1], V, 0.0)] + [(k, N, 1.5) for k in kinds]
    assert order({"025_mug": grasps(rows)}) == [("025_mug", kinds[k], 3 + k) for k in (2, 1, 0)]


def test_verified_elsewhere_does_not_serve_a_pair() -> None:
    kind = ABDUCTED[0]
    library = {
        "011_banana": grasps([(kind, V, 0.0), (kind, N, 1.0)], "011_banana"),
        "025_mug": grasps([(ABDUCTED[1], V, 0.0), (kind, N, 2.9)]),
    }
    assert order(library) == [("025_mug", kind, 1), ("011_banana", kind, 1)]


def test_best_attempt_of_every_pair_before_the_second_of_any() -> None:
    one, other = ABDUCTED[:2]
    rows = [(one, N, 1.1), (one, N, 1.2), (other, N, 2.0), (one, N, 1.0)]
    queue = review_queue({"025_mug": grasps(rows)})
    assert [item.row for item in queue] == [3, 2, 0, 1]
    assert [item.attempt for item in queue] == [0, 0, 1, 2]


def test_abducted_thumbs_before_adducted_then_the_nearest() -> None:
    rows = [(ADDUCTED[0], N, 1.0), (ABDUCTED[0], N, 2.5), (ABDUCTED[1], N, 1.5), (ADDUCTED[1], N, 1.2)]
    queue = review_queue({"025_mug": grasps(rows)})
    assert [item.row for item in queue] == [2, 1, 0, 3]
    assert [item.thumb_abducted for item in queue] == [True, True, False, False]


def test_only_what_waits_is_shown() -> None:
    rows = [(9, state, 1.5) for state in ReviewState]
    queue = review_queue({"025_mug": grasps(rows)})
    assert [item.row for item in queue] == [list(ReviewState).index(N)]
    assert queue[0].usable == 2  # verified and accepted
    assert review_queue({}) == []
    assert review_queue({"025_mug": Grasps.empty("025_mug")}) == []


def test_item_carries_reason_and_attempt() -> None:
    rows = [(9, V, 0.0), (9, N, 1.5), (9, N, 1.1)]
    best, second = review_queue({"025_mug": grasps(rows)})
    assert (best.row, best.reason, best.type_name) == (2, "row 2", GRASP_TYPES[9].name)
    assert len(best.grasp) == 1
    np.testing.assert_array_equal(best.grasp.pose, np.full((1, 45), 2.0))
    assert best.shortfall == pytest.approx(0.1, abs=1e-6)
    assert second.shortfall == pytest.approx(0.5, abs=1e-6)


def test_a_missing_reason_is_said() -> None:
    made = Grasps.make("025_mug", np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), np.array([1]))
    (item,) = review_queue({"025_mug": made})
    assert item.reason == "no reason recorded"
    assert item.shortfall == 4 * Passing().worst + 1.0  # nothing measured: nobody knows


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_penetration", 0.004, 0.0),
        ("max_penetration", 0.006, 0.5),
        ("max_penetration", 1.0, 3.0),
        ("max_penetration", np.nan, 3.0),
        ("self_penetration", 0.012, 1.0),
        ("shake_translation", 0.03, 0.5),
        ("shake_rotation", np.deg2rad(30.0), 1.0),
        ("shake_rotation", np.inf, 3.0),
        ("conformity", 0.25, 0.75),
        ("conformity", np.nan, 1.0),
    ],
)
def test_shortfall_counts_each_measure_over_its_limit(name: str, value: float, expected: float) -> None:
    one = grasps([(9, N, 0.0)])
    one.measures[name].flat[-1] = value  # of six shakes one is enough
    assert shortfall(one)[0] == pytest.approx(expected, abs=1e-6)


def test_most() -> None:
    library = {"025_mug": grasps([(9, N, 1.0 + 0.1 * k) for k in range(5)])}
    assert [item.row for item in review_queue(library, most=2)] == [0, 1]
    assert review_queue(library, most=0) == []
    with pytest.raises(InputError, match="-1"):
        review_queue(library, most=-1)


def test_bad_libraries_are_refused() -> None:
    with pytest.raises(InputError, match="011_banana"):
        review_queue({"025_mug": Grasps.empty("011_banana")})
    with pytest.raises(InputError, match="unknown grasp type 34"):
        review_queue({"025_mug": grasps([(34, N, 1.0)])})


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 33), st.sampled_from(list(ReviewState)), st.floats(0, 5)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_every_waiting_grasp_once_in_an_order_that_rows_do_not_change(rows: list, random: object) -> None:
    queue = review_queue({"025_mug": grasps(rows)})
    assert sorted(item.row for item in queue) == [i for i, row in enumerate(rows) if row[1] == N]
    keys = [(item.usable, item.attempt, not item.thumb_abducted, item.shortfall) for item in queue]
    assert keys == sorted(keys)
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = review_queue({"025_mug": grasps([rows[i] for i in shuffled])})
    assert [(i.grasp_type, i.shortfall) for i in again] == [(i.grasp_type, i.shortfall) for i in queue]
