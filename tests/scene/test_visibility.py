"""Visible shares and image boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from scene_doubles import INTRINSICS

from yaff.geometry.transforms import make_transform
from yaff.scene.cameras import image_boxes, project_points, unproject_depth
from yaff.scene.render_raycast import RaycastRenderer
from yaff.scene.visibility import visibility
from yaff.scene.ycb_video import YcbVideoReader

Array = np.ndarray

SIZE = (640, 480)


def _plate(width: float, height: float) -> trimesh.Trimesh:
    return trimesh.creation.box((width, height, 1e-4))


def _at(x: float, y: float, z: float) -> Array:
    return make_transform(np.eye(3), np.array([x, y, z], np.float64))


def _middle(z: float) -> tuple[float, float]:
    """Where x, y project to the middle of the image."""
    return (319.5 - 312.9869) / 1066.778 * z, (239.5 - 241.3109) / 1067.487 * z


def test_half_hidden_and_half_outside() -> None:
    """Three equal plates: one free, one half behind it, one half out of the image."""
    x, y = _middle(1.0)
    plate = _plate(0.1, 0.1)
    edge = (639.5 - 312.9869) / 1066.778
    Ts = np.stack([_at(x, y, 1.0), _at((x + 0.05) * 1.2, y * 1.2, 1.2), _at(edge, y - 0.15, 1.0)])
    meshes = [plate, _plate(0.12, 0.12), plate]
    seen = visibility(RaycastRenderer(shadows=False), meshes, Ts, np.array([1, 2, 3]), INTRINSICS, SIZE)
    assert seen.visible_share == pytest.approx([1.0, 0.5, 0.5], abs=0.02)
    assert seen.visible_pixels[0] == pytest.approx(0.01 * 1066.778 * 1067.487, rel=0.02)
    assert seen.boxes[2, 2] > 640
    assert seen.boxes[2, 2] - seen.boxes[2, 0] == pytest.approx(106.7, abs=0.1)


def test_the_label_image_is_believed() -> None:
    x, y = _middle(1.0)
    plate = _plate(0.1, 0.1)
    Ts = np.stack([_at(x, y, 1.0), _at(x, y, 1.5)])
    labels = np.zeros((480, 640), np.uint8)
    labels[:240, :] = 7  # covers the upper half of the plate, whatever is there
    renderer = RaycastRenderer(shadows=False)
    alone = visibility(renderer, [plate], Ts[:1], np.array([7]), INTRINSICS, SIZE)
    seen = visibility(renderer, [plate, plate], Ts, np.array([7, 9]), INTRINSICS, SIZE, labels)
    assert seen.visible_share.tolist() == [1.0, 0.0]  # more label than silhouette is still all of it
    labels[:] = 0
    labels[190:240, 250:400] = 7
    seen = visibility(renderer, [plate], Ts[:1], np.array([7]), INTRINSICS, SIZE, labels)
    assert seen.visible_pixels[0] == 50 * 150
    assert seen.visible_share[0] == pytest.approx(50 * 150 / alone.visible_pixels[0])


def test_two_of_one_object_share_a_label() -> None:
    """The label says that it is the object, depth order says which of the two."""
    x, y = _middle(1.0)
    plate = _plate(0.1, 0.1)
    Ts = np.stack([_at(x - 0.08, y, 1.0), _at(x + 0.08, y, 1.0), _at(x, y + 0.15, 1.0)])
    index = np.array([4, 4, 6])
    renderer = RaycastRenderer(shadows=False)
    free = visibility(renderer, [plate] * 3, Ts, index, INTRINSICS, SIZE)
    labels = np.zeros((480, 640), np.uint8)
    labels[:, :320] = 4
    labels[320:, :] = 6
    seen = visibility(renderer, [plate] * 3, Ts, index, INTRINSICS, SIZE, labels)
    assert free.visible_share == pytest.approx([1.0, 1.0, 1.0])
    assert seen.visible_share == pytest.approx([1.0, 0.0, 1.0], abs=0.02)


def test_nothing_and_behind() -> None:
    renderer = RaycastRenderer(shadows=False)
    empty = visibility(renderer, [], np.zeros((0, 4, 4)), np.zeros(0, int), INTRINSICS, SIZE)
    assert empty.visible_share.shape == (0,)
    behind = visibility(renderer, [_plate(0.1, 0.1)], _at(0, 0, -1.0)[None], np.array([3]), INTRINSICS, SIZE)
    assert behind.visible_share.tolist() == [0.0]
    assert np.isnan(behind.boxes).all()


def test_boxes_hold_every_point_and_touch_four() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 3)) * 0.05
    T = _at(0.02, 0.05, 0.9)
    box = image_boxes([points], T[None], INTRINSICS)[0]
    pixels = project_points(points + T[:3, 3], INTRINSICS)
    assert np.array_equal(box, [*pixels.min(0), *pixels.max(0)])


def test_projection_and_back() -> None:
    rng = np.random.default_rng(1)
    depth = rng.uniform(0.3, 2.0, size=(480, 640))
    depth[3, 5] = np.nan
    cloud = unproject_depth(depth, INTRINSICS)
    assert np.isnan(cloud[3, 5]).all()
    pixels = project_points(cloud.reshape(-1, 3), INTRINSICS).reshape(480, 640, 2)
    v, u = np.meshgrid(np.arange(480), np.arange(640), indexing="ij")
    good = np.isfinite(depth)
    assert np.abs(pixels[good] - np.stack([u, v], -1)[good]).max() < 1e-9
    assert np.isnan(project_points(np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]), INTRINSICS)).all()


@pytest.mark.realdata
def test_the_real_frame(real_data: Path) -> None:
    """The mug stands partly behind the foam brick; boxes are those of the dataset's own box file."""
    root = real_data / "YCB_Video_Dataset"
    reader = YcbVideoReader(root)
    table, _ = reader.read(0)
    names = (root / "image_sets" / "classes.txt").read_text().split()
    folders = [root / "models" / names[i - 1] for i in table.object_index]
    meshes = [trimesh.load(f / "textured_simple.obj", force="mesh") for f in folders]
    args = (meshes, table.Ts_camera_object, table.object_index, table.intrinsics[0], SIZE)
    renderer = RaycastRenderer(shadows=False)
    drawn, labelled = visibility(renderer, *args), visibility(renderer, *args, reader.labels(0, 1))
    assert drawn.visible_share == pytest.approx(labelled.visible_share, abs=0.01)
    gelatin, mug, brick = labelled.visible_share
    assert gelatin > 0.98
    assert brick > 0.98
    assert 0.7 < mug < 0.9
    boxes = image_boxes([np.loadtxt(f / "points.xyz") for f in folders], table.Ts_camera_object, table.intrinsics[0])
    given = [line.split() for line in reader.path(0, 1, "box.txt").read_text().splitlines()]
    assert [line[0] for line in given] == [f.name for f in folders]
    assert np.abs(boxes - np.array([line[1:] for line in given], float)).max() < 4.0
