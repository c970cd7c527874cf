"""Training, checkpoints and the commands: resumed as if never stopped, and clear about what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from small_model import SMALL

from pipelines.cli import COULD_NOT, DONE, main
from pipelines.progress import QuietProgress
from pipelines.toml import read_toml
from pipelines.training.checkpoints import BEST, LAST, Checkpoint
from pipelines.training.config import DataSection, OptimiserSection, RunSection, TrainConfig
from pipelines.training.data import TrainingData
from pipelines.training.evaluation import RAW, Evaluation, EvaluationConfig, evenly_drawn
from pipelines.training.loop import Trainer
from pipelines.training.shapes import ShapeOptions
from pipelines.training.validation import DISPLACED, SHUFFLED, TRUTH, corrupted_copies, findings
from yaff.errors import ConfigError, FormatError, InputError, MissingFileError
from yaff.learning.config import LossConfig, ObservationConfig
from yaff.learning.instances import InstanceTable

CONFIG = TrainConfig(
    data=DataSection(validation=0.34),
    observation=ObservationConfig(points=64, clutter=8),
    model=SMALL,
    loss=LossConfig(hands=8, vertices_posed=32),
    optimiser=OptimiserSection(steps=6, batch=4, grasps=2, warmup=2),
    run=RunSection(log_every=2, checkpoint_every=3, validation_batches=1),
)

TOML = """
[data]
validation = 0.34
[observation]
points = 64
clutter = 8
[model]
width = 32
whole = 32
centres = 12
neighbours = 8
layers = 1
flow_width = 32
flow_layers = 2
[loss]
hands = 8
vertices_posed = 32
[optimiser]
steps = 6
batch = 4
grasps = 2
warmup = 2
[run]
log_every = 2
checkpoint_every = 3
validation_batches = 1
"""


@pytest.fixture(scope="module")
def data(scenes: Path, cache_dir: Path) -> TrainingData:
    return TrainingData.open(scenes, ShapeOptions(cache=cache_dir))


@pytest.fixture(scope="module")
def trained(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    folder = tmp_path_factory.mktemp("run")
    result = Trainer(data, CONFIG, folder).run(QuietProgress())
    assert (result.step, result.stopped) == (6, "steps")
    return folder


def same(one: Path, other: Path) -> None:
    """Equal weights, optimiser and curves."""
    a, b = Checkpoint.load(one / LAST), Checkpoint.load(other / LAST)
    assert a.step == b.step
    assert a.history == b.history
    assert (a.best, a.best_naming, a.waited) == (b.best, b.best_naming, b.waited)
    for kind in ("weights", "average", "naming"):
        for name, values in getattr(a, kind).items():
            assert torch.allclose(values, getattr(b, kind)[name], rtol=1e-6, atol=1e-8), name


def test_resumed_is_as_uninterrupted(data: TrainingData, trained: Path, tmp_path: Path) -> None:
    halfway = Trainer(data, replace(CONFIG, run=replace(CONFIG.run, minutes=0.0)), tmp_path).run(QuietProgress())
    assert (halfway.step, halfway.stopped) == (3, "minutes")
    again = Trainer(data, CONFIG, tmp_path)
    assert again.step == 3
    assert again.run(QuietProgress()).step == 6
    same(trained, tmp_path)


@pytest.mark.parametrize("types_best_at", [2, 4])
def test_hands_and_types_are_each_kept_where_they_were_best(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, types_best_at: int
) -> None:
    averages: list[dict[str, torch.Tensor]] = []

    def validate(trainer: Trainer) -> dict[str, float]:
        """Hands are best at step 3, whatever the types are."""
        averages.append({name: value.clone() for name, value in trainer.average.state_dict().items()})
        types = 0.3 if trainer.step == types_best_at else 0.5
        return {"types": types, "top1": 0.8, "total": abs(trainer.step - 3) + 1.0 + types}

    monkeypatch.setattr(Trainer, "validate", validate)
    run = replace(CONFIG.run, checkpoint_every=1)
    config = replace(CONFIG, optimiser=replace(CONFIG.optimiser, steps=5), run=run)
    # killed after every step: what was best has to survive it
    for step in range(1, 6):
        stopped = Trainer(data, replace(config, run=replace(run, minutes=0.0)), tmp_path).run(QuietProgress())
        assert stopped.step == step
    best = Checkpoint.load(tmp_path)
    assert best.best == pytest.approx(1.0)
    assert best.best_naming == pytest.approx(0.5)
    for found, step in ((best.average, 3), (best.naming, types_best_at)):
        assert all(torch.equal(found[name], value) for name, value in averages[step - 1].items())
    assert Checkpoint.load(tmp_path / LAST).waited == 5 - max(3, types_best_at)


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


class Killed(BaseException):
    pass


def test_a_killed_run_loses_one_interval_at_the_most(
    data: TrainingData, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, learn = Trainer(data, CONFIG, tmp_path), Trainer.learn

    def killed_in_step_five(self: Trainer, batch: object) -> dict[str, float]:
        if self.step == 5:
            raise Killed
        return learn(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "learn", killed_in_step_five)
    with pytest.raises(Killed):
        trainer.run(QuietProgress())
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*.partial"))
    again = Trainer(data, CONFIG, tmp_path)
    assert again.step == 3
    again.run(QuietProgress())
    same(trained, tmp_path)


def test_training_that_gets_no_better_stops(data: TrainingData, tmp_path: Path) -> None:
    lazy = replace(
        CONFIG,
        optimiser=replace(CONFIG.optimiser, steps=100, rate=1e-12),
        run=replace(CONFIG.run, checkpoint_every=1, patience=2, log_every=50),
    )
    result = Trainer(data, lazy, tmp_path).run(QuietProgress())
    assert result.stopped == "patience"
    assert result.step < 20
    assert Trainer(data, lazy, tmp_path).run(QuietProgress()).step == result.step


def test_losses_fall(data: TrainingData, tmp_path: Path) -> None:
    config = replace(CONFIG, optimiser=replace(CONFIG.optimiser, steps=60, batch=8, rate=3e-3))
    config = replace(config, run=replace(CONFIG.run, checkpoint_every=30))
    Trainer(data, config, tmp_path).run(QuietProgress())
    history = Checkpoint.load(tmp_path / LAST).history
    for name in ("flow", "vertices", "types"):
        values = [value for _, value in history[f"train/{name}"]]
        assert np.mean(values[-3:]) < 0.9 * np.mean(values[:3]), name
    assert list((tmp_path / "tensorboard").glob("events*"))


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_a_number_stops_at_once(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    trainer = Trainer(data, CONFIG, tmp_path)
    before = {name: values.clone() for name, values in trainer.model.state_dict().items()}
    value = torch.tensor(torch.nan, requires_grad=True)
    if what == "gradient":
        first = next(trainer.model.parameters())
        value = torch.where(torch.zeros_like(first) == 0.0, 0.0, first.sqrt()).sum() * 0.0 + (first * 0.0).sqrt().sum()
    monkeypatch.setattr(trainer, "_losses", lambda *arguments: {"flow": value, "total": value})
    with pytest.raises(ConfigError, match=f"the {what} is not a number at step 0") as caught:
        trainer.run(QuietProgress())
    assert "--optimiser.rate" in str(caught.value)
    for name, values in trainer.model.state_dict().items():
        assert torch.equal(values, before[name]), name


def test_a_checkpoint_of_another_configuration(data: TrainingData, trained: Path) -> None:
    other = replace(CONFIG, loss=replace(CONFIG.loss, plane=0.7), optimiser=replace(CONFIG.optimiser, seed=5))
    with pytest.raises(ConfigError, match="another configuration") as caught:
        Trainer(data, other, trained)
    message = str(caught.value)
    assert "loss.plane was 0.2, is 0.7" in message
    assert "optimiser.seed was 0, is 5" in message
    assert "--out" in message


def test_checkpoints_that_cannot_be_used(trained: Path, data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="yaff train"):
        Checkpoint.load(tmp_path)
    whole = (trained / LAST).read_bytes()
    broken = tmp_path / "broken.pt"
    for damage in (whole[: len(whole) // 2], b"", b"not a checkpoint"):
        broken.write_bytes(damage)
        with pytest.raises(FormatError):
            Checkpoint.load(broken)
    document = torch.load(trained / LAST, weights_only=True)
    for change, words in (({"version": 9}, "version 9"), ({"format": "other"}, "not a checkpoint")):
        torch.save({**document, **change}, broken)
        with pytest.raises(FormatError, match=words):
            Checkpoint.load(broken)
    torch.save({**document, "hand": {**document["hand"], "digest": "0" * 64}}, broken)
    with pytest.raises(InputError, match="of hand 'builtin'"):
        Checkpoint.load(broken).check_hand(data.shards.index.hand, broken)
    assert Checkpoint.load(trained).step == Checkpoint.load(trained / BEST).step


def test_shards_that_cannot_be_used(folders: dict[str, Path], scenes: Path, tmp_path: Path, cache_dir: Path) -> None:
    import shutil

    with pytest.raises(InputError, match=r"the shards are of hand 'builtin' \(.*\), the hand at work is"):
        TrainingData.open(folders["compact"], ShapeOptions("stand-in", cache=cache_dir))
    copy = tmp_path / "shards"
    shutil.copytree(scenes, copy)
    with h5py.File(copy / "index.h5", "r+") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(FormatError, match="99"):
        TrainingData.open(copy, ShapeOptions(cache=cache_dir))


def test_nothing_to_learn_from(data: TrainingData, tmp_path: Path) -> None:
    empty = replace(CONFIG, data=replace(CONFIG.data, split="val"))
    with pytest.raises(InputError, match="'val' has no instance"):
        Trainer(data, empty, tmp_path)
    nobody = replace(CONFIG, data=replace(CONFIG.data, held_out=("009_gelatin_box", "061_foam_brick")))
    with pytest.raises(ConfigError, match="0 instances to learn from"):
        Trainer(data, nobody, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: DataSection(validation=0.0),
        lambda: OptimiserSection(rate=0.0),
        lambda: OptimiserSection(steps=0),
        lambda: RunSection(checkpoint_every=0),
        lambda: RunSection(patience=-1),
        lambda: TrainConfig(observation=ObservationConfig(points=64), model=replace(SMALL, centres=65)),
        lambda: TrainConfig(model=replace(SMALL, image=True)),
        lambda: EvaluationConfig(instances=0),
    ],
)
def test_impossible_configurations(wrong: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        wrong()


def test_instances_are_drawn_evenly(table: InstanceTable) -> None:
    rows = evenly_drawn(table, 10, seed=0)
    assert np.unique(table.object_index[rows], return_counts=True)[1].tolist() == [5, 5]
    assert len(evenly_drawn(table, 10_000, seed=0)) == len(table)


def test_types_of_the_whole_split_are_those_of_all_its_instances(data: TrainingData, trained: Path) -> None:
    checkpoint = Checkpoint.load(trained)
    few, every = (
        Evaluation(data, EvaluationConfig("all", count, 0), CONFIG.observation).types_of_split(checkpoint)
        for count in (2, 10_000)
    )
    assert few == every, "however many are judged"
    evaluation = Evaluation(data, EvaluationConfig("all", 10_000, 0), CONFIG.observation)
    answer = evaluation.of_model(checkpoint)[RAW]()
    assert every.instances == len(evaluation.rows) == len(answer.types)
    right = evaluation.feasible[np.arange(every.instances), answer.types.argmax(1)]
    assert every.top1 == pytest.approx(right.mean())
    assert every.top1 <= every.top3 <= 1.0


def test_corrupted_copies_are_noticed(data: TrainingData) -> None:
    evaluation = Evaluation(data, EvaluationConfig(split="all", instances=16, physics=0), CONFIG.observation)
    judged = evaluation.run(corrupted_copies(evaluation, 0.03), QuietProgress())
    rows = {method.name: method.row for method in judged}
    assert rows[TRUTH]["top1"] == rows[DISPLACED]["top1"] == 1.0
    assert rows[TRUTH]["truth"] == pytest.approx(0.0, abs=1e-6)
    assert rows[DISPLACED]["truth"] == pytest.approx(0.02, abs=0.012)
    assert (rows[SHUFFLED]["top1"] or 0.0) <= 1.0
    # flat hands are no grasps, and the verdict says so
    assert not all(finding.holds for finding in findings(rows))
    good = {"graspable": 1.0, "graspable_first": 1.0, "top1": 1.0, "top3": 1.0, "conforming": 1.0}
    good |= {"intersection": 1e-7, "verified": 0.9}
    bad = {**good, "graspable_first": 0.2, "conforming": 0.1, "top1": 0.3, "intersection": 9e-6, "verified": 0.0}
    assert all(finding.holds for finding in findings({TRUTH: good, SHUFFLED: bad, DISPLACED: bad}))
    blind = findings({TRUTH: good, SHUFFLED: good, DISPLACED: bad})
    assert [finding.holds for finding in blind if finding.words.startswith(SHUFFLED)] == [False, False]


def test_the_commands(
    scenes: Path, trained: Path, tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "train.toml"
    config.write_text(TOML)
    assert read_toml(config, TrainConfig) == CONFIG
    words = [str(scenes), "--cache", str(cache_dir)]
    run = tmp_path / "run"
    assert main(["train", *words, "--config", str(config), "--out", str(run), "--json"]) == DONE
    printed = json.loads(capsys.readouterr().out)
    assert (printed["step"], printed["seed"]) == (6, 0)
    same(trained, run)
    evaluate = ["--checkpoint", str(run), "--instances", "4", "--physics", "0", "--iterations", "2", "--pictures", "1"]
    assert main(["evaluate", *words, *evaluate]) in (0, 1)
    table = json.loads((run / "evaluation" / "evaluation.json").read_text())
    assert set(table["rows"]) >= {"model", "model, not refined", "random library grasp", "ground truth"}
    assert table["rows"]["ground truth"]["top1"] == 1.0
    assert table["whole_split"]["instances"] >= table["instances"]
    assert "| model |" in (run / "evaluation" / "evaluation.md").read_text()
    for name in ("curves", "confusion", "predictions"):
        assert size_of(run / "evaluation" / f"{name}.png")[0] > 200
    capsys.readouterr()
    picture = tmp_path / "predicted.png"
    predict = ["--checkpoint", str(run), "--out", str(picture), "--iterations", "2", "--json"]
    assert main(["predict", *words, *predict]) == DONE
    found = json.loads(capsys.readouterr().out)["grasps"]
    assert {entry["object"] for entry in found} == {"009_gelatin_box", "061_foam_brick"}
    assert all(len(entry["pose"]) == 45 for entry in found)
    assert size_of(picture) == (640, 480)
    out = tmp_path / "validation"
    assert main(["validate", *words, "--instances", "4", "--out", str(out)]) in (0, 1)
    assert "types shuffled" in (out / "validation.md").read_text()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "nowhere"], "no folder of shards"),
        (["evaluate", "nowhere", "--checkpoint", "x"], "no folder of shards"),
        (["train", "SHARDS", "--data.split", "test"], "no split 'test'"),
        (["train", "SHARDS", "--data.held-out", "025_mug"], "025_mug"),
        (["train", "SHARDS", "--run.device", "cuda"], "no GPU"),
        (["predict", "SHARDS", "--checkpoint", "RUN", "--scene", "77"], "no scene 77"),
        (["predict", "SHARDS", "--checkpoint", "RUN", "--frame", "77"], "no frame 77"),
        (["predict", "SHARDS", "--checkpoint", "RUN", "--object", "025_mug"], "no 025_mug"),
        (["evaluate", "SHARDS", "--checkpoint", "RUN", "--held-out"], "no objects were held out"),
        (["validate", "SHARDS", "--split", "val"], "'val' has no instance"),
    ],
)
def test_mistakes_are_named(
    words: list[str],
    expected: str,
    scenes: Path,
    trained: Path,
    tmp_path: Path,
    cache_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    known = {"SHARDS": str(scenes), "RUN": str(trained)}
    more = ["--cache", str(cache_dir), *(["--out", str(tmp_path / "run")] if words[0] == "train" else [])]
    assert main([*(known.get(word, word) for word in words), *more]) == COULD_NOT
    said = capsys.readouterr().err
    assert expected in said
    assert "remedy:" in said
