"""Undo and redo of everything: a line of states, each with the words of what made it."""

from __future__ import annotations

from dataclasses import dataclass, field

from annotator.store.records import GraspState
from yaff.errors import ConflictError


@dataclass(frozen=True)
class Step:
    """A state and what led to it."""

    label: str
    """For example ``thumb.cmc.abduction 42°``."""
    state: GraspState


@dataclass(frozen=True)
class History:
    """The steps of one editing session, and where it stands. Immutable: each change gives a new history."""

    steps: tuple[Step, ...]
    at: int = 0
    limit: int = field(default=500)
    """Steps that are remembered; the first state is never forgotten."""

    @classmethod
    def begin(cls, state: GraspState) -> History:
        """A session that starts from the grasp as the machine left it."""
        return cls((Step("as proposed", state),))

    @property
    def state(self) -> GraspState:
        """The grasp as it is now."""
        return self.steps[self.at].state

    @property
    def original(self) -> GraspState:
        """The grasp as the machine left it."""
        return self.steps[0].state

    @property
    def edited(self) -> bool:
        """Whether it differs from how the machine left it."""
        return self.state != self.original

    @property
    def can_undo(self) -> bool:
        """Whether there is a step back."""
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step forward."""
        return self.at + 1 < len(self.steps)

    def then(self, label: str, state: GraspState) -> History:
        """After another change; what was undone before is gone. A change that changes nothing is none."""
        if state == self.state:
            return self
        steps = (*self.steps[: self.at + 1], Step(label, state))
        if len(steps) > self.limit:
            steps = (steps[0], *steps[len(steps) - self.limit + 1 :])
        return History(steps, len(steps) - 1, self.limit)

    def undo(self) -> History:
        """One step back.

        Raises:
            ConflictError: there is none.
        """
        if not self.can_undo:
            raise ConflictError("nothing to undo")
        return History(self.steps, self.at - 1, self.limit)

    def redo(self) -> History:
        """One step forward.

        Raises:
            ConflictError: there is none.
        """
        if not self.can_redo:
            raise ConflictError("nothing to redo")
        return History(self.steps, self.at + 1, self.limit)

    def reset(self) -> History:
        """Back to how the machine left it, as a step that can be undone."""
        return self.then("reset to the proposal", self.original)
