"""``yaff validate SHARDS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from pipelines.commands.parsing import parse, say, write_json, write_table
from pipelines.training.shapes import ShapeOptions
from yaff.errors import MissingFileError

USAGE = """
yaff validate out/demo/shards
yaff validate shards --models YCB_Video_Dataset/models --split keyframe --instances 400 --json
"""


@dataclass(frozen=True)
class Validate:
    """Judge the annotations of a dataset as if they had been predicted, and two corrupted copies of them.

    The dataset's own grasps have to be perfect: every object graspable, every type feasible. A copy whose types are
    shuffled, and one whose wrists are displaced, have to be visibly worse, or the judge is blind. Exit status 1 where
    this is not so.
    """

    shards: Positional[Path]
    """Folder of shards."""
    out: Path | None = None
    """Folder for validation.md and validation.json; nothing is written when not set."""
    split: str = "all"
    """Split of the source dataset, or "all"."""
    instances: int = 200
    """Instances, drawn evenly from the objects."""
    physics: int = 0
    """Instances of which a grasp is also tested in PyBullet, for each row of the table."""
    displacement: float = 0.03
    """How far the wrists of the second copy are displaced, metres."""
    grasps: int = 5
    """Grasps of each instance."""
    seed: int = 0
    """Other seeds draw other instances and corruptions."""
    shapes: Annotated[ShapeOptions, arg(name="")] = field(default_factory=ShapeOptions)
    json: bool = False
    """Print the table as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Validate, arguments, "validate", usage=USAGE)
    if not options.shards.is_dir():
        raise MissingFileError("no folder of shards", where=options.shards, remedy="see yaff build and yaff project")

    from dataclasses import replace

    from pipelines.progress import default_progress
    from pipelines.training.data import TrainingData
    from pipelines.training.evaluation import Evaluation, EvaluationConfig
    from pipelines.training.report import cells, document, headings, write_tables
    from pipelines.training.validation import corrupted_copies, findings
    from yaff.learning.config import ObservationConfig

    data = TrainingData.open(options.shards, options.shapes)
    config = EvaluationConfig(options.split, options.instances, options.physics, seed=options.seed)
    config = replace(config, prediction=replace(config.prediction, grasps=options.grasps))
    evaluation = Evaluation(data, config, ObservationConfig())
    judged = evaluation.run(corrupted_copies(evaluation, options.displacement), default_progress())
    rows = {method.name: method.row for method in judged}
    found = findings(rows)
    facts = {
        "split": options.split,
        "instances": len(evaluation.rows),
        "tested in physics": min(options.physics, len(evaluation.rows)),
        "seed": options.seed,
        "findings": {finding.words: finding.holds for finding in found},
    }
    if options.out is not None:
        write_tables(options.out, "validation", judged, "Validation", facts)
    if options.json:
        write_json(document(judged, facts))
    else:
        write_table("", ["", *headings()], [[method.name, *cells(method.row)] for method in judged])
        for finding in found:
            say(f"{'good' if finding.holds else 'BAD '}  {finding.words}")
    return 0 if all(finding.holds for finding in found) else 1
