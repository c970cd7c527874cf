"""The reader of pose tables: every way to write one, rows and tracks, and what may be wrong with a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scene_doubles import INTRINSICS, Frames, assert_same_frames, random_transforms

from yaff.errors import FormatError, FrameError, MissingFileError, PoseError
from yaff.scene.pose_table import PoseTableReader
from yaff.scene.recognise import open_scenes

Array = np.ndarray


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
            assert_same_frames(PoseTableReader(tmp_path / "t.npz").read(48)[0], expected)

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
        assert_same_frames(reader.read(48)[0], PoseTableReader(tmp_path / "t.npz").read(48)[0])
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
            assert_same_frames(one, other, 1e-15)

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
