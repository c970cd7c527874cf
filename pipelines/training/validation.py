"""Whether a dataset passes its own evaluation, and whether the evaluation notices a spoiled one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipelines.training.evaluation import Evaluation
from yaff.learning.baselines import Answer, ground_truth
from yaff.learning.summary import COLUMNS
from yaff.store.columns import TYPES

TRUTH, SHUFFLED, DISPLACED = "as it is", "types shuffled", "wrists displaced"

WORSE = 0.1
"""A fraction that is lower by this is visibly so."""


@dataclass(frozen=True)
class Finding:
    """One thing that has to hold."""

    words: str
    holds: bool


def corrupted_copies(evaluation: Evaluation, displacement: float) -> dict[str, Callable[[], Answer]]:
    """The annotations of the instances as they are, with their types shuffled, and with their wrists displaced (metres)
    each in a direction of its own."""
    config = evaluation.config

    def truth() -> Answer:
        return ground_truth(evaluation.maker, evaluation.batch, config.prediction.grasps, config.seed)

    def shuffled() -> Answer:
        answer, rng = truth(), np.random.default_rng((config.seed, 21))
        predictions = answer.predictions
        order = rng.permutation(len(predictions))
        # what a reader of the spoiled copy would take for the types of each instance
        types = predictions.grasp_type[order]
        scores = np.zeros((len(evaluation.rows), TYPES))
        np.maximum.at(scores, (np.searchsorted(evaluation.rows, predictions.row), types - 1), 1.0)
        return Answer(replace(predictions, grasp_type=types), scores)

    def displaced() -> Answer:
        answer, rng = truth(), np.random.default_rng((config.seed, 22))
        T = answer.predictions.T_object_hand.copy()
        direction = rng.normal(size=(len(T), 3))
        T[:, :3, 3] += displacement * direction / np.linalg.norm(direction, axis=1, keepdims=True)
        return Answer(replace(answer.predictions, T_object_hand=T), answer.types)

    return {TRUTH: truth, SHUFFLED: shuffled, DISPLACED: displaced}


def findings(rows: Mapping[str, Mapping[str, float | None]]) -> list[Finding]:
    """What has to hold of the three rows."""
    truth = rows[TRUTH]
    result = []
    for name in ("graspable", "top1", "top3"):
        value = truth[name] or 0.0
        words = f"{COLUMNS[name].title} of the dataset itself is {100.0 * value:.1f} %"
        result.append(Finding(words, value == 1.0))
    for copy, names in ((SHUFFLED, ("top1", "conforming")), (DISPLACED, ("graspable_first", "conforming", "verified"))):
        for name in names:
            good, bad = truth[name], rows[copy][name]
            if good is not None and bad is not None:
                words = f"{copy}: {COLUMNS[name].title} falls from {100.0 * good:.0f} to {100.0 * bad:.0f} %"
                result.append(Finding(words, good - bad >= WORSE))
    more = (rows[DISPLACED]["intersection"] or 0.0) / max(truth["intersection"] or 0.0, 1e-9)
    words = f"{DISPLACED}: the volume shared with objects grows {more:.0f} times"
    return [*result, Finding(words, more >= 2.0)]
