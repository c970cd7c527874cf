"""Shards: three layouts that say the same, bytes that depend on the content only, and an index over all of them."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up import OBJECTS, hand, make_content, make_dataset, make_grasp_sets

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import apply, invert
from yaff.hand.model import HandModel
from yaff.store import shards
from yaff.store.content import Candidates, ShardContent, assemble_shard, grasp_table
from yaff.store.layouts import LAYOUTS, POSE, ROTATION, TRANSLATION
from yaff.store.manifest import Manifest, finish_dataset
from yaff.store.reading import ShardSet
from yaff.store.shards import ShardReader, ShardRecord, write_shard

LAYOUT = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture(scope="module")
def content() -> ShardContent:
    return make_content(make_grasp_sets(), 1)


def annotations(content: ShardContent) -> list[tuple[int, int, int]]:
    """(frame row, instance, grasp row) of every annotation, by the definition, one at a time."""
    result = []
    for frame in range(len(content.table)):
        span = content.table.instances(frame)
        for instance in range(span.start, span.stop):
            placement = content.placement[instance]
            tried = range(content.candidate_start[placement], content.candidate_start[placement + 1])
            feasible = [q for q in tried if content.candidate_code[q] == 0]
            result += [(frame, instance, int(content.candidate_grasp[q])) for q in feasible]
    return result


@LAYOUT
def test_annotations_are_the_feasible_grasps_of_every_instance(
    datasets: dict[str, Path], content: ShardContent, layout: str
) -> None:
    reader = ShardReader.open(datasets[layout] / "shard-00001.h5")
    expected = annotations(content)
    rows = np.arange(len(reader))
    assert len(reader) == len(expected) > 100
    instance = reader.instance_of(rows)
    found = zip(
        reader.frame_row_of(instance).tolist(), instance.tolist(), reader["annotations/grasp"].tolist(), strict=True
    )
    assert list(found) == expected


@LAYOUT
def test_hands_stand_where_object_pose_and_grasp_say(
    datasets: dict[str, Path], content: ShardContent, layout: str
) -> None:
    """Vertices posed in the object frame and moved by the object's pose, against vertices of what is read."""
    reader, model = ShardReader.open(datasets[layout] / "shard-00001.h5"), hand()
    chosen = np.linspace(0, len(reader) - 1, 40).astype(int)
    for row in chosen.tolist():
        _, instance, grasp = annotations(content)[row]
        part = {name: content.grasps[name][grasp : grasp + 1].astype(float) for name in ("pose", "shape")}
        wrist = [content.grasps[name][grasp : grasp + 1].astype(float) for name in ("wrist_rotation", "translation")]
        in_object = model.vertices(part["pose"], *wrist, part["shape"])
        expected = apply(content.table.Ts_camera_object[instance], in_object[0])
        read = reader.parameters(row, row + 1).astype(float)
        found = model.vertices(read[:, POSE], read[:, ROTATION], read[:, TRANSLATION], part["shape"])[0]
        assert np.abs(found - expected).max() < 1e-5


def test_layouts_agree_to_the_bit(datasets: dict[str, Path]) -> None:
    sets = {layout: ShardSet.open(folder) for layout, folder in datasets.items()}
    rows = np.random.default_rng(0).permutation(len(sets["full"]))
    batches = {layout: found.batch(rows) for layout, found in sets.items()}
    for name, expected in batches["full"].items():
        for layout in ("compact", "wrist"):
            np.testing.assert_array_equal(batches[layout][name], expected, err_msg=f"{layout} {name}")
    for layout in ("compact", "wrist"):
        np.testing.assert_array_equal(sets[layout].parameters(), sets["full"].parameters())


@LAYOUT
def test_samples_hang_together(datasets: dict[str, Path], layout: str) -> None:
    found, model = ShardSet.open(datasets[layout]), hand()
    batch = found.batch(np.arange(len(found)))
    np.testing.assert_array_equal(batch["object_index"], [OBJECTS[name] for name in batch["object"]])
    roots = model.root(batch["shape"].astype(float))
    np.testing.assert_allclose(batch["T_camera_hand"][:, :3, 3], roots + batch["translation"], atol=1e-6)
    # the hand frame sits at the wrist joint
    pose, rotation, translation = (batch[n].astype(float) for n in ("pose", "wrist_rotation", "translation"))
    T = model.wrist_transform(rotation, translation, batch["shape"].astype(float))
    np.testing.assert_allclose(batch["T_camera_hand"], T, atol=1e-6)
    joints = model.joints(pose, rotation, translation, batch["shape"].astype(float))
    np.testing.assert_allclose(joints[:, 0], batch["T_camera_hand"][:, :3, 3], atol=1e-6)
    # in the object frame every annotation of a grasp is the same hand
    T_object_hand = invert(batch["T_camera_object"]) @ batch["T_camera_hand"]
    keys = np.stack([batch["object_index"], batch["library_row"]], 1)
    for key in np.unique(keys, axis=0):
        same = T_object_hand[(keys == key).all(axis=1)]
        assert np.abs(same - same[0]).max() < 1e-6


@LAYOUT
def test_gathered_and_consecutive_reading_agree(datasets: dict[str, Path], layout: str) -> None:
    found = ShardSet.open(datasets[layout])
    batch = found.batch(np.arange(len(found)))
    joined = np.concatenate([batch["wrist_rotation"], batch["pose"], batch["translation"]], axis=1)
    np.testing.assert_array_equal(joined, found.parameters())
    for first, last in ((0, 0), (3, 4), (5, 300), (len(found) - 1, len(found))):
        np.testing.assert_array_equal(found.parameters(first, last), joined[first:last])


@LAYOUT
def test_bytes_depend_on_the_content_only(tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path / "a", layout)
    time.sleep(1.1 if layout == "full" else 0)  # HDF5's clock ticks in seconds
    monkeypatch.setattr(shards, "CHUNK_ROWS", 37)  # the size of the pieces does not show
    make_dataset(tmp_path / "elsewhere" / "b", layout)
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["index.h5", "manifest.json", "shard-00001.h5", "shard-00002.h5"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "elsewhere" / "b" / name).read_bytes(), name


def test_memory_of_writing_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: ShardContent) -> None:
    sizes = []
    encode = type(LAYOUTS["full"]).encode

    def watched(self: object, compose: object, pose: object) -> object:
        result = encode(self, compose, pose)  # type: ignore[arg-type]
        sizes.append(len(result["hand"]))
        return result

    monkeypatch.setattr(type(LAYOUTS["full"]), "encode", watched)
    monkeypatch.setattr(shards, "CHUNK_ROWS", 64)
    write_shard(tmp_path / "shard-00001.h5", "full", content)
    assert max(sizes) <= 64
    assert sum(sizes) == content.annotation_start[-1]


def test_a_scene_without_grasps(tmp_path: Path) -> None:
    base = make_content(make_grasp_sets(), 1)
    groups = base.placement_arrangement
    nothing = np.zeros(0, np.uint8), np.zeros(0, np.float32)
    empty = assemble_shard(
        base.table,
        _arrangements(base),
        [[nothing] * int((groups == a).sum()) for a in range(len(base.representative))],
        [None] * len(base.representative),
        {},
        hand(),
        OBJECTS,
    )
    for layout in LAYOUTS:
        path = tmp_path / layout / "shard-00001.h5"
        write_shard(path, layout, empty)
        finish_dataset(path.parent, [ShardRecord.of(path)])
        found = ShardSet.open(path.parent)
        assert len(found) == 0
        assert found.parameters().shape == (0, 51)
        assert found.batch(np.zeros(0, int))["pose"].shape == (0, 45)
        assert len(found.select(types=[1])) == 0


def _arrangements(content: ShardContent) -> object:
    from yaff.scene.arrangements import group_arrangements

    return group_arrangements(content.table)


def test_visibility_is_optional(tmp_path: Path, content: ShardContent) -> None:
    seen = np.linspace(0, 1, len(content.placement), dtype=np.float32)
    write_shard(tmp_path / "shard-00001.h5", "compact", replace(content, visibility=seen))
    np.testing.assert_array_equal(ShardReader.open(tmp_path / "shard-00001.h5")["instances/visibility"], seen)
    finish_dataset(tmp_path, [ShardRecord.of(tmp_path / "shard-00001.h5")])
    with h5py.File(tmp_path / "index.h5") as file:
        np.testing.assert_array_equal(file["instances/visibility"][:], seen)
    write_shard(tmp_path / "shard-00002.h5", "compact", make_content(make_grasp_sets(), 2))
    assert "instances/visibility" not in ShardReader.open(tmp_path / "shard-00002.h5")
    finish_dataset(tmp_path, [ShardRecord.of(tmp_path / f"shard-0000{k}.h5") for k in (1, 2)])
    with h5py.File(tmp_path / "index.h5") as file:  # not known of all: not there
        assert "visibility" not in file["instances"]


def test_reads_what_another_program_has_compressed(tmp_path: Path, datasets: dict[str, Path]) -> None:
    source, path = datasets["full"] / "shard-00001.h5", tmp_path / "shard-00001.h5"
    shutil.copy(source, path)
    with h5py.File(path, "a") as file:
        for name in ("annotations/hand", "instances/T_camera_object"):
            values, attributes = file[name][...], dict(file[name].attrs)
            del file[name]
            file.create_dataset(name, data=values, chunks=True, compression="gzip")
            file[name].attrs.update(attributes)
    np.testing.assert_array_equal(ShardReader.open(path).parameters(), ShardReader.open(source).parameters())


@LAYOUT
def test_readers_cross_processes(datasets: dict[str, Path], layout: str) -> None:
    found = ShardSet.open(datasets[layout])
    expected = found.batch(np.array([5, 400]))
    for name, values in pickle.loads(pickle.dumps(found)).batch(np.array([5, 400])).items():
        np.testing.assert_array_equal(values, expected[name])
    reader = found.reader(0)
    assert len(pickle.dumps(reader)) < 20_000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reader)).parameters(3, 9), reader.parameters(3, 9))


SHOW_INDEX = """
import sys, h5py
with h5py.File(sys.argv[1]) as file:
    start = file["shards/annotation_start"][:]
    print(file["annotations/hand"][start[1]].tolist())
"""


def test_the_index_shows_all_shards_from_anywhere(tmp_path: Path, datasets: dict[str, Path]) -> None:
    folder = shutil.copytree(datasets["full"], tmp_path / "moved")
    found = ShardSet.open(folder)
    done = subprocess.run(
        [sys.executable, "-c", SHOW_INDEX, str(folder / "index.h5")],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    first = int(found.index["shards/annotation_start"][1])
    assert np.allclose(eval(done.stdout), found.parameters(first, first + 1)[0], atol=0)
    with h5py.File(folder / "index.h5") as file:
        np.testing.assert_array_equal(file["annotations/hand"][...], found.parameters())
        batch = found.batch(np.arange(len(found)))
        # all the way through the index alone: annotation -> instance -> frame, and -> grasp
        rows = np.arange(len(found))
        instance = np.searchsorted(file["instances/annotation_start"][:], rows, side="right") - 1
        frame = np.searchsorted(file["frames/instance_start"][:], instance, side="right") - 1
        shard = np.searchsorted(file["shards/annotation_start"][:], rows, side="right") - 1
        grasp = file["shards/grasp_start"][:][shard] + file["annotations/grasp"][:]
        np.testing.assert_array_equal(file["frames/frame"][:][frame], batch["frame"])
        np.testing.assert_array_equal(file["frames/scene"][:][frame], batch["scene"])
        np.testing.assert_array_equal(file["instances/T_camera_object"][:][instance], batch["T_camera_object"])
        np.testing.assert_array_equal(file["grasps/grasp_type"][:][grasp], batch["grasp_type"])
        placement = file["instances/placement"][:][instance]
        np.testing.assert_array_equal(file["placements/object_index"][:][placement], batch["object_index"])
        np.testing.assert_array_equal(
            file["placements/arrangement"][:][placement], file["frames/arrangement"][:][frame]
        )


def test_refusals(tmp_path: Path, datasets: dict[str, Path], content: ShardContent) -> None:
    with pytest.raises(InputError, match="compact, wrist, full"):
        write_shard(tmp_path / "shard.h5", "tiny", content)
    with pytest.raises(MissingFileError, match="has not ended"):
        ShardSet.open(tmp_path)
    folder = shutil.copytree(datasets["compact"], tmp_path / "missing")
    (folder / "shard-00002.h5").unlink()
    found = ShardSet.open(folder)
    with pytest.raises(MissingFileError, match=r"lists shard-00002\.h5, which is missing"):
        found.batch(np.array([len(found) - 1]))
    shutil.copy(datasets["compact"] / "shard-00001.h5", folder / "shard-00002.h5")
    with pytest.raises(FormatError, match="of another build"):
        ShardSet.open(folder).batch(np.array([len(found) - 1]))
    shutil.copy(datasets["full"] / "shard-00001.h5", folder / "shard-00003.h5")
    records = [ShardRecord.of(folder / f"shard-0000{k}.h5") for k in (3, 2)]
    with pytest.raises(FormatError, match=r"layout full, where shard-00002\.h5 is compact"):
        finish_dataset(folder, records)


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.01])
def test_a_truncated_shard_is_refused_not_mapped(tmp_path: Path, datasets: dict[str, Path], keep: float) -> None:
    path = shutil.copy(datasets["full"] / "shard-00001.h5", tmp_path / "shard-00001.h5")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(FormatError, match="not a complete HDF5 file") as caught:
        ShardReader.open(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize("version", [0, 99])
def test_another_schema_version_is_refused(tmp_path: Path, datasets: dict[str, Path], version: int) -> None:
    folder = shutil.copytree(datasets["wrist"], tmp_path / "dataset")
    for name in ("shard-00001.h5", "index.h5"):
        with h5py.File(folder / name, "a") as file:
            file.attrs.modify("schema_version", version)
    for opener in (lambda: ShardReader.open(folder / "shard-00001.h5"), lambda: ShardSet.open(folder)):
        with pytest.raises(FormatError, match=f"schema version {version}; this program reads version [123]") as caught:
            opener()
        assert caught.value.remedy
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"schema_version": 1', f'"schema_version": {version}'))
    with pytest.raises(FormatError, match=f"dataset manifest of schema version {version}"):
        Manifest.open(folder)


def test_the_manifest_says_what_is_there(datasets: dict[str, Path], content: ShardContent) -> None:
    manifest = Manifest.open(datasets["full"])
    assert [record.file for record in manifest.shards] == ["shard-00001.h5", "shard-00002.h5"]
    record = manifest.shards[0]
    assert record.annotations == content.annotation_start[-1] == len(annotations(content))
    assert record.inputs == "test/1"
    assert record.infeasible == {
        reason: int((content.candidate_code == code).sum())
        for code, reason in enumerate(("neighbour", "table", "unreachable"), start=1)
    }
    assert manifest.totals["frames"] == 24
    assert manifest.document["splits"] == {"train": 16, "val": 8}
    assert manifest.document["hand"]["digest"] == hand().digest
    assert manifest.bad_frames[0].frame == 2
    assert ShardRecord(**record.document()) == record


def test_content_that_does_not_fit_is_refused(content: ShardContent) -> None:
    wrong: dict[str, object] = {
        "placement": content.placement[:-1],
        "arrangement": content.arrangement + 5,
        "candidate_grasp": content.candidate_grasp + 1000,
        "placement_object": content.placement_object[::-1].copy(),
        "objects": {"025_mug": 14},
        "splits": {str(k): np.zeros(12, bool) for k in range(33)},
    }
    for name, value in wrong.items():
        with pytest.raises(InputError, match="scene 1"):
            replace(content, **{name: value})  # type: ignore[arg-type]


def test_grasps_keep_their_place_in_the_library() -> None:
    sets = make_grasp_sets()
    usable = {OBJECTS[name]: Candidates.usable(batch) for name, batch in sets.items()}
    columns, rows = grasp_table(usable, hand())
    for name, index in OBJECTS.items():
        kept = sets[name][columns["library_row"][rows[index]]]
        assert kept.verified.all()
        assert len(kept) == sets[name].verified.sum()
        np.testing.assert_array_equal(columns["pose"][rows[index]], kept.pose)
        np.testing.assert_array_equal(columns["measures/epsilon"][rows[index]], kept.measures["epsilon"])


def test_the_built_in_hand(tmp_path: Path) -> None:
    """The loader's hands of the hand that comes with the program, to 1e-5 m, in all layouts."""
    from yaff.hand import load_hand

    model: HandModel = load_hand()
    sets = make_grasp_sets()
    content = make_content(sets, 1, model=model)
    for layout in LAYOUTS:
        write_shard(tmp_path / layout / "shard-00001.h5", layout, content)
        finish_dataset(tmp_path / layout, [ShardRecord.of(tmp_path / layout / "shard-00001.h5")])
        found = ShardSet.open(tmp_path / layout)
        rows = np.random.default_rng(3).choice(len(found), 20, replace=False)
        batch = found.batch(rows)
        columns = [batch[n].astype(float) for n in ("pose", "wrist_rotation", "translation", "shape")]
        names = dict(zip(OBJECTS.values(), OBJECTS, strict=True))
        for k, posed in enumerate(model.vertices(*columns)):
            grasp = sets[names[int(batch["object_index"][k])]][[int(batch["library_row"][k])]]
            expected = apply(batch["T_camera_object"][k], model.vertices(grasp)[0])
            assert np.abs(posed - expected).max() < 1e-5
