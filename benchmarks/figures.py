"""What a benchmark yields, and how short work is timed."""

from __future__ import annotations

import time
from collections.abc import Callable

Figure = tuple[str, float, str]
"""What, how much, unit."""


def best_of(times: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of several runs."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
