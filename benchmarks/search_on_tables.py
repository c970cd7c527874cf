"""How much of a library is of use for what lies on a table: the ways an object rests, and the grasps free of each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.search_table import Row
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.scene.feasibility import FeasibilityConfig, hand_feasibility
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import pose_hands


def free_of_tables(hand: HandModel, obj: ObjectModel, grasps: Grasps) -> np.ndarray:
    """Which tables (p) that the object rests on alone leave room for which grasps (n), as a scene judges: (p, n)."""
    config = FeasibilityConfig()
    posed = pose_hands(hand, grasps, config.path_steps, config.path_vertices)
    planes = [Plane(plane[:3], float(plane[3])) for plane in obj.tables]
    return np.array([hand_feasibility(posed, [], plane, config).code == 0 for plane in planes])


def table_row(hand: HandModel, found: Iterable[tuple[ObjectModel, Grasps]]) -> Row:
    """Types that an object can be taken with from a table, in the mean over the ways it rests and over the objects."""
    types, usable, grasps = [], [], []
    for obj, batch in found:
        verified = batch[batch.verified]
        if len(verified):
            free = free_of_tables(hand, obj, verified)
            types.append(len(np.unique(verified.grasp_type)))
            usable.append(np.mean([len(np.unique(verified.grasp_type[row])) for row in free]))
            grasps.append(free.mean())
    if not types:
        return Row("types that take an object from a table", "", "none")
    text = f"{np.mean(usable):.1f} of {np.mean(types):.1f} ({100 * np.mean(grasps):.0f} % of the grasps)"
    return Row("types that take an object from a table, mean over the ways it rests", "", text)
