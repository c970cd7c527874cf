"""The training loop: batches, steps, validation, checkpoints, early stop.

What a step draws depends on the seed and on the step's number alone, so that a training that was interrupted goes on as
if it had not been, from the position, the weights and the optimiser's state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pipelines.progress import Progress, QuietProgress
from pipelines.training.checkpoints import BEST, LAST, Checkpoint
from pipelines.training.config import TrainConfig
from pipelines.training.data import TrainingData
from yaff.errors import ConfigError
from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.learning.arranging import with_arranged
from yaff.learning.batches import Batch, BatchMaker, Epochs, training_batches
from yaff.learning.hand_space import HandSpace
from yaff.learning.losses import Losses
from yaff.learning.model import AffordanceModel, parameter_count
from yaff.search.rig import farthest_points

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    step: int
    best: float
    """Least validation loss of the hands."""
    stopped: str
    """Why it ended: "steps", "patience" or "minutes"."""
    instances_per_second: float
    model_share: float
    """Share of the steps' time that was spent in the model, and not waiting for batches."""
    checkpoint: Path


def chosen_device(name: str) -> torch.device:
    """The device of a configuration.

    Raises:
        ConfigError: a GPU is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("run.device is 'cuda', and PyTorch sees no GPU", remedy='--run.device cpu, or "auto"')
    return torch.device("cuda" if there and name != "cpu" else "cpu")


class Trainer:
    """One training of one configuration on one dataset.

    Args:
        data: what is learnt from.
        config: how.
        folder: where checkpoints and curves go; a training that is there is continued.
        progress: told of the arrangements that are made up.

    Raises:
        ConfigError: the folder holds a training of another configuration.
        InputError: an empty split; a checkpoint of another hand.
    """

    def __init__(self, data: TrainingData, config: TrainConfig, folder: Path, progress: Progress | None = None) -> None:
        self.data, self.config, self.folder = data, config, folder
        if config.run.threads:
            torch.set_num_threads(config.run.threads)
        self.device = chosen_device(config.run.device)
        on_gpu = self.device.type == "cuda"
        precision = config.run.precision
        self.bfloat16 = precision == "bfloat16" or (precision == "auto" and on_gpu)
        found = Checkpoint.load(folder / LAST) if (folder / LAST).is_file() else None
        self.hand = dict(data.shards.index.hand)
        if found:
            found.check_continues(config, folder)
            found.check_hand(self.hand, folder)
        section = config.data
        self.train_table, self.validation_table = data.divided(section)
        if not len(self.train_table) or not len(self.validation_table):
            raise ConfigError(
                f"{len(self.train_table)} instances to learn from, {len(self.validation_table)} to validate with",
                where=data.shards.folder,
                remedy="another split or fewer held-out objects, or project more frames",
            )
        targets, seed, generated = data.targets(self.train_table), config.optimiser.seed, config.generated
        if generated.total:
            made = data.arranged(generated, section, seed, folder, progress or QuietProgress())
            learnt = with_arranged(self.train_table, made, seed, generated.views, section.types)
            self.train_table = learnt.without(section.held_out) if section.held_out else learnt
        make = (data.clouds, targets, config.observation, config.optimiser.grasps, data.images)
        self.maker = BatchMaker(self.train_table, *make)
        self.validation_maker = BatchMaker(self.validation_table, *make)
        self.epochs = Epochs(self.train_table.rows, config.optimiser.batch, seed)
        self.space = HandSpace(data.hand).to(self.device)
        torch.manual_seed(seed)
        self.model = AffordanceModel(config.model, self.space.width).to(self.device)
        self.average = AffordanceModel(config.model, self.space.width).to(self.device)
        self.average.load_state_dict(self.model.state_dict())
        self.average.requires_grad_(False)
        self.naming = {name: value.clone() for name, value in self.average.state_dict().items()}
        distance = TorchSignedDistance([model.sdf for model in data.models], device=self.device)
        vertices = farthest_points(data.hand.template, config.loss.vertices_posed)
        self.losses = Losses(config.loss, self.space, distance, vertices, bfloat16=self.bfloat16).to(self.device)
        optimiser = config.optimiser
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=optimiser.rate, weight_decay=optimiser.weight_decay
        )
        self.step, self.best, self.best_naming, self.waited = 0, math.inf, math.inf, 0
        self.history: dict[str, list[list[float]]] = {}
        if found:
            self._restore(found)

    def _restore(self, found: Checkpoint) -> None:
        self.model.load_state_dict(dict(found.weights))
        self.average.load_state_dict(dict(found.average))
        self.optimiser.load_state_dict(dict(found.optimiser))
        self.naming = dict(found.naming)
        self.step, self.waited, self.history = found.step, found.waited, found.history
        self.best, self.best_naming = found.best, found.best_naming

    def checkpoint(self) -> Checkpoint:
        """The state as it is now."""
        return Checkpoint(
            config=self.config,
            hand=self.hand,
            objects=tuple(self.train_table.objects),
            step=self.step,
            weights=self.model.state_dict(),
            average=self.average.state_dict(),
            naming=self.naming,
            optimiser=self.optimiser.state_dict(),
            best=self.best,
            best_naming=self.best_naming,
            waited=self.waited,
            history=self.history,
        )

    def describe(self) -> str:
        """One line on what is trained."""
        return (
            f"{parameter_count(self.model):,} parameters, {len(self.train_table):,} instances to learn from, "
            f"{len(self.validation_table):,} to validate with, {len(self.train_table.grasps):,} grasps, seed "
            f"{self.config.optimiser.seed}, {self.device.type}, {'bfloat16' if self.bfloat16 else 'float32'}, "
            f"{torch.get_num_threads()} threads"
        )

    def run(self, progress: Progress) -> Trained:
        """Train to the end, from where the training stands.

        Raises:
            ConfigError: a loss that is not a number.
            StorageError: a checkpoint could not be written.
        """
        run, total = self.config.run, self.config.optimiser.steps
        began, stopped = time.perf_counter(), "steps"
        seen, waiting, working = 0, 0.0, 0.0
        first = self.step
        progress.say(self.describe() + (f", going on at step {first}" if first else ""))
        batches = training_batches(self.maker, self.epochs, self.config.optimiser.seed, first, total)
        writing, titled = _writer(self.folder, first), progress.stage("train", -(-(total - first) // run.log_every))
        with writing as writer, titled as stage:
            mark = time.perf_counter()
            if first and (self.waited >= run.patience > 0):
                total, stopped = first, "patience"
            while self.step < total:
                batch = next(batches)
                ready = time.perf_counter()
                values = self.learn(batch)
                self.step += 1
                seen += len(batch)
                waiting, working = waiting + ready - mark, working + time.perf_counter() - ready
                mark = time.perf_counter()
                if self.step % run.log_every == 0 or self.step == total:
                    self._note(writer, "train", values)
                    stage.done(f"step {self.step}/{self.config.optimiser.steps}", _words(values, seen / (mark - began)))
                if self.step % run.checkpoint_every == 0 or self.step == total:
                    self._validate_and_keep(writer, stage.say)
                    if self.waited >= run.patience > 0:
                        stopped = "patience"
                        break
                    if run.minutes is not None and time.perf_counter() - began > 60.0 * run.minutes:
                        stopped = "minutes"
                        break
                    mark = time.perf_counter()
            batches.close()
        spent = max(waiting + working, 1e-9)
        kept = self.folder / (BEST if (self.folder / BEST).is_file() else LAST)
        return Trained(self.step, self.best, stopped, seen / spent, working / spent, kept)

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; the losses by name.

        Raises:
            ConfigError: one of them is not a number; nothing is changed then.
        """
        section = self.config.optimiser
        for group in self.optimiser.param_groups:
            group["lr"] = section.rate * _schedule(self.step, section.warmup, section.steps)
        self.model.train()
        torch.manual_seed(_mixed((section.seed, 6, self.step)))  # dropout
        losses = self._losses(self.model, batch, (section.seed, 3, self.step))
        values = {name: float(value.detach()) for name, value in losses.items()}
        if bad := [name for name, value in values.items() if not math.isfinite(value)]:
            raise ConfigError(
                f"the loss is not a number at step {self.step}: {', '.join(bad)}",
                where=self.folder,
                remedy="lower --optimiser.rate or the weight of that loss, into another folder with --out; the "
                "checkpoint there is from before",
            )
        self.optimiser.zero_grad(set_to_none=True)
        losses["total"].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), section.clip)
        if not bool(torch.isfinite(norm)):
            raise ConfigError(
                f"the gradient is not a number at step {self.step}",
                where=self.folder,
                remedy="lower --optimiser.rate, into another folder with --out; the checkpoint there is from before",
            )
        self.optimiser.step()
        # early on, the mean must not remember the random start
        decay = min(section.average, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1.0 - decay)
        return values

    def _losses(self, model: AffordanceModel, batch: Batch, seed: tuple[int, ...]) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(_mixed(seed))
        return self.losses(model, batch.to(self.device), generator)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Losses of the averaged weights on batches of the validation scenes, always the same ones."""
        section, rows = self.config.optimiser, self.validation_table.rows
        self.average.eval()
        sums: dict[str, float] = {}
        count = min(self.config.run.validation_batches, -(-len(rows) // section.batch))
        spread = rows[torch.linspace(0, len(rows) - 1, min(count * section.batch, len(rows))).long().numpy()]
        for k in range(count):
            batch = self.validation_maker.make(spread[k::count], (section.seed, 4, k))
            for name, value in self._losses(self.average, batch, (section.seed, 5, k)).items():
                sums[name] = sums.get(name, 0.0) + float(value) / count
        return sums

    def _validate_and_keep(self, writer: SummaryWriter, say: Any) -> None:
        values = self.validate()
        self._note(writer, "validation", values)
        hands, types = _merits(values, self.config.loss.types)
        better_hands, better_types = hands < self.best, types < self.best_naming
        self.waited = 0 if better_hands or better_types else self.waited + 1
        self.best, self.best_naming = min(hands, self.best), min(types, self.best_naming)
        if better_types:
            self.naming = {name: value.clone() for name, value in self.average.state_dict().items()}
        words = "".join(
            f"  best {name}" for name, better in (("hands", better_hands), ("types", better_types)) if better
        )
        say(f"validation at step {self.step}: {_words(values)}{words}")
        state = self.checkpoint()
        # first, so that a kill between the two leaves a best one at least as good as the last one says
        best = self.folder / BEST
        if better_hands or not best.is_file():
            state.save(best)
        elif better_types:
            replace(Checkpoint.load(best), naming=self.naming, best_naming=types).save(best)
        state.save(self.folder / LAST)

    def _note(self, writer: SummaryWriter, kind: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(f"{name}/{kind}", value, self.step)
            self.history.setdefault(f"{kind}/{name}", []).append([float(self.step), value])


def _merits(values: Mapping[str, float], weight: float) -> tuple[float, float]:
    """What the best hands and the best types are chosen by, small is good.

    Types are learnt long before hands are, and then learnt by heart. So each is kept where validation found it best;
    types by their likelihood and by how often the likeliest is right, of which neither tells all: the first gets worse
    where the network is only too sure, the second hangs on few instances.
    """
    return values["total"] - weight * values["types"], values["types"] + 1.0 - values["top1"]


def _schedule(step: int, warmup: int, total: int) -> float:
    """Share of the learning rate: up along a line, then down along a cosine to a hundredth."""
    if step < warmup:
        return (step + 1) / warmup
    share = (step - warmup) / max(total - warmup, 1)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(share, 1.0)))


def _mixed(seed: tuple[int, ...]) -> int:
    """One number of several, as NumPy mixes them."""
    import numpy as np

    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _words(values: Mapping[str, float], rate: float | None = None) -> str:
    text = "  ".join(f"{name} {value:.3f}" for name, value in values.items())
    return text if rate is None else f"{text}  {rate:.0f} instances/s"


@contextmanager
def _writer(folder: Path, step: int) -> Iterator[SummaryWriter]:
    """TensorBoard's log; what a killed run wrote beyond ``step`` is hidden."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("TensorBoard is not installed", remedy="pip install 'yaff[learn]'") from None
    folder.mkdir(parents=True, exist_ok=True)
    writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
    try:
        yield writer
    finally:
        writer.close()
