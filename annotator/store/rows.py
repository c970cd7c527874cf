"""Rows of the review database to records and back."""

from __future__ import annotations

import json
from typing import Any

from annotator.store.records import Action, Decision, Entry, GraspState, Item, ItemState, Verification, dump


def decision_of(row: Any) -> Decision:
    """A line of the log from its row."""
    return Decision(
        uid=row.uid,
        item_key=row.item_key,
        annotator=row.annotator,
        at=row.at,
        action=Action(row.action),
        reason=row.reason,
        note=row.note,
        overruled=row.overruled,
        before=GraspState.from_json(json.loads(row.before)),
        after=GraspState.from_json(json.loads(row.after)),
        measures=None if row.measures is None else json.loads(row.measures),
        seconds=row.seconds,
        versions=json.loads(row.versions),
    )


def decision_row(decision: Decision) -> dict[str, Any]:
    return {
        "uid": decision.uid,
        "item_key": decision.item_key,
        "annotator": decision.annotator,
        "at": decision.at,
        "action": decision.action.value,
        "reason": decision.reason,
        "note": decision.note,
        "overruled": decision.overruled,
        "before": dump(decision.before.as_json()),
        "after": dump(decision.after.as_json()),
        "measures": None if decision.measures is None else dump(decision.measures),
        "seconds": decision.seconds,
        "versions": dump(dict(decision.versions)),
    }


_ITEM_FIELDS = tuple(Item.__dataclass_fields__)


def item_of(row: Any) -> Item:
    values: dict[str, Any] = {name: getattr(row, name) for name in _ITEM_FIELDS}
    values["state"] = ItemState(row.state)
    return Item(**values)


def item_row(entry: Entry) -> dict[str, Any]:
    values = {name: getattr(entry.item, name) for name in _ITEM_FIELDS if name != "number"}
    return values | {
        "state": ItemState.OPEN.value,
        "judgements": 0,
        "annotator": None,
        "leased_by": None,
        "leased_until": None,
        "grasp": dump(entry.grasp.as_json()),
        "measures": None if entry.measures is None else dump(entry.measures),
        "origin": entry.origin,
    }


def verification_of(row: Any) -> Verification:
    return Verification(
        digest=row.digest,
        held=row.held,
        settled=GraspState.from_json(json.loads(row.settled)),
        measures=json.loads(row.measures),
        reason=row.reason,
        conforms=row.conforms,
        versions=json.loads(row.versions),
    )


def verification_row(object_name: str, digest: str, verification: Verification) -> dict[str, Any]:
    return {
        "object_name": object_name,
        "digest": digest,
        "held": verification.held,
        "conforms": verification.conforms,
        "settled": dump(verification.settled.as_json()),
        "measures": dump(dict(verification.measures)),
        "reason": verification.reason,
        "versions": dump(dict(verification.versions)),
    }
