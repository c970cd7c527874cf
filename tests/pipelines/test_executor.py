"""The executor: same parts whatever happens to the processes."""

from __future__ import annotations

import io
from pathlib import Path

import executor_units as units
import pytest

from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.progress import BarProgress, LineProgress, QuietProgress
from yaff.errors import StorageError

TWO = Workforce(2)


def writing(count: int, key: str = "k") -> list[Unit]:
    return [Unit(f"stage/unit{i}", key, units.write, (f"content {i}",), ".txt") for i in range(count)]


def test_outcomes_in_order_and_resumed_the_second_time(tmp_path: Path) -> None:
    first = run_units("stage", writing(7), tmp_path, TWO, QuietProgress())
    assert [outcome.unit.name for outcome in first] == [f"stage/unit{i}" for i in range(7)]
    assert [outcome.path.read_text() for outcome in first] == [f"content {i}" for i in range(7)]
    assert not any(outcome.resumed for outcome in first)
    first[3].path.unlink()
    second = run_units("stage", writing(7), tmp_path, TWO, QuietProgress())
    assert [outcome.resumed for outcome in second] == [i != 3 for i in range(7)]
    assert [outcome.path for outcome in second] == [outcome.path for outcome in first]


def test_changed_key_redoes_and_removes_the_old_part(tmp_path: Path) -> None:
    old = run_units("stage", writing(2, "aa"), tmp_path, TWO, QuietProgress())
    new = run_units("stage", writing(2, "bb"), tmp_path, TWO, QuietProgress())
    assert not any(outcome.resumed for outcome in new)
    assert not any(outcome.path.exists() for outcome in old)
    assert all(outcome.path.exists() for outcome in new)


def test_failures_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    work = [
        *writing(2),
        Unit("stage/mesh", "k", units.raise_mesh_error),
        Unit("stage/surprise", "k", units.raise_surprise),
    ]
    outcomes = run_units("stage", work, tmp_path, TWO, LineProgress(stream))
    assert [outcome.error is None for outcome in outcomes] == [True, True, False, False]
    assert outcomes[2].error is not None
    assert outcomes[3].error is not None
    assert outcomes[2].error.where == "mesh.obj"
    assert "ZeroDivisionError: surprise" in outcomes[3].error.what
    assert "stage/mesh failed: no faces" in stream.getvalue()
    assert "ZeroDivisionError" in (tmp_path / "log.txt").read_text()
    assert not outcomes[3].path.exists()
    assert sorted(path.name for path in (tmp_path / "stage").iterdir()) == ["unit0-k.txt", "unit1-k.txt"]


def test_a_process_that_dies_costs_only_its_unit(tmp_path: Path) -> None:
    stream = io.StringIO()
    work = [
        Unit("stage/deadly", "k", units.die),
        Unit("stage/once", "k", units.die_once, (str(tmp_path / "flag"),)),
        *writing(4),
    ]
    outcomes = run_units("stage", work, tmp_path, TWO, LineProgress(stream))
    assert [outcome.error is None for outcome in outcomes] == [False, True, True, True, True, True]
    assert outcomes[0].error is not None
    assert "died twice" in outcomes[0].error.what
    assert outcomes[1].path.read_text() == "second try"
    assert "a worker process died" in stream.getvalue()


def test_full_disk_ends_the_stage(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no space"):
        run_units("stage", [Unit("stage/full", "k", units.raise_disk_full)], tmp_path, TWO, QuietProgress())


def test_one_thread_in_each_worker(tmp_path: Path) -> None:
    outcome = run_units("stage", [Unit("threads", "k", units.count_threads)], tmp_path, TWO, QuietProgress())[0]
    assert outcome.path.read_text() == "1"


def test_parts_that_do_not_stand_are_made_again(tmp_path: Path) -> None:
    def unit(good: bool) -> Unit:
        return Unit("stage/unit", "k", units.write, ("content",), ".txt", still_good=lambda path: good)

    run_units("stage", [Unit("stage/unit", "k", units.write, ("content",), ".txt")], tmp_path, TWO, QuietProgress())
    assert run_units("stage", [unit(True)], tmp_path, TWO, QuietProgress())[0].resumed
    assert not run_units("stage", [unit(False)], tmp_path, TWO, QuietProgress())[0].resumed


def test_digest_follows_every_part() -> None:
    assert digest(1, "a", Path("x")) == digest(1, "a", Path("x"))
    assert len({digest(1), digest("1"), digest(1, 1), digest([1, 2]), digest((2, 1)), digest({"a": 1})}) == 6


def test_bars_show_every_unit_and_let_messages_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    progress = BarProgress()
    progress.say("hello [not markup]")
    run_units("stage", [*writing(3), Unit("stage/mesh", "k", units.raise_mesh_error)], tmp_path, TWO, progress)
    printed = capsys.readouterr().err
    assert "hello [not markup]" in printed
    assert "4/4" in printed
    assert "stage/mesh failed: no faces" in printed


def test_dask_does_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    outcomes = run_units("stage", writing(3), tmp_path, Workforce(2, "dask"), QuietProgress())
    assert [outcome.path.read_text() for outcome in outcomes] == [f"content {i}" for i in range(3)]
