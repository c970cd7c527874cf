"""The made-up datasets of the store's tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "store"))

from made_up import make_dataset

from yaff.store.layouts import LAYOUTS


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of the same dataset by layout."""
    root = tmp_path_factory.mktemp("learning")
    for layout in LAYOUTS:
        make_dataset(root / layout, layout)
    return {layout: root / layout for layout in LAYOUTS}
