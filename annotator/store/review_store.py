"""The review store: a queue with leases, verdicts of physics, and the log of decisions, each change one transaction.

A grasp is looked at by one person at a time: whoever holds its lease may decide, and nobody else gets it until the
lease is given back or runs out. Decisions are only ever added. What a grasp's state is follows from the log
(:func:`annotator.store.judging.judge`), so that importing another log or replaying this one gives the same states.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from annotator.store import database as db
from annotator.store.checks import checked_name, checked_text
from annotator.store.judging import judge
from annotator.store.queries import WAITING, QueueFilter, conditions, found, judged_by, last_actions, read_verification
from annotator.store.reader import ReviewReader, facts_of
from annotator.store.records import Action, Decision, Entry, GraspState, Lease, Verification
from annotator.store.rows import decision_of, decision_row, item_of, item_row, verification_row
from yaff.errors import ConflictError, InputError, UnknownItemError

LEASE_SECONDS = 600.0
"""A lease that is not renewed ends after this long: a closed browser gives its grasp back."""

UNSETTLED = (Action.SKIP.value, Action.WITHDRAW.value)
"""A grasp on which this was somebody's last word is shown to them again."""


class ReviewStore(ReviewReader):
    """All that annotators share. Safe for many threads and processes on one database.

    Args:
        engine: from :func:`annotator.store.database.open_database`.
        clock: seconds since 1970; passed in so that leases can be tested.
        lease_seconds: how long a lease lasts without being renewed.
    """

    def __init__(
        self, engine: Engine, clock: Callable[[], float] = time.time, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        super().__init__(engine)
        self._clock = clock
        self._lease_seconds = lease_seconds

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    # ------------------------------------------------------------------ what the database is about

    def describe(self, **facts: str) -> None:
        """Record what this database reviews; a fact that is there must agree.

        Raises:
            ConflictError: the database belongs to another library.
        """
        with self._write() as connection:
            known = facts_of(connection)
            for key, value in facts.items():
                if known.get(key, value) != value:
                    raise ConflictError(
                        f"this review database is of another library ({key} {known[key][:12]}, not {value[:12]})",
                        remedy="open the library it was made with, or start a new database",
                    )
                if key not in known:
                    connection.execute(db.about.insert().values(key=key, value=value))

    # ------------------------------------------------------------------ the queue

    def fill(self, entries: Iterable[Entry]) -> int:
        """Add grasps to the queue; those whose key is there already stay as they are. Returns how many were added."""
        added = 0
        with self._write() as connection:
            known = set(connection.scalars(sa.select(db.item.c.key)))
            rows = []
            for entry in entries:
                if entry.item.key in known:
                    continue
                known.add(entry.item.key)
                rows.append(item_row(entry))
            if rows:
                connection.execute(db.item.insert(), rows)
            added = len(rows)
        return added

    # ------------------------------------------------------------------ leases

    def acquire(self, annotator: str, chosen: QueueFilter | None = None, number: int | None = None) -> Lease | None:
        """The most valuable grasp that nobody holds and this person has not judged; ``None`` when there is none.

        Grasps that this person skipped come last.

        Args:
            annotator: who asks; what they hold already is given back.
            chosen: the part of the queue; waiting grasps of it unless a state is named.
            number: this grasp and no other.

        Raises:
            ConflictError: ``number`` is held by somebody else.
            UnknownItemError: there is no such grasp.
            InputError: an empty name.
        """
        annotator = checked_name(annotator)
        now = self._clock()
        item = db.item
        free = sa.or_(item.c.leased_until.is_(None), item.c.leased_until <= now, item.c.leased_by == annotator)
        with self._write() as connection:
            if number is None:
                row = self._most_valuable(connection, annotator, chosen or QueueFilter(), free)
                if row is None:
                    return None
                number = int(row.number)
            else:
                row = found(connection, number)
                if row.leased_by not in (None, annotator) and (row.leased_until or 0.0) > now:
                    raise ConflictError(f"{row.leased_by} is looking at grasp {number}", remedy="take another one")
            connection.execute(
                item.update().where(item.c.leased_by == annotator, item.c.number != number).values(**_NO_LEASE)
            )
            token, until = secrets.token_urlsafe(18), now + self._lease_seconds
            taken = connection.execute(
                item.update()
                .where(item.c.number == number, free)
                .values(lease_token=token, leased_by=annotator, leased_at=now, leased_until=until)
            )
            if taken.rowcount != 1:
                raise ConflictError(f"grasp {number} has just been taken", remedy="take another one")
            return Lease(token, item_of(found(connection, number)), annotator, until)

    def _most_valuable(self, connection: Connection, annotator: str, chosen: QueueFilter, free: Any) -> Any:
        """The first free row that this person has not settled; what was skipped comes last.

        Two questions instead of one, because the first, which nearly always answers, follows an index.
        """
        item = db.item
        where = [free, *conditions(chosen)]
        if chosen.state is None:
            where.append(item.c.state.in_([s.value for s in WAITING]))
        order = item.c.priority, item.c.number
        unseen = (
            sa.select(item.c.number, item.c.priority).where(*where, ~judged_by(annotator)).order_by(*order).limit(1)
        )
        row = connection.execute(unseen).first()
        mine = last_actions(annotator)
        seen = (
            sa.select(item.c.number, item.c.priority, mine.c.action)
            .join(mine, mine.c.item_key == item.c.key)
            .where(*where, mine.c.action.in_(UNSETTLED))
        )
        again = connection.execute(seen.order_by(mine.c.action == Action.SKIP.value, *order).limit(1)).first()
        if row is None or again is None or again.action == Action.SKIP.value:
            return row or again
        return min(row, again, key=lambda r: (r.priority, r.number))

    def renew(self, token: str) -> float:
        """Hold on to a grasp; returns until when.

        Raises:
            ConflictError: the lease has ended and somebody else has the grasp.
        """
        until = self._clock() + self._lease_seconds
        with self._write() as connection:
            done = connection.execute(db.item.update().where(db.item.c.lease_token == token).values(leased_until=until))
            if done.rowcount != 1:
                raise ConflictError("this lease has ended", remedy="take the grasp again")
        return until

    def release(self, token: str) -> None:
        """Give a grasp back undecided; a lease that has ended is no error."""
        with self._write() as connection:
            connection.execute(db.item.update().where(db.item.c.lease_token == token).values(**_NO_LEASE))

    # ------------------------------------------------------------------ physics

    def keep_verification(self, object_name: str, verification: Verification) -> None:
        """Keep a verdict of physics, for the grasp that was tested and for the one it settled into."""
        rows = [verification_row(object_name, digest, verification)
                for digest in {verification.digest, verification.settled.digest}]  # fmt: skip
        with self._write() as connection:
            for row in rows:
                same = (db.verification.c.object_name == row["object_name"]) & (
                    db.verification.c.digest == row["digest"]
                )
                connection.execute(db.verification.delete().where(same))
                connection.execute(db.verification.insert().values(**row))

    # ------------------------------------------------------------------ decisions

    def decide(
        self,
        token: str,
        action: Action,
        after: GraspState | None = None,
        *,
        uid: str | None = None,
        reason: str = "",
        note: str = "",
        overruled: str = "",
        versions: dict[str, str] | None = None,
    ) -> Decision:
        """Decide on the grasp that is held, once; the lease ends with it.

        Args:
            token: of the lease.
            action: accept, reject, skip or flag.
            after: the grasp as edited; as the machine left it if not given.
            uid: the same for a request that is sent again; the first answer is then given again.
            reason: why, for a rejection or a flag.
            note: whatever else is worth saying.
            overruled: why it is accepted although physics does not agree.
            versions: of the program.

        Raises:
            ConflictError: the lease has ended, or a grasp is accepted that was not verified and not overruled, or
                that was never measured.
            InputError: a rejection without a reason, or a text that is too long.
        """
        uid = checked_text("uid", uid or secrets.token_hex(16), 64)
        reason, note, overruled = (
            checked_text(n, v) for n, v in (("reason", reason), ("note", note), ("overruled", overruled))
        )
        if action is Action.WITHDRAW:
            raise InputError("a decision is taken back with withdraw", where="decide")
        if action is Action.REJECT and not reason:
            raise InputError("a rejection without a reason", remedy="say what is wrong")
        with self._write() as connection:
            known = connection.execute(sa.select(db.decision).where(db.decision.c.uid == uid)).first()
            if known is not None:
                return decision_of(known)
            row = connection.execute(sa.select(db.item).where(db.item.c.lease_token == token)).first()
            if row is None or not token:
                raise ConflictError("this lease has ended", remedy="take the grasp again")
            before = GraspState.from_json(json.loads(row.grasp))
            after = after or before
            verdict = read_verification(connection, row.object_name, after)
            if action is Action.ACCEPT and not overruled and (verdict is None or not verdict.held):
                doubt = "was not verified" if verdict is None else f"does not hold: {verdict.reason}"
                raise ConflictError(f"this grasp {doubt}", remedy="verify it, or overrule with a reason")
            now = self._clock()
            known = json.loads(row.measures or "null") if after == before else None
            measures = dict(verdict.measures) if verdict else known
            if action is Action.ACCEPT and measures is None:
                raise ConflictError("this grasp was never measured", remedy="verify it first, also to overrule")
            decision = Decision(
                uid=uid,
                item_key=row.key,
                annotator=row.leased_by,
                at=now,
                action=action,
                reason=reason,
                note=note,
                overruled=overruled,
                before=before,
                after=after,
                measures=measures,
                seconds=now - row.leased_at,
                versions=versions or {},
            )
            self._append(connection, [decision])
            connection.execute(db.item.update().where(db.item.c.number == row.number).values(**_NO_LEASE))
        return decision

    def withdraw(self, annotator: str, number: int, *, uid: str | None = None) -> Decision:
        """Take back one's own last decision on a grasp, which returns to the queue. The log keeps both.

        Raises:
            ConflictError: this person has no decision on it that stands.
        """
        annotator = checked_name(annotator)
        uid = checked_text("uid", uid or secrets.token_hex(16), 64)
        with self._write() as connection:
            known = connection.execute(sa.select(db.decision).where(db.decision.c.uid == uid)).first()
            if known is not None:
                return decision_of(known)
            row = found(connection, number)
            query = (
                sa.select(db.decision)
                .where(db.decision.c.item_key == row.key, db.decision.c.annotator == annotator)
                .order_by(db.decision.c.number.desc())
                .limit(1)
            )
            last = connection.execute(query).first()
            if last is None or last.action == Action.WITHDRAW.value:
                raise ConflictError(f"{annotator} has no decision on grasp {number} to take back")
            was = decision_of(last)
            decision = Decision(
                uid,
                row.key,
                annotator,
                self._clock(),
                Action.WITHDRAW,
                "",
                "",
                "",
                was.before,
                was.after,
                None,
                None,
                {},
            )
            self._append(connection, [decision])
        return decision

    def merge(self, decisions: Sequence[Decision], entries: Sequence[Entry],
              verifications: Sequence[tuple[str, Verification]]) -> int:  # fmt: skip
        """Bring in what another database holds, in one transaction; returns how many decisions were new.

        Raises:
            UnknownItemError: a decision on a grasp that neither database has.
        """
        self.fill(entries)
        for object_name, verdict in verifications:
            if self.verification(object_name, verdict.settled) is None:
                self.keep_verification(object_name, verdict)
        with self._write() as connection:
            known = set(connection.scalars(sa.select(db.decision.c.uid)))
            items = set(connection.scalars(sa.select(db.item.c.key)))
            fresh = [d for d in decisions if d.uid not in known]
            for decision in fresh:
                if decision.item_key not in items:
                    raise UnknownItemError(f"a decision on {decision.item_key}, which is not in this queue")
            self._append(connection, fresh)
        return len(fresh)

    def _append(self, connection: Connection, decisions: Sequence[Decision]) -> None:
        """Write to the log, and bring the states of the items that it concerns up to it."""
        for decision in decisions:
            connection.execute(db.decision.insert().values(**decision_row(decision)))
        for key in sorted({d.item_key for d in decisions}):
            query = sa.select(db.decision).where(db.decision.c.item_key == key).order_by(db.decision.c.number)
            # the person's last word counts; only who and what is read, so that a long log stays cheap
            log = [(row.annotator, Action(row.action)) for row in connection.execute(
                query.with_only_columns(db.decision.c.annotator, db.decision.c.action)).all()]  # fmt: skip
            wanted = connection.scalar(sa.select(db.item.c.wanted).where(db.item.c.key == key)) or 1
            verdict = judge(log, wanted)
            connection.execute(
                db.item.update()
                .where(db.item.c.key == key)
                .values(state=verdict.state.value, judgements=verdict.judgements, annotator=log[-1][0])
            )


_NO_LEASE: dict[str, Any] = {"lease_token": None, "leased_by": None, "leased_at": None, "leased_until": None}
