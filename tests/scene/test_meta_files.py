"""The reader of YCB-Video trees: files beside each other, and MATLAB's format read as SciPy reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_doubles import Frames, write_as

from yaff.errors import FrameError
from yaff.scene.mat_file import read_numbers
from yaff.scene.meta_file import VARIABLES
from yaff.scene.ycb_video import YcbVideoReader


class TestNative:
    def test_meta_file_missing_beside_images(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = write_as("ycb-video", tmp_path, scenes)
        YcbVideoReader(path).path(48, 2, "meta.mat").unlink()  # its box.txt stays
        with pytest.raises(FrameError, match=r"meta\.mat is missing"):
            YcbVideoReader(path).read(48)
        _, bad = YcbVideoReader(path).read(48, skip_bad=True)
        assert [b.frame for b in bad] == [2]

    def test_one_frame_under_two_names(self, tmp_path: Path, scenes: dict[int, Frames]) -> None:
        path = write_as("ycb-video", tmp_path, scenes)
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
