"""The support plane: exact on analytic piles, right in the real frame and plausible in all real videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_doubles import INTRINSICS, Solid, box, cylinder, sphere
from scipy.spatial import ConvexHull

from yaff.errors import InputError
from yaff.geometry.transforms import (
    apply,
    invert,
    make_transform,
    rotation_from_axis_angle,
    rotation_from_quaternion_wxyz,
)
from yaff.scene import support
from yaff.scene.arrangements import group_arrangements
from yaff.scene.frames import FrameTable
from yaff.scene.orbit import look_at
from yaff.scene.plane import Plane
from yaff.scene.render import RenderMesh
from yaff.scene.render_raycast import RaycastRenderer
from yaff.scene.support import support_plane, viewpoints
from yaff.scene.support_depth import refine_with_depth, silhouette_mask
from yaff.scene.synthetic import RenderTable
from yaff.scene.ycb_video import YcbVideoReader

Array = np.ndarray

OBJECTS = [
    box("003_cracker_box", 2, (0.072, 0.164, 0.213)),
    cylinder("005_tomato_soup_can", 4, 0.034, 0.101),
    box("009_gelatin_box", 8, (0.073, 0.085, 0.028)),
    sphere("ball", 13, 0.04),
]
HALF_HEIGHT = {"upright": (0.1065, 0.0505, 0.014, 0.04)}


def _standing(rng: np.random.Generator, chosen: list[int]) -> Array:
    """Objects upright on z = 0, apart from each other."""
    angle = rng.uniform(0, 2 * np.pi, size=(len(chosen), 1)) * np.array([[0.0, 0.0, 1.0]])
    place = np.array([[-0.14, 0.0], [0.0, 0.12], [0.13, -0.02], [0.0, -0.13]])[: len(chosen)]
    height = np.array(HALF_HEIGHT["upright"])[chosen]
    return make_transform(rotation_from_axis_angle(angle), np.column_stack([place, height]))


def _camera(rng: np.random.Generator) -> Array:
    """T_camera_table of a camera that looks down at the middle of the table."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(25.0, 60.0))
    flat = np.cos(elevation) * np.array([np.cos(azimuth), np.sin(azimuth)])
    eye = rng.uniform(0.7, 1.1) * np.array([*flat, np.sin(elevation)])
    return look_at(eye[None], np.array([0.0, 0.0, 0.03]), rng.uniform(-0.1, 0.1, size=1))[0]


def _points(solids: list[Solid]) -> list[Array]:
    return [np.asarray(s.solid.vertices) for s in solids]


def _table_in(T_camera_table: Array) -> Plane:
    return Plane(np.array([0.0, 0.0, 1.0]), 0.0).transformed(T_camera_table)


def _difference(plane: Plane, true: Plane, T_camera_table: Array) -> tuple[float, float]:
    """Tilt (degrees) and height (metres) over the middle of the table."""
    tilt = np.degrees(np.arccos(np.clip(plane.normal @ true.normal, -1, 1)))
    return float(tilt), float(plane.height(T_camera_table[:3, 3]) - true.height(T_camera_table[:3, 3]))


class TestPlane:
    def test_moves_with_its_frame(self) -> None:
        rng = np.random.default_rng(0)
        plane = Plane(np.array([0.6, 0.0, 0.8]), 0.3)
        T = make_transform(rotation_from_axis_angle(rng.normal(size=3)), rng.normal(size=3))
        points = rng.normal(size=(50, 3))
        moved = plane.transformed(T)
        assert np.allclose(moved.height(apply(T, points)), plane.height(points), atol=1e-13)
        back = moved.transformed(invert(T))
        assert np.allclose(back.normal, plane.normal)
        assert back.offset == pytest.approx(plane.offset)

    def test_fit_is_exact_on_a_plane(self) -> None:
        rng = np.random.default_rng(1)
        true = Plane(np.array([0.0, -0.6, -0.8]), 0.7)
        points = rng.normal(size=(100, 3))
        points -= true.height(points)[:, None] * true.normal
        for up in (true.normal, -true.normal):
            fitted = Plane.fit(points, up=up)
            assert fitted.normal @ up > 0.999999
            assert np.abs(fitted.height(points)).max() < 1e-12
            assert fitted.residual == pytest.approx(0.0, abs=1e-7)

    def test_what_is_no_plane(self) -> None:
        with pytest.raises(InputError, match="length one"):
            Plane(np.array([0.0, 0.0, 2.0]), 0.0)
        with pytest.raises(InputError, match="length one"):
            Plane(np.array([0.0, 0.0, np.nan]), 0.0)
        with pytest.raises(InputError, match="2 points"):
            Plane.fit(np.zeros((2, 3)), up=np.array([0.0, 0.0, 1.0]))
        with pytest.raises(InputError, match="on a line"):
            Plane.fit(np.arange(9.0)[:, None] * np.array([[1.0, 2.0, 3.0]]), up=np.array([0.0, 0.0, 1.0]))


class TestFromObjects:
    def test_a_camera_that_dips_below_the_table_for_a_moment(self) -> None:
        """Beside the table's edge a camera can be lower than its top; what is above it nearly always is the table."""
        rng = np.random.default_rng(11)
        solids, Ts_table_object = [OBJECTS[k] for k in (0, 1, 2)], _standing(rng, [0, 1, 2])
        T_camera_table = _camera(rng)
        Ts = T_camera_table @ Ts_table_object
        eyes = np.stack([[0.8 * np.cos(a), 0.8 * np.sin(a), 0.5] for a in np.linspace(0.0, 2.0, 20)])
        eyes[7, 2] = -0.05
        views = T_camera_table @ invert(look_at(eyes, np.array([0.0, 0.0, 0.05]), np.zeros(20)))
        plane = support_plane(Ts, _points(solids), Ts_camera_view=views)
        tilt, height = _difference(plane, _table_in(T_camera_table), T_camera_table)
        assert tilt < 0.01
        assert abs(height) < 1e-5

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_objects_that_stand_on_a_table(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        chosen = [0, 1, 2, 3][: int(rng.integers(2, 5))]
        solids = [OBJECTS[i] for i in chosen]
        T_camera_table = _camera(rng)
        plane = support_plane(T_camera_table @ _standing(rng, chosen), _points(solids))
        tilt, height = _difference(plane, _table_in(T_camera_table), T_camera_table)
        assert tilt < 0.5
        assert abs(height) < 0.0005
        assert plane.source == "objects"
        assert plane.height(np.zeros(3)) > 0.3  # the camera is above it

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_one_stands_on_another(self, seed: int) -> None:
        """A box carries the other box: only it and the can touch the table, and the upper one must not vote."""
        rng = np.random.default_rng(seed)
        Ts = _standing(rng, [0, 1, 2])
        Ts[2, :3, 3] = Ts[0, :3, 3] + np.array([0.0, 0.0, 0.1065 + 0.014])
        T_camera_table = _camera(rng)
        plane = support_plane(T_camera_table @ Ts, _points(OBJECTS[:3]))
        tilt, height = _difference(plane, _table_in(T_camera_table), T_camera_table)
        assert tilt < 0.5
        assert abs(height) < 0.0005

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def test_a_single_box(self, seed: int) -> None:
        """Six faces would carry it; the camera says which one does."""
        rng = np.random.default_rng(seed)
        T_camera_table = _camera(rng)
        plane = support_plane(T_camera_table @ _standing(rng, [0]), _points(OBJECTS[:1]))
        tilt, height = _difference(plane, _table_in(T_camera_table), T_camera_table)
        assert tilt < 1e-3
        assert abs(height) < 1e-6

    @given(st.integers(0, 2**32 - 1), st.integers(1, 4))
    @settings(max_examples=15, deadline=None)
    def test_what_is_passed_over_would_not_have_won(self, seed: int, count: int) -> None:
        """The same plane where no hypothesis, no corner and no area is passed over, from corners or from all points."""
        rng = np.random.default_rng(seed)
        chosen = sorted(rng.choice(4, count, replace=False).tolist())
        Ts = _camera(rng) @ _standing(rng, chosen)
        Ts[:, :3, 3] += rng.normal(scale=0.004, size=(count, 3))
        points = _points([OBJECTS[k] for k in chosen])
        found = support_plane(Ts, points)
        hulls = [p[ConvexHull(p).vertices] for p in points]
        whole = support._support
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(support, "_FAR", np.inf)
            patch.setattr(support, "_support", lambda plane, bodies, contact, config, to_beat: whole(
                plane, bodies, contact, config
            ))  # fmt: skip
            slowly = support_plane(Ts, hulls, convex=True)
        np.testing.assert_array_equal(found.normal, slowly.normal)
        assert found.offset == slowly.offset

    def test_errors_of_poses_average_out(self) -> None:
        """Millimetres and degrees of error in each pose, as six-dimensional pose annotations have them."""
        tilts, heights = [], []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            Ts = _standing(rng, [0, 1, 2])
            error = make_transform(
                rotation_from_axis_angle(rng.normal(size=(3, 3)) * np.radians(0.7)), rng.normal(size=(3, 3)) * 0.0015
            )
            T_camera_table = _camera(rng)
            plane = support_plane(T_camera_table @ Ts @ error, _points(OBJECTS[:3]))
            tilt, height = _difference(plane, _table_in(T_camera_table), T_camera_table)
            tilts.append(tilt)
            heights.append(abs(height))
        assert max(tilts) < 3.0
        assert max(heights) < 0.005

    def test_does_not_depend_on_the_order_of_objects(self) -> None:
        rng = np.random.default_rng(8)
        T_camera_table = _camera(rng)
        Ts = T_camera_table @ _standing(rng, [0, 1, 2])
        first = support_plane(Ts, _points(OBJECTS[:3]))
        again = support_plane(Ts[::-1], _points(OBJECTS[:3])[::-1])
        assert np.allclose(first.normal, again.normal, atol=1e-9)
        assert first.offset == pytest.approx(again.offset, abs=1e-9)

    def test_other_views_of_the_arrangement_decide(self) -> None:
        """A camera turned on its side takes a side of the box for the bottom; ten upright ones put it right."""
        rng = np.random.default_rng(9)
        on_side = make_transform(rotation_from_axis_angle(np.array([0.0, 0.0, np.pi / 2])), np.zeros(3))
        cameras = [on_side @ _camera(rng), *(_camera(rng) for _ in range(10))]
        T_table_box = _standing(rng, [0])
        table = FrameTable.from_rows(
            0,
            list(range(11)),
            [INTRINSICS] * 11,
            [np.array([2], np.uint8)] * 11,
            [T @ T_table_box for T in cameras],
        )
        views = viewpoints(table, group_arrangements(table), 0)
        assert len(views) == 11
        assert np.allclose(views[0], np.eye(4), atol=1e-12)
        Ts = cameras[0] @ T_table_box
        alone = support_plane(Ts, _points(OBJECTS[:1]))
        together = support_plane(Ts, _points(OBJECTS[:1]), Ts_camera_view=views)
        true = _table_in(cameras[0])
        assert alone.normal @ true.normal < 0.9
        assert together.normal @ true.normal > 0.999999

    def test_views_of_nothing(self) -> None:
        table = FrameTable.from_rows(0, [1], [INTRINSICS], [np.zeros(0, np.uint8)], [np.zeros((0, 4, 4))])
        assert viewpoints(table, group_arrangements(table), 0).shape == (0, 4, 4)

    def test_what_has_no_plane(self) -> None:
        with pytest.raises(InputError, match="needs objects"):
            support_plane(np.zeros((0, 4, 4)), [])
        with pytest.raises(InputError, match="needs objects"):
            support_plane(np.eye(4)[None], [])
        with pytest.raises(InputError, match="span no volume"):
            support_plane(np.eye(4)[None], [np.zeros((9, 3))])


class TestDepth:
    def _seen(self, rng: np.random.Generator) -> tuple[Array, Array, Array, list[Solid]]:
        """Depth of objects on a table, 1.5 mm of noise, holes."""
        solids = OBJECTS[:3]
        T_camera_table = _camera(rng)
        Ts = T_camera_table @ _standing(rng, [0, 1, 2])
        items = [RenderMesh(s.solid, T) for s, T in zip(solids, Ts, strict=True)]
        view = RaycastRenderer(shadows=False).render(
            [*items, RenderMesh(RenderTable(rng).mesh, T_camera_table)], INTRINSICS, (640, 480)
        )
        depth = view.depth + rng.normal(size=view.depth.shape).astype(np.float32) * 0.0015
        depth[~np.isfinite(view.depth) | (rng.uniform(size=depth.shape) < 0.1)] = np.nan
        return depth, T_camera_table, Ts, solids

    def test_a_wrong_hypothesis_is_put_right(self) -> None:
        for seed in range(4):
            rng = np.random.default_rng(seed)
            depth, T_camera_table, Ts, solids = self._seen(rng)
            true = _table_in(T_camera_table)
            error = make_transform(rotation_from_axis_angle(rng.normal(size=3) * np.radians(2.5)), np.zeros(3))
            wrong = true.transformed(T_camera_table @ error @ invert(T_camera_table))
            wrong = Plane(wrong.normal, wrong.offset + 0.01)
            refined = refine_with_depth(wrong, depth, INTRINSICS, Ts, _points(solids))
            tilt, height = _difference(refined, true, T_camera_table)
            assert refined.source == "depth"
            assert tilt < 0.1
            assert abs(height) < 0.0003

    def test_the_same_depth_gives_the_same_plane(self) -> None:
        depth, T_camera_table, Ts, solids = self._seen(np.random.default_rng(7))
        once, again = (
            refine_with_depth(_table_in(T_camera_table), depth, INTRINSICS, Ts, _points(solids)) for _ in range(2)
        )
        assert np.array_equal(once.normal, again.normal)
        assert once.offset == again.offset

    def test_where_no_table_is_seen_the_hypothesis_stays(self) -> None:
        depth, T_camera_table, Ts, solids = self._seen(np.random.default_rng(3))
        plane = _table_in(T_camera_table)
        for nothing in (np.full_like(depth, np.nan), np.zeros_like(depth), depth + 0.3):
            assert refine_with_depth(plane, nothing, INTRINSICS, Ts, _points(solids)) is plane

    def test_the_mask_covers_objects_and_no_more(self) -> None:
        rng = np.random.default_rng(5)
        _, _, Ts, solids = self._seen(rng)
        clouds = [apply(T, p) for T, p in zip(Ts, _points(solids), strict=True)]
        view = RaycastRenderer(shadows=False).render(
            [RenderMesh(s.solid, T) for s, T in zip(solids, Ts, strict=True)], INTRINSICS, (640, 480)
        )
        drawn = view.index >= 0
        mask = silhouette_mask(clouds, INTRINSICS, (640, 480))
        assert (mask & drawn).sum() / (mask | drawn).sum() > 0.97  # all three are convex
        wide = silhouette_mask(clouds, INTRINSICS, (640, 480), margin=5)
        assert (wide | ~drawn).all()
        behind = [cloud * np.array([1.0, 1.0, -1.0]) for cloud in clouds]
        assert not silhouette_mask(behind, INTRINSICS, (640, 480)).any()


@pytest.mark.realdata
class TestReal:
    def _points(self, real_data: Path) -> dict[int, Array]:
        root = real_data / "YCB_Video_Dataset"
        names = (root / "image_sets" / "classes.txt").read_text().split()
        return {i + 1: np.loadtxt(root / "models" / name / "points.xyz") for i, name in enumerate(names)}

    def test_the_real_frame_against_its_depth(self, real_data: Path) -> None:
        reader = YcbVideoReader(real_data / "YCB_Video_Dataset")
        table, _ = reader.read(0)
        depth = reader.depth(0, 1)
        assert depth is not None
        model = self._points(real_data)
        points = [model[int(i)] for i in table.object_index]
        plane = support_plane(table.Ts_camera_object, points)
        measured = refine_with_depth(plane, depth, table.intrinsics[0], table.Ts_camera_object, points)
        assert measured.source == "depth"
        assert measured.residual is not None
        assert measured.residual < 0.003
        tilt = np.degrees(np.arccos(plane.normal @ measured.normal))
        height = plane.height(table.Ts_camera_object[:, :3, 3]) - measured.height(table.Ts_camera_object[:, :3, 3])
        assert tilt < 1.0  # asked: 3 degrees
        assert np.abs(height).max() < 0.003  # asked: 8 mm

    def test_real_videos(self, real_data: Path) -> None:
        """A table in every video: below the camera, touched, and with nothing far under it. `make bench-scale` looks
        at all 92."""
        z = np.load(real_data / "ycb_video_poses.npz")
        hulls = {index: points[ConvexHull(points).vertices] for index, points in self._points(real_data).items()}
        for scene in sorted({*range(0, 92, 6), 4, 23, 27, 45}):
            tracks = np.flatnonzero(z["track_scene"] == scene)
            start = z["track_start"][tracks]
            frames = np.linspace(0, z["track_start"][tracks[0] + 1] - start[0] - 1, 16).astype(int)
            rows = start[None] + frames[:, None]
            Ts = make_transform(
                rotation_from_quaternion_wxyz(z["quaternion_wxyz"][rows].astype(np.float64)),
                z["translation_m"][rows].astype(np.float64),
            )
            points = [hulls[int(o)] for o in z["track_object"][tracks]]
            views = Ts[0, 0] @ invert(Ts[:, 0])
            plane = support_plane(Ts[0], points, Ts_camera_view=views)
            lowest = np.array([plane.height(apply(T, p)).min() for T, p in zip(Ts[0], points, strict=True)])
            # video 23's camera dips to the height of the table's top, beside it
            assert (plane.height(views[:, :3, 3]) > (0.15 if scene != 23 else -0.06)).all(), scene
            # in videos 4 and 27 one object is annotated 10 mm lower than those that stand beside it
            assert lowest.min() > (-0.0065 if scene not in (4, 27) else -0.0115), scene
            assert (np.abs(lowest) < 0.004).any(), scene
            up = views[:, :3, :3] @ np.array([0.0, -1.0, -1.0]) / np.sqrt(2.0)
            assert (up @ plane.normal).mean() > 0.82, scene
