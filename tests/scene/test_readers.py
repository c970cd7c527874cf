"""Three readers, one protocol: the same data from a YCB-Video tree, a BOP tree and a pose table is the same table."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scene_doubles import Frames, assert_same_frames, write_as, write_bop, write_tree

from yaff.errors import FormatError, FrameError, MissingFileError, PoseError, YaffError
from yaff.scene.bop import BopReader
from yaff.scene.frames import SceneReader
from yaff.scene.pose_table import PoseTableReader
from yaff.scene.recognise import KINDS, open_scenes
from yaff.scene.ycb_video import YcbVideoReader


class TestSame:
    def test_three_readers_of_the_same_data(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        readers = {kind: open_scenes(write_as(kind, tmp_path / kind, scenes)) for kind in KINDS}
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
                assert_same_frames(table, readers["ycb-video"].read(scene)[0])
                chosen, _ = reader.read(scene, frames=[11, 2])
                assert_same_frames(chosen, readers["ycb-video"].read(scene, frames=[2, 11])[0])
                assert chosen.frames.tolist() == [2, 11]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_key_changes_with_the_content_of_the_scene_and_not_else(
        self, kind: str, tmp_path: Path, scenes: dict[int, Frames]
    ) -> None:
        path = write_as(kind, tmp_path, scenes)
        before = [open_scenes(path).content_key(scene) for scene in (0, 48)]
        assert [open_scenes(path).content_key(scene) for scene in (0, 48)] == before
        scenes[48][2][1][0, 0, 3] += 0.01
        write_as(kind, tmp_path, {48: scenes[48]} if kind != "pose-table" else scenes)
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
            open_scenes(write_as(kind, tmp_path, scenes)).read(7)
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
        self._refused(kind, write_as(kind, tmp_path / "x", scenes), error, match, tmp_path / "cache")

    def test_unknown_object(self, kind: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        scenes[48][2][0][0] = 77
        path = write_as(kind, tmp_path / "x", scenes)
        self._refused(kind, path, FrameError, "unknown class index 77", tmp_path / "cache")

    def test_a_frame_that_is_not_there(self, kind: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        reader = open_scenes(write_as(kind, tmp_path, scenes))
        with pytest.raises(FrameError, match=r"missing|not in|no such frame"):
            reader.read(48, frames=[1, 3])
        table, bad = reader.read(48, frames=[1, 3], skip_bad=True)
        assert table.frames.tolist() == [1]
        assert [b.frame for b in bad] == [3]


class TestCache:
    def test_a_scene_is_opened_once(
        self, tmp_path: Path, scenes: dict[int, Frames], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_as("ycb-video", tmp_path / "x", scenes)
        first, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48)
        monkeypatch.setattr("yaff.scene.ycb_video.read_meta", lambda *a, **k: pytest.fail("opened again"))
        again, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48)
        assert_same_frames(first, again, 1e-15)
        chosen, _ = YcbVideoReader(path, cache=tmp_path / "cache").read(48, frames=[1, 10, 11])
        assert chosen.frames.tolist() == [1, 10, 11]

    @pytest.mark.parametrize("change", ["rewrite", "add", "remove", "touch"])
    def test_a_stale_index_is_not_used(self, change: str, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = write_as("ycb-video", tmp_path / "x", scenes)
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
        assert_same_frames(after, YcbVideoReader(path).read(48)[0], 1e-15)
        entries = list((tmp_path / "cache" / "frames").glob("*.npz"))
        assert len(entries) == 2
        if change in ("rewrite", "add", "remove"):
            assert not np.array_equal(before.Ts_camera_object, after.Ts_camera_object)

    def test_a_damaged_index_is_made_again(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = write_as("bop", tmp_path / "x", scenes)
        before, _ = BopReader(path, cache=tmp_path / "cache").read(48)
        entry = next((tmp_path / "cache" / "frames").glob("*.npz"))
        entry.write_bytes(entry.read_bytes()[:-50])
        assert_same_frames(BopReader(path, cache=tmp_path / "cache").read(48)[0], before, 1e-15)


@pytest.mark.realdata
def test_the_real_frame_three_ways(real_data: Path, tmp_path: Path) -> None:
    """The real meta.mat, and the same frame of the pose table, written out again as BOP."""
    native, _ = YcbVideoReader(real_data / "YCB_Video_Dataset").read(0)
    table, _ = open_scenes(real_data / "ycb_video_poses.npz").read(0, frames=[1])
    assert_same_frames(table, native, 4e-6)  # the table is float32, and equal to the original to 2e-6
    write_bop(tmp_path, 0, {1: (native.object_index.tolist(), native.Ts_camera_object)})
    assert_same_frames(BopReader(tmp_path).read(0)[0], native)
