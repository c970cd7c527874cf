"""The configuration of a training: frozen dataclasses that are TOML file, command line and part of every checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from yaff.errors import ConfigError
from yaff.learning.config import ArrangingConfig, LossConfig, ModelConfig, ObservationConfig


@dataclass(frozen=True)
class DataSection:
    """What is learnt from."""

    split: str = "train"
    """Split of the source dataset, or "all" for every frame."""
    validation: float = 0.1
    """Share of the split's scenes that is kept for validation: early stop and the choice of the best weights."""
    held_out: tuple[str, ...] = ()
    """Objects of which nothing is learnt; they still stand beside others."""
    types: tuple[int, ...] = ()
    """Grasp types, Feix numbers; all when empty."""
    min_visibility: float | None = None
    """Least share of an object that is seen, of datasets projected with visibility."""

    def __post_init__(self) -> None:
        if not 0.0 < self.validation < 1.0:
            raise ConfigError(f"data.validation is {self.validation}", remedy="a share between 0 and 1")


@dataclass(frozen=True)
class OptimiserSection:
    """How is learnt: AdamW, a warm-up and then a cosine down to a hundredth of the rate."""

    steps: int = 5000
    """Batches in all."""
    batch: int = 32
    """Instances in a batch."""
    grasps: int = 16
    """Grasps of each instance in a batch, drawn from those that are feasible."""
    rate: float = 1e-3
    """Learning rate after the warm-up."""
    warmup: int = 100
    """Steps."""
    weight_decay: float = 0.01
    clip: float = 1.0
    """Largest norm of a gradient."""
    average: float = 0.999
    """Decay of the running mean of the weights, which is what is validated, kept and used."""
    seed: int = 0
    """Other seeds give other weights, order and noise."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "grasps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"optimiser.{name} is {getattr(self, name)}", remedy="1 or more")
        if self.rate <= 0.0 or self.clip <= 0.0 or not 0.0 <= self.average < 1.0:
            raise ConfigError("optimiser.rate and clip must be positive, optimiser.average in [0, 1)")


@dataclass(frozen=True)
class RunSection:
    """Where and how long. Nothing here changes what a step does, but for rounding."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """"auto": the GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """"auto": bfloat16 (where the network computes) on a GPU, float32 elsewhere."""
    threads: int = 0
    """Threads on a processor; 0 leaves it to PyTorch."""
    log_every: int = 20
    """Steps between two lines of the log."""
    checkpoint_every: int = 200
    """Steps between two checkpoints: what a killed run loses at most. Validation is then, too."""
    validation_batches: int = 8
    """Batches of a validation, always the same."""
    patience: int = 15
    """Validations without a better one after which training ends; 0 for never."""
    minutes: float | None = None
    """End after so many minutes at the next checkpoint."""

    def __post_init__(self) -> None:
        for name in ("log_every", "checkpoint_every", "validation_batches"):
            if getattr(self, name) < 1:
                raise ConfigError(f"run.{name} is {getattr(self, name)}", remedy="1 or more")
        if self.patience < 0 or self.threads < 0:
            raise ConfigError("run.patience and run.threads must not be negative")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that ``yaff train`` needs to know, beside the shards."""

    data: DataSection = field(default_factory=DataSection)
    generated: ArrangingConfig = field(default_factory=ArrangingConfig)
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserSection = field(default_factory=OptimiserSection)
    run: RunSection = field(default_factory=RunSection)

    def __post_init__(self) -> None:
        if self.model.centres > self.observation.points:
            raise ConfigError(
                f"model.centres is {self.model.centres}, observation.points {self.observation.points}",
                remedy="no more centres than points",
            )
        if self.generated.total and (self.observation.crop or self.observation.depth):
            raise ConfigError(
                "nobody has taken pictures of made-up arrangements",
                remedy="generated.arrangements = 0 and set_down = 0 with observation.depth or observation.crop",
            )
        if self.model.image != (self.observation.crop > 0):
            raise ConfigError(
                f"model.image is {self.model.image}, observation.crop {self.observation.crop}",
                remedy="set both (--model.image --observation.crop 64), or neither",
            )


DECIDES = ("data", "generated", "observation", "model", "loss", "optimiser")
"""The sections that decide what is learnt: a checkpoint goes on only under the same."""
