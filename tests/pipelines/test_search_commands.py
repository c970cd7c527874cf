"""``yaff search`` and ``yaff import`` as a person uses them: what they leave behind, and what they refuse."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from pipelines.cli import CHECK_FAILED, COULD_NOT, DONE, main
from pipelines.commands.parsing import parse_duration
from pipelines.executor import OutOfTime, Unit, Workforce, run_units
from pipelines.progress import QuietProgress
from pipelines.stages.search import summary
from yaff.errors import ConfigError
from yaff.store.library import GraspLibrary

CAN = "005_tomato_soup_can"
QUICK = (
    "--settings.refine.batch", "10", "--settings.refine.iterations", "40", "--settings.refine.rounds", "1",
    "--settings.propose.candidates", "128",
)  # fmt: skip


def search(out: Path, cache: Path, *words: str) -> int:
    return main(["search", *words, "--out", str(out), "--cache", str(cache), "--workers", "2", *QUICK])


def touch(part: Path) -> str:
    """A unit of work."""
    part.write_text("done", encoding="ascii")
    return ""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """One pair that is found, one that cannot be."""
    out = tmp_path_factory.mktemp("search") / "library.h5"
    assert search(out, cache_dir, CAN, "--types", "1", "16", "--count", "1", "--pictures", "1") == DONE
    return out


def test_a_search_leaves_library_chart_sheets_and_numbers(searched: Path) -> None:
    library, report = GraspLibrary.open(searched), searched.with_suffix(".report")
    assert len(library[CAN]) == 1
    document = json.loads((report / "search.json").read_text(encoding="utf-8"))
    pairs = {row["type"]: row for row in document["pairs"]}
    assert set(pairs) == {1, 16}
    assert pairs[1]["verified"] == int(library[CAN].verified.sum())
    assert pairs[1]["core_seconds"] > 0.0
    assert "infeasible" in pairs[16]["tally"]
    assert document["machine"]["cores"] >= 1
    with Image.open(report / "coverage.png") as chart:
        assert chart.width > 500
    if pairs[1]["verified"]:
        assert (report / "type-01.png").is_file()
    # times never enter the library
    assert "core_seconds" not in json.dumps(library.metadata)


def test_the_same_search_again_does_nothing_and_gives_the_same_bytes(searched: Path, cache_dir: Path) -> None:
    before = searched.read_bytes()
    assert search(searched, cache_dir, CAN, "--types", "1", "16", "--count", "1", "--pictures", "1") == DONE
    assert searched.read_bytes() == before


def test_a_degenerate_mesh_is_reported_and_the_rest_goes_on(
    tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    for name, mesh in {
        "061_foam_brick": trimesh.creation.box((0.05, 0.075, 0.05)),
        "025_mug": trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], process=False),
    }.items():
        (models / name).mkdir(parents=True)
        mesh.export(models / name / "textured_simple.obj")
    out = tmp_path / "library.h5"
    words = ("061_foam_brick", "025_mug", "--types", "16", "--models", str(models), "--pictures", "0")
    assert search(out, cache_dir, *words) == CHECK_FAILED
    printed = capsys.readouterr().out
    assert "failed: objects/025_mug:" in printed
    assert GraspLibrary.open(out).objects == ("061_foam_brick",)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "0"), "no time at all"),
        (("--budget", "soon"), "not a duration"),
        (("--count", "0"), "--count is 0"),
        (("--types", "34"), "[34]"),
        (("no_such_object",), "no_such_object"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: tuple[str, ...], says: str, tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert search(tmp_path / "library.h5", cache_dir, *words) == COULD_NOT
    assert says in capsys.readouterr().err


def test_durations() -> None:
    assert parse_duration("20m", "--budget") == 1200.0
    assert parse_duration("1h30m", "--budget") == 5400.0
    assert parse_duration("90s", "--budget") == parse_duration("90", "--budget") == 90.0
    for text in ("", "-5m", "0s", "20x"):
        with pytest.raises(ConfigError):
            parse_duration(text, "--budget")


def test_after_the_deadline_nothing_is_begun_and_the_same_run_goes_on(tmp_path: Path) -> None:
    units = [Unit(f"work/{k}", "key", touch) for k in range(3)]
    late = run_units("work", units, tmp_path, Workforce(2), QuietProgress(), deadline=time.monotonic() - 1.0)
    assert all(isinstance(outcome.error, OutOfTime) for outcome in late)
    done = run_units("work", units, tmp_path, Workforce(2), QuietProgress())
    assert all(outcome.error is None for outcome in done)
    again = run_units("work", units, tmp_path, Workforce(2), QuietProgress(), deadline=time.monotonic() - 1.0)
    assert all(outcome.resumed for outcome in again)


def test_the_line_on_a_pair_says_found_tried_and_why_not() -> None:
    tally = {"refined": 40, "rejected: slipped": 3, "rejected: label doubtful": 9, "held": 5}
    assert summary(tally, 5) == "5 found of 40 tried; label doubtful 9, slipped 3"


def test_published_grasps_become_a_library(tmp_path: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    content = {
        "body": "/YCB/061_foam_brick/google_16k/nontextured.wrl",
        "taxonomy": 9,
        "mano_pose": [0.0] * 48,
        "mano_trans": [[0.0, 0.3, 0.0]],
        "dofs": tuple(np.zeros(16)),
        "pose": [0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 1.0],
        "epsilon": -1.0,
        "volume": 0.0,
        "quality": np.float64(0.0),
        "contacts": [],
    }
    (folder / "obj_21_grasp_1.pickle").write_bytes(pickle.dumps(content, protocol=0))
    out = tmp_path / "published.h5"
    words = ["import", "ycb-affordance", str(folder), "--out", str(out), "--cache", str(cache_dir), "--workers", "1"]
    assert main(words) == DONE
    assert "061_foam_brick: 0 of 1 verified" in capsys.readouterr().out
    grasps = GraspLibrary.open(out)["061_foam_brick"]
    assert grasps.provenance == ("human/ycb-affordance/obj_21_grasp_1",)
    assert grasps.reason[0]
    assert main(["verify", str(out)]) == DONE
