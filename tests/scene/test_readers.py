"""Three readers, one protocol: the same data from a YCB-Video tree, a BOP tree and a pose table is the same table."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_doubles import INTRINSICS, random_transforms, write_bop, write_pose_table, write_tree

from yaff.errors import FormatError, FrameError, MissingFileError, PoseError, YaffError
from yaff.geometry.transforms import make_transform
from yaff.scene.bop import BopReader
from yaff.scene.frames import FrameTable, SceneReader
from yaff.scene.mat_file import read_numbers
from yaff.scene.meta_file import VARIABLES
from yaff.scene.pose_table import PoseTableReader
from yaff.scene.recognise import KINDS, open_scenes
from yaff.scene.ycb_video import YcbVideoReader

Array = np.ndarray
Frames = dict[int, tuple[list[int], Array]]


def _scene(rng: np.random.Generator) -> Frames:
    objects = [5, 14, 14, 21]
    poses = random_transforms(rng, 16).reshape(4, 4, 4, 4)
    poses[..., :3, 3] += (0.0, 0.0, 1.0)
    return {frame: (objects[: 4 - k % 2], poses[k, : 4 - k % 2]) for k, frame in enumerate((1, 2, 10, 11))}


@pytest.fixture
def scenes() -> dict[int, Frames]:
    rng = np.random.default_rng(3)
    return {0: _scene(rng), 48: _scene(rng)}


def _written(kind: str, folder: Path, scenes: dict[int, Frames]) -> Path:
    """The data in the layout of a kind; returns what a user would give to ``yaff project``."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "pose-table":
        write_pose_table(folder / "poses.npz", scenes)
        return folder / "poses.npz"
    for number, frames in scenes.items():
        (write_tree if kind == "ycb-video" else write_bop)(folder, number, frames)
    return folder


def _same(one: FrameTable, other: FrameTable, tolerance: float = 1e-6) -> None:
    assert one.scene == other.scene
    for name in ("frames", "instance_start", "object_index"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.abs(one.Ts_camera_object - other.Ts_camera_object).max(initial=0.0) < tolerance
    assert np.allclose(one.intrinsics, other.intrinsics)


class TestSame:
    def test_three_readers_of_the_same_data(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        readers = {kind: open_scenes(_written(kind, tmp_path / kind, scenes)) for kind in KINDS}
        assert [type(r) for r in readers.values()] == [PoseTableReader, YcbVideoReader, BopReader]
        for reader in readers.values():
            assert isinstance(reader, SceneReader)
            assert reader.scenes() == (0, 48)
            assert reader.frame_numbers(48) == (1, 2, 10, 11)
            assert reader.image_size == (640, 480)
            assert reader.root.is_dir()
            copy = pickle.loads(pickle.dumps(reader))
            for scene in reader.scenes():
                table, bad = copy.read(scene)
                assert bad == ()
                _same(table, readers["ycb-video"].read(scene)[0])
                chosen, _ = reader.read(scene, frames=[11, 2])
                _same(chosen, readers["ycb-video"].read(scene, frames=[2, 11])[0])
                assert chosen.frames.tolist() == [2, 11]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_key_changes_with_the_content_of_the_scene_and_not_else(
        self, kind: str, tmp_path: Path, scenes: dict[int, Frames]
    ) -> None:
        path = _written(kind, tmp_path, scenes)
        before = [open_scenes(path).content_key(scene) for scene in (0, 48)]
        assert [open_scenes(path).content_key(scene) for scene in (0, 48)] == before
        scenes[48][2][1][0, 0, 3] += 0.01
        _written(kind, tmp_path, {48: scenes[48]} if kind != "pose-table" else scenes)
        after = [open_scenes(path).content_key(scene) for scene in (0, 48)]
        assert after[0] == before[0]
        assert after[1] != before[1]

    def test_a_path_that_is_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(FormatError, match="not a dataset") as caught:
            open_scenes(tmp_path)
        for words in ("meta.mat", "scene_gt.json", ".parquet"):
            assert words in str(caught.value)
        with pytest.raises(MissingFileError, match="not found"):
            open_scenes(tmp_path / "nothing")

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_scene_that_is_not_there(self, kind: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        with pytest.raises(MissingFileError, match="no scene 7") as caught:
            open_scenes(_written(kind, tmp_path, scenes)).read(7)
        assert "48" in str(caught.value)


BAD_POSES = {
    "nan": (lambda T: T.__setitem__((0, 3), np.nan), PoseError, "NaN"),
    "mirrored": (lambda T: T.__setitem__((slice(3), 0), -T[:3, 0]), PoseError, "not a rotation"),
    "scaled": (lambda T: T.__setitem__((slice(3), slice(3)), 1.1 * T[:3, :3]), PoseError, "not a rotation"),
    "far": (lambda T: T.__setitem__((slice(3), 3), 1000.0 * T[:3, 3]), PoseError, "m from the camera"),
    "near": (lambda T: T.__setitem__((slice(3), 3), 0.001 * T[:3, 3]), PoseError, "m from the camera"),
}


@pytest.mark.parametrize("kind", KINDS)
class TestBadFrames:
    """One error that names file, frame and remedy; with skip_bad the frame is listed and the others are read."""

    def _refused(self, kind: str, path: Path, error: type[YaffError], match: str, cache: Path) -> None:
        for reader in (open_scenes(path), open_scenes(path, cache), open_scenes(path, cache)):
            with pytest.raises(error, match=match) as caught:
                reader.read(48)
            assert "frame 2 of scene 48" in str(caught.value)
            assert str(path) in str(caught.value)
            assert caught.value.remedy
            table, bad = reader.read(48, skip_bad=True)
            assert table.frames.tolist() == [1, 10, 11]
            assert [(b.scene, b.frame) for b in bad] == [(48, 2)]
            assert Path(bad[0].file).name in {"000002-meta.mat", "scene_gt.json", "poses.npz"}
            assert bad[0].reason
            assert reader.read(48, frames=[1, 10])[1] == ()

    @pytest.mark.parametrize("wrong", BAD_POSES)
    def test_poses(self, kind: str, wrong: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        spoil, error, match = BAD_POSES[wrong]
        if kind == "pose-table" and wrong in ("mirrored", "scaled"):
            return  # a quaternion is always a rotation; its length has a test of its own
        spoil(scenes[48][2][1][1])
        self._refused(kind, _written(kind, tmp_path / "x", scenes), error, match, tmp_path / "cache")

    def test_unknown_object(self, kind: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        scenes[48][2][0][0] = 77
        path = _written(kind, tmp_path / "x", scenes)
        self._refused(kind, path, FrameError, "unknown class index 77", tmp_path / "cache")

    def test_a_frame_that_is_not_there(self, kind: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        reader = open_scenes(_written(kind, tmp_path, scenes))
        with pytest.raises(FrameError, match=r"missing|not in|no such frame"):
            reader.read(48, frames=[1, 3])
        table, bad = reader.read(48, frames=[1, 3], skip_bad=True)
        assert table.frames.tolist() == [1]
        assert [b.frame for b in bad] == [3]


class TestCache:
    def test_a_scene_is_opened_once(
        self, tmp_path: Path, scenes: dict[int, Frames], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = _written("ycb-video", tmp_path / "x", scenes)
        first, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48)
        monkeypatch.setattr("yaff.scene.ycb_video.read_meta", lambda *a, **k: pytest.fail("opened again"))
        again, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48)
        _same(first, again, 1e-15)
        chosen, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48, frames=[1, 10, 11])
        assert chosen.frames.tolist() == [1, 10, 11]

    @pytest.mark.parametrize("change", ["rewrite", "add", "remove", "touch"])
    def test_a_stale_index_is_not_used(self, change: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = _written("ycb-video", tmp_path / "x", scenes)
        reader = YcbVideoReader(path, cache=tmp_path / "cache")
        before, _ = reader.read(48)
        meta = reader.path(48, 2, "meta.mat")
        if change == "rewrite":
            scenes[48][2][1][0, 0, 3] += 0.1
            write_tree(path, 48, {2: scenes[48][2]})
        elif change == "add":
            write_tree(path, 48, {3: scenes[48][2]})
        elif change == "remove":
            for file in meta.parent.glob("000002-*"):
                file.unlink()
        else:
            os.utime(meta)
        after, _ = reader.read(48)
        _same(after, YcbVideoReader(path).read(48)[0], 1e-15)
        entries = list((tmp_path / "cache" / "frames").glob("*.npz"))
        assert len(entries) == 2
        if change in ("rewrite", "add", "remove"):
            assert not np.array_equal(before.Ts_camera_object, after.Ts_camera_object)

    def test_a_damaged_index_is_made_again(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = _written("bop", tmp_path / "x", scenes)
        before, _ = BopReader(path, cache=tmp_path / "cache").read(48)
        entry = next((tmp_path / "cache" / "frames").glob("*.npz"))
        entry.write_bytes(entry.read_bytes()[:-50])
        _same(BopReader(path, cache=tmp_path / "cache").read(48)[0], before, 1e-15)


class TestNative:
    def test_meta_file_missing_beside_images(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = _written("ycb-video", tmp_path, scenes)
        YcbVideoReader(path).path(48, 2, "meta.mat").unlink()  # its box.txt stays
        with pytest.raises(FrameError, match=r"meta\.mat is missing"):
            YcbVideoReader(path).read(48)
        _, bad = YcbVideoReader(path).read(48, skip_bad=True)
        assert [b.frame for b in bad] == [2]

    def test_one_frame_under_two_names(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = _written("ycb-video", tmp_path, scenes)
        meta = YcbVideoReader(path).path(48, 2, "meta.mat")
        meta.with_name("2-meta.mat").write_bytes(meta.read_bytes())
        with pytest.raises(FrameError, match="frame 2 is there twice"):
            YcbVideoReader(path).read(48)

    @settings(max_examples=30, deadline=None)
    @given(
        st.integers(0, 2**32 - 1),
        st.sampled_from(["<f8", "<f4", "<i1", "<u1", "<i2", "<u2", "<i4", "<u4"]),
        st.booleans(),
    )
    def test_the_fast_way_reads_what_scipy_reads(self, seed: int, dtype: str, compressed: bool) -> None:
        import io

        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(0, 5, size=int(rng.integers(1, 4))).tolist())
        content = {
            "vertmap": rng.normal(size=(20, 30, 3)),
            "poses": (100 * rng.normal(size=shape)).astype(dtype),
            "factor_depth": np.uint16(rng.integers(1, 60000)),
            "cls_indexes": rng.integers(1, 22, size=(4, 1)).astype(np.uint8),
            "center": rng.normal(size=(4, 2)),
            "intrinsic_matrix": np.diag(rng.uniform(size=3)),
        }
        stream = io.BytesIO()
        scipy.io.savemat(stream, content, do_compression=compressed)
        stream.seek(0)
        fast = read_numbers(stream, VARIABLES)
        stream.seek(0)
        slow = scipy.io.loadmat(stream, variable_names=VARIABLES)
        assert fast is not None
        assert set(fast) == set(VARIABLES)
        for name in VARIABLES:
            assert fast[name].dtype == slow[name].dtype
            assert np.array_equal(fast[name], slow[name])

    def test_what_it_does_not_know_is_left_to_scipy(self) -> None:
        import io

        for content in ({"poses": np.array(["mug"])}, {"poses": 1j * np.ones(3)}, {"poses": np.ones(3) > 0}):
            stream = io.BytesIO()
            scipy.io.savemat(stream, content)
            stream.seek(0)
            assert read_numbers(stream, ("poses",)) is None
        for data in (b"", b"x" * 500, stream.getvalue()[:140]):
            assert not read_numbers(io.BytesIO(data), ("poses",))


class TestBop:
    def test_the_wrong_unit_is_detected_even_when_bad_frames_are_skipped(
        self, tmp_path: Path, scenes: dict[int, Frames]
    ) -> None:
        write_bop(tmp_path, 48, scenes[48], unit=1.0)  # metres
        with pytest.raises(FormatError, match="they look like metres") as caught:
            BopReader(tmp_path).read(48, skip_bad=True)
        assert "scene_gt.json" in str(caught.value)
        assert "millimetres" in str(caught.value.remedy)

    def test_frames_out_of_order_come_in_order(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path / "a", 48, scenes[48])
        write_bop(tmp_path / "b", 48, dict(reversed(scenes[48].items())))
        _same(BopReader(tmp_path / "a").read(48)[0], BopReader(tmp_path / "b").read(48)[0], 1e-15)

    def test_a_frame_that_is_there_twice(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path, 48, scenes[48])
        path = tmp_path / "000048" / "scene_gt.json"
        path.write_text(path.read_text()[:-1] + ', "2": []}')
        with pytest.raises(FrameError, match="twice"):
            BopReader(tmp_path).read(48)
        _, bad = BopReader(tmp_path).read(48, skip_bad=True)
        assert [b.frame for b in bad] == [2]

    def test_no_camera(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path, 48, scenes[48])
        path = tmp_path / "000048" / "scene_camera.json"
        cameras = json.loads(path.read_text())
        del cameras["2"]
        path.write_text(json.dumps(cameras))
        with pytest.raises(FrameError, match="no camera") as caught:
            BopReader(tmp_path).read(48)
        assert "frame 2 of scene 48" in str(caught.value)
        path.unlink()
        with pytest.raises(MissingFileError, match=r"no scene_camera\.json"):
            BopReader(tmp_path).read(48)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"a": []}', "\x00\x01"])
    def test_not_json(self, text: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path, 48, scenes[48])
        (tmp_path / "000048" / "scene_gt.json").write_text(text)
        with pytest.raises(FormatError, match=r"not JSON|not a table") as caught:
            BopReader(tmp_path).read(48)
        assert "scene_gt.json" in str(caught.value)

    @pytest.mark.parametrize(
        "entry", [{}, {"obj_id": 5, "cam_R_m2c": [1] * 8, "cam_t_m2c": [0, 0, 900]}, {"obj_id": "mug"}, 3]
    )
    def test_incomplete_entry(self, entry: object, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path, 48, scenes[48])
        path = tmp_path / "000048" / "scene_gt.json"
        document = json.loads(path.read_text())
        document["2"][1] = entry
        path.write_text(json.dumps(document))
        with pytest.raises(FrameError, match="an entry lacks"):
            BopReader(tmp_path).read(48)

    def test_splits_are_one_dataset_unless_they_share_a_scene(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        write_bop(tmp_path / "train_real", 0, scenes[0])
        write_bop(tmp_path / "test", 48, scenes[48])
        assert open_scenes(tmp_path).scenes() == (0, 48)
        write_bop(tmp_path / "test", 0, scenes[0])
        with pytest.raises(FormatError, match="scene 0 is in test and in train_real"):
            open_scenes(tmp_path)
        assert open_scenes(tmp_path / "test").scenes() == (0, 48)

    def test_models_at_the_middle_of_their_boxes_are_brought_back(
        self, tmp_path: Path, scenes: dict[int, Frames]
    ) -> None:
        """A point on the object is at the same place in the camera, whichever model frame the tree is in."""
        from yaff.objects.catalogue import Catalogue

        known = Catalogue.load()
        offset = {known[name].index: known[name].bop_offset for name in known.names}
        moved = {
            frame: (ids, np.stack([T @ make_transform(np.eye(3), -offset[i]) for i, T in zip(ids, Ts, strict=True)]))
            for frame, (ids, Ts) in scenes[48].items()
        }
        write_bop(tmp_path / "own", 48, scenes[48])
        write_bop(tmp_path / "bop" / "test", 48, moved)
        (tmp_path / "bop" / "models").mkdir()
        box = {f"min_{a}": -50.0 for a in "xyz"} | {f"size_{a}": 100.0 for a in "xyz"}
        info = tmp_path / "bop" / "models" / "models_info.json"
        info.write_text(json.dumps({str(i): box for i in range(1, 22)}))
        expected, _ = BopReader(tmp_path / "own").read(48)
        for root in (tmp_path / "bop", tmp_path / "bop" / "test"):
            _same(BopReader(root).read(48)[0], expected)
        info.write_text(json.dumps({"1": {**box, "min_x": -40.0}}))  # models that are not centred: the file's own frame
        assert np.abs(BopReader(tmp_path / "bop").read(48)[0].Ts_camera_object - expected.Ts_camera_object).max() > 1e-3
        info.write_text("[1]")
        with pytest.raises(FormatError, match="not a table of models"):
            BopReader(tmp_path / "bop").read(48)

    def test_images(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        from PIL import Image

        write_bop(tmp_path, 48, scenes[48])
        reader = BopReader(tmp_path)
        assert reader.colour_file(48, 1) is None
        for image in (reader.colour, reader.depth, reader.labels):
            assert image(48, 1) is None
        rng = np.random.default_rng(0)
        colour = rng.integers(0, 255, (480, 640, 3)).astype(np.uint8)
        depth = rng.integers(0, 20000, (480, 640)).astype(np.uint16)
        folder = tmp_path / "000048"
        for name, pixels in (("rgb", colour), ("depth", depth)):
            (folder / name).mkdir()
            Image.fromarray(pixels).save(folder / name / "000001.png")
        (folder / "mask_visib").mkdir()
        for k in range(4):
            mask = np.zeros((480, 640), np.uint8)
            mask[100 * k : 100 * k + 100] = 255
            Image.fromarray(mask).save(folder / "mask_visib" / f"000001_{k:06d}.png")
        assert reader.colour_file(48, 1) == folder / "rgb" / "000001.png"
        assert np.array_equal(reader.colour(48, 1), colour)  # type: ignore[arg-type]
        metres = reader.depth(48, 1)
        assert metres is not None
        assert np.allclose(np.nan_to_num(metres), depth * 1e-4)
        labels = reader.labels(48, 1)
        assert labels is not None
        assert labels[::100, 0].tolist() == [5, 14, 14, 21, 0]
        (folder / "mask_visib" / "000001_000003.png").unlink()
        with pytest.raises(FrameError, match="3 masks of 4 objects"):
            reader.labels(48, 1)


class TestPoseTable:
    def _columns(self, scenes: dict[int, Frames]) -> dict[str, Array]:
        rows = [
            (s, f, o, T) for s, v in scenes.items() for f, (ids, Ts) in v.items() for o, T in zip(ids, Ts, strict=True)
        ]
        Ts = np.stack([T for *_, T in rows])
        columns = {name: np.array([row[k] for row in rows]) for k, name in enumerate(("scene", "frame", "object"))}
        return columns | {"rotation": Ts[:, :3, :3], "translation_m": Ts[:, :3, 3], "intrinsics": INTRINSICS}

    def test_every_way_to_write_it(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        from yaff.geometry.transforms import quaternion_wxyz_from_rotation
        from yaff.objects.catalogue import Catalogue

        columns = self._columns(scenes)
        names = np.array(["", *Catalogue.load().names])[columns["object"]]
        quaternion = quaternion_wxyz_from_rotation(columns["rotation"])
        n = len(names)
        K = np.broadcast_to(INTRINSICS, (n, 3, 3))
        ways = {
            "names": {"object": names},
            "matrices in columns": {f"r{i}{j}": columns["rotation"][:, i, j] for i in range(3) for j in range(3)},
            "quaternions": {"quaternion_wxyz": quaternion},
            "quaternions in columns": dict(zip(("qw", "qx", "qy", "qz"), quaternion.T, strict=True)),
            "translation in columns": dict(zip(("tx_m", "ty_m", "tz_m"), columns["translation_m"].T, strict=True)),
            "cameras": {"intrinsics": K},
            "cameras in columns": {"fx": K[:, 0, 0], "fy": K[:, 1, 1], "cx": K[:, 0, 2], "cy": K[:, 1, 2]},
        }
        replaced = {
            "matrices in columns": "rotation", "quaternions": "rotation", "quaternions in columns": "rotation",
            "translation in columns": "translation_m", "cameras in columns": "intrinsics",
        }  # fmt: skip
        np.savez(tmp_path / "first.npz", **columns)
        expected, _ = PoseTableReader(tmp_path / "first.npz").read(48)
        for way, instead in ways.items():
            kept = {name: value for name, value in columns.items() if name != replaced.get(way)}
            np.savez(tmp_path / "t.npz", **(kept | instead))
            _same(PoseTableReader(tmp_path / "t.npz").read(48)[0], expected)

    def test_parquet(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        pyarrow = pytest.importorskip("pyarrow", reason="the extra 'parquet' is not installed")
        from pyarrow import parquet

        columns = self._columns(scenes)
        np.savez(tmp_path / "t.npz", **columns)
        flat = {name: columns[name] for name in ("scene", "frame", "object")}
        flat |= {f"r{i}{j}": columns["rotation"][:, i, j] for i in range(3) for j in range(3)}
        flat |= dict(zip(("tx_m", "ty_m", "tz_m"), columns["translation_m"].T, strict=True))
        for name, (i, j) in {"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}.items():
            flat[name] = np.full(len(columns["scene"]), INTRINSICS[i, j])
        flat["image_width"], flat["image_height"] = np.full((2, len(columns["scene"])), [[1280], [720]])
        parquet.write_table(pyarrow.table(flat), tmp_path / "t.parquet")
        reader = open_scenes(tmp_path / "t.parquet")
        _same(reader.read(48)[0], PoseTableReader(tmp_path / "t.npz").read(48)[0])
        assert reader.image_size == (1280, 720)
        (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing")
        with pytest.raises(FormatError, match="not a Parquet table"):
            open_scenes(tmp_path / "bad.parquet")

    def test_rows_in_any_order(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        """Whole frames may come in any order; the objects of a frame stay in theirs."""
        columns = self._columns(scenes)
        np.savez(tmp_path / "a.npz", **columns)
        order = np.lexsort((np.arange(len(columns["frame"])), -columns["frame"], -columns["scene"]))
        np.savez(tmp_path / "b.npz", **{k: v if k == "intrinsics" else v[order] for k, v in columns.items()})
        for scene in (0, 48):
            one, other = (PoseTableReader(tmp_path / f"{name}.npz").read(scene)[0] for name in "ab")
            _same(one, other, 1e-15)

    def test_a_frame_in_two_places_may_be_two_frames(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        columns = self._columns(scenes)
        here = np.flatnonzero((columns["scene"] == 48) & (columns["frame"] == 2))
        order = np.append(np.delete(np.arange(len(columns["scene"])), here[0]), here[0])
        np.savez(tmp_path / "t.npz", **{k: v if k == "intrinsics" else v[order] for k, v in columns.items()})
        with pytest.raises(FrameError, match="out of order") as caught:
            PoseTableReader(tmp_path / "t.npz").read(48)
        assert "frame 2 of scene 48" in str(caught.value)
        table, bad = PoseTableReader(tmp_path / "t.npz").read(48, skip_bad=True)
        assert [b.frame for b in bad] == [2]
        assert table.frames.tolist() == [1, 10, 11]
        assert PoseTableReader(tmp_path / "t.npz").read(0)[1] == ()

    def test_other_bad_rows(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        from yaff.geometry.transforms import quaternion_wxyz_from_rotation

        columns = self._columns(scenes)
        row = int(np.flatnonzero((columns["scene"] == 48) & (columns["frame"] == 2))[1])
        first = int(np.flatnonzero((columns["scene"] == 48) & (columns["frame"] == 2))[0])
        quaternion = quaternion_wxyz_from_rotation(columns["rotation"])
        quaternion[row] *= 1.5
        names = np.where(np.arange(len(columns["object"])) == row, "099_unknown", "025_mug")
        cameras = np.broadcast_to(INTRINSICS, (len(names), 3, 3)).copy()
        cameras[first, 0, 0] = 0.0
        for change, error, match in (
            ({"quaternion_wxyz": quaternion}, PoseError, "NaN|rotation"),
            ({"object": names}, FrameError, "unknown class index"),
            ({"intrinsics": cameras}, FrameError, "no camera"),
        ):
            np.savez(tmp_path / "t.npz", **(columns | change))
            with pytest.raises(error, match=match) as caught:
                PoseTableReader(tmp_path / "t.npz").read(48)
            assert f"row {first}" in str(caught.value)
            assert [b.frame for b in PoseTableReader(tmp_path / "t.npz").read(48, skip_bad=True)[1]] == [2]

    def test_the_wrong_unit(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        columns = self._columns(scenes)
        np.savez(tmp_path / "t.npz", **(columns | {"translation_m": 1000.0 * columns["translation_m"]}))
        with pytest.raises(FormatError, match="they look like millimetres"):
            PoseTableReader(tmp_path / "t.npz").read(48, skip_bad=True)

    @pytest.mark.parametrize("missing", ["scene", "frame", "object", "rotation", "translation_m", "intrinsics"])
    def test_a_column_is_missing(self, missing: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        columns = self._columns(scenes)
        del columns[missing]
        np.savez(tmp_path / "t.npz", **columns)
        with pytest.raises(FormatError, match=f"lacks.*{missing}") as caught:
            PoseTableReader(tmp_path / "t.npz")
        assert "file-formats" in str(caught.value.remedy)

    def test_files_that_are_none(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        columns = self._columns(scenes)
        (tmp_path / "t.npz").write_bytes(b"nothing")
        with pytest.raises(FormatError, match=r"not an \.npz"):
            PoseTableReader(tmp_path / "t.npz")
        with pytest.raises(MissingFileError, match="no pose table"):
            PoseTableReader(tmp_path / "absent.npz")
        (tmp_path / "t.csv").write_text("a,b")
        with pytest.raises(FormatError, match=r"ends in \.npz or \.parquet"):
            PoseTableReader(tmp_path / "t.csv")
        for change in (
            {"frame": columns["frame"][:-1]},
            {"frame": columns["frame"] + 0.5},
            {"scene": -1 - columns["scene"]},
            {"rotation": columns["rotation"][:3]},
            {"intrinsics": np.eye(4)},
        ):
            np.savez(tmp_path / "t.npz", **(columns | change))
            with pytest.raises(FormatError):
                PoseTableReader(tmp_path / "t.npz")

    def test_tracks(self, tmp_path: Path) -> None:
        """Two objects in three frames of scene 60, one in two of scene 7."""
        from yaff.geometry.transforms import quaternion_wxyz_from_rotation

        Ts = random_transforms(np.random.default_rng(0), 8)
        Ts[:, 2, 3] += 1.0
        tracks = {
            "track_scene": np.array([60, 60, 7]),
            "track_object": np.array([3, 8, 2]),
            "track_start": np.array([0, 3, 6, 8]),
            "quaternion_wxyz": quaternion_wxyz_from_rotation(Ts[:, :3, :3]),
            "translation_m": Ts[:, :3, 3],
        }
        np.savez(tmp_path / "t.npz", **tracks)
        reader = PoseTableReader(tmp_path / "t.npz")
        assert reader.scenes() == (7, 60)
        table, _ = reader.read(60)
        assert table.frames.tolist() == [1, 2, 3]
        assert table.object_index.tolist() == [3, 8] * 3
        assert np.abs(table.Ts_camera_object - Ts[[0, 3, 1, 4, 2, 5]]).max() < 1e-12
        assert table.intrinsics[0, 0, 0] == 1077.836  # YCB-Video's second camera
        for change, match in (
            ({"track_start": np.array([0, 2, 6, 8])}, "all of a scene have the same"),
            ({"track_start": np.array([0, 3, 6, 9])}, "not an ascending table"),
            ({"track_scene": np.array([600, 600, 7])}, "names no camera"),
        ):
            np.savez(tmp_path / "t.npz", **(tracks | change))
            with pytest.raises(FormatError, match=match):
                PoseTableReader(tmp_path / "t.npz")
        np.savez(tmp_path / "t.npz", **tracks, intrinsics=INTRINSICS, image_size=np.array([1280, 960]))
        assert PoseTableReader(tmp_path / "t.npz").image_size == (1280, 960)
        assert PoseTableReader(tmp_path / "t.npz").read(60)[0].intrinsics[0, 0, 0] == INTRINSICS[0, 0]


@pytest.mark.realdata
def test_the_real_frame_three_ways(real_data: Path, tmp_path: Path) -> None:
    """The real meta.mat, and the same frame of the pose table, written out again as BOP."""
    native, _ = YcbVideoReader(real_data / "YCB_Video_Dataset").read(0)
    table, _ = open_scenes(real_data / "ycb_video_poses.npz").read(0, frames=[1])
    _same(table, native, 4e-6)  # the table is float32, and equal to the original to 2e-6
    write_bop(tmp_path, 0, {1: (native.object_index.tolist(), native.Ts_camera_object)})
    _same(BopReader(tmp_path).read(0)[0], native)
