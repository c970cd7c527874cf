"""The rows of the search's table on a made-up library whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.search_table import Row, Searched, comparison_row, distinct, library_rows, near_published, object_rows
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.grasp.batch import MEASURES, Grasps, ReviewState

CAN, MUG = "005_tomato_soup_can", "025_mug"
HALF_TURN = make_transform(rotation_from_axis_angle(np.array([0.0, 0.0, np.pi])), np.zeros(3))


def grasps(name: str, places: list[list[float]], types: list[int], **measures: float) -> Grasps:
    """Verified grasps with unturned wrists at these places (root joint at the translation)."""
    n = len(places)
    batch = Grasps.make(
        name,
        np.zeros((n, 45)),
        np.zeros((n, 3)),
        np.array(places, float).reshape(n, 3),
        np.array(types, np.int16),
        review_state=np.full(n, ReviewState.VERIFIED, np.uint8),
    )
    values = {key: np.full((n, *m.shape), measures.get(key, 0.0), np.float32) for key, m in MEASURES.items()}
    return replace(batch, measures=values)


def pair(name: str, number: int, verified: int, seconds: float, **tally: Any) -> dict[str, Any]:
    return {"object": name, "type": number, "verified": verified, "core_seconds": seconds, "tally": tally}


@pytest.fixture
def searched() -> Searched:
    can = grasps(
        CAN,
        # three apart; one 1 cm from the first; one the half turn of the third (turned about z: a symmetric copy)
        [[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1], [0.11, 0, 0]],
        [1, 1, 1, 1],
        max_penetration=0.001,
        intersection_volume=2e-7,
        shake_translation=0.004,
    )
    mug = grasps(MUG, [[0.1, 0, 0]], [9], max_penetration=0.003, shake_translation=0.008)
    return Searched(
        grasps={CAN: can, MUG: mug},
        symmetries={CAN: np.stack([np.eye(4), HALF_TURN]), MUG: np.eye(4)[None]},
        pairs=[
            pair(CAN, 1, 4, 2.0, refined=40, closed=20, held=8, **{"not needed": 4, "rejected: copy of another": 6}),
            pair(CAN, 16, 0, 0.5, infeasible="too thick"),
            pair(MUG, 1, 0, 4.0, refined=40, closed=10),
            pair(MUG, 9, 1, 4.0, refined=40, closed=10, held=2),
        ],
        root=np.zeros(3),
        published={
            CAN: grasps(CAN, [[0.12, 0.03, 0], [0, 0, 0.2], [0, 0.1, 0]], [1, 1, 3]),
            MUG: grasps(MUG, [[0.1, 0, 0]], [1]),
            "011_banana": grasps("011_banana", [[0, 0, 0]], [1]),
        },
    )


def row(rows: list[Row], start: str) -> Row:
    (found,) = (entry for entry in rows if entry.measure.startswith(start))
    return found


def test_near_copies_and_symmetric_copies_count_once(searched: Searched) -> None:
    assert distinct(searched, CAN, 1) == 3
    turned = HALF_TURN @ searched.wrists(searched.of(CAN, 1))[:1]
    assert distinct(searched, CAN, 2) == 0
    # the symmetric copy of a grasp is no other grasp
    rotation = np.array([[0.0, 0.0, np.pi]])
    copy = replace(
        searched.grasps[CAN][[0]],
        wrist_rotation=rotation.astype(np.float32),
        translation=turned[:, :3, 3].astype(np.float32),
    )
    both = Grasps.concatenate([searched.grasps[CAN], copy])
    more = replace(searched, grasps={**searched.grasps, CAN: both})
    assert distinct(more, CAN, 1) == 3
    assert distinct(replace(more, symmetries={**more.symmetries, CAN: np.eye(4)[None]}), CAN, 1) == 4


def test_published_grasps_are_near_within_5_cm_and_45_degrees_under_symmetry(searched: Searched) -> None:
    # of the pairs searched: can 1 (two), mug 1 (one); only the first is near one of ours
    assert near_published(searched) == (1, 3)
    # the same place seen from the other side of the can
    mirrored = grasps(CAN, [[-0.12, -0.03, 0]], [1])
    turned = replace(mirrored, wrist_rotation=np.array([[0.0, 0.0, np.pi]], np.float32))
    assert near_published(replace(searched, published={CAN: mirrored})) == (0, 1)
    assert near_published(replace(searched, published={CAN: turned})) == (1, 1)


def test_every_row(searched: Searched) -> None:
    rows = library_rows(searched)
    assert row(rows, "object × type").measured == "1 of 4 (3 feasible)"
    assert row(rows, "object × type").good is None  # not the whole library
    assert row(rows, "types with").measured == "2"
    assert row(rows, "published (object").measured == "50 % (1 of 2)"
    assert row(rows, "maximum penetration").measured == "1.00 / 2.60 mm"
    assert row(rows, "intersection volume").good
    assert row(rows, "motion under").measured == "4.00 mm"
    # 4 / 2.5 s on the can, 1 / 8 s on the mug
    assert row(rows, "verified grasps per core-second").measured.startswith(f"{(1.6 + 0.125) / 2:.3f}")
    # closed 40, of which 4 were not needed and 6 were copies; 10 held
    assert row(rows, "refined candidates").measured == "33 % (10 of 30)"
    assert row(rows, "thumb-abducted precision types on objects whose size allows: pairs with a").measured.startswith(
        "100 %"
    )
    assert object_rows(searched)[0] == [CAN, 1, 1, 2, 4, 2.5, 1.6]


def test_planners_are_compared_by_grasps_per_core_second() -> None:
    ours, theirs = [pair(CAN, 1, 10, 5.0)], [pair(CAN, 1, 1, 10.0)]
    assert comparison_row(ours, theirs).good
    assert comparison_row(ours, ours).good is False
    assert comparison_row(ours, [pair(CAN, 1, 0, 10.0)]).good


def test_an_empty_library_has_a_table() -> None:
    rows = library_rows(Searched({}, {}, [], np.zeros(3), {}))
    assert row(rows, "object × type").measured == "0 of 0 (0 feasible)"
