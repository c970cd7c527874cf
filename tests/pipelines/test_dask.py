"""A cluster of Dask workers in processes of their own: the same bytes, also when one of them is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import executor_units as units
import pytest

from pipelines.cli import COULD_NOT, DONE, main
from pipelines.executor import Unit, Workforce, run_units
from pipelines.progress import QuietProgress
from yaff.store.hashing import digest_file

pytest.importorskip("distributed")

COMMANDS = {
    "scheduler": ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
    "worker": ["--nthreads", "1", "--no-nanny", "--no-dashboard"],
}


class Cluster:
    """A scheduler and two workers, which have been waited for."""

    def __init__(self, folder: Path, **settings: str) -> None:
        from dask.distributed import Client

        self.folder = folder
        here = Path(__file__).parent
        paths = os.pathsep.join(map(str, (here, here.parents[1])))
        self.environment = {**os.environ, "PYTHONPATH": paths, **settings}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.start("scheduler")
        self.workers = [self.start("worker"), self.start("worker")]
        while not (folder / "scheduler.json").is_file():
            time.sleep(0.1)
        with Client(scheduler_file=str(folder / "scheduler.json"), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            self.address = str(client.scheduler_info()["address"])

    def start(self, kind: str) -> subprocess.Popen[bytes]:
        """A process of the cluster; it finds the functions of the tests."""
        words = ["--scheduler-file", str(self.folder / "scheduler.json"), *COMMANDS[kind]]
        with (self.folder / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
            )
        self.processes.append(process)
        return process

    def close(self) -> None:
        """End what is left of it."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    yield running
    running.close()


def test_one_worker_killed_in_the_middle_same_bytes(
    cluster: Cluster, small_dataset: Path, small_library: Path, cache_dir: Path, tmp_path: Path
) -> None:
    words = ["project", str(small_dataset), "--library", str(small_library), "--source", "stand-in"]
    words += ["--cache", str(cache_dir), "--layout", "full"]
    assert main([*words, "--out", str(tmp_path / "local"), "--workers", "2"]) == DONE

    command = [sys.executable, "-m", "pipelines.cli", *words, "--out", str(tmp_path / "dask")]
    command += ["--backend", "dask", "--scheduler", cluster.address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as build:
        begun = tmp_path / "dask.work" / "project"
        while not list(begun.glob("*.started")):  # each worker has a scene, which takes it a second to begin
            assert build.poll() is None, build.stderr and build.stderr.read()
            time.sleep(0.01)
        cluster.workers[0].kill()
        _, errors = build.communicate(timeout=120)
    assert build.returncode == DONE, errors
    assert _digests(tmp_path / "dask") == _digests(tmp_path / "local")


def test_a_unit_that_kills_every_worker_is_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
    work, workforce = [Unit("stage/deadly", "k", units.die)], Workforce(2, "dask", cluster.address)
    try:
        outcome = run_units("stage", work, tmp_path / "work", workforce, QuietProgress())[0]
    finally:
        cluster.close()
    assert outcome.error is not None
    assert "died twice" in outcome.error.what


def test_without_a_scheduler_there(
    small_dataset: Path,
    small_library: Path,
    cache_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.executor.PATIENCE", 0.5)
    words = ["project", str(small_dataset), "--library", str(small_library), "--source", "stand-in", "--cache"]
    words += [str(cache_dir), "--out", str(tmp_path / "out"), "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9"]
    assert main(words) == COULD_NOT
    printed = capsys.readouterr().err
    assert "tcp://127.0.0.1:9" in printed
    assert "dask scheduler" in printed


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: digest_file(path) for path in sorted(folder.iterdir())}
