"""The room's front door."""

from __future__ import annotations

import subprocess
import sys

import pytest

import yaff.grasp


@pytest.mark.parametrize("name", yaff.grasp.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(yaff.grasp, name) is not None


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'quality'"):
        yaff.grasp.quality  # noqa: B018


def test_reading_grasps_does_not_import_the_heavy_ones() -> None:
    code = "import sys, yaff.grasp; sys.exit('torch' in sys.modules or 'scipy.spatial' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
