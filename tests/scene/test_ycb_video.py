"""Reading YCB-Video: what is written comes back, and whatever is wrong is named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scene_doubles import INTRINSICS, random_transforms, write_tree

from yaff.errors import FormatError, FrameError, MissingFileError, PoseError
from yaff.scene.frames import SceneReader
from yaff.scene.image_sets import read_classes, read_image_set
from yaff.scene.meta_file import read_meta
from yaff.scene.ycb_video import YcbVideoReader

Array = np.ndarray


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    write_tree(tmp_path, 3, {f: ([5, 14, 21], random_transforms(rng, 3)) for f in (1, 2, 10)})
    write_tree(tmp_path, 48, {1: ([2], random_transforms(rng, 1))})
    return tmp_path


def _rewrite(root: Path, **changes: object) -> Path:
    """Change variables of frame 2 of scene 3; None deletes one."""
    path = root / "data" / "0003" / "000002-meta.mat"
    content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    content.update(changes)
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None})
    return path


def _poses(root: Path) -> Array:
    return scipy.io.loadmat(root / "data" / "0003" / "000002-meta.mat")["poses"]


class TestReading:
    def test_what_was_written_comes_back_exactly(self, tmp_path: Path) -> None:
        poses = random_transforms(np.random.default_rng(2), 4)
        write_tree(tmp_path, 0, {4: ([1, 9, 9, 21], poses)})
        table, bad = YcbVideoReader(tmp_path).read(0)
        assert bad == ()
        assert table.frames.tolist() == [4]
        assert table.object_index.tolist() == [1, 9, 9, 21]
        assert np.array_equal(table.Ts_camera_object, poses)
        assert np.array_equal(table.intrinsics[0], INTRINSICS)

    def test_it_is_a_scene_reader(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        assert isinstance(reader, SceneReader)
        assert reader.image_size == (640, 480)
        assert reader.scenes() == (3, 48)
        assert reader.frame_numbers(3) == (1, 2, 10)

    def test_frames_can_be_chosen_and_come_in_order(self, tree: Path) -> None:
        table, _ = YcbVideoReader(tree).read(3, frames=[10, 1, 10])
        assert table.frames.tolist() == [1, 10]

    def test_a_single_object_loses_its_last_dimension_in_matlab(self, tree: Path) -> None:
        poses = _poses(tree)
        _rewrite(tree, poses=poses[:, :, 0], cls_indexes=np.array([5]))
        table, _ = YcbVideoReader(tree).read(3, frames=[2])
        assert np.array_equal(table.Ts_camera_object[0, :3], poses[:, :, 0])

    def test_a_frame_without_objects_is_a_frame(self, tree: Path) -> None:
        _rewrite(tree, poses=np.zeros((0, 0)), cls_indexes=np.zeros((0, 0)))
        table, _ = YcbVideoReader(tree).read(3)
        assert np.diff(table.instance_start).tolist() == [3, 0, 3]

    def test_scenes_can_be_read_by_separate_processes(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        here = [reader.read(s)[0] for s in reader.scenes()]
        there = joblib.Parallel(n_jobs=2)(joblib.delayed(reader.read)(s) for s in reader.scenes())
        for mine, (other, _) in zip(here, there, strict=True):
            assert np.array_equal(mine.Ts_camera_object, other.Ts_camera_object)

    def test_vertmap_is_not_decoded(self, tree: Path) -> None:
        """A whole one, or one that is compressed nonsense: nobody looks."""
        vertmap = np.random.default_rng(0).normal(size=(480, 640, 3))
        path = YcbVideoReader(tree).path(3, 2, "meta.mat")
        content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
        scipy.io.savemat(path, {"vertmap": vertmap, **content}, do_compression=True)
        data = bytearray(path.read_bytes())
        data[5000:500000] = bytes(495000)
        path.write_bytes(data)
        table, _ = YcbVideoReader(tree).read(3, frames=[2])
        assert np.array_equal(table.Ts_camera_object[:, :3], content["poses"].transpose(2, 0, 1))


class TestBadFrames:
    """Each ends in one error that names file, frame and remedy; with skip_bad the frame is listed instead."""

    def _refused(self, root: Path, kind: type[Exception], match: str) -> None:
        reader = YcbVideoReader(root)
        path = reader.path(3, 2, "meta.mat")
        with pytest.raises(kind, match=match) as caught:
            reader.read(3)
        assert str(path) in str(caught.value)
        assert "frame 2 of scene 3" in str(caught.value)
        assert getattr(caught.value, "remedy", None)
        table, bad = reader.read(3, frames=[1, 2, 10], skip_bad=True)
        assert table.frames.tolist() == [1, 10]
        assert [(b.file, b.scene, b.frame) for b in bad] == [(str(path), 3, 2)]
        assert bad[0].reason
        assert "\n" not in bad[0].reason

    def test_missing(self, tree: Path) -> None:
        YcbVideoReader(tree).path(3, 2, "meta.mat").unlink()
        with pytest.raises(FrameError, match=r"meta\.mat is missing"):
            YcbVideoReader(tree).read(3, frames=[1, 2])
        _, bad = YcbVideoReader(tree).read(3, frames=[1, 2], skip_bad=True)
        assert [b.frame for b in bad] == [2]

    def test_empty(self, tree: Path) -> None:
        YcbVideoReader(tree).path(3, 2, "meta.mat").write_bytes(b"")
        self._refused(tree, FrameError, "truncated or damaged")

    def test_not_a_mat_file(self, tree: Path) -> None:
        YcbVideoReader(tree).path(3, 2, "meta.mat").write_bytes(b"not found" * 100)
        self._refused(tree, FrameError, "damaged|lacks")

    @pytest.mark.parametrize("missing", ["poses", "cls_indexes", "intrinsic_matrix", "factor_depth"])
    def test_incomplete(self, tree: Path, missing: str) -> None:
        _rewrite(tree, **{missing: None})
        self._refused(tree, FrameError, f"lacks {missing}")

    @pytest.mark.parametrize("unknown", [0, 22, 200, 3.5, np.nan, -1])
    def test_unknown_class_index(self, tree: Path, unknown: float) -> None:
        _rewrite(tree, cls_indexes=np.array([[5.0], [unknown], [21.0]]))
        self._refused(tree, FrameError, f"unknown class index {unknown:g}")

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("where", [(0, 0, 1), (2, 3, 0)])
    def test_nan_pose(self, tree: Path, value: float, where: tuple[int, int, int]) -> None:
        poses = _poses(tree)
        poses[where] = value
        _rewrite(tree, poses=poses)
        self._refused(tree, PoseError, f"pose {where[2]} holds NaN or infinity")

    def test_rotation_that_is_none(self, tree: Path) -> None:
        poses = _poses(tree)
        poses[:, :3, 2] *= 1.01
        _rewrite(tree, poses=poses)
        self._refused(tree, PoseError, "pose 2 is not a rotation")

    def test_mirrored_rotation(self, tree: Path) -> None:
        poses = _poses(tree)
        poses[:, 0, 0] *= -1.0
        _rewrite(tree, poses=poses)
        self._refused(tree, PoseError, "determinant -1")

    def test_millimetres(self, tree: Path) -> None:
        poses = _poses(tree)
        poses[:, 3] *= 1000.0
        _rewrite(tree, poses=poses)
        self._refused(tree, PoseError, "from the camera")

    def test_more_poses_than_objects(self, tree: Path) -> None:
        _rewrite(tree, cls_indexes=np.array([[5], [14]]))
        self._refused(tree, FrameError, r"poses have shape \(3, 4, 3\) for 2 objects")

    def test_text_for_numbers(self, tree: Path) -> None:
        _rewrite(tree, cls_indexes=np.array(["mug"]))
        self._refused(tree, FrameError, "instead of numbers")

    @pytest.mark.parametrize(
        "matrix", [np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), np.diag([-1.0, 1.0, 1.0]), np.ones((3, 3))]
    )
    def test_impossible_camera(self, tree: Path, matrix: Array) -> None:
        _rewrite(tree, intrinsic_matrix=matrix)
        self._refused(tree, FrameError, "intrinsic_matrix|focal length")

    @pytest.mark.parametrize("factor", [0.0, -1.0, np.nan, np.array([1.0, 2.0])])
    def test_impossible_depth_factor(self, tree: Path, factor: object) -> None:
        _rewrite(tree, factor_depth=factor)
        self._refused(tree, FrameError, "factor_depth")

    def test_cut_anywhere(self, tree: Path) -> None:
        """A file cut at any length is refused: no other exception, no frame with part of its content."""
        path = YcbVideoReader(tree).path(3, 2, "meta.mat")
        whole = path.read_bytes()
        complete = 0
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            try:
                meta = read_meta(path, frame=2, scene=3)
            except FrameError:
                continue
            complete += 1  # the cut took only variables that are not needed
            assert len(meta.Ts_camera_object) == 3
        assert complete < 0.5 * len(whole) / 7

    def test_flipped_bits_never_raise_anything_else(self, tree: Path) -> None:
        path = YcbVideoReader(tree).path(3, 2, "meta.mat")
        whole = path.read_bytes()
        rng = np.random.default_rng(0)
        for _ in range(150):
            damaged = bytearray(whole)
            damaged[int(rng.integers(128, len(whole)))] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                meta = read_meta(path, frame=2, scene=3)
            except (FrameError, PoseError):
                continue
            assert np.isfinite(meta.Ts_camera_object).all()

    def test_frames_asked_for_that_do_not_exist(self, tree: Path) -> None:
        with pytest.raises(FrameError, match="missing"):
            YcbVideoReader(tree).read(3, frames=[999])

    def test_missing_scene_names_those_present(self, tree: Path) -> None:
        with pytest.raises(MissingFileError, match="scenes present: 3 to 48"):
            YcbVideoReader(tree).read(4)

    def test_not_a_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match="no folder 'data'"):
            YcbVideoReader(tmp_path)


class TestImages:
    def test_frames_without_images_have_none(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        assert reader.colour(3, 1) is None
        assert reader.depth(3, 1) is None
        assert reader.labels(3, 1) is None

    def test_depth_in_metres_and_holes(self, tree: Path) -> None:
        _rewrite(tree, factor_depth=np.uint16(5000))
        reader = YcbVideoReader(tree)
        raw = np.zeros((480, 640), np.uint16)
        raw[0, 0], raw[479, 639] = 5000, 65535
        Image.fromarray(raw).save(reader.path(3, 2, "depth.png"))
        depth = reader.depth(3, 2)
        assert depth is not None
        assert depth.dtype == np.float32
        assert depth[0, 0] == 1.0
        assert depth[479, 639] == np.float32(65535 / 5000)
        assert np.isnan(depth).sum() == 480 * 640 - 2

    def test_colour_and_labels(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        rng = np.random.default_rng(0)
        colour = rng.integers(0, 256, size=(480, 640, 3), dtype=np.uint8)
        labels = rng.integers(0, 22, size=(480, 640), dtype=np.uint8)
        Image.fromarray(colour).save(reader.path(3, 2, "color.png"))
        Image.fromarray(labels).save(reader.path(3, 2, "label.png"))
        assert np.array_equal(reader.colour(3, 2), colour)
        assert np.array_equal(reader.labels(3, 2), labels)

    def test_truncated_image(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        path = reader.path(3, 2, "color.png")
        Image.fromarray(np.full((480, 640, 3), 77, np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(FrameError, match="cannot be read") as caught:
            reader.colour(3, 2)
        assert str(path) in str(caught.value)

    def test_image_of_another_size(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        Image.fromarray(np.zeros((48, 64), np.uint8)).save(reader.path(3, 2, "label.png"))
        with pytest.raises(FrameError, match="64x48"):
            reader.labels(3, 2)


class TestImageSets:
    def test_frames_by_scene(self, tmp_path: Path) -> None:
        (tmp_path / "image_sets").mkdir()
        (tmp_path / "image_sets" / "val.txt").write_text("0048/000036\n0048/000001\n0050/000002\n")
        split = read_image_set(tmp_path, "val")
        assert {s: f.tolist() for s, f in split.items()} == {48: [1, 36], 50: [2]}

    @settings(deadline=None)  # a loaded machine is no failure
    @given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 999_999)), max_size=30))
    def test_many_at_once_as_one_by_one(self, pairs: list[tuple[int, int]]) -> None:
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "image_sets" / "val.txt"
            path.parent.mkdir()
            path.write_text("".join(f"{scene:04d}/{frame:06d}\n" for scene, frame in pairs))
            split = read_image_set(name, "val")
            path.write_text("".join(f"{scene}/{frame}\n" for scene, frame in pairs))  # of any number of digits
            irregular = read_image_set(name, "val")
        wanted = {scene: sorted({f for s, f in pairs if s == scene}) for scene in sorted({s for s, _ in pairs})}
        assert {scene: frames.tolist() for scene, frames in split.items()} == wanted
        assert {scene: frames.tolist() for scene, frames in irregular.items()} == wanted

    @pytest.mark.parametrize("line", ["0048-000001", "00a8/000001", "0048/00000x"])
    def test_bad_lines_of_the_right_length(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "image_sets").mkdir()
        (tmp_path / "image_sets" / "val.txt").write_text(f"0048/000001\n{line}\n")
        with pytest.raises(FormatError, match="entry 2"):
            read_image_set(tmp_path, "val")

    def test_unknown_split_names_those_present(self, tmp_path: Path) -> None:
        (tmp_path / "image_sets").mkdir()
        (tmp_path / "image_sets" / "val.txt").write_text("")
        with pytest.raises(MissingFileError, match="present: val"):
            read_image_set(tmp_path, "test")
        assert read_image_set(tmp_path, "val") == {}

    def test_bad_line(self, tmp_path: Path) -> None:
        (tmp_path / "image_sets").mkdir()
        (tmp_path / "image_sets" / "val.txt").write_text("0048/000001\n0048-7\n")
        with pytest.raises(FormatError, match="'0048-7' is not a frame"):
            read_image_set(tmp_path, "val")

    def test_classes(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match="no list of classes"):
            read_classes(tmp_path)
        (tmp_path / "image_sets").mkdir()
        (tmp_path / "image_sets" / "classes.txt").write_text("a\nb\n")
        assert read_classes(tmp_path) == ("a", "b")


@pytest.mark.realdata
class TestRealFrame:
    def test_poses_and_images(self, real_data: Path) -> None:
        reader = YcbVideoReader(real_data / "YCB_Video_Dataset")
        table, bad = reader.read(0)
        assert bad == ()
        assert table.frames.tolist() == [1]
        assert table.object_index.tolist() == [8, 14, 21]
        assert table.Ts_camera_object[0, :3, 3] == pytest.approx([-0.0306, -0.0080, 0.5926], abs=1e-4)
        labels, depth, colour = reader.labels(0, 1), reader.depth(0, 1), reader.colour(0, 1)
        assert labels is not None
        assert depth is not None
        assert colour is not None
        assert set(np.unique(labels)) == {0, 8, 14, 21}
        # the gelatin box is as far away as its pose says
        assert np.nanmedian(depth[labels == 8]) == pytest.approx(0.59, abs=0.03)
        assert colour.shape == (480, 640, 3)

    def test_official_splits(self, real_data: Path) -> None:
        root = real_data / "YCB_Video_Dataset"
        sizes = {name: sum(map(len, read_image_set(root, name).values())) for name in ("train", "val", "keyframe")}
        assert sizes == {"train": 113198, "val": 20738, "keyframe": 2949}
        assert len(read_classes(root)) == 21
        assert set(read_image_set(root, "keyframe")) <= set(read_image_set(root, "val"))
