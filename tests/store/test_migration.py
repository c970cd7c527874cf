"""A dataset of the previous version: refused with the command to run, the same as a new one afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import pytest

from pipelines.cli import COULD_NOT, DONE, main
from yaff.errors import FormatError, MissingFileError
from yaff.store.hashing import digest_file
from yaff.store.manifest import migrate_dataset
from yaff.store.reading import ShardSet
from yaff.store.validation import verify_path

COPIED_SINCE = (
    "candidates/grasp",
    "candidates/code",
    "grasps/grasp_type",
    "grasps/review_state",
    "grasps/measures/epsilon",
    "grasps/measures/max_penetration",
)
"""Columns that version 2 of the index holds and version 1 showed through virtual datasets."""


@pytest.fixture
def old(tmp_path: Path, datasets: dict[str, Path]) -> Path:
    """A dataset as version 1 wrote it."""
    folder = shutil.copytree(datasets["wrist"], tmp_path / "old")
    shards = sorted(path.name for path in folder.glob("shard-*.h5"))
    with h5py.File(folder / "index.h5", "r+") as index:
        index.attrs["schema_version"] = 1
        for name in COPIED_SINCE:
            attributes = dict(index[name].attrs)
            shape, dtype = index[name].shape, index[name].dtype
            layout, first = h5py.VirtualLayout(shape, dtype), 0
            for shard in shards:
                with h5py.File(folder / shard) as file:
                    rows = file[name].shape[0]
                layout[first : first + rows] = h5py.VirtualSource(shard, name, (rows,))
                first += rows
            del index[name]
            index.create_virtual_dataset(name, layout)
            index[name].attrs.update(attributes)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["index"]["bytes"] = (folder / "index.h5").stat().st_size
    manifest["index"]["sha256"] = digest_file(folder / "index.h5")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_refused_with_the_command_that_helps(
    old: Path, datasets: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FormatError, match="schema version 1") as refused:
        ShardSet.open(old)
    assert refused.value.remedy == f"yaff migrate {old}"
    assert main(refused.value.remedy.split()[1:]) == DONE
    assert "now 2" in capsys.readouterr().out
    assert verify_path(old).passed
    for name in ("index.h5", "manifest.json", "shard-00001.h5"):
        assert (old / name).read_bytes() == (datasets["wrist"] / name).read_bytes()
    assert main(["migrate", str(old)]) == DONE
    assert "nothing to do" in capsys.readouterr().out


def test_what_cannot_be_migrated(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(old / "index.h5", "r+") as index:
        index.attrs["schema_version"] = 99
    with pytest.raises(FormatError, match="99") as refused:
        migrate_dataset(old)
    assert refused.value.remedy == "install a newer yaff"
    (old / "index.h5").unlink()
    with pytest.raises(MissingFileError):
        migrate_dataset(old)
    assert main(["migrate", str(tmp_path / "nothing")]) == COULD_NOT
    assert "remedy: " in capsys.readouterr().err
