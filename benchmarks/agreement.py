"""Does the check of grasp types agree with people? The published grasps, their labels, and what ``conforms`` says.

Usage:
    python -m benchmarks.agreement [--contact-distance 0.005]

Data: ``YAFF_DATA`` (default ../shared/data). The grasps were made for the licensed hand in another simulator; the
built-in hand that is put in their place touches a little less or more, which is what the contact distance is for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tyro

from benchmarks.data import real_data
from benchmarks.running import status_of
from pipelines.commands.parsing import say, write_table
from pipelines.config import BuildConfig, HandSection, ObjectsSection
from pipelines.loading import hand_of, object_of, recipes_of
from yaff.search.config import SearchConfig
from yaff.search.given import conforming_types
from yaff.search.judge import make_rig
from yaff.store.importers.ycb_affordance import read_grasps
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray
SHUFFLES = 1000


@dataclass(frozen=True)
class Options:
    """Hold the published grasps against the definitions of all 33 types."""

    contact_distance: float | None = None
    """Skin this near touches, metres; that of the search when not given."""
    seed: int = 0
    """Of the shuffled labels."""


@dataclass(frozen=True)
class Agreement:
    """How often a verdict on all types holds the human label."""

    share: float
    """Of grasps whose label is among the types that they conform to."""
    chance: float
    """The same with labels shuffled among the grasps, mean."""
    lucky: float
    """The largest share of all shuffles."""
    types: float
    """Types that a grasp conforms to, mean."""
    best: float
    """Share of grasps of which no other type has a higher score than the label's."""


def agreement(conform: Array, score: Array, label: Array, rng: np.random.Generator) -> Agreement:
    """From verdicts (n, 33), scores (n, 33) and labels (n,), Feix numbers."""
    rows, column = np.arange(len(label)), label - 1
    shuffled = [conform[rows, rng.permutation(column)].mean() for _ in range(SHUFFLES)]
    best = (score <= score[rows, column][:, None]).all(axis=1).mean()
    return Agreement(
        share=float(conform[rows, column].mean()),
        chance=float(np.mean(shuffled)),
        lucky=float(np.max(shuffled)),
        types=float(conform.sum(axis=1).mean()),
        best=float(best),
    )


def main(arguments: list[str]) -> int:
    """Print agreement and confusion matrix."""
    options = tyro.cli(Options, args=arguments, description=__doc__)
    data, config = real_data(), SearchConfig()
    if options.contact_distance is not None:
        config = replace(config, select=replace(config.select, contact_distance=options.contact_distance))
    source = ObjectsSection(source="folder", models=data / "YCB_Video_Dataset" / "models")
    recipes = recipes_of(BuildConfig(hand=HandSection(model="builtin"), objects=source))
    rig = make_rig(hand_of(recipes.hand), config)
    verdicts, scores, labels = [], [], []
    for name, grasps in read_grasps(data / "ycb_affordance" / "grasps", rig.model).items():
        conform, score = conforming_types(rig, object_of(name, recipes.objects), grasps, config)
        verdicts.append(conform)
        scores.append(score)
        labels.append(np.asarray(grasps.grasp_type, np.intp))
    conform, label = np.concatenate(verdicts), np.concatenate(labels)
    result = agreement(conform, np.concatenate(scores), label, np.random.default_rng(options.seed))
    rows = []
    for number in np.unique(label):
        mine = conform[label == number]
        counts = mine.sum(axis=0)
        others = [f"{k + 1}:{counts[k]}" for k in np.argsort(-counts, kind="stable") if counts[k] and k + 1 != number]
        own = int(counts[number - 1])
        rows.append([int(number), GRASP_TYPES[int(number)].name, len(mine), own, " ".join(others)])
    columns = ["label", "name", "grasps", "conform to it", "conform to others (type:grasps)"]
    write_table("confusion: human labels against the types that grasps conform to", columns, rows)
    say(
        f"label among the conforming types: {100 * result.share:.0f} % of {len(label)}; labels shuffled: "
        f"{100 * result.chance:.0f} % (at most {100 * result.lucky:.0f} % in {SHUFFLES})"
    )
    say(
        f"types that a grasp conforms to: {result.types:.1f} of 33; label has the best score: {100 * result.best:.0f} %"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(status_of(main))
