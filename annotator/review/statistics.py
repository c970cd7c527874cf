"""How a review goes: who did how much how fast, and whether people agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

from annotator.store import Action, Decision, ReviewStore

PAUSE = 900.0
"""Seconds without a decision after which somebody is taken to have stopped working."""


@dataclass(frozen=True)
class AnnotatorStatistics:
    """One person's share."""

    decisions: int
    accepted: int
    rejected: int
    skipped: int
    flagged: int
    edited: int
    """Accepted grasps that were changed first."""
    median_seconds: float | None
    """From taking a grasp to deciding on it."""
    per_hour: float | None
    """Decisions in an hour of work; pauses longer than :data:`PAUSE` are not work."""


@dataclass(frozen=True)
class ReviewStatistics:
    """A whole review."""

    states: Mapping[str, int]
    annotators: Mapping[str, AnnotatorStatistics]
    judged_twice: int
    """Grasps that two or more people judged."""
    agreement: float | None
    """Share of the pairs of judgements on one grasp that agree."""
    kappa: Mapping[tuple[str, str], float | None]
    """Cohen's kappa of each two people who judged the same grasps; ``None`` where it is not defined."""


def review_statistics(store: ReviewStore) -> ReviewStatistics:
    """Statistics of a review, from its log."""
    log = store.log()
    people = {name: _of_person([d for d in log if d.annotator == name]) for name in sorted({d.annotator for d in log})}
    last = {(d.item_key, d.annotator): d.action for d in log}
    words: dict[str, dict[str, str]] = defaultdict(dict)
    for (key, annotator), action in last.items():
        if action in (Action.ACCEPT, Action.REJECT):
            words[key][annotator] = action.value
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for said in words.values():
        for one, other in combinations(sorted(said), 2):
            pairs[one, other].append((said[one], said[other]))
    every = [pair for both in pairs.values() for pair in both]
    return ReviewStatistics(
        states=store.counts(),
        annotators=people,
        judged_twice=sum(len(said) > 1 for said in words.values()),
        agreement=sum(a == b for a, b in every) / len(every) if every else None,
        kappa={both: cohen_kappa(pairs[both]) for both in sorted(pairs)},
    )


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance, (observed - expected) / (1 - expected).

    Source: J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20
    (1960), eq. 1.

    Args:
        pairs: what the first and the second rater said of each grasp.

    Returns:
        The coefficient, at most 1; ``None`` without pairs, or where chance alone would always agree.
    """
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    expected = sum(first[word] * second[word] for word in first) / n**2
    return None if expected >= 1.0 else (observed - expected) / (1.0 - expected)


def _of_person(log: Sequence[Decision]) -> AnnotatorStatistics:
    counts = Counter(d.action for d in log)
    judged = [d for d in log if d.action is not Action.WITHDRAW]
    times = sorted(d.at for d in judged)
    worked = sum(min(b - a, PAUSE) for a, b in pairwise(times) if b - a < PAUSE)
    seconds = [d.seconds for d in judged if d.seconds is not None and d.action is not Action.SKIP]
    return AnnotatorStatistics(
        decisions=len(judged),
        accepted=counts[Action.ACCEPT],
        rejected=counts[Action.REJECT],
        skipped=counts[Action.SKIP],
        flagged=counts[Action.FLAG],
        edited=sum(d.action is Action.ACCEPT and d.before != d.after for d in log),
        median_seconds=median(seconds) if seconds else None,
        per_hour=3600.0 * (len(times) - 1) / worked if worked > 0.0 else None,
    )
