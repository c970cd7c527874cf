"""Both renderers against analytic pictures and against each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from scene_doubles import INTRINSICS, random_transforms
from trimesh.visual.material import PBRMaterial, SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from yaff.errors import ConfigError, InputError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.scene.appearance import Appearance
from yaff.scene.cameras import project_points, unproject_depth
from yaff.scene.render import Renderer, RenderMesh, RenderResult, split_intrinsics
from yaff.scene.render_raycast import RaycastRenderer
from yaff.scene.renderers import make_renderer
from yaff.scene.ycb_video import YcbVideoReader

Array = np.ndarray

SIZE = (640, 480)


def _pyrender() -> Renderer:
    try:
        return make_renderer("pyrender")
    except ConfigError as error:
        pytest.skip(f"no offscreen OpenGL: {error.what}")


@pytest.fixture(scope="module", params=["raycast", "pyrender"])
def renderer(request: pytest.FixtureRequest) -> Iterator[Renderer]:
    made = _pyrender() if request.param == "pyrender" else make_renderer("raycast")
    yield made
    made.close()


def _at(x: float, y: float, z: float, rotation: Array | None = None) -> Array:
    return make_transform(np.eye(3) if rotation is None else rotation, np.array([x, y, z], np.float64))


def _quad(**visual: object) -> trimesh.Trimesh:
    """A 0.2 m square facing the camera, upright: its first corner is the upper left one."""
    corners = np.array([[-0.1, -0.1, 0.0], [0.1, -0.1, 0.0], [0.1, 0.1, 0.0], [-0.1, 0.1, 0.0]])
    return trimesh.Trimesh(corners, [[0, 2, 1], [0, 3, 2]], process=False, **visual)


def _overlap(a: Array, b: Array) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))


class TestAgainstTruth:
    def test_nothing(self, renderer: Renderer) -> None:
        view = renderer.render([], INTRINSICS, SIZE, background=(10, 20, 30))
        assert view.colour.shape == (480, 640, 3)
        assert (view.colour == [10, 20, 30]).all()
        assert np.isinf(view.depth).all()
        assert (view.index == -1).all()

    def test_a_sphere(self, renderer: Renderer) -> None:
        """Pixels whose ray meets the sphere see it, at the depth where they do."""
        centre, radius = np.array([0.05, -0.03, 0.8]), 0.07
        mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
        view = renderer.render([RenderMesh(mesh, make_transform(np.eye(3), centre))], INTRINSICS, SIZE)
        rays = unproject_depth(np.ones((480, 640)), INTRINSICS)
        a = np.einsum("hwi,hwi->hw", rays, rays)
        b = rays @ centre
        discriminant = b * b - a * (centre @ centre - radius**2)
        hit = discriminant > 0
        assert _overlap(hit, view.index == 0) > 0.995
        inner = discriminant > 0.01 * discriminant.max()
        true = (b[inner] - np.sqrt(discriminant[inner])) / a[inner]
        assert np.abs(view.depth[inner] - true).max() < 3e-4
        assert np.isinf(view.depth[view.index < 0]).all()

    def test_pixels_are_where_the_pinhole_says(self, renderer: Renderer) -> None:
        """A square seen head on, its border between pixel centres: the mask is exact to the pixel."""
        intrinsics = np.array([[500.0, 0.0, 300.0], [0.0, 500.0, 220.0], [0.0, 0.0, 1.0]])
        # corners at (250.5, 170.5) and (350.5, 270.5)
        view = renderer.render([RenderMesh(_quad(), _at(0.001, 0.001, 1.0))], intrinsics, SIZE)
        rows, columns = np.nonzero(view.index == 0)
        assert (columns.min(), columns.max(), rows.min(), rows.max()) == (251, 350, 171, 270)
        assert (view.index == 0).sum() == 100 * 100
        assert np.abs(view.depth[view.index == 0] - 1.0).max() < 1e-4

    def test_nearer_hides_farther(self, renderer: Renderer) -> None:
        near, far = RenderMesh(_quad(), _at(0.0, 0.0, 0.5)), RenderMesh(_quad(), _at(0.05, 0.0, 0.9))
        for meshes, front in (([near, far], 0), ([far, near], 1)):
            view = renderer.render(meshes, INTRINSICS, SIZE)
            assert view.index[241, 313] == front
            assert set(np.unique(view.index)) == {-1, 0, 1} or front == view.index.max()

    def test_colours(self, renderer: Renderer) -> None:
        """One colour, vertex colours, face colours and texture, each where it belongs."""
        red = renderer.render([RenderMesh(_quad(), _at(0, 0, 0.6), (220, 30, 30))], INTRINSICS, SIZE).colour[241, 313]
        assert red[0] > 2 * red[1]
        assert red[0] > 2 * red[2]
        two = _quad(face_colors=[[250, 20, 20, 255], [20, 20, 250, 255]])
        view = renderer.render([RenderMesh(two, _at(0, 0, 0.6))], INTRINSICS, SIZE).colour
        upper_right, lower_left = view[200, 360].astype(int), view[280, 270].astype(int)
        assert upper_right[0] > upper_right[2] + 50
        assert lower_left[2] > lower_left[0] + 50
        corners = _quad(vertex_colors=[[250, 0, 0, 255], [0, 250, 0, 255], [0, 250, 0, 255], [250, 0, 0, 255]])
        view = renderer.render([RenderMesh(corners, _at(0, 0, 0.6))], INTRINSICS, SIZE).colour.astype(int)
        assert view[241, 160, 0] > view[241, 160, 1] + 50
        assert view[241, 465, 1] > view[241, 465, 0] + 50

    @pytest.mark.parametrize("material", [SimpleMaterial, PBRMaterial])
    def test_texture_is_the_right_way_up(self, renderer: Renderer, material: type) -> None:
        picture = np.zeros((64, 64, 3), np.uint8)
        picture[:32, :32], picture[:32, 32:], picture[32:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
        image = Image.fromarray(picture)
        look = material(image=image) if material is SimpleMaterial else material(baseColorTexture=image)
        uv = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
        mesh = _quad(visual=TextureVisuals(uv=uv, material=look))
        view = renderer.render([RenderMesh(mesh, _at(0, 0, 0.6))], INTRINSICS, SIZE).colour.astype(int)
        upper_left, upper_right, lower_left = view[160, 230], view[160, 400], view[320, 230]
        assert upper_left.argmax() == 0
        assert upper_right.argmax() == 1
        assert lower_left.argmax() == 2
        assert min(upper_left.max(), upper_right.max(), lower_left.max()) > 80

    def test_other_sizes_and_again(self, renderer: Renderer) -> None:
        mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
        item = RenderMesh(mesh, _at(0, 0, 1))
        first = renderer.render([item], INTRINSICS, SIZE)
        small = renderer.render([item], np.array([[100.0, 0, 50], [0, 100, 30], [0, 0, 1]]), (100, 60))
        assert small.colour.shape == (60, 100, 3)
        assert (small.index == 0).sum() == pytest.approx(np.pi * 100, rel=0.05)
        again = renderer.render([item], INTRINSICS, SIZE)
        assert np.array_equal(first.colour, again.colour)
        assert np.array_equal(first.depth, again.depth)
        assert np.array_equal(first.index, again.index)

    def test_many_meshes_keep_their_numbers(self, renderer: Renderer) -> None:
        mesh = trimesh.creation.box((0.008, 0.008, 0.008))
        places = [(x, y) for y in range(16) for x in range(20)]
        items = [RenderMesh(mesh, _at(0.02 * (x - 9.5), 0.02 * (y - 7.5), 1.0)) for x, y in places]
        index = renderer.render(items, INTRINSICS, SIZE).index
        for k, (x, y) in enumerate(places):
            u, v = project_points(np.array([[0.02 * (x - 9.5), 0.02 * (y - 7.5), 0.996]]), INTRINSICS)[0]
            assert index[round(v), round(u)] == k
        assert len(np.unique(index)) == 321

    @pytest.mark.parametrize("bad", [np.diag([0.0, 1.0, 1.0]), np.full((3, 3), np.nan)])
    def test_impossible_cameras(self, renderer: Renderer, bad: Array) -> None:
        with pytest.raises(InputError, match="cannot render"):
            renderer.render([RenderMesh(_quad(), _at(0, 0, 1))], bad, SIZE)

    def test_what_is_behind_the_camera_is_not_seen(self, renderer: Renderer) -> None:
        assert (renderer.render([RenderMesh(_quad(), _at(0, 0, -1.0))], INTRINSICS, SIZE).index == -1).all()


class TestAgreement:
    def _both(self, items: list[RenderMesh]) -> tuple[RenderResult, RenderResult]:
        opengl = _pyrender()
        try:
            return opengl.render(items, INTRINSICS, SIZE), make_renderer("raycast").render(items, INTRINSICS, SIZE)
        finally:
            opengl.close()

    def test_masks_and_depth(self) -> None:
        rng = np.random.default_rng(0)
        poses = random_transforms(rng, 8, reach=0.12)
        poses[:, 2, 3] += 0.9
        shapes = [
            trimesh.creation.box((0.05, 0.09, 0.14)),
            trimesh.creation.cylinder(0.03, 0.12),
            trimesh.creation.torus(0.05, 0.015),
            trimesh.creation.icosphere(subdivisions=3, radius=0.04),
        ]
        items = [RenderMesh(shapes[k % 4], T, (200, 120, 40)) for k, T in enumerate(poses)]
        a, b = self._both(items)
        for k in range(8):
            if (b.index == k).sum() > 200:
                assert _overlap(a.index == k, b.index == k) > 0.98
        same = (a.index == b.index) & (a.index >= 0)
        assert np.median(np.abs(a.depth[same] - b.depth[same])) < 1e-5
        assert np.abs(a.colour[0, 0].astype(int) - b.colour[0, 0]).max() <= 1

    @pytest.mark.realdata
    def test_the_real_frame(self, real_data: Path) -> None:
        """Real meshes at the real poses: both agree, and both match the label image."""
        root = real_data / "YCB_Video_Dataset"
        reader = YcbVideoReader(root)
        table, _ = reader.read(0)
        labels = reader.labels(0, 1)
        names = (root / "image_sets" / "classes.txt").read_text().split()
        items = [
            RenderMesh(trimesh.load(root / "models" / names[i - 1] / "textured_simple.obj", force="mesh"), T)
            for i, T in zip(table.object_index.tolist(), table.Ts_camera_object, strict=True)
        ]
        for view in self._both(items):
            for k, i in enumerate(table.object_index):
                assert _overlap(view.index == k, labels == i) > 0.99  # asked: 0.95
            measured = reader.depth(0, 1)
            assert measured is not None
            off = (measured - np.where(view.index >= 0, view.depth, np.nan))[view.index >= 0]
            assert abs(float(np.nanmedian(off))) < 0.002


class TestChoice:
    def test_auto_falls_back_quietly_and_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import sys

        monkeypatch.setitem(sys.modules, "yaff.scene.render_pyrender", None)
        made = make_renderer("auto")
        assert made.name == "raycast"
        assert "pyrender cannot open an offscreen context here" in made.note
        with pytest.raises(ConfigError, match="cannot open an offscreen context"):
            make_renderer("pyrender")

    def test_what_was_asked_for_needs_no_note(self) -> None:
        made = make_renderer("raycast")
        assert (made.name, made.note) == ("raycast", "")
        assert isinstance(made, Renderer)
        assert isinstance(make_renderer(), Renderer)

    def test_unknown(self) -> None:
        with pytest.raises(ConfigError, match="unknown renderer 'povray'"):
            make_renderer("povray")

    def test_intrinsics(self) -> None:
        assert split_intrinsics(INTRINSICS) == (1066.778, 1067.487, 312.9869, 241.3109)
        skewed = INTRINSICS.copy()
        skewed[0, 1] = 1.0
        with pytest.raises(InputError, match="cannot render"):
            split_intrinsics(skewed)


class TestRaycast:
    def test_a_shadow_falls_on_what_is_behind(self) -> None:
        floor = RenderMesh(_quad(), _at(0.0, 0.0, 0.8), (200, 200, 200))
        ball = RenderMesh(trimesh.creation.icosphere(radius=0.02), _at(0.0, 0.0, 0.75), (200, 200, 200))
        light = np.array([0.8, 0.0, -0.6])
        lit = RaycastRenderer(light=light).render([floor], INTRINSICS, SIZE)
        shadowed = RaycastRenderer(light=light).render([floor, ball], INTRINSICS, SIZE)
        without = RaycastRenderer(light=light, shadows=False).render([floor, ball], INTRINSICS, SIZE)
        on_floor = shadowed.index == 0
        darker = on_floor & (shadowed.colour[..., 0] + 10 < lit.colour[..., 0])
        assert darker.sum() > 500
        assert np.nonzero(darker)[1].mean() < 313  # away from the light
        assert np.array_equal(without.colour[on_floor], lit.colour[on_floor])

    def test_supersampling_smooths_colour_and_leaves_depth(self) -> None:
        item = RenderMesh(_quad(), _at(0, 0, 0.8, rotation_from_axis_angle(np.array([0, 0, 0.4]))), (250, 250, 250))
        plain = RaycastRenderer().render([item], INTRINSICS, SIZE, background=(0, 0, 0))
        fine = RaycastRenderer(supersample=3).render([item], INTRINSICS, SIZE, background=(0, 0, 0))
        assert np.array_equal(plain.depth, fine.depth)
        assert np.array_equal(plain.index, fine.index)
        bright = plain.colour.max()
        between = (fine.colour[..., 0] > 10) & (fine.colour[..., 0] < bright - 10)
        assert between.sum() > 300
        assert np.abs(plain.colour.astype(float).mean() - fine.colour.mean()) < 0.3

    def test_an_uncoloured_mesh_is_grey(self) -> None:
        look = Appearance.of(trimesh.Trimesh(_quad().vertices, _quad().faces))
        assert look.colour is not None
        assert np.ptp(look.colour) < 10
        assert look.texture is None
