"""Frames in which a grasp can be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.frames import PER_SCENE, FrameView, FrameViews
from yaff.errors import UnknownItemError
from yaff.scene.frames import BadFrame, FrameTable

K = np.array([[1066.8, 0.0, 313.0], [0.0, 1067.5, 241.3], [0.0, 0.0, 1.0]])
NAMES = {1: "002_master_chef_can", 14: "025_mug"}


def pose(x: float, y: float, z: float, turned: float = 0.0) -> np.ndarray:
    """Object in front of the camera, turned about its vertical."""
    c, s = np.cos(turned), np.sin(turned)
    return np.array([[c, 0, s, x], [0, 1, 0, y], [-s, 0, c, z], [0, 0, 0, 1.0]])


class Dataset:
    """Two scenes of ten frames: a can in the first, can and mug in the second; every other frame has an image."""

    root = Path("nowhere")
    image_size = (640, 480)

    def __init__(self) -> None:
        self.was_read: list[tuple[int, tuple[int, ...]]] = []

    def scenes(self) -> tuple[int, ...]:
        return (0, 7)

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        return tuple(range(1, 11))

    def content_key(self, scene: int) -> str:
        return str(scene)

    def read(self, scene: int, frames=None, skip_bad: bool = False) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        assert frames is not None, "a whole scene need not be read for a few pictures"
        self.was_read.append((scene, tuple(frames)))
        indices = np.array([1] if scene == 0 else [1, 14], np.uint8)
        poses = [np.stack([pose(0.05 * k, 0.0, 0.8, 0.6 * number) for k in range(len(indices))]) for number in frames]
        return FrameTable.from_rows(scene, frames, [K] * len(frames), [indices] * len(frames), poses), ()

    def colour_file(self, scene: int, frame: int) -> Path | None:
        return Path(f"{scene}-{frame}.png") if frame % 2 == 0 else None

    def colour(self, scene: int, frame: int):
        return None

    depth = labels = colour


HAND = pose(0.0, 0.0, 0.15)


def test_only_frames_with_an_image_that_show_the_object():
    data = Dataset()
    views = FrameViews(data, NAMES)
    mugs = views.of("025_mug", HAND)
    assert {v.scene for v in mugs} == {7}
    assert all(v.frame % 2 == 0 for v in mugs)
    assert 0 < len(mugs) <= PER_SCENE
    assert {v.scene for v in views.of("002_master_chef_can", HAND)} == {0, 7}
    assert views.of("011_banana", HAND) == ()
    assert all([name for name, _ in v.others] == list(NAMES.values()) for v in mugs)  # what may hide the hand
    assert sorted(scene for scene, _ in data.was_read) == [0, 7]  # once


def test_frames_first_in_which_the_hand_is_on_the_camera_s_side():
    views = FrameViews(Dataset(), NAMES).of("002_master_chef_can", HAND)
    depths = [float((v.T_camera_object @ HAND)[2, 3] - v.T_camera_object[2, 3]) for v in views]
    assert depths == sorted(depths)
    assert len(FrameViews(Dataset(), NAMES).of("002_master_chef_can", HAND, most=1)) == 1


def test_images_of_known_frames_only():
    views = FrameViews(Dataset(), NAMES)
    shown = views.of("025_mug", HAND)[0]
    assert views.image(shown.scene, shown.frame) == Path(f"7-{shown.frame}.png")
    assert views.names == frozenset(NAMES.values())
    for scene, frame in ((7, 3), (8, 2), (-1, 2), (7, 1_000_000)):
        with pytest.raises(UnknownItemError, match=f"scene {scene}"):
            views.image(scene, frame)


@given(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4), st.floats(0.2, 3.0))
def test_the_crop_lies_in_the_image_and_has_its_proportions(x, y, z):
    left, top, width, height = FrameView(0, 1, K, pose(x, y, z), ()).crop((640, 480))
    assert left >= 0.0
    assert top >= 0.0
    assert left + width <= 640.0 + 1e-9
    assert top + height <= 480.0 + 1e-9
    assert width / height == pytest.approx(640 / 480)
    u, v = (K @ np.array([x, y, z]))[:2] / z
    if 0.0 <= u <= 640.0 and 0.0 <= v <= 480.0:
        assert left - 1e-9 <= u <= left + width + 1e-9
        assert top - 1e-9 <= v <= top + height + 1e-9


def test_a_scene_with_few_images_is_shown_by_those(monkeypatch):
    monkeypatch.setattr(Dataset, "colour_file", lambda self, scene, frame: Path("x.png") if frame in (1, 9) else None)
    views = FrameViews(Dataset(), NAMES).of("025_mug", HAND)
    assert sorted(view.frame for view in views) == [1, 9]
