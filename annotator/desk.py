"""One person's desk: the grasp that they hold, its edits, what physics says of it. No user interface.

Every change goes through :meth:`Desk.change`, so that all of it can be undone, and so that whatever shows the desk
hears of it in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from annotator.editing import History, close_finger, thumb_preset
from annotator.queue import Passing
from annotator.store import Action, Decision, GraspState, Item, Lease, QueueFilter, Verification
from yaff.errors import ConflictError
from yaff.hand import Patches

if TYPE_CHECKING:
    from annotator.service import ReviewService, Work


@dataclass(frozen=True)
class Row:
    """One measure, before and after, with its limit."""

    name: str
    unit: str
    before: float | None
    after: float | None
    limit: float | None

    @property
    def broken(self) -> bool:
        """Whether the value after the edit is beyond its limit."""
        return self.after is not None and self.limit is not None and self.after > self.limit


class Desk:
    """What one annotator has before them.

    Args:
        service: what is shared.
        annotator: whose desk it is.
        changed: called after every change of what the desk holds.
    """

    def __init__(self, service: ReviewService, annotator: str, changed: Callable[[], None] | None = None) -> None:
        self.service, self.annotator = service, annotator
        self.changed = changed or (lambda: None)
        self.filter = QueueFilter()
        self.lease: Lease | None = None
        self.history: History | None = None
        self.work: Work | None = None
        self.last: Decision | None = None
        """The last decision, which can be taken back."""
        self._patches = Patches.of(service.editor.model)

    # ------------------------------------------------------------------ holding a grasp

    @property
    def item(self) -> Item:
        """The grasp that is held.

        Raises:
            ConflictError: none is.
        """
        return self._held()[0].item

    @property
    def state(self) -> GraspState:
        """The grasp as it is edited."""
        return self._held()[1].state

    def take(self, number: int | None = None) -> bool:
        """Take this grasp, or the most valuable one that the filter lets through; whether there is one.

        Raises:
            ConflictError: somebody else holds it.
        """
        self.stop()
        lease = self.service.take(self.annotator, self.filter, number)
        self.lease = lease
        self.history = None if lease is None else History.begin(self.service.store.grasp(lease.item.number))
        self.changed()
        return lease is not None

    def renew(self) -> None:
        """Hold on to the grasp; called every now and then while somebody is at the desk."""
        if self.lease is not None:
            self.service.store.renew(self.lease.token)

    def leave(self) -> None:
        """Give back what is held."""
        self.stop()
        if self.lease is not None:
            self.service.store.release(self.lease.token)
        self.lease = self.history = None

    # ------------------------------------------------------------------ edits

    def change(self, label: str, state: GraspState) -> None:
        """A further state of the grasp."""
        self.history = self._held()[1].then(label, state)
        self.changed()

    def move_joints(self, changes: Mapping[str, float]) -> None:
        """Degrees of freedom set, radians by name."""
        what = ", ".join(f"{name} {np.rad2deg(angle):.0f}°" for name, angle in changes.items())
        self.change(what, self.service.editor.with_dof(self.state, changes))

    def move_wrist(self, T_object_hand: Any) -> None:
        """The wrist placed."""
        self.change("wrist", self.service.editor.with_wrist(self.state, np.asarray(T_object_hand, np.float64)))

    def nudge(self, axis: str, millimetres: float = 0.0, degrees: float = 0.0) -> None:
        """The wrist moved along, or turned about, its own axis ``x``, ``y`` or ``z``."""
        unit = np.eye(3)["xyz".index(axis)]
        move, turn = unit * millimetres * 1e-3, unit * np.deg2rad(degrees)
        amount = f"{millimetres:+g} mm" if millimetres else f"{degrees:+g}°"
        self.change(f"wrist {axis} {amount}", self.service.editor.nudge(self.state, move, turn))

    def preset_thumb(self, name: str) -> None:
        """A thumb preset."""
        self.change(f"thumb: {name}", thumb_preset(self.service.editor, self.state, name))

    def close(self, finger: str) -> None:
        """One finger closed until it touches."""
        obj = self.service.load(self.item.object_name)
        closed = close_finger(self.service.editor, self._patches, obj.sdf, self.state, finger)
        self.change(f"{finger} closed", closed)

    def set_type(self, number: int) -> None:
        """The label changed."""
        self.change(f"type {number}", self.service.editor.with_type(self.state, number))

    def copy_thumb(self, number: int) -> None:
        """The thumb as another grasp of the queue has it."""
        other = self.service.store.grasp(number)
        self.change(f"thumb of {number}", self.service.editor.copy_thumb(self.state, other))

    def undo(self) -> None:
        """One step back; without one, nothing."""
        if self.history is not None and self.history.can_undo:
            self.history = self.history.undo()
            self.changed()

    def redo(self) -> None:
        """One step forward; without one, nothing."""
        if self.history is not None and self.history.can_redo:
            self.history = self.history.redo()
            self.changed()

    def reset(self) -> None:
        """Back to how the machine left it."""
        self.history = self._held()[1].reset()
        self.changed()

    # ------------------------------------------------------------------ physics

    def start_verify(self) -> Work:
        """Begin to verify the grasp as it is now.

        Raises:
            ConflictError: something is under way already.
        """
        self._idle()
        self.work = self.service.start_verify(self.item, self.state)
        return self.work

    def start_snap(self, what: Sequence[str] = ("thumb",)) -> Work:
        """Begin to refine what may move.

        Raises:
            ConflictError: something is under way already.
        """
        self._idle()
        self.work = self.service.start_snap(self.item, self.state, what)
        return self.work

    def finish(self, work: Work) -> Verification | GraspState | None:
        """Take in what came of a job, unless the desk has moved on; waits for it."""
        try:
            result = self.service.outcome(work)
        finally:
            current = self.work is work
            if current:
                self.work = None
        if not current or self.history is None:
            return None
        if isinstance(result, GraspState):
            self.change("snap", result)
        elif result.held and result.settled != self.state:
            self.change("as physics settled it", result.settled)
        else:
            self.changed()
        return result

    def stop(self) -> None:
        """Stop what is under way."""
        if self.work is not None:
            self.work.job.cancel()
            self.work = None

    @property
    def verdict(self) -> Verification | None:
        """What physics said of the grasp exactly as it is now; ``None`` when it was not asked."""
        if self.lease is None or self.history is None:
            return None
        return self.service.store.verification(self.item.object_name, self.state)

    def measures(self, limits: Passing | None = None) -> tuple[Row, ...]:
        """Measures before and after the edit, the worst of those that have a direction."""
        limits = limits or Passing()
        before = self.service.store.measures(self.item.number) or {}
        verdict = self.verdict
        unedited = before if not self._held()[1].edited else {}
        after = dict(verdict.measures) if verdict is not None else unedited
        known = (
            ("penetration", "mm", "max_penetration", 1e3, limits.max_penetration),
            ("shared volume", "cm³", "intersection_volume", 1e6, None),
            ("self-penetration", "mm", "self_penetration", 1e3, limits.self_penetration),
            ("motion when shaken", "mm", "shake_translation", 1e3, limits.shake_translation),
            ("rotation when shaken", "°", "shake_rotation", 180.0 / np.pi, limits.shake_rotation),
            ("contacts", "", "contact_count", 1.0, None),
            ("epsilon", "", "epsilon", 1.0, None),
            ("conformity", "", "conformity", 1.0, None),
        )
        return tuple(
            Row(name, unit, _worst(before, key, scale), _worst(after, key, scale), limit and limit * scale)
            for name, unit, key, scale, limit in known
        )

    # ------------------------------------------------------------------ judgement

    def decide(self, action: Action, *, reason: str = "", note: str = "", overruled: str = "") -> Decision:
        """Judge the grasp as it is now; the desk is then empty.

        Raises:
            ConflictError: it is not verified and not overruled, or the lease has ended.
            InputError: a rejection without a reason.
        """
        lease, history = self._held()
        decision = self.service.decide(
            lease.token, action, history.state, reason=reason, note=note, overruled=overruled
        )
        self.stop()
        self.lease = self.history = None
        self.last = decision
        self.changed()
        return decision

    def take_back(self) -> None:
        """Undo the last decision, and take that grasp up again as it was left.

        Raises:
            ConflictError: there is none.
        """
        if self.last is None:
            raise ConflictError("no decision to take back")
        decision, number = self.last, self.service.store.number_of(self.last.item_key)
        if decision.action is not Action.SKIP:
            self.service.store.withdraw(self.annotator, number)
        self.last = None
        self.take(number)
        if decision.after != self.state:
            self.change("as it was decided", decision.after)

    # ------------------------------------------------------------------ inside

    def _held(self) -> tuple[Lease, History]:
        if self.lease is None or self.history is None:
            raise ConflictError("no grasp is on the desk", remedy="take one from the queue")
        return self.lease, self.history

    def _idle(self) -> None:
        self._held()
        if self.work is not None and not self.work.job.future.done():
            raise ConflictError("physics is still busy with this grasp", remedy="wait, or cancel it")


def _worst(measures: Mapping[str, Any], key: str, scale: float) -> float | None:
    value = measures.get(key)
    values = [v for v in (value if isinstance(value, list) else [value]) if v is not None]
    return max(values) * scale if values else None
