"""Fixtures of the scene tests."""

from __future__ import annotations

import numpy as np
import pytest
from scene_doubles import Frames, random_scene

from yaff.hand import HandModel, load_hand


@pytest.fixture(scope="session")
def hand() -> HandModel:
    return load_hand()


@pytest.fixture
def scenes() -> dict[int, Frames]:
    """Two scenes of random poses."""
    rng = np.random.default_rng(3)
    return {0: random_scene(rng), 48: random_scene(rng)}
