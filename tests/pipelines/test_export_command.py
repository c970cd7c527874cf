"""``yaff export`` and the import of annotated frames, as a user gives them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "store"))

from made_up import make_dataset

from pipelines.cli import main


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "shards"
    make_dataset(folder, "compact")
    return folder


def test_tar_files_and_a_description(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "webdataset", str(shards), str(tmp_path / "tars"), "--split", "val", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 8
    assert [path.name for path in (tmp_path / "tars").iterdir()] == ["val-000000.tar"]
    assert main(["export", "croissant", str(shards), str(shards), "--name", "mine"]) == 0
    assert json.loads((shards / "croissant.json").read_text())["name"] == "mine"
    assert main(["verify", str(shards)]) == 0  # beside the dataset it does no harm


def test_what_cannot_be_exported(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["ycb-affordance", str(shards), str(tmp_path)], "of another hand"),
        (["webdataset", str(shards), str(tmp_path), "--split", "test"], "no split 'test'"),
        (["croissant", str(tmp_path), str(tmp_path)], "no manifest.json"),
    ):
        assert main(["export", *words]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "remedy" in error


def test_annotated_frames_need_their_poses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data" / "YCB_Affordance_grasps").mkdir(parents=True)
    (tmp_path / "data" / "imgnames.npy").write_bytes(b"")
    assert main(["import", "ycb-affordance", str(tmp_path), "--out", str(tmp_path / "l.h5")]) == 2
    assert "--dataset" in capsys.readouterr().err
