"""Fixtures of the scene tests."""

from __future__ import annotations

import pytest

from yaff.hand import HandModel, load_hand


@pytest.fixture(scope="session")
def hand() -> HandModel:
    return load_hand()
