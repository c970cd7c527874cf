"""Grasps and queues for the tests of the review store."""

from __future__ import annotations

import numpy as np

from annotator.store import Entry, GraspState, Item, ItemState, ReviewStore, Verification
from yaff.grasp.batch import MEASURES
from yaff.taxonomy import GRASP_TYPES


def grasp(seed: int, number: int = 9) -> GraspState:
    """A grasp with no meaning."""
    rng = np.random.default_rng(seed)
    sizes = {"pose": 45, "wrist_rotation": 3, "translation": 3, "shape": 10}
    sizes |= {"pregrasp_pose": 45, "pregrasp_wrist_rotation": 3, "pregrasp_translation": 3}
    return GraspState(number, **{k: rng.normal(size=n).astype(np.float32) for k, n in sizes.items()})


def entry(number: int, object_name: str = "025_mug", kind: int = 9, wanted: int = 1) -> Entry:
    """An item of the queue."""
    item = Item(
        number=number,
        key=f"{object_name}/{number}",
        object_name=object_name,
        row=number,
        grasp_type=kind,
        type_name=GRASP_TYPES[kind].name,
        thumb_abducted=GRASP_TYPES[kind].thumb == "abducted",
        usable=0,
        shortfall=0.1 * number,
        reason=f"slips along +y 50% #{number}",
        priority=number,
        state=ItemState.OPEN,
        judgements=0,
        wanted=wanted,
        annotator=None,
        leased_by=None,
        leased_until=None,
        epsilon=0.1,
        penetration=0.001 * number,
        shake_translation=None,
        shake_rotation=None,
    )
    measures = {name: [0.001] * 6 if m.shape else 0.001 for name, m in MEASURES.items()}
    return Entry(item, grasp(number, kind), measures)


def fill(store: ReviewStore, count: int, **options: object) -> None:
    """A queue of ``count`` grasps."""
    store.fill([entry(k, **options) for k in range(count)])  # type: ignore[arg-type]


def verdict(state: GraspState, held: bool = True, reason: str = "") -> Verification:
    """A verdict of physics that nobody asked for."""
    measures = {name: [0.001] * 6 if m.shape else 0.001 for name, m in MEASURES.items()}
    return Verification(state.digest, held, state, measures, reason, True, {})
