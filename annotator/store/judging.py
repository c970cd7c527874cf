"""What the log of decisions makes of a grasp."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from annotator.store.records import Action, ItemState


@dataclass(frozen=True)
class Judgement:
    """State of a grasp, and how many people's judgements it rests on."""

    state: ItemState
    judgements: int


def judge(log: Sequence[tuple[str, Action]], wanted: int) -> Judgement:
    """The state that follows from a grasp's log.

    Each person's last word counts; withdrawing or skipping is no word. A grasp stays open until ``wanted`` people have
    judged it. If they differ it is disputed, until a majority exists. A flag takes it out of the queue whatever others
    say, because it asks for somebody who can settle it.

    Args:
        log: annotator and action, in the order in which they came.
        wanted: people who must judge it.
    """
    last = dict(log)
    words = Counter(a for a in last.values() if a in (Action.ACCEPT, Action.REJECT))
    judgements = sum(words.values())
    if Action.FLAG in last.values():
        return Judgement(ItemState.FLAGGED, judgements)
    if judgements < wanted:
        return Judgement(ItemState.OPEN, judgements)
    accepts, rejects = words[Action.ACCEPT], words[Action.REJECT]
    if accepts == rejects:
        return Judgement(ItemState.DISPUTED, judgements)
    return Judgement(ItemState.ACCEPTED if accepts > rejects else ItemState.REJECTED, judgements)
