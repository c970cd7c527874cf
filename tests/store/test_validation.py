"""`verify_path` finds every way in which a file can be wrong, and names the file and the place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up import make_grasp_sets, make_table

from yaff.errors import FormatError, FrameError, MissingFileError
from yaff.scene.frames import BadFrame, FrameTable
from yaff.store.index import write_index
from yaff.store.layouts import LAYOUTS
from yaff.store.validation import Against, VerifyReport, verify_path

SHARD = "shard-00001.h5"


@pytest.fixture
def copy(tmp_path: Path, datasets: dict[str, Path]) -> Callable[[str], Path]:
    return lambda layout: shutil.copytree(datasets[layout], tmp_path / layout)


def failures(report: VerifyReport) -> set[tuple[str, str]]:
    return {(check.name, check.where) for check in report.failures}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_was_written_passes(datasets: dict[str, Path], layout: str) -> None:
    for path in (datasets[layout], datasets[layout] / "index.h5", datasets[layout] / "manifest.json"):
        report = verify_path(path, Against(library=make_grasp_sets()))
        assert report.passed, report
        assert report.kind == "dataset"
        assert report.counts["shards"] == 2
        assert {check.name for check in report.checks} >= {"sha256", "size", "schema", "sample", "library", "content"}
    assert verify_path(datasets[layout] / SHARD).passed
    assert json.loads(json.dumps(report.document()))["passed"] is True


def test_a_library_passes(library_path: Path) -> None:
    report = verify_path(library_path)
    assert report.passed
    assert report.counts == {"objects": 3, "grasps": 93}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", [0.05, 0.3, 0.6, 0.97])
def test_one_flipped_bit_is_named(copy: Callable[[str], Path], layout: str, place: float) -> None:
    folder = copy(layout)
    data = bytearray((folder / SHARD).read_bytes())
    data[int(place * len(data))] ^= 0x10
    (folder / SHARD).write_bytes(data)
    report = verify_path(folder)
    assert ("sha256", SHARD) in failures(report)
    assert "sha256" in str(report)
    assert all(where in (SHARD, "index.h5") for _, where in failures(report))


@pytest.mark.parametrize("name", [SHARD, "index.h5"])
def test_a_truncated_file_is_named(copy: Callable[[str], Path], name: str) -> None:
    folder = copy("wrist")
    path = folder / name
    path.write_bytes(path.read_bytes()[:-700])
    report = verify_path(folder)
    assert ("size", name) in failures(report)
    assert "truncated" in str(report)
    assert not verify_path(folder / SHARD).passed or name == "index.h5"


@pytest.mark.parametrize("name", [SHARD, "index.h5"])
def test_a_missing_file_is_named(copy: Callable[[str], Path], name: str) -> None:
    folder = copy("compact")
    (folder / name).unlink()
    report = verify_path(folder)
    assert failures(report) == {("files", name)}
    assert "missing" in report.problems[0]


def test_a_file_too_many_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("compact")
    shutil.copy(folder / SHARD, folder / "shard-00007.h5")
    assert "does not list shard-00007.h5" in str(verify_path(folder))


def test_a_manifest_that_does_not_add_up(copy: Callable[[str], Path]) -> None:
    folder = copy("compact")
    document = json.loads((folder / "manifest.json").read_text())
    document["totals"]["annotations"] += 1
    document["shards"][0]["frames"] += 1
    (folder / "manifest.json").write_text(json.dumps(document))
    assert failures(verify_path(folder)) == {
        ("totals", "manifest.json"),
        ("manifest", SHARD),
    }


def test_an_index_of_other_shards(copy: Callable[[str], Path]) -> None:
    folder = copy("compact")
    with h5py.File(folder / "index.h5", "a") as file:
        file["instances/placement"][3] += 1
    assert ("content", "index.h5") in failures(verify_path(folder))
    write_index(folder, [SHARD, "shard-00002.h5"])
    assert verify_path(folder).passed  # the same bytes again


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nothing here"):
        verify_path(tmp_path / "no")
    with pytest.raises(MissingFileError, match="has not ended"):
        verify_path(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(FormatError, match="not JSON"):
        verify_path(tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "yaff-dataset", "schema_version": 1}')
    with pytest.raises(FormatError, match=r"manifest\.schema\.json"):
        verify_path(tmp_path)
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    with pytest.raises(FormatError, match="no file of this program"):
        verify_path(tmp_path / "other.h5")


def set_value(name: str, row: object, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name][row] = value

    return change


def swap_columns(file: h5py.File) -> None:
    file["instances/T_camera_object"][2] = file["instances/T_camera_object"][2][:, [1, 0, 2, 3]]


BROKEN: list[tuple[str, str, Callable[[h5py.File], None]]] = [
    ("offsets", "instance_start descends at row 3", set_value("frames/instance_start", 3, 0)),
    ("offsets", "annotation_start runs from", set_value("instances/annotation_start", 0, 1)),
    ("offsets", "candidate_start runs from", set_value("placements/candidate_start", -1, 10_000)),
    ("rows", "grasps", set_value("annotations/grasp", 7, 100_000)),
    ("rows", "row 7: refers to row -1", set_value("annotations/grasp", 7, -1)),
    ("rows", "placements", set_value("instances/placement", 2, 99)),
    ("rows", "arrangements", set_value("frames/arrangement", 2, 2)),
    ("rows", "frames", set_value("arrangements/representative", 0, 12)),
    ("finite", "pose, row 4", set_value("grasps/pose", (4, 3), np.nan)),
    ("finite", "T_camera_object, row 5", set_value("instances/T_camera_object", (5, 0, 3), np.inf)),
    ("ranges", "34 is not a grasp type", set_value("grasps/grasp_type", 1, 34)),
    ("ranges", "0 is not a grasp type", set_value("grasps/grasp_type", 1, 0)),
    ("ranges", "9 is not a code", set_value("candidates/code", 1, 9)),
    ("ranges", "beyond the 2 splits", set_value("frames/splits", 1, 4)),
    ("ranges", "without a name", set_value("instances/object_index", 1, 21)),
    ("ranges", "occurs twice", set_value("frames/frame", 1, 1)),
    ("ranges", "not the scene of the shard", set_value("frames/scene", 1, 5)),
    ("geometry", "not a rotation", swap_columns),
    ("geometry", "last row of the matrix", set_value("instances/T_camera_object", (1, 3, 0), 0.5)),
    ("geometry", "normal has length", set_value("arrangements/plane", (0, 1), -0.9)),
    ("geometry", "focal length", set_value("frames/intrinsics", (2, 0, 0), -1.0)),
    ("agreement", "type_count", set_value("placements/type_count", (0, 0), 77)),
    ("agreement", "code_count", set_value("placements/code_count", (0, 0), 77)),
    ("sample", "from the one composed", set_value("grasps/translation", (slice(None), 0), 0.5)),
]


@pytest.mark.parametrize(("check", "words", "change"), BROKEN, ids=[f"{c}-{w}" for c, w, _ in BROKEN])
def test_a_broken_invariant_is_named(
    copy: Callable[[str], Path], check: str, words: str, change: Callable[[h5py.File], None]
) -> None:
    path = copy("full") / SHARD
    with h5py.File(path, "a") as file:
        change(file)
    report = verify_path(path)
    assert [c.name for c in report.failures] == [check], report
    assert words in report.failures[0].problem
    assert report.failures[0].where == SHARD


def test_agreement_of_objects(copy: Callable[[str], Path]) -> None:
    path = copy("compact") / SHARD
    with h5py.File(path, "a") as file:
        file["instances/placement"][:2] = file["instances/placement"][:2][::-1]
    assert failures(verify_path(path)) == {("agreement", SHARD)}


def test_annotations_are_the_feasible_candidates(copy: Callable[[str], Path]) -> None:
    path = copy("compact") / SHARD
    with h5py.File(path, "a") as file:
        grasps = file["annotations/grasp"][:2]
        file["annotations/grasp"][:2] = grasps[::-1]
    assert failures(verify_path(path)) == {("annotations", SHARD)}


@pytest.mark.parametrize(("layout", "name"), [("wrist", "wrist_rotation"), ("wrist", "translation"), ("full", "hand")])
def test_a_wrong_hand_is_found_by_composing_again(copy: Callable[[str], Path], layout: str, name: str) -> None:
    path = copy(layout) / SHARD
    with h5py.File(path, "a") as file:
        values = file[f"annotations/{name}"][...]
        values[3, 2] += 1e-4
        file[f"annotations/{name}"][...] = values
    report = verify_path(path, Against(sample=10_000))
    assert failures(report) == {("sample", SHARD)}
    assert "row 3" in report.problems[0]
    if layout == "full":
        with h5py.File(path, "a") as file:
            values[3, 2] -= 1e-4
            values[3, 20] += 1e-4
            file["annotations/hand"][...] = values
        assert "finger pose" in verify_path(path, Against(sample=10_000)).problems[0]


def test_a_library_with_bad_values(tmp_path: Path, library_path: Path) -> None:
    path = Path(shutil.copy(library_path, tmp_path / "library.h5"))
    with h5py.File(path, "a") as file:
        file["objects/025_mug/pose"][2, 3] = np.nan
        file["objects/011_banana/grasp_type"][1] = 0
    report = verify_path(path)
    assert any("025_mug" in p and "pose, row 2" in p for p in report.problems)
    assert any("011_banana" in p and "0 is not one of 1 to 33" in p for p in report.problems)
    path.write_bytes(path.read_bytes()[:5000])
    assert "not a complete HDF5 file" in verify_path(path).problems[0]


def test_another_library_is_noticed(datasets: dict[str, Path]) -> None:
    sets = make_grasp_sets()
    pose = sets["025_mug"].pose.copy()
    pose[0, 0] += 1e-6
    changed = {**sets, "025_mug": replace(sets["025_mug"], pose=pose)}
    report = verify_path(datasets["compact"], Against(library=changed))
    assert failures(report) == {("library", SHARD)}
    assert "025_mug, row 0" in report.problems[0]
    shorter = {name: batch[:3] for name, batch in sets.items()}
    assert not verify_path(datasets["compact"], Against(library=shorter)).passed


class Source:
    """The dataset the shards were made from, or one that differs."""

    image_size = (640, 480)
    root = Path()

    def __init__(self, shift: float = 0.0, missing: int | None = None) -> None:
        self.shift, self.missing = shift, missing

    def scenes(self) -> tuple[int, ...]:
        return (1, 2)

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        return tuple(3 * k + 1 for k in range(12))

    def content_key(self, scene: int) -> str:
        return f"{scene} {self.shift}"

    def read(
        self, scene: int, frames: list[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        table = make_table(np.random.default_rng([0, scene]), scene, 12)
        if self.missing is not None:
            raise FrameError("no such frame", where="data/0001/000004-meta.mat")
        poses = table.Ts_camera_object.copy()
        poses[:, 0, 3] += self.shift
        rows = np.flatnonzero(np.isin(table.frames, frames))
        return replace(table, Ts_camera_object=poses).select(rows), ()

    def colour(self, scene: int, frame: int) -> None:
        return None

    depth = labels = colour_file = colour


def test_poses_are_those_of_the_source(datasets: dict[str, Path]) -> None:
    for layout in LAYOUTS:
        assert verify_path(datasets[layout], Against(source=Source(), frames=5)).passed
    report = verify_path(datasets["compact"], Against(source=Source(shift=1e-4)))
    assert failures(report) == {("source", SHARD), ("source", "shard-00002.h5")}
    report = verify_path(datasets["compact"], Against(source=Source(missing=4)))
    assert "no such frame" in report.problems[0]


def test_progress_is_announced(datasets: dict[str, Path]) -> None:
    seen: list[str] = []
    verify_path(datasets["compact"], progress=seen.append)
    assert seen == [SHARD, "shard-00002.h5", "index.h5"]
