"""``yaff train SHARDS``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from pipelines.commands.parsing import option_of, parse, say, write_json
from pipelines.toml import read_toml
from pipelines.training.config import TrainConfig
from pipelines.training.shapes import ShapeOptions
from yaff.errors import MissingFileError

USAGE = """
yaff train out/demo/shards --out runs/demo
yaff train shards --config configs/training/small.toml --models YCB_Video_Dataset/models
yaff train shards --out runs/held-out --data.held-out 025_mug 011_banana --optimiser.steps 2000
"""


@dataclass(frozen=True)
class Train:
    """Train the model that predicts grasps on a folder of shards, and say whether it learns.

    An interrupted training goes on where its last checkpoint was when the same command is given again. What happens is
    also written for TensorBoard, into OUT/tensorboard.
    """

    shards: Positional[Path]
    """Folder of shards, as yaff project or yaff build writes it."""
    config: Path | None = None
    """A TOML file with what follows; options on the command line come before what it says."""
    out: Path = Path("runs/train")
    """Folder for checkpoints, curves and TensorBoard's log."""
    shapes: Annotated[ShapeOptions, arg(name="")] = field(default_factory=ShapeOptions)
    json: bool = False
    """Print the result as JSON."""
    settings: Annotated[TrainConfig, arg(name="")] = field(default_factory=TrainConfig)


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    file = option_of(arguments, "--config")
    settings = TrainConfig() if file is None else read_toml(Path(file), TrainConfig)
    # the shards are a required word: only a default for them makes the rest take those of the file
    options = parse(Train, arguments or ["--help"], "train", usage=USAGE, default=Train(Path(), settings=settings))
    if not options.shards.is_dir() or options.shards == Path():
        raise MissingFileError("no folder of shards", where=options.shards, remedy="yaff train SHARDS; see yaff build")

    from pipelines.progress import default_progress
    from pipelines.training.data import TrainingData
    from pipelines.training.loop import Trainer
    from yaff.store.atomic import build_lock

    with build_lock(options.out):
        data, progress = TrainingData.open(options.shards, options.shapes), default_progress()
        result = Trainer(data, options.settings, options.out, progress).run(progress)
    if options.json:
        write_json({**vars(result), "seed": options.settings.optimiser.seed})
        return 0
    say(f"{result.step:,} steps, ended by {result.stopped}; least validation loss of the hands {result.best:.4f}")
    say(f"{result.instances_per_second:.0f} instances a second, {100 * result.model_share:.1f} % of it in the model")
    say(f"checkpoint  {result.checkpoint}")
    return 0
