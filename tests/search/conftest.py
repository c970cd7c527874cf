"""The hand and the object that most tests of the search share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from yaff.hand import load_hand
from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.search import SearchConfig, make_rig
from yaff.search.rig import HandRig


@pytest.fixture(scope="session")
def rig() -> HandRig:
    """What the search derives from the built-in hand; PyTorch runs on one thread from here on."""
    torch.set_num_threads(1)
    return make_rig(load_hand(), SearchConfig())


@pytest.fixture(scope="session")
def can(cache_dir: Path) -> ObjectModel:
    """A can of soup."""
    return load_object("005_tomato_soup_can", StandInSource(), cache_dir)
