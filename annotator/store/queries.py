"""The questions that are put to the review database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from annotator.store import database as db
from annotator.store.records import GraspState, ItemState, Verification
from annotator.store.rows import verification_of
from yaff.errors import UnknownItemError

WAITING = (ItemState.OPEN, ItemState.DISPUTED)

SORTABLE = (
    "priority",
    "object_name",
    "grasp_type",
    "reason",
    "state",
    "annotator",
    "shortfall",
    "epsilon",
    "penetration",
    "shake_translation",
    "shake_rotation",
)


@dataclass(frozen=True)
class QueueFilter:
    """What part of the queue is looked at; ``None`` lets everything through."""

    object_name: str | None = None
    grasp_type: int | None = None
    state: ItemState | None = None
    annotator: str | None = None
    reason: str | None = None
    """Text that occurs in the reason, upper and lower case alike."""
    thumb_abducted: bool | None = None


def found(connection: Connection, number: int) -> Any:
    row = connection.execute(sa.select(db.item).where(db.item.c.number == number)).first()
    if row is None:
        raise UnknownItemError(f"there is no grasp {number} in this queue")
    return row


def conditions(chosen: QueueFilter) -> list[Any]:
    item, named = db.item, ("object_name", "grasp_type", "annotator", "thumb_abducted")
    conditions = [item.c[name] == getattr(chosen, name) for name in named if getattr(chosen, name) is not None]
    if chosen.state is not None:
        conditions.append(item.c.state == chosen.state.value)
    if chosen.reason:
        conditions.append(item.c.reason.icontains(chosen.reason, autoescape=True))
    return conditions


def last_actions(annotator: str) -> Any:
    """The last action of one person on each grasp, as a subquery."""
    decision = db.decision
    last = (
        sa.select(decision.c.item_key, sa.func.max(decision.c.number).label("number"))
        .where(decision.c.annotator == annotator)
        .group_by(decision.c.item_key)
        .subquery()
    )
    return (
        sa.select(decision.c.item_key, decision.c.action)
        .join(last, last.c.number == decision.c.number)
        .subquery("last_action")
    )


def judged_by(annotator: str) -> Any:
    """Whether somebody has decided anything about an item, as a condition."""
    decision = db.decision
    return (
        sa.select(decision.c.number)
        .where(decision.c.item_key == db.item.c.key, decision.c.annotator == annotator)
        .exists()
    )


def read_verification(connection: Connection, object_name: str, grasp: GraspState) -> Verification | None:
    row = connection.execute(
        sa.select(db.verification).where(
            db.verification.c.object_name == object_name, db.verification.c.digest == grasp.digest
        )
    ).first()
    return None if row is None else verification_of(row)
