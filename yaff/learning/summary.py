"""One row of the table for each way of predicting: what is in it, in which unit, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from yaff.learning.judging import Judged, diversity, type_accuracy
from yaff.search.rig import HandRig

Array = np.ndarray


@dataclass(frozen=True)
class Column:
    """One number of the table."""

    title: str
    unit: str
    better: int
    """1 where more is better, -1 where less is, 0 where neither."""
    scale: float
    """From SI to the unit."""
    meaning: str


COLUMNS: Mapping[str, Column] = {
    "graspable": Column(
        "graspable", "%", 1, 100.0, "instances of which at least one prediction grasps, by geometry (GraspableLimits)"
    ),
    "graspable_first": Column("first", "%", 1, 100.0, "instances of which the first prediction does"),
    "top1": Column("top 1", "%", 1, 100.0, "instances whose likeliest type is in the set of feasible types"),
    "top3": Column("top 3", "%", 1, 100.0, "instances of which one of the three likeliest types is"),
    "conforming": Column("of type", "%", 1, 100.0, "predictions whose contacts and thumb are those of their type"),
    "intersection": Column("object", "cm3", -1, 1e6, "mean volume that hand and object share"),
    "plane": Column("plane", "cm3", -1, 1e6, "mean volume of the hand below the support plane"),
    "contacts": Column("contacts", "", 1, 1.0, "mean number of digits that touch, the palm counting as one"),
    "epsilon": Column("epsilon", "", 1, 1.0, "mean Ferrari-Canny quality, friction 1, torque over the largest radius"),
    "verified": Column(
        "verified", "%", 1, 100.0, "first predictions that the search's physics verifies: closed, shaken, of their type"
    ),
    "diversity": Column("diversity", "mm", 0, 1e3, "mean distance of keypoints of two predictions of an instance"),
    "truth": Column("to truth", "mm", -1, 1e3, "mean distance of keypoints to those of the nearest feasible grasp"),
}
"""The columns, in their order; fractions as fractions and lengths in SI until they are printed."""


def summarise(
    judged: Judged,
    scores: Float[Array, "b 33"],
    feasible: Bool[Array, "b 33"],
    rig: HandRig,
    verified: Bool[Array, "v"] | None = None,
) -> dict[str, float | None]:
    """The row of a way of predicting.

    Args:
        judged: all of its predictions.
        scores: of the types, for each instance.
        feasible: the types that are feasible for each instance.
        rig: the hand.
        verified: verdicts of physics on first predictions of some instances; None where there were none.
    """
    predictions = judged.predictions
    _, instance = np.unique(predictions.row, return_inverse=True)
    graspable = np.zeros(len(scores), bool)
    np.logical_or.at(graspable, instance.reshape(-1), judged.graspable)
    first = predictions.rank == 0
    return {
        "graspable": float(graspable.mean()),
        "graspable_first": float(judged.graspable[first].sum() / len(scores)),
        "top1": type_accuracy(scores, feasible, 1),
        "top3": type_accuracy(scores, feasible, 3),
        "conforming": float(judged.conforms.mean()),
        "intersection": float(judged.intersection.mean()),
        "plane": float(judged.below_plane.mean()),
        "contacts": float(judged.contacts.mean()),
        "epsilon": float(judged.epsilon.mean()),
        "verified": None if verified is None or not len(verified) else float(np.mean(verified)),
        "diversity": diversity(judged, rig),
        "truth": float(judged.to_truth.mean()),
    }


def better_than(one: Mapping[str, float | None], other: Mapping[str, float | None], names: tuple[str, ...]) -> bool:
    """Whether a row is better than another in all of these columns, as far as both have them."""
    for name in names:
        mine, theirs, sign = one[name], other[name], COLUMNS[name].better
        if mine is not None and theirs is not None and not sign * mine > sign * theirs:
            return False
    return True
