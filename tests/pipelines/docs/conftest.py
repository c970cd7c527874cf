"""A folder in which `out/demo` is what a demo leaves, small: the pages' code and the examples run there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.cli import DONE, main
from yaff.grasp import ReviewState
from yaff.store import GraspLibrary


@pytest.fixture(scope="session")
def finished_demo(
    tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, small_library: Path, cache_dir: Path
) -> Path:
    """The folder in which `yaff build demo` was called, as it were; some grasps of its library need a person."""
    root = tmp_path_factory.mktemp("demo")
    demo = root / "out" / "demo"
    library = GraspLibrary.open(small_library)
    grasps = {name: library[name] for name in library.objects}
    for name, batch in grasps.items():
        state = np.array(batch.review_state)
        state[:6] = ReviewState.NEEDS_REVIEW
        grasps[name] = replace(batch, review_state=state, reason=("slips along +x",) * 6 + batch.reason[6:])
    GraspLibrary.write(demo / "library.h5", grasps, library.metadata)
    shutil.copytree(small_dataset, demo / "dataset")
    words = ["project", str(demo / "dataset"), "--library", str(demo / "library.h5"), "--out", str(demo / "shards")]
    assert main([*words, "--source", "stand-in", "--cache", str(cache_dir), "--workers", "1"]) == DONE
    return root


@pytest.fixture
def here(finished_demo: Path, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)  # processes of an earlier test are in that test's folder
    shutil.copytree(finished_demo, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    # what the user's cache folder holds is not the pages' business, but deriving geometry again would take minutes
    (tmp_path / "cache-home").mkdir()
    (tmp_path / "cache-home" / "yaff").symlink_to(cache_dir, target_is_directory=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))
    return tmp_path
