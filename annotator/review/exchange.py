"""Decisions into a library, and another database's decisions into this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from annotator.store import Action, Decision, Entry, ItemState, ReviewStore
from yaff.errors import ConflictError
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.store.library import MIGRATED, GraspLibrary


@dataclass(frozen=True)
class Exported:
    """What an export did."""

    library: GraspLibrary
    accepted: int
    rejected: int
    added: int
    """Accepted proposals that were not in the library before."""


def export_review(store: ReviewStore, library: GraspLibrary, path: Path) -> Exported:
    """Write a library that holds what people decided.

    Accepted grasps take the place of what the machine had, with their measures and state ``ACCEPTED``; rejected ones
    stay, marked ``REJECTED``; accepted proposals are appended. Everything else is as it was. The bytes follow from the
    library and the decisions alone: not from when or where they were made, nor by whom.

    Args:
        store: the review.
        library: the library it was made of.
        path: where to write; not the library itself.

    Raises:
        ConflictError: the review is of another library, or the two paths are one.
    """
    if path.resolve() == library.path.resolve():
        raise ConflictError("a library is not overwritten by its own review", where=path, remedy="give another name")
    if store.facts().get("library", library.identity) != library.identity:
        raise ConflictError("this review is of another library", where=library.path, remedy="give its own")
    log = store.log()
    deciding, rejections = _deciding(log), _rejections(log)
    changed: dict[str, dict[int, Grasps]] = {name: {} for name in library}
    added: dict[str, list[Grasps]] = {name: [] for name in library}
    for entry in store.entries():
        name, row = entry.item.object_name, entry.item.row
        if entry.item.state is ItemState.ACCEPTED:
            new = _accepted(library[name], entry, deciding[entry.item.key])
            if row is None:
                added[name].append(new)
            else:
                changed[name][row] = new
        elif entry.item.state is ItemState.REJECTED and row is not None:
            changed[name][row] = _rejected(library[name], row, rejections[entry.item.key])
    batches = {name: _assemble(library[name], changed[name], added[name]) for name in library}
    states = [int(one.review_state[0]) for rows in changed.values() for one in rows.values()]
    n_added = sum(map(len, added.values()))
    accepted = states.count(ReviewState.ACCEPTED) + n_added
    rejected = states.count(ReviewState.REJECTED)
    metadata = {key: value for key, value in library.metadata.items() if key != MIGRATED}  # it is another library now
    metadata["review"] = {"library": library.digest, "accepted": accepted, "rejected": rejected, "added": n_added}
    return Exported(GraspLibrary.write(path, batches, metadata), accepted, rejected, n_added)


def import_review(store: ReviewStore, other: ReviewStore) -> int:
    """Bring another review of the same library into this one; returns how many decisions were new.

    Raises:
        ConflictError: the other review is of another library.
    """
    ours, theirs = store.facts().get("library"), other.facts().get("library")
    if ours != theirs:
        raise ConflictError("the other review is of another library", remedy="import only reviews of the same library")
    return store.merge(other.log(), other.entries(), other.verifications())


def _deciding(log: tuple[Decision, ...]) -> Mapping[str, Decision]:
    """The accepting decision of each grasp that counts. Of several the first by :func:`_rank` is taken, so that it does
    not depend on the order in which databases were merged.
    """
    chosen: dict[str, Decision] = {}
    for decision in _standing(log):
        if decision.action is Action.ACCEPT:
            known = chosen.get(decision.item_key, decision)
            chosen[decision.item_key] = min(known, decision, key=_rank)
    return chosen


def _rejections(log: tuple[Decision, ...]) -> Mapping[str, str]:
    """Why each rejected grasp was rejected."""
    said: dict[str, set[str]] = {}
    for decision in _standing(log):
        if decision.action is Action.REJECT:
            said.setdefault(decision.item_key, set()).add(decision.reason)
    return {key: "; ".join(sorted(reasons)) for key, reasons in said.items()}


def _standing(log: tuple[Decision, ...]) -> Iterable[Decision]:
    """Each person's last word on each grasp."""
    return {(d.item_key, d.annotator): d for d in log}.values()


def _rank(decision: Decision) -> tuple[bool, str, str]:
    """Verified before overruled, then by content."""
    return bool(decision.overruled), decision.after.digest, decision.uid


def _accepted(old: Grasps, entry: Entry, decision: Decision) -> Grasps:
    """The accepted grasp as a batch of one."""
    state, row = decision.after, entry.item.row
    known: Mapping[str, Any] = decision.measures or {}
    measures = {}
    for name, measure in MEASURES.items():
        value = known.get(name)
        filled = np.full(measure.shape, np.nan) if value is None else _numbers(value)
        measures[name] = filled.reshape(1, *measure.shape).astype(np.float32)
    origin = f"proposal/{entry.item.key}" if row is None else old.provenance[row]
    edited = "edited" if decision.after != decision.before else "kept"
    return replace(
        state.batch(entry.item.object_name),
        review_state=np.array([ReviewState.ACCEPTED], np.uint8),
        reason=(f"overruled: {decision.overruled}" if decision.overruled else "",),
        provenance=(f"{origin}+review/{edited}",),
        measures=measures,
    )


def _numbers(value: Any) -> np.ndarray:
    values = value if isinstance(value, list) else [value]
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _rejected(old: Grasps, row: int, reason: str) -> Grasps:
    """A grasp of the library as a batch of one, marked as rejected."""
    return replace(old[[row]], review_state=np.array([ReviewState.REJECTED], np.uint8), reason=(reason,))


def _assemble(old: Grasps, changed: Mapping[int, Grasps], added: Sequence[Grasps]) -> Grasps:
    """The batch with some rows replaced and others appended."""
    rows = sorted(changed)
    place = np.arange(len(old))
    place[rows] = len(old) + np.arange(len(rows))
    every = Grasps.concatenate([old, *(changed[row] for row in rows), *added])
    appended = len(old) + len(rows) + np.arange(len(added))
    return every[np.concatenate([place, appended])]
