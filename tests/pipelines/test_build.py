"""The whole way with a tiny configuration: same bytes whatever the number of workers, killed or not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """
[hand]
model = "builtin"
[dataset.synthetic]
scenes = 6
frames = 2
min_objects = 1
max_objects = 1
image_every = 0
[objects]
names = ["061_foam_brick"]
cache = "{cache}"
[search]
types = [1, 9]
[search.propose]
candidates = 128
[search.refine]
batch = 8
iterations = 20
rounds = 1
[search.select]
keep = 1
[report]
grasps = 1
frames = 1
[output]
folder = "{out}"
workers = {workers}
"""

REPOSITORY = Path(__file__).resolve().parents[2]


def start(folder: Path, cache: Path, workers: int) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    config = folder / "build.toml"
    config.write_text(CONFIG.format(cache=cache, out=folder / "out", workers=workers), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "build", str(config)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def kill_when(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """SIGKILL to the build as soon as ``ready``; its workers notice by themselves."""
    deadline = time.monotonic() + 200
    while not ready():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def data_files(out: Path) -> dict[str, bytes]:
    """Everything that must be the same: the library and the folder of shards."""
    files = [out / "library.h5", *sorted((out / "shards").iterdir())]
    return {path.name: path.read_bytes() for path in files if not path.name.startswith(".")}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> tuple[Path, str]:
    """A build by two workers, and what it printed."""
    folder = tmp_path_factory.mktemp("two")
    output = finish(start(folder, cache_dir, workers=2))
    return folder / "out", output


def test_a_build_says_where_everything_is(finished: tuple[Path, str]) -> None:
    out, output = finished
    for path in (out / "library.h5", out / "shards", out / "report" / "index.html"):
        assert path.exists()
        assert str(path) in output
    for stage in ("objects", "search", "dataset", "project", "verify", "report"):
        assert stage in output
    manifest = json.loads((out / "shards" / "manifest.json").read_text())
    assert manifest["totals"]["frames"] == 12
    assert len(manifest["shards"]) == 6


def test_nothing_unfinished_is_left(finished: tuple[Path, str]) -> None:
    out, _ = finished
    left = [path.name for path in out.rglob("*") if "partial" in path.name or path.name.endswith(".started")]
    assert not left


def test_the_report_needs_nothing_else(finished: tuple[Path, str]) -> None:
    out, _ = finished
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert 'src="http' not in page
    assert "<link" not in page
    for title in ("Coverage", "Measures", "Feasibility in the scenes", "Annotated frames", "Times", "Provenance"):
        assert f"<h2>{title}</h2>" in page


def test_killed_in_search_and_in_projection_one_worker_same_bytes(
    finished: tuple[Path, str], tmp_path: Path, cache_dir: Path
) -> None:
    out = tmp_path / "out"

    def some(pattern: str) -> bool:
        return any((out / "work").glob(pattern))

    kill_when(start(tmp_path, cache_dir, workers=1), lambda: some("search/*/*.h5"))
    assert len(list((out / "work" / "search").rglob("*.h5"))) == 1
    assert not (out / "library.h5").exists()

    kill_when(start(tmp_path, cache_dir, workers=1), lambda: some("project/0001-*.json"))
    assert (out / "library.h5").exists()
    assert not (out / "shards" / "manifest.json").exists()
    assert 2 <= len(list((out / "shards").glob("shard-*.h5"))) < 6

    finish(start(tmp_path, cache_dir, workers=1))
    expected, found = data_files(finished[0]), data_files(out)
    assert list(found) == list(expected)
    different = [name for name in expected if found[name] != expected[name]]
    assert not different
