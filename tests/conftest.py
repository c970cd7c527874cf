"""Fixtures shared by all rooms."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# how long an example takes is the machine's business
hypothesis.settings.register_profile("yaff", deadline=None)
hypothesis.settings.load_profile("yaff")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def no_installed_assets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty data folder, so that no test sees what its user has installed."""
    folder = tmp_path_factory.mktemp("data-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(folder))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        yield folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real meshes, poses and frame; skips where it is absent."""
    folder = Path(os.environ.get("YAFF_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_absolute():
        folder = (REPOSITORY / folder).resolve()
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set YAFF_DATA")
    return folder


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of derived geometry for the whole session; YAFF_TEST_CACHE keeps it between sessions."""
    kept = os.environ.get("YAFF_TEST_CACHE")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        return Path(kept)
    return tmp_path_factory.mktemp("cache")
