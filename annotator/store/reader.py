"""What can be asked of a review without changing it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from annotator.store import database as db
from annotator.store.queries import SORTABLE, QueueFilter, conditions, found, read_verification
from annotator.store.records import Decision, Entry, GraspState, Item, ItemState, Verification
from annotator.store.rows import decision_of, item_of, verification_of
from yaff.errors import InputError, UnknownItemError


@dataclass(frozen=True)
class Page:
    """Some rows of the queue, and how many there are in all."""

    items: tuple[Item, ...]
    total: int


class ReviewReader:
    """The queue, the verdicts and the log, as they are.

    Args:
        engine: from :func:`annotator.store.database.open_database`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._reading.begin() as connection:
            yield connection

    def facts(self) -> dict[str, str]:
        """What :meth:`describe` recorded."""
        with self._read() as connection:
            return facts_of(connection)

    def page(
        self,
        chosen: QueueFilter | None = None,
        *,
        sort: str = "priority",
        descending: bool = False,
        offset: int = 0,
        limit: int = 50,
    ) -> Page:
        """Rows ``offset`` to ``offset + limit`` of the filtered, sorted queue.

        Raises:
            InputError: a column that cannot be sorted by, or a negative offset or limit.
        """
        if sort not in SORTABLE:
            raise InputError(f"the queue cannot be sorted by {sort!r}", remedy=f"one of {', '.join(SORTABLE)}")
        if offset < 0 or limit < 0:
            raise InputError("offset and limit must not be negative", where="queue")
        where = conditions(chosen or QueueFilter())
        column = db.item.c[sort]
        order = column.desc() if descending else column.asc()
        if column.nullable:  # where nothing can be null, an index gives the order
            order = order.nulls_last()
        query = sa.select(db.item).where(*where).order_by(order, db.item.c.priority, db.item.c.number)
        with self._read() as connection:
            total = connection.scalar(sa.select(sa.func.count()).select_from(db.item).where(*where)) or 0
            rows = connection.execute(query.offset(offset).limit(limit)).all()
        return Page(tuple(map(item_of, rows)), total)

    def item(self, number: int) -> Item:
        """One grasp of the queue.

        Raises:
            UnknownItemError: no such item.
        """
        with self._read() as connection:
            return item_of(found(connection, number))

    def number_of(self, key: str) -> int:
        """The number of the item with this key.

        Raises:
            UnknownItemError: no such item.
        """
        with self._read() as connection:
            number = connection.scalar(sa.select(db.item.c.number).where(db.item.c.key == key))
        if number is None:
            raise UnknownItemError(f"there is no grasp {key!r} in this queue")
        return number

    def grasp(self, number: int) -> GraspState:
        """The grasp as the machine left it."""
        with self._read() as connection:
            return GraspState.from_json(json.loads(found(connection, number).grasp))

    def measures(self, number: int) -> dict[str, Any] | None:
        """Measures of the grasp as the machine left it, where they are known."""
        with self._read() as connection:
            text = found(connection, number).measures
        return None if text is None else json.loads(text)

    def counts(self) -> dict[str, int]:
        """How many grasps there are in each state."""
        query = sa.select(db.item.c.state, sa.func.count()).group_by(db.item.c.state)
        with self._read() as connection:
            rows = connection.execute(query).all()
        known = {row[0]: int(row[1]) for row in rows}
        return {state.value: known.get(state.value, 0) for state in ItemState}

    def choices(self) -> dict[str, list[Any]]:
        """What the filters can be set to: the objects, types and annotators that occur."""
        with self._read() as connection:
            return {
                name: [v for v in connection.scalars(sa.select(db.item.c[name]).distinct().order_by(db.item.c[name]))
                       if v is not None]
                for name in ("object_name", "grasp_type", "annotator")
            }  # fmt: skip

    def verification(self, object_name: str, grasp: GraspState) -> Verification | None:
        """What physics said of exactly this grasp, if it was asked."""
        with self._read() as connection:
            return read_verification(connection, object_name, grasp)

    def log(self) -> tuple[Decision, ...]:
        """Every decision, in the order in which they came."""
        with self._read() as connection:
            return tuple(map(decision_of, connection.execute(sa.select(db.decision).order_by(db.decision.c.number))))

    def entries(self) -> tuple[Entry, ...]:
        """Every grasp of the queue with its content, in the order of keys."""
        with self._read() as connection:
            rows = connection.execute(sa.select(db.item).order_by(db.item.c.key)).all()
        return tuple(
            Entry(
                item_of(row),
                GraspState.from_json(json.loads(row.grasp)),
                None if row.measures is None else json.loads(row.measures),
                row.origin,
            )
            for row in rows
        )

    def verifications(self) -> tuple[tuple[str, Verification], ...]:
        """Every verdict of physics with its object, in order."""
        query = sa.select(db.verification).order_by(db.verification.c.object_name, db.verification.c.digest)
        with self._read() as connection:
            return tuple((row.object_name, verification_of(row)) for row in connection.execute(query).all())


def facts_of(connection: Connection) -> dict[str, str]:
    """What the database says it is about."""
    return {row.key: row.value for row in connection.execute(sa.select(db.about)).all()}
