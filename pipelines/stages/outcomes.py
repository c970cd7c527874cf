"""What a stage says when units of work failed."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.executor import Outcome
from yaff.errors import YaffError


def failures(outcomes: Sequence[Outcome]) -> tuple[tuple[str, YaffError], ...]:
    """Names and errors of the units that failed."""
    return tuple((outcome.unit.name, outcome.error) for outcome in outcomes if outcome.error is not None)


def raise_failures(outcomes: Sequence[Outcome]) -> None:
    """Raise when any unit failed: the error itself when there is one, a summary when there are several.

    Raises:
        YaffError: a unit failed.
    """
    failed = failures(outcomes)
    if len(failed) == 1:
        raise failed[0][1]
    if failed:
        shown = "\n".join(f"- {name}: {error}" for name, error in failed[:10])
        more = f"\n- and {len(failed) - 10} more" if len(failed) > 10 else ""
        raise YaffError(
            f"{len(failed)} of {len(outcomes)} units of work failed:\n{shown}{more}",
            remedy="mend these and run the same command again: what is done stays done",
        )
