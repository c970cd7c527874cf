"""The public names of the room."""

from __future__ import annotations

import subprocess
import sys

import pytest

import yaff.scene


def test_every_public_name_exists() -> None:
    for name in yaff.scene.__all__:
        assert getattr(yaff.scene, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = yaff.scene.nothing


def test_reading_poses_loads_no_physics_no_graphics_no_torch() -> None:
    code = (
        "import sys; from yaff.scene import YcbVideoReader, FrameTable, group_arrangements, compose_wrist;"
        "print(sorted({'torch', 'pybullet', 'pyrender', 'trimesh', 'embreex'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
