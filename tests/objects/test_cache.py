"""The cache: by content, whole or absent, rebuilt when damaged, safe for two processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from yaff.errors import StorageError
from yaff.objects.cache import cached_arrays, content_key, default_cache_dir


def squares() -> dict[str, np.ndarray]:
    return {"values": np.arange(1000.0) ** 2, "name": np.array("squares")}


def entry(folder: Path) -> Path:
    (path,) = folder.glob("test/*.npz")
    return path


def never() -> dict[str, np.ndarray]:
    raise AssertionError("computed again")


def test_second_use_reads(tmp_path: Path) -> None:
    first = cached_arrays(tmp_path, "test", "a" * 64, squares)
    second = cached_arrays(tmp_path, "test", "a" * 64, never)
    assert np.array_equal(first["values"], second["values"])
    assert str(second["name"]) == "squares"


def test_same_content_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        cached_arrays(tmp_path / folder, "test", "a" * 64, squares)
    assert entry(tmp_path / "one").read_bytes() == entry(tmp_path / "two").read_bytes()


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_damaged_entries_are_rebuilt(tmp_path: Path, damage: str) -> None:
    cached_arrays(tmp_path, "test", "a" * 64, squares)
    path = entry(tmp_path)
    whole = path.read_bytes()
    spoiled = {
        "truncate": whole[: len(whole) // 2],
        "flip": whole[:4000] + bytes([whole[4000] ^ 255]) + whole[4001:],
        "empty": b"",
        "text": b"no archive",
    }[damage]
    path.write_bytes(spoiled)
    again = cached_arrays(tmp_path, "test", "a" * 64, squares)
    assert np.array_equal(again["values"], squares()["values"])
    assert path.read_bytes() == whole


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, np.ndarray]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cached_arrays(tmp_path, "test", "a" * 64, fail)
    assert [path for path in tmp_path.rglob("*") if path.suffix in {".npz", ".tmp"}] == []


def test_unwritable_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cache cannot be written") as caught:
        cached_arrays(tmp_path / "file", "test", "a" * 64, squares)
    assert "another cache folder" in str(caught.value)


def test_keys_tell_content_apart() -> None:
    parts = [
        (1,),
        ("1",),
        (1.0,),
        (np.arange(3),),
        (np.arange(3.0),),
        (np.arange(3)[None],),
        (1, 1),
        ("ab",),
        ("a", "b"),
    ]
    assert len({content_key(*p) for p in parts}) == len(parts)
    assert content_key(np.arange(6).reshape(2, 3).T) == content_key(np.arange(6).reshape(2, 3).T.copy())


def test_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "yaff"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache_dir().parts[-2:] == (".cache", "yaff")


PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from yaff.objects.cache import cached_arrays

folder = Path(sys.argv[1])

def compute():
    with (folder / "computed").open("a") as stream:
        stream.write("x")
    time.sleep(0.7)
    return {"values": np.arange(1000.0)}

for k in range(3):
    assert cached_arrays(folder, "test", f"{k}" * 64, compute)["values"].sum() == 499500.0
"""


def test_two_processes_compute_once(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert (tmp_path / "computed").read_text() == "xxx"
    assert len(list(tmp_path.glob("test/*.npz"))) == 3
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    slow = PROGRAM.replace("0.7", "60")
    with subprocess.Popen([sys.executable, "-c", slow, str(tmp_path)]) as process:
        while not (tmp_path / "computed").exists():
            assert process.poll() is None
        process.kill()
    assert "values" in cached_arrays(tmp_path, "test", "0" * 64, squares)
