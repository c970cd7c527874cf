"""Files of earlier versions: refused with the command to run, and afterwards what this program would have written."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up import make_dataset, make_grasp_sets

from annotator.review.exchange import export_review
from annotator.review.opening import open_review
from pipelines.cli import COULD_NOT, DONE, main
from yaff.errors import ConflictError, FormatError, MissingFileError, StorageError
from yaff.grasp.batch import Grasps
from yaff.store import atomic
from yaff.store.columns import INDEX_FORMAT, LIBRARY_FORMAT, SCHEMA_VERSIONS, SHARD_FORMAT
from yaff.store.hashing import digest_file
from yaff.store.hdf5 import dataset_of
from yaff.store.layouts import LAYOUTS
from yaff.store.library import MIGRATED, GraspLibrary
from yaff.store.migration import JOURNAL_NAME, migrate_dataset, migrate_library, migrate_shard
from yaff.store.reading import ShardSet
from yaff.store.shards import ShardReader
from yaff.store.validation import verify_path

ADDED = ("shaken", "fingertip_force")
COPIED_SINCE = (
    "candidates/grasp",
    "candidates/code",
    "grasps/grasp_type",
    "grasps/review_state",
    "grasps/measures/epsilon",
    "grasps/measures/max_penetration",
)
"""Columns that version 2 of the index holds and version 1 showed through virtual datasets."""


def as_version_1_knew(batch: Grasps) -> Grasps:
    """Grasps as an old program measured them: some shaken in all directions, some not at all, no force."""
    measures = dict(batch.measures)
    shaken = np.repeat(np.arange(len(batch)) % 4 > 0, 6).reshape(-1, 6)
    for name in ("shake_translation", "shake_rotation"):
        measures[name] = np.where(shaken, measures[name], 0).astype(np.float32)
    measures["shake_rotation"][:, 2] = 0  # a motion without rotation is one all the same
    return replace(
        batch,
        measures=measures | {"shaken": shaken.astype(np.float32), "fingertip_force": np.zeros(len(batch), np.float32)},
    )


@pytest.fixture(scope="module")
def grasps() -> dict[str, Grasps]:
    return {name: as_version_1_knew(batch) for name, batch in make_grasp_sets(n=12).items()}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, grasps: dict[str, Grasps]) -> dict[str, Path]:
    """What this program writes of the grasps, by layout."""
    root = tmp_path_factory.mktemp("wanted")
    for layout in LAYOUTS:
        make_dataset(root / layout, layout, sets=grasps)
    return {layout: root / layout for layout in LAYOUTS}


def age(path: Path, *groups: str) -> None:
    """Make a library or shard one of version 1."""
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
        for group in groups:
            for name in ADDED:
                del file[f"{group}/measures/{name}"]


def age_dataset(source: Path, folder: Path, index: int = 2) -> Path:
    """A copy of a dataset with shards of version 1 and an index of version 1 or 2."""
    shutil.copytree(source, folder)
    shards = sorted(path.name for path in folder.glob("shard-*.h5"))
    for name in shards:
        age(folder / name, "grasps")
    with h5py.File(folder / "index.h5", "r+") as file:
        file.attrs["schema_version"] = index
        for name in ADDED:
            del file[f"grasps/measures/{name}"]
        for name in COPIED_SINCE if index == 1 else ():
            attributes = dict(file[name].attrs)
            shape, dtype = dataset_of(file, name).shape, dataset_of(file, name).dtype
            layout, first = h5py.VirtualLayout(shape, dtype), 0
            for shard in shards:
                with h5py.File(folder / shard) as other:
                    rows = len(dataset_of(other, name))
                layout[first : first + rows] = h5py.VirtualSource(shard, name, (rows,))
                first += rows
            del file[name]
            file.create_virtual_dataset(name, layout)
            file[name].attrs.update(attributes)
    relist(folder)
    return folder


def relist(folder: Path) -> None:
    """Make the manifest list the bytes that are there."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in (manifest["index"], *manifest["shards"]):
        entry |= {"bytes": (folder / entry["file"]).stat().st_size, "sha256": digest_file(folder / entry["file"])}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def same_files(first: Path, second: Path) -> None:
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert [name for name in names if (first / name).read_bytes() != (second / name).read_bytes()] == []


def test_every_format_but_the_manifest_has_an_earlier_version() -> None:
    assert SCHEMA_VERSIONS == {LIBRARY_FORMAT: 2, SHARD_FORMAT: 2, INDEX_FORMAT: 3, "yaff-dataset": 1}


def test_a_library_is_refused_and_then_migrated(
    tmp_path: Path, grasps: dict[str, Grasps], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "library.h5"
    metadata = {"hand": {"digest": "of a hand"}}
    empty = {**grasps, "037_scissors": Grasps.empty("037_scissors")}  # searched in vain
    age(GraspLibrary.write(path, empty, metadata).path, *(f"objects/{name}" for name in empty))
    digest = digest_file(path)
    with pytest.raises(FormatError, match="grasp library of schema version 1") as refused:
        GraspLibrary.open(path)
    assert refused.value.remedy == f"yaff migrate {path}"
    assert f"yaff migrate {path}" in verify_path(path).problems[0]
    assert main(["migrate", str(path)]) == DONE
    assert capsys.readouterr().out == "library.h5: version 1, now 2\n"

    library = GraspLibrary.open(path)
    assert library.metadata == {**metadata, MIGRATED: {"schema_version": 1, "sha256": digest}}
    assert library.identity == digest != library.digest
    assert verify_path(path).passed
    for name, batch in empty.items():
        for column in ("pose", "pregrasp_translation", "reason", "review_state"):
            assert np.array_equal(getattr(library[name], column), getattr(batch, column))
        for measure, values in batch.measures.items():
            assert np.array_equal(library[name].measures[measure], values), measure
    assert GraspLibrary.write(tmp_path / "again.h5", empty, library.metadata).digest == library.digest
    new = GraspLibrary.write(tmp_path / "new.h5", grasps, metadata)
    assert new.identity == new.digest

    assert main(["migrate", str(path)]) == DONE
    assert "nothing to do" in capsys.readouterr().out


def test_a_review_goes_on_with_the_migrated_library(tmp_path: Path, grasps: dict[str, Grasps]) -> None:
    old = GraspLibrary.write(tmp_path / "old.h5", grasps, {})
    url = f"sqlite:///{tmp_path / 'review.sqlite'}"
    open_review(old, url).close()
    metadata = {MIGRATED: {"schema_version": 1, "sha256": old.digest}}
    migrated = GraspLibrary.write(tmp_path / "migrated.h5", grasps, metadata)
    review = open_review(migrated, url)
    exported = export_review(review, migrated, tmp_path / "reviewed.h5").library
    review.close()
    assert exported.identity == exported.digest  # it is a library of its own
    with pytest.raises(ConflictError, match="another library"):
        open_review(exported, url)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index", [1, 2])
def test_a_dataset_becomes_what_this_program_writes(
    tmp_path: Path, wanted: dict[str, Path], layout: str, index: int
) -> None:
    old = age_dataset(wanted[layout], tmp_path / "old", index)
    with pytest.raises(FormatError, match=f"schema version {index}") as refused:
        ShardSet.open(old)
    assert refused.value.remedy == f"yaff migrate {old}"
    with pytest.raises(FormatError, match="shard of schema version 1") as refused:
        ShardReader.open(old / "shard-00001.h5")
    assert refused.value.remedy == f"yaff migrate {old}"
    assert [(m.file, m.before, m.after) for m in migrate_dataset(old)] == [
        ("shard-00001.h5", 1, 2),
        ("shard-00002.h5", 1, 2),
        ("index.h5", index, 3),
    ]
    same_files(old, wanted[layout])
    assert migrate_dataset(old) == ()


def test_the_command_and_a_shard_on_its_own(
    tmp_path: Path, wanted: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old = age_dataset(wanted["wrist"], tmp_path / "old")
    assert main(["migrate", str(old / "shard-00001.h5")]) == COULD_NOT  # its manifest would be wrong
    assert f"remedy: yaff migrate {old}" in capsys.readouterr().err
    alone = Path(shutil.copy(old / "shard-00001.h5", tmp_path / "shard-00001.h5"))
    with pytest.raises(FormatError) as refused:
        ShardReader.open(alone)
    assert refused.value.remedy == f"yaff migrate {alone}"
    assert main(["migrate", str(alone)]) == DONE
    assert alone.read_bytes() == (wanted["wrist"] / alone.name).read_bytes()
    assert main(["migrate", str(old / "manifest.json")]) == DONE
    assert "index.h5: version 2, now 3" in capsys.readouterr().out
    assert main(["migrate", str(old)]) == DONE
    assert "nothing to do" in capsys.readouterr().out
    assert main(["migrate", str(tmp_path / "nothing")]) == COULD_NOT
    with atomic.build_lock(old):
        assert main(["migrate", str(old)]) == COULD_NOT
    assert "another build" in capsys.readouterr().err


@pytest.mark.parametrize("moment", range(6))
def test_killed_and_started_again(
    tmp_path: Path, wanted: dict[str, Path], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Dying at any of its renames (journal, shard, journal, shard, index, manifest) leaves a dataset that goes on."""
    old = age_dataset(wanted["compact"], tmp_path / "old")
    real, count = atomic.os.replace, iter(range(100))

    def dying(source: Path, target: Path) -> None:
        if next(count) == moment:
            raise KeyboardInterrupt
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "replace", dying)
        with pytest.raises(KeyboardInterrupt):
            migrate_dataset(old)
    migrate_dataset(old)
    same_files(old, wanted["compact"])


def test_a_flipped_byte_is_found_before_it_gets_a_new_digest(tmp_path: Path, wanted: dict[str, Path]) -> None:
    old = age_dataset(wanted["compact"], tmp_path / "old")
    path = old / "shard-00002.h5"
    with h5py.File(path) as file:
        offset = file["grasps/pose"].id.get_offset()
    data = bytearray(path.read_bytes())
    data[offset + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="bytes are not those") as found:
        migrate_dataset(old)
    assert found.value.where == str(path)
    assert (old / JOURNAL_NAME).exists()
    path = old / "shard-00001.h5"  # already migrated
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="bytes are not those") as found:
        migrate_dataset(old)
    assert found.value.where == str(path)


def test_what_cannot_be_migrated(tmp_path: Path, wanted: dict[str, Path], grasps: dict[str, Grasps]) -> None:
    old = age_dataset(wanted["compact"], tmp_path / "old")
    with h5py.File(old / "index.h5", "r+") as index:
        index.attrs["schema_version"] = 99
    with pytest.raises(FormatError, match="99") as refused:
        migrate_dataset(old)
    assert refused.value.remedy == "install a newer yaff"
    (old / "index.h5").unlink()
    with pytest.raises(MissingFileError):
        migrate_dataset(old)
    with h5py.File(old / "shard-00001.h5", "r+") as shard:
        del shard["grasps/pose"]
    with pytest.raises(FormatError, match="pose"):
        migrate_shard(old / "shard-00001.h5")

    path = GraspLibrary.write(tmp_path / "library.h5", grasps, {}).path
    age(path, *(f"objects/{name}" for name in grasps))
    for version in (0, -1, 3):
        with h5py.File(path, "r+") as file:
            file.attrs["schema_version"] = version
        with pytest.raises(FormatError, match=f"schema version {version}"):
            migrate_library(path)
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = 1
        dataset_of(file, "objects/025_mug/measures/epsilon")[3] = np.nan
    before = path.read_bytes()
    with pytest.raises((FormatError, StorageError, ValueError), match="NaN"):
        migrate_library(path)
    assert path.read_bytes() == before
    with pytest.raises(FormatError, match="shard"):
        migrate_library(old / "shard-00002.h5")
