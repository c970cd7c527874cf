"""Datasets of made-up scenes, one of each layout, written once for the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import make_dataset, make_library

from yaff.store.layouts import LAYOUTS


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of the same dataset by layout; tests copy what they change."""
    root = tmp_path_factory.mktemp("datasets")
    for layout in LAYOUTS:
        make_dataset(root / layout, layout)
    return {layout: root / layout for layout in LAYOUTS}


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "library.h5"
    make_library(path)
    return path
