"""Bad input, as the command line meets it: one clear message, status 2, nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from pipelines.cli import CHECK_FAILED, COULD_NOT, DONE, main

REPOSITORY = Path(__file__).resolve().parents[2]


def projection(dataset: Path, library: Path, out: Path, cache: Path) -> list[str]:
    words = ["project", str(dataset), "--library", str(library), "--out", str(out), "--source", "stand-in"]
    return [*words, "--cache", str(cache), "--workers", "2"]


def changed(meta: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    content = {key: value for key, value in scipy.io.loadmat(meta).items() if not key.startswith("__")}
    change(content)
    scipy.io.savemat(meta, content)


def truncate(meta: Path) -> None:
    meta.write_bytes(meta.read_bytes()[:100])


def empty(meta: Path) -> None:
    meta.write_bytes(b"")


def remove(meta: Path) -> None:
    meta.unlink()


def nan_pose(meta: Path) -> None:
    def change(content: dict[str, np.ndarray]) -> None:
        content["poses"][0, 0, 0] = np.nan

    changed(meta, change)


def skewed_pose(meta: Path) -> None:
    def change(content: dict[str, np.ndarray]) -> None:
        content["poses"][:, :3] *= 1.1

    changed(meta, change)


def unknown_object(meta: Path) -> None:
    def change(content: dict[str, np.ndarray]) -> None:
        content["cls_indexes"][:] = 77

    changed(meta, change)


@pytest.mark.parametrize("damage", [truncate, empty, remove, nan_pose, skewed_pose, unknown_object])
def test_a_bad_frame_is_named_and_can_be_skipped(
    damage: Callable[[Path], None],
    small_dataset: Path,
    small_library: Path,
    cache_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dataset, out = tmp_path / "dataset", tmp_path / "shards"
    shutil.copytree(small_dataset, dataset)
    meta = sorted((dataset / "data" / "0001").glob("*-meta.mat"))[1]
    damage(meta)
    words = projection(dataset, small_library, out, cache_dir)
    assert main(words) == COULD_NOT
    printed = capsys.readouterr().err
    assert meta.name in printed
    assert "remedy: " in printed
    assert "--skip-bad-frames" in printed
    assert "Traceback" not in printed
    assert not (out / "manifest.json").exists()
    assert [path.name for path in out.glob("shard*")] == ["shard-00000.h5"]

    assert main([*words, "--skip-bad-frames"]) == DONE
    assert meta.name in capsys.readouterr().out
    manifest = json.loads((out / "manifest.json").read_text())
    assert [bad["file"] for bad in manifest["bad_frames"]] == [f"data/0001/{meta.name}"]
    assert manifest["totals"]["frames"] == 5
    assert main(["verify", str(out)]) == DONE


@pytest.mark.parametrize(
    ("text", "mentions"),
    [("", "no triangles"), ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no triangles"), ("v 0 0 nan\nf 1 1 1\n", "mesh")],
    ids=["empty", "no faces", "NaN"],
)
def test_a_bad_mesh_is_named(
    text: str, mentions: str, tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mesh = tmp_path / "models" / "025_mug" / "textured_simple.obj"
    mesh.parent.mkdir(parents=True)
    mesh.write_text(text, encoding="utf-8")
    library = tmp_path / "library.h5"
    words = ["search", "025_mug", "--models", str(tmp_path / "models"), "--out", str(library), "--types", "9"]
    assert main([*words, "--cache", str(cache_dir)]) == COULD_NOT
    printed = capsys.readouterr().err
    assert mentions in printed
    assert "025_mug" in printed
    assert "remedy: " in printed
    assert not library.exists()


def test_a_library_of_another_schema_version_is_refused(
    small_dataset: Path, small_library: Path, cache_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library = tmp_path / "library.h5"
    shutil.copy(small_library, library)
    with h5py.File(library, "r+") as file:
        file.attrs["schema_version"] = 99
    assert main(projection(small_dataset, library, tmp_path / "shards", cache_dir)) == COULD_NOT
    printed = capsys.readouterr().err
    assert "99" in printed
    assert str(library) in printed
    assert main(["verify", str(library)]) == CHECK_FAILED


def test_no_room_to_write_ends_in_one_message(
    small_dataset: Path, small_library: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """A limit on the size of files stands for a full disk."""
    words = " ".join(projection(small_dataset, small_library, tmp_path / "shards", cache_dir))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 40; exec {sys.executable} -m pipelines.cli {words}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == COULD_NOT, done.stderr
    message = done.stderr[done.stderr.index("yaff project:") :]
    assert "could not write" in message
    assert "remedy: " in message
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "shards" / "manifest.json").exists()
    assert not list((tmp_path / "shards").glob("shard*"))


def test_a_disk_that_fills_up(small_dataset: Path, small_library: Path, cache_dir: Path, tmp_path: Path) -> None:
    """A tmpfs of 100 kB, in a namespace of its own; the same command ends well once there is room."""
    small, out = tmp_path / "small", tmp_path / "small" / "shards"
    small.mkdir()
    inside = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c"]
    mount = f"mount -t tmpfs -o size=100k none {small}"
    allowed = shutil.which("unshare") and subprocess.run([*inside, mount], capture_output=True, check=False)
    if not allowed or allowed.returncode:
        pytest.skip("this machine lets nobody mount a tmpfs")
    words = " ".join([sys.executable, "-m", "pipelines.cli", *projection(small_dataset, small_library, out, cache_dir)])
    words += " --layout full"
    script = (
        f"{mount}; {words}; echo status $?; ls -A {out}; mount -o remount,size=30m {small}; {words}; echo status $?"
    )
    done = subprocess.run([*inside, script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    first, second = done.stdout.split("status ")[1:]
    assert first.splitlines()[0] == str(COULD_NOT), done.stderr
    assert "No space left on device" in done.stderr
    assert "free space" in done.stderr
    assert "Traceback" not in done.stderr
    assert "manifest.json" not in first
    assert ".partial" not in first
    assert second.strip() == str(DONE), done.stderr
