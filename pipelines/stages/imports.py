"""Stage "import": grasps of another dataset, a unit for each object, measured and verified like those of the search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.code import SEARCHING, code_digest
from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, hand_of, object_of
from pipelines.progress import Progress
from pipelines.stages.objects import PreparedObject
from pipelines.stages.outcomes import failures, raise_failures
from pipelines.stages.search import rig_of, versions
from pipelines.toml import to_table
from yaff.errors import YaffError
from yaff.search.config import SearchConfig

if TYPE_CHECKING:
    from yaff.grasp.batch import Grasps


@dataclass(frozen=True)
class ImportTask:
    """What is imported."""

    source: str
    """One of :data:`yaff.store.importers.registry.IMPORTERS`."""
    grasps: Mapping[str, Grasps]
    """As they were read, without measures."""
    objects: Mapping[str, PreparedObject]
    settings: SearchConfig
    recipes: Recipes


def import_grasps(
    task: ImportTask, library: Path, work: Path, workforce: Workforce, progress: Progress
) -> tuple[tuple[str, YaffError], ...]:
    """Verify every grasp and write the library; returns the objects that could not be done, with the reason.

    Raises:
        YaffError: none could be done.
    """
    from yaff.store.library import GraspLibrary

    hand = hand_of(task.recipes.hand)
    names = [name for name in task.objects if name in task.grasps]
    units = [
        Unit(
            f"import/{name}",
            digest(
                "import",
                code_digest(SEARCHING),
                hand.digest,
                task.objects[name].digest,
                task.settings,
                task.grasps[name].provenance,
                [array.tolist() for array in (task.grasps[name].pose, task.grasps[name].translation)],
            ),
            _verify,
            (name, task.grasps[name], task.settings, task.recipes),
        )
        for name in names
    ]
    outcomes = run_units("import", units, work, workforce, progress)
    failed = failures(outcomes)
    if len(failed) == len(outcomes):
        raise_failures(outcomes)
    good = {name: outcome.path for name, outcome in zip(names, outcomes, strict=True) if outcome.error is None}
    metadata = {
        "hand": {"name": hand.name, "side": hand.side, "digest": hand.digest},
        "meshes": {name: task.objects[name].digest for name in good},
        "standins": sorted(name for name in good if task.objects[name].standin),
        "configuration": {"imported": task.source, "search": to_table(task.settings)},
        "versions": versions(),
        "failed": {name: error.what for name, error in failed},
    }
    GraspLibrary.write(library, {name: GraspLibrary.open(path)[name] for name, path in good.items()}, metadata)
    return failed


def _verify(part: Path, name: str, grasps: Grasps, settings: SearchConfig, recipes: Recipes) -> str:
    """One unit: the grasps of one object."""
    from yaff.search.given import verify_given
    from yaff.store.library import GraspLibrary

    tested = verify_given(rig_of(recipes, settings), object_of(name, recipes.objects), grasps, settings)
    GraspLibrary.write(part, {name: tested}, {})
    return f"{int(tested.verified.sum())} of {len(tested)} verified"
