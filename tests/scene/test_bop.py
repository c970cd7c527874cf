"""The reader of BOP trees: units, splits, centred models, images, and what may be wrong with its JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scene_doubles import Frames, assert_same_frames, write_bop

from yaff.errors import FormatError, FrameError, MissingFileError
from yaff.geometry.transforms import make_transform
from yaff.scene.bop import BopReader
from yaff.scene.recognise import open_scenes


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
        assert_same_frames(BopReader(tmp_path / "a").read(48)[0], BopReader(tmp_path / "b").read(48)[0], 1e-15)

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
            assert_same_frames(BopReader(root).read(48)[0], expected)
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
