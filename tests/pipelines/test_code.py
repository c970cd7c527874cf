"""The digest of the code changes with the code, and with nothing that running it leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import yaff
from pipelines.code import code_digest


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with two rooms, taken for ours."""
    for room in ("hand", "scene"):
        (tmp_path / room / "inner").mkdir(parents=True)
        (tmp_path / room / "code.py").write_text("one = 1\n")
        (tmp_path / room / "inner" / "table.toml").write_text("[table]\n")
    monkeypatch.setattr(yaff, "__file__", str(tmp_path / "__init__.py"))
    code_digest.cache_clear()
    yield tmp_path
    code_digest.cache_clear()


def fresh(*rooms: str) -> str:
    code_digest.cache_clear()
    return code_digest(rooms)


def test_what_a_run_leaves_behind_does_not_count(rooms: Path) -> None:
    before = fresh("hand", "scene")
    for name in ("code.cpython-311.pyc", "code.f-1.py311.nbi", "code.f-1.py311.1.nbc"):
        for cache in (rooms / "hand" / "__pycache__", rooms / "hand" / "inner" / "__pycache__"):
            cache.mkdir(exist_ok=True)
            (cache / name).write_bytes(b"\0compiled")
    assert fresh("hand", "scene") == before


@pytest.mark.parametrize("name", ["hand/code.py", "hand/inner/table.toml"])
def test_every_source_and_data_file_counts(rooms: Path, name: str) -> None:
    before, others = fresh("hand"), fresh("scene")
    (rooms / name).write_text("two = 2\n")
    assert fresh("hand") != before
    assert fresh("scene") == others, "but only in its own room"
    changed = fresh("hand")
    (rooms / name).rename(rooms / (name + ".old"))
    assert fresh("hand") not in (before, changed)
