"""Which grasp a person should look at next.

The search keeps, for every pair of object and grasp type, the best it found even where nothing passed. A minute of a
person is worth most where it makes something exist that does not exist yet: a first grasp for a pair that has none.
:func:`review_queue` therefore orders what needs review by

1. how many usable grasps (verified by physics or accepted by a person) the pair has: none first, then few;
2. the attempt's rank in its own pair: the best attempt of every pair comes before the second best of any, because once
   the best is accepted the second is worth much less;
3. the thumb: types with the thumb abducted first, which planners miss most;
4. how near the grasp is to passing (:func:`shortfall`): the smaller the repair, the shorter the minute;
5. object, type and row, so that the order is the same every time.

Grasps that a person has accepted or rejected are not shown again. No user interface here, and nothing is written.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from yaff.errors import InputError
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray


@dataclass(frozen=True)
class Passing:
    """What a grasp has to keep within to pass; the defaults are those of the search."""

    shake_translation: float = 0.02
    """Metres of motion under a shake."""
    shake_rotation: float = float(np.deg2rad(15.0))
    """Radians of motion under a shake."""
    max_penetration: float = 0.004
    """Metres of skin inside the object."""
    self_penetration: float = 0.006
    """Metres of hand inside the hand."""
    worst: float = 3.0
    """Most that one measure can count: a grasp that slips off is not ten times worse than one that drops."""


@dataclass(frozen=True)
class ReviewItem:
    """One grasp that needs a person, and why it is worth looking at."""

    object_name: str
    """YCB name."""
    grasp_type: int
    """Feix number, 1 to 33."""
    type_name: str
    """For example ``Palmar Pinch``."""
    thumb_abducted: bool
    """Whether the type asks for an abducted thumb."""
    row: int
    """Row of the grasp in the library's batch of the object."""
    usable: int
    """Grasps of this pair that are verified or accepted already."""
    attempt: int
    """Rank among the pair's grasps that need review; 0 is the one nearest to passing."""
    shortfall: float
    """How far from passing, see :func:`shortfall`; 0 is a grasp that only a label or a doubt holds back."""
    reason: str
    """What is wrong, in words: ``thumb not reached``, ``slips along +y``, ``penetration 4.2 mm``."""
    grasp: Grasps
    """The attempt itself, a batch of one."""


def review_queue(
    library_grasps: Mapping[str, Grasps], limits: Passing | None = None, *, most: int | None = None
) -> list[ReviewItem]:
    """The grasps of a library that need a person, the most valuable first; see the top of this module.

    Args:
        library_grasps: all grasps by object name; verified ones are needed too, they say which pairs are served.
        limits: what passing means.
        most: keep this many; all of them if not given.

    Raises:
        InputError: a batch under another object's name, a grasp type outside 1 to 33, or a negative ``most``.
    """
    if most is not None and most < 0:
        raise InputError(f"{most} items asked of the review queue", remedy="ask for zero or more")
    waiting: list[ReviewItem] = []
    for name in library_grasps:
        waiting += _of_object(name, library_grasps[name], limits or Passing())
    waiting.sort(
        key=lambda i: (i.usable, i.attempt, not i.thumb_abducted, i.shortfall, i.object_name, i.grasp_type, i.row)
    )
    return waiting[:most]


def shortfall(grasps: Grasps, limits: Passing | None = None) -> Float[Array, "n"]:
    """How far each grasp is from passing: the excess of each measure over its limit, and what is missing to conform.

    The sum of ``value / limit - 1`` of what exceeds its limit (each at most ``limits.worst``), plus one minus the
    conformity. Of the six shakes the worst counts. A measure that is absent or not finite counts as ``limits.worst``:
    nobody knows how far it is.
    """
    limits = limits or Passing()
    total = np.zeros(len(grasps))
    for name in ("shake_translation", "shake_rotation", "max_penetration", "self_penetration"):
        excess = np.full(len(grasps), limits.worst)
        if name in grasps.measures:
            value = np.asarray(grasps.measures[name], np.float64).reshape(len(grasps), math.prod(MEASURES[name].shape))
            worst = np.where(np.isfinite(value).all(axis=1), value.max(axis=1, initial=0.0), np.inf)
            excess = np.clip(worst / getattr(limits, name) - 1.0, 0.0, limits.worst)
        total += excess
    if "conformity" in grasps.measures:
        conformity = np.asarray(grasps.measures["conformity"], np.float64)
        return total + 1.0 - np.clip(np.nan_to_num(conformity), 0.0, 1.0)
    return total + 1.0


def _of_object(name: str, grasps: Grasps, limits: Passing) -> list[ReviewItem]:
    """The items of one object, with their rank inside their pair."""
    if grasps.object_name != name:
        raise InputError(f"grasps of {grasps.object_name!r} are filed under {name!r}", where="review queue")
    unknown = sorted({int(t) for t in grasps.grasp_type} - set(GRASP_TYPES))
    if unknown:
        raise InputError(f"unknown grasp type {unknown[0]}", where=f"review queue, {name}", remedy="1 to 33")
    usable = Counter(grasps.grasp_type[grasps.verified].tolist())
    rows = np.flatnonzero(grasps.review_state == ReviewState.NEEDS_REVIEW)
    missing = shortfall(grasps, limits)
    rows = rows[np.lexsort((rows, missing[rows]))]
    seen: Counter[int] = Counter()
    items = []
    for row in rows.tolist():
        kind = GRASP_TYPES[int(grasps.grasp_type[row])]
        items.append(
            ReviewItem(
                object_name=name,
                grasp_type=kind.number,
                type_name=kind.name,
                thumb_abducted=kind.thumb == "abducted",
                row=row,
                usable=usable[kind.number],
                attempt=seen[kind.number],
                shortfall=float(missing[row]),
                reason=grasps.reason[row] or "no reason recorded",
                grasp=grasps[row : row + 1],
            )
        )
        seen[kind.number] += 1
    return items
