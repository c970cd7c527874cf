"""A library becomes a queue: its grasps that need a person, in the order of what a minute is worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from annotator.queue import ReviewItem, review_queue
from annotator.store import Entry, GraspState, Item, ItemState, ReviewStore, open_database
from annotator.store.checks import judgements_wanted
from yaff.grasp.batch import MEASURES, Grasps
from yaff.store import GraspLibrary

JUDGED_TWICE = 0.05
"""Share of the grasps that two people judge, so that their agreement is known."""


def review_url(library: Path) -> str:
    """Where the review of a library is kept if nothing else is said: ``NAME.review.sqlite`` beside it."""
    return f"sqlite:///{library.resolve().with_suffix('.review.sqlite')}"


def open_review(
    library: GraspLibrary,
    url: str | None = None,
    *,
    judged_twice: float = JUDGED_TWICE,
    clock: Callable[[], float] = time.time,
) -> ReviewStore:
    """The review store of a library, filled with what is not in it yet.

    Args:
        library: the grasps; it is read, never changed.
        url: of the database; beside the library if not given.
        judged_twice: share of grasps that two people judge.
        clock: seconds since 1970.

    Raises:
        ConflictError: the database reviews another library.
        StorageError: the database cannot be opened or written.
    """
    store = ReviewStore(open_database(url or review_url(library.path)), clock)
    try:
        store.describe(library=library.identity)
        if "filled" not in store.facts():
            queue = review_queue({name: library[name] for name in library})
            store.fill([entry_of(item, k, judged_twice) for k, item in enumerate(queue)])
            store.describe(filled=str(len(queue)))
    except BaseException:
        store.close()
        raise
    return store


def entry_of(item: ReviewItem, priority: int, judged_twice: float) -> Entry:
    """What the store keeps of an item of the queue."""
    key = f"{item.object_name}/{item.row}"
    measures = measures_of(item.grasp, 0)
    return Entry(
        Item(
            number=0,
            key=key,
            object_name=item.object_name,
            row=item.row,
            grasp_type=item.grasp_type,
            type_name=item.type_name,
            thumb_abducted=item.thumb_abducted,
            usable=item.usable,
            shortfall=item.shortfall,
            reason=item.reason,
            priority=priority,
            state=ItemState.OPEN,
            judgements=0,
            wanted=judgements_wanted(key, judged_twice),
            annotator=None,
            leased_by=None,
            leased_until=None,
            epsilon=_worst(measures, "epsilon"),
            penetration=_worst(measures, "max_penetration"),
            shake_translation=_worst(measures, "shake_translation"),
            shake_rotation=_worst(measures, "shake_rotation"),
        ),
        GraspState.of(item.grasp, 0),
        measures,
    )


def measures_of(grasps: Grasps, row: int) -> dict[str, Any]:
    """The measures of one grasp as plain numbers; what is not known is ``None``."""
    known: dict[str, Any] = {}
    for name in MEASURES:
        if name in grasps.measures:
            value = np.asarray(grasps.measures[name][row], np.float64)
            plain = [float(v) if np.isfinite(v) else None for v in value.ravel()]
            known[name] = plain if MEASURES[name].shape else plain[0]
    return known


def _worst(measures: dict[str, Any], name: str) -> float | None:
    value = measures.get(name)
    if isinstance(value, list):
        known = [v for v in value if v is not None]
        return max(known) if known else None
    return value
