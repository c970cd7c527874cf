"""Evaluation: a network, with and without its last stage, and the baselines, on the same instances and by one judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from pipelines.progress import Progress, Stage
from pipelines.training.checkpoints import Checkpoint
from pipelines.training.data import TrainingData
from pipelines.training.loop import chosen_device
from yaff.errors import ConfigError, InputError
from yaff.learning.baselines import Answer, Baselines, ground_truth, look_up
from yaff.learning.batches import Batch, BatchMaker
from yaff.learning.config import ObservationConfig
from yaff.learning.hand_space import HandSpace
from yaff.learning.instances import InstanceTable
from yaff.learning.judging import Judged, confusion, judge, type_accuracy
from yaff.learning.model import AffordanceModel
from yaff.learning.predicting import PredictionConfig, Predictions, Predictor
from yaff.learning.refining import LastStage, LastStageConfig
from yaff.learning.summary import summarise
from yaff.search.config import SearchConfig
from yaff.search.given import verify_given
from yaff.search.judge import make_rig
from yaff.search.rig import HandRig

Array = np.ndarray

MODEL, RAW = "model", "model, not refined"
TRUTH, LOOK_UP = "ground truth", "look-up (told the object)"
REFERENCES = (TRUTH, LOOK_UP)
"""Rows that are no prediction: they know what the others have to find out."""
_CHUNK = 32
"""Instances that are predicted together."""


@dataclass(frozen=True)
class EvaluationConfig:
    """What is evaluated, and how thoroughly."""

    split: str = "keyframe"
    """Split of the source dataset, or "all"."""
    instances: int = 200
    """Instances, drawn evenly from the objects."""
    physics: int = 60
    """Instances whose first prediction is tested in PyBullet, for each row of the table; 0 for none."""
    objects: tuple[str, ...] = ()
    """Only these objects; all when empty."""
    seed: int = 0
    """Other seeds draw other instances and noise."""
    prediction: PredictionConfig = field(default_factory=PredictionConfig)
    refinement: LastStageConfig = field(default_factory=LastStageConfig)

    def __post_init__(self) -> None:
        if self.instances < 1 or self.physics < 0:
            raise ConfigError("instances must be 1 or more, physics not negative")


@dataclass(frozen=True, eq=False)
class Method:
    """One way of predicting, judged."""

    name: str
    row: Mapping[str, float | None]
    """As :data:`yaff.learning.summary.COLUMNS`."""
    judged: Judged
    answer: Answer
    confusion: Array


@dataclass(frozen=True)
class SplitTypes:
    """How often a network's types are right on every instance of a split, not only on those that are judged."""

    instances: int
    top1: float
    """Share of the instances."""
    top3: float

    def __str__(self) -> str:
        return f"top 1 {100 * self.top1:.1f} %, top 3 {100 * self.top3:.1f} % of {self.instances:,} instances"


class Evaluation:
    """Instances of a split, and the judges.

    Args:
        data: the dataset.
        config: what is evaluated.
        observation: what of the scene is shown.

    Raises:
        InputError: no instance of what was asked.
    """

    def __init__(self, data: TrainingData, config: EvaluationConfig, observation: ObservationConfig) -> None:
        self.data, self.config, self.search = data, config, SearchConfig()
        self.table: InstanceTable = data.table(config.split)
        if config.objects:
            self.table = self.table.only(config.objects)
        if not len(self.table):
            raise InputError(
                f"the split {config.split!r} has no instance of {', '.join(config.objects)}",
                where=data.shards.folder,
                remedy="other objects, or another split",
            )
        self.maker = data.maker(self.table, observation)
        self.rows = evenly_drawn(self.table, config.instances, config.seed)

    @cached_property
    def rig(self) -> HandRig:
        """The hand, prepared for the judges."""
        return make_rig(self.data.hand, self.search)

    @cached_property
    def batch(self) -> Batch:
        """All instances."""
        return self.maker.make(self.rows, (self.config.seed, 7))

    @cached_property
    def feasible(self) -> Array:
        """Their feasible types (n, 33)."""
        return self.table.feasible_types(self.rows)

    def judged(self, name: str, answer: Answer, stage: Stage) -> Method:
        """Measure an answer on all instances, and its first predictions in physics."""
        judged = judge(answer.predictions, self.table, self.rig, self.data.models)
        verified = self.verified(answer.predictions) if self.config.physics else None
        row = summarise(judged, answer.types, self.feasible, self.rig, verified)
        stage.done(name, f"graspable {100 * (row['graspable'] or 0):.0f} %")
        return Method(name, row, judged, answer, confusion(answer.types, self.feasible))

    def verified(self, predictions: Predictions) -> Array:
        """Verdicts (v,) of physics on the first predictions of the first few instances, which are of all objects."""
        order = np.random.default_rng((self.config.seed, 8)).permutation(len(self.rows))[: self.config.physics]
        some = predictions.only((predictions.rank == 0) & np.isin(predictions.row, self.rows[order]))
        verdicts = np.zeros(len(order), bool)
        done = 0
        for model in self.data.models:
            mine = some.only(self.table.object_index[some.row] == model.index)
            if len(mine):
                tested = verify_given(self.rig, model, mine.grasps(self.data.hand, model.name), self.search)
                verdicts[done : done + len(mine)] = tested.verified
                done += len(mine)
        return verdicts

    def run(
        self,
        methods: Mapping[str, Callable[[], Answer]],
        progress: Progress,
    ) -> list[Method]:
        """Each method asked and judged."""
        with progress.stage("evaluate", len(methods)) as stage:
            return [self.judged(name, ask(), stage) for name, ask in methods.items()]

    # ------------------------------------------------------------------ ways of predicting

    def of_model(self, checkpoint: Checkpoint, device: str = "auto") -> dict[str, Callable[[], Answer]]:
        """The network of a checkpoint, with and without its last stage."""
        predictors = Predictors(self.data, self.rig, checkpoint, self.config.prediction, self.config.refinement, device)

        def ask(refined: bool) -> Answer:
            return predictors.answer(self.maker, self.rows, self.config.seed, refined)

        return {MODEL: lambda: ask(True), RAW: lambda: ask(False)}

    def types_of_split(self, checkpoint: Checkpoint, device: str = "auto") -> SplitTypes:
        """The types that the network of a checkpoint names, against those that are feasible, on the whole split."""
        predictors = Predictors(self.data, self.rig, checkpoint, self.config.prediction, self.config.refinement, device)
        rows = self.table.rows
        types, feasible = predictors.types(self.maker, rows, self.config.seed), self.table.feasible_types(rows)
        return SplitTypes(len(rows), type_accuracy(types, feasible, 1), type_accuracy(types, feasible, 3))

    def of_baselines(self, checkpoint: Checkpoint) -> dict[str, Callable[[], Answer]]:
        """What needs no learning, from what the network was trained on."""
        section, count = checkpoint.config.data, self.config.prediction.grasps
        training = self.data.table(section.split, section.types, section.min_visibility)
        training = training.without(section.held_out) if section.held_out else training
        maker = self.data.maker(training, self.maker.config)
        baselines = Baselines(maker, self.rig.anatomy, count, self.config.seed)

        def bound(method: Callable[[Batch], Answer]) -> Callable[[], Answer]:
            return lambda: method(self.batch)

        return {name: bound(method) for name, method in baselines.methods.items()}

    def of_references(self) -> dict[str, Callable[[], Answer]]:
        """What knows the object, or the answer."""
        count, seed = self.config.prediction.grasps, self.config.seed
        return {
            LOOK_UP: lambda: look_up(self.maker, self.batch, count, seed),
            TRUTH: lambda: ground_truth(self.maker, self.batch, count, seed),
        }


class Predictors:
    """The network of a checkpoint on a dataset, at work with and without its last stage."""

    def __init__(
        self,
        data: TrainingData,
        rig: HandRig,
        checkpoint: Checkpoint,
        prediction: PredictionConfig,
        refinement: LastStageConfig,
        device: str = "auto",
    ) -> None:
        checkpoint.check_hand(data.shards.index.hand, data.shards.folder)
        self._device = chosen_device(device)
        space = HandSpace(data.hand).to(self._device)

        def of(weights: Mapping[str, torch.Tensor]) -> AffordanceModel:
            model = AffordanceModel(checkpoint.config.model, space.width)
            model.load_state_dict(dict(weights))
            return model.to(self._device)

        placing, naming = of(checkpoint.average), of(checkpoint.naming)
        stage = LastStage(rig, data.models, refinement, self._device)
        self._of = {
            True: Predictor(placing, naming, space, stage, prediction),
            False: Predictor(placing, naming, space, stage.unrefined(), prediction),
        }

    def answer(self, maker: BatchMaker, rows: Array, seed: int, refined: bool = True) -> Answer:
        """Predictions for rows of an instance table, some of them at a time."""
        parts, types, predictor = [], [], self._of[refined]
        for start, batch in self._batches(maker, rows, seed):
            parts.append(predictor.predict(batch, torch.Generator().manual_seed(1_000_003 * seed + start)))
            types.append(predictor.types(batch).double().cpu().numpy())
        return Answer(Predictions.concatenate(parts), np.concatenate(types))

    def types(self, maker: BatchMaker, rows: Array, seed: int) -> Array:
        """Probability (n, 33) of each type for rows of an instance table."""
        batches = self._batches(maker, rows, seed)
        return np.concatenate([self._of[False].types(batch).double().cpu().numpy() for _, batch in batches])

    def _batches(self, maker: BatchMaker, rows: Array, seed: int) -> Iterator[tuple[int, Batch]]:
        """Where each begins among the rows, and the batch."""
        for start in range(0, len(rows), _CHUNK):
            yield start, maker.make(rows[start : start + _CHUNK], (seed, 9, start)).to(self._device)


def evenly_drawn(table: InstanceTable, count: int, seed: int) -> Array:
    """Rows of instances, as many of each object as there are, up to the number asked for."""
    rng = np.random.default_rng((seed, 10))
    rows = table.rows[rng.permutation(len(table.rows))]
    objects = table.object_index[rows]
    # the first of each object, then the second of each, ...
    turn = np.zeros(len(rows), np.int64)
    for index in np.unique(objects):
        mine = np.flatnonzero(objects == index)
        turn[mine] = np.arange(len(mine))
    return np.sort(rows[np.argsort(turn, kind="stable")[:count]])


def first_pictures(method: Method, count: int) -> Sequence[int]:
    """Predictions to draw: the first of each of some instances, spread over them."""
    first = np.flatnonzero(method.judged.predictions.rank == 0)
    return first[np.unique(np.linspace(0, len(first) - 1, min(count, len(first))).round().astype(int))].tolist()
