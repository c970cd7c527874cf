"""Agreement of verdicts with labels, where the answer is known."""

from __future__ import annotations

import numpy as np

from benchmarks.agreement import agreement


def test_a_judge_that_knows_agrees_and_one_that_says_yes_to_all_is_no_better_than_chance() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(1, 34, 200)
    knows = np.eye(33, dtype=bool)[label - 1]
    result = agreement(knows, knows.astype(float), label, rng)
    assert (result.share, result.types, result.best) == (1.0, 1.0, 1.0)
    assert result.chance < 0.06
    assert result.lucky < 0.12
    yes = np.ones((200, 33), bool)
    result = agreement(yes, np.ones((200, 33)), label, rng)
    assert result.share == result.chance == 1.0
    assert result.types == 33.0
