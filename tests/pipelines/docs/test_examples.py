"""The examples, run as a person runs them, on what a demo leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))

WRITES = {
    "01_pose_the_hand": "hand.ply",
    "03_search_one_object": "found.h5",
    "04_project_one_frame": "keypoints.png",
    "06_export_to_mano_tools": "mano/MANO_LEFT.pkl",
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, here: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTEST_CURRENT_TEST", None)  # NiceGUI serves otherwise when it sees this
    done = subprocess.run(
        [sys.executable, str(path)], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    if path.stem in WRITES:
        assert (here / WRITES[path.stem]).is_file()


def test_they_are_numbered_and_listed() -> None:
    assert [path.stem[:2] for path in EXAMPLES] == [f"{k:02}" for k in range(1, len(EXAMPLES) + 1)]
    page = (ROOT / "examples" / "README.md").read_text("utf-8")
    for path in EXAMPLES:
        assert f"`{path.name}`" in page
        assert f"python examples/{path.name}" in path.read_text("utf-8"), "how to call it stands at its head"
