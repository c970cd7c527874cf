"""``yaff evaluate SHARDS``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from pipelines.commands.parsing import parse, say, write_json, write_table
from pipelines.training.shapes import ShapeOptions
from yaff.errors import ConfigError, MissingFileError

USAGE = """
yaff evaluate out/demo/shards --checkpoint runs/demo
yaff evaluate shards --checkpoint runs/train --models YCB_Video_Dataset/models --instances 400 --physics 100
yaff evaluate shards --checkpoint runs/held-out --held-out
"""


@dataclass(frozen=True)
class Evaluate:
    """Judge a trained model as GanHand was, beside baselines that need no learning, on frames it has not seen.

    Writes evaluation.md, evaluation.json, curves.png, confusion.png and predictions.png. See docs/learning.md for what
    the columns mean.
    """

    shards: Positional[Path]
    """Folder of shards."""
    checkpoint: Path
    """A run's folder, or one of its checkpoints."""
    out: Path | None = None
    """Folder for the results; CHECKPOINT/evaluation when not set."""
    split: str = "keyframe"
    """Split of the source dataset, or "all"."""
    instances: int = 200
    """Instances, drawn evenly from the objects."""
    physics: int = 60
    """Instances whose first prediction is tested in PyBullet, for each row of the table; 0 for none."""
    held_out: bool = False
    """Only the objects that were held out of the training."""
    objects: tuple[str, ...] = ()
    """Only these objects."""
    grasps: int = 5
    """Predictions for each instance."""
    iterations: int = 60
    """Steps of the last stage."""
    references: bool = True
    """Also judge the ground truth, and a look-up that is told the object."""
    pictures: int = 12
    """Predictions on the sheet; 0 for none."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0
    """Other seeds draw other instances and noise."""
    shapes: Annotated[ShapeOptions, arg(name="")] = field(default_factory=ShapeOptions)
    json: bool = False
    """Print the table as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status: 1 where the model is not better than every baseline."""
    options = parse(Evaluate, arguments, "evaluate", usage=USAGE)
    if not options.shards.is_dir():
        raise MissingFileError("no folder of shards", where=options.shards, remedy="see yaff build and yaff project")

    from pipelines.progress import default_progress
    from pipelines.training.checkpoints import Checkpoint
    from pipelines.training.data import TrainingData
    from pipelines.training.evaluation import MODEL, REFERENCES, Evaluation, EvaluationConfig
    from pipelines.training.report import cells, document, headings, write_pictures, write_tables
    from yaff.learning.summary import better_than

    checkpoint = Checkpoint.load(options.checkpoint)
    held_out = checkpoint.config.data.held_out
    if options.held_out and not held_out:
        raise ConfigError(
            "no objects were held out of this training",
            where=options.checkpoint,
            remedy="train with --data.held-out NAME ..., or leave --held-out away",
        )
    data = TrainingData.open(options.shards, options.shapes)
    checkpoint.check_hand(data.shards.index.hand, options.shards)
    objects = held_out if options.held_out else options.objects
    if not objects and held_out:
        objects = tuple(name for name in data.shards.objects if name not in held_out)
    config = EvaluationConfig(options.split, options.instances, options.physics, objects, options.seed)
    config = replace(
        config,
        prediction=replace(config.prediction, grasps=options.grasps),
        refinement=replace(config.refinement, iterations=options.iterations),
    )
    evaluation = Evaluation(data, config, checkpoint.config.observation)
    methods = {**evaluation.of_model(checkpoint, options.device), **evaluation.of_baselines(checkpoint)}
    if options.references:
        methods |= evaluation.of_references()
    judged = evaluation.run(methods, default_progress())
    folder = options.out or (options.checkpoint if options.checkpoint.is_dir() else options.checkpoint.parent)
    folder = folder if options.out else folder / ("held-out" if options.held_out else "evaluation")
    split = evaluation.types_of_split(checkpoint, options.device)
    facts = {
        "split": options.split,
        "instances": len(evaluation.rows),
        "types on the whole split": str(split),
        "whole_split": asdict(split),
        "tested in physics": min(options.physics, len(evaluation.rows)),
        "objects": ", ".join(objects) or "all",
        "steps of training": checkpoint.step,
        "seeds": f"training {checkpoint.config.optimiser.seed}, evaluation {options.seed}",
        "hand": dict(checkpoint.hand),
    }
    write_tables(folder, "evaluation", judged, "Evaluation", facts)
    names = {int(row): evaluation.table.name(int(row)) for row in evaluation.rows}
    write_pictures(folder, data, judged[0], names, checkpoint.history, options.pictures)
    rows = {method.name: method.row for method in judged}
    compared = [name for name in rows if not name.startswith(MODEL) and name not in REFERENCES]
    behind = [name for name in compared if not better_than(rows[MODEL], rows[name], BETTER_IN)]
    if options.json:
        write_json({**document(judged, facts), "not_better_than": behind})
    else:
        write_table("", ["", *headings()], [[method.name, *cells(method.row)] for method in judged])
        for name in behind:
            say(f"not better than {name!r} in all of {', '.join(BETTER_IN)}")
        say(f"types on the whole split  {split}")
        say(f"results  {folder}")
    return 1 if behind else 0


BETTER_IN = ("graspable", "intersection", "verified")
"""What the model has to be better in than every baseline."""
