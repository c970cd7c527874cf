"""What is of use on a table, with a hand whose answer is plain."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.search_on_tables import free_of_tables, table_row
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.grasp import Grasps
from yaff.hand import load_hand
from yaff.hand.forearm import forearm_direction
from yaff.objects import StandInSource, load_object


def test_a_hand_hanging_from_above_is_free_of_the_table_below_it_and_of_no_other(cache_dir: Path) -> None:
    hand, obj = load_hand(), load_object("003_cracker_box", StandInSource(), cache_dir)
    planes = obj.tables
    reach = float(np.abs(obj.solid.bounds).max()) + 0.05
    Ts = []
    for plane in planes:  # fingers down, the elbow over the hand
        up, elbow = plane[:3], forearm_direction(hand)
        axis = np.cross(elbow, up)
        if np.linalg.norm(axis) < 0.05:
            axis = np.cross(elbow, np.roll(elbow, 1))
        angle = np.arccos(np.clip(elbow @ up, -1.0, 1.0))
        rotation = rotation_from_axis_angle(angle * axis / np.linalg.norm(axis))
        np.testing.assert_allclose(rotation @ elbow, up, atol=0.06)
        Ts.append(make_transform(rotation, up * (reach + 0.2)))
    wrist, translation = hand.wrist_parameters(np.stack(Ts))
    grasps = Grasps.make(obj.name, np.zeros((len(Ts), 45)), wrist, translation, np.full(len(Ts), 9))
    free = free_of_tables(hand, obj, grasps)
    opposite = planes[:, :3] @ planes[:, :3].T < -0.99
    assert np.diag(free).all()
    assert not free[opposite].any()
    assert table_row(hand, [(obj, grasps)]).measured == "none"  # nothing of it is verified
