"""Generated scenes: a real YCB-Video tree, physically at rest, the same bytes every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import trimesh
from PIL import Image
from scene_doubles import Solid, box, cylinder
from trimesh.visual.material import SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from yaff.errors import ConfigError, InputError, PhysicsError, StorageError
from yaff.geometry.transforms import apply, invert
from yaff.scene.appearance import Appearance
from yaff.scene.arrangements import group_arrangements
from yaff.scene.image_sets import read_classes, read_image_set
from yaff.scene.orbit import INTRINSICS, look_at
from yaff.scene.piles import PileConfig, drop_pile
from yaff.scene.render import RenderMesh
from yaff.scene.render_raycast import RaycastRenderer
from yaff.scene.support import support_plane
from yaff.scene.support_depth import refine_with_depth
from yaff.scene.synthetic import SceneConfig, generate_scenes, scaled_intrinsics
from yaff.scene.visibility import visibility
from yaff.scene.ycb_video import YcbVideoReader
from yaff.scene.ycb_video_writer import mat_bytes, write_model

Array = np.ndarray

NAMES = ("a_box", "b_can", "c_brick", "d_slab", "e_tin")
OBJECTS = [
    box("a_box", 1, (0.06, 0.16, 0.20), (190, 60, 50)),
    cylinder("b_can", 2, 0.033, 0.10),
    box("c_brick", 3, (0.05, 0.075, 0.05), (120, 60, 40)),
    box("d_slab", 4, (0.09, 0.085, 0.03), (70, 110, 170)),
    cylinder("e_tin", 5, 0.042, 0.035),
]
CONFIG = SceneConfig(n_scenes=2, n_frames=9, image_every=4, min_objects=3, max_objects=4, supersample=1)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated") / "scenes"
    done: list[int] = []
    scenes = generate_scenes(root, OBJECTS, 11, CONFIG, class_names=NAMES, progress=done.append)
    assert scenes == (0, 1)
    assert done == [0, 1]
    return root


def _digests(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class TestTree:
    def test_it_has_every_part_of_ycb_video(self, tree: Path) -> None:
        files = set(_digests(tree))
        for scene in (0, 1):
            for frame in range(1, 10):
                stem = f"data/{scene:04d}/{frame:06d}"
                assert {f"{stem}-meta.mat", f"{stem}-box.txt"} <= files
                images = {f"{stem}-{kind}.png" for kind in ("color", "depth", "label")}
                assert images <= files if (frame - 1) % 4 == 0 else not images & files
        for name in NAMES:
            assert {f"models/{name}/textured_simple.obj", f"models/{name}/points.xyz"} <= files
        assert read_classes(tree) == NAMES
        sizes = {n: sum(map(len, read_image_set(tree, n).values())) for n in ("train", "val", "trainval", "keyframe")}
        assert sizes["trainval"] == 18
        assert sizes["train"] + sizes["val"] == 18
        assert not list(tree.parent.glob(".*"))

    def test_meta_files_hold_what_the_real_ones_hold(self, tree: Path) -> None:
        path = tree / "data" / "0000" / "000001-meta.mat"
        kinds = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
        k = kinds["poses"][2]
        assert kinds == {
            "cls_indexes": (k, 1),
            "factor_depth": (1, 1),
            "intrinsic_matrix": (3, 3),
            "rotation_translation_matrix": (3, 4),
            "vertmap": (480, 640, 3),
            "poses": (3, 4, k),
            "center": (k, 2),
        }
        assert b"Created on" not in path.read_bytes()[:116]

    def test_the_same_seed_gives_the_same_bytes(self, tree: Path, tmp_path: Path) -> None:
        generate_scenes(tmp_path / "again", OBJECTS, 11, CONFIG, class_names=NAMES)
        assert _digests(tmp_path / "again") == _digests(tree)

    def test_a_scene_depends_on_its_number_only(self, tree: Path, tmp_path: Path) -> None:
        """More scenes, or fewer images, change nothing in those that were there."""
        config = SceneConfig(n_scenes=1, n_frames=9, image_every=0, min_objects=3, max_objects=4)
        generate_scenes(tmp_path / "one", OBJECTS, 11, config, class_names=NAMES)
        here, _ = YcbVideoReader(tree).read(0)
        there, _ = YcbVideoReader(tmp_path / "one").read(0)
        assert np.array_equal(here.Ts_camera_object, there.Ts_camera_object)
        generate_scenes(tmp_path / "other", OBJECTS, 12, config, class_names=NAMES)
        other, _ = YcbVideoReader(tmp_path / "other").read(0)
        assert not np.array_equal(here.Ts_camera_object[:1], other.Ts_camera_object[:1])

    def test_models_come_back_as_they_went(self, tree: Path) -> None:
        for item in OBJECTS:
            mesh = trimesh.load(tree / "models" / item.name / "textured_simple.obj", force="mesh", process=False)
            assert np.allclose(np.sort(mesh.bounds), np.sort(item.solid.bounds), atol=1e-8)
            assert mesh.area == pytest.approx(item.solid.area, rel=1e-6)
            points = np.loadtxt(tree / "models" / item.name / "points.xyz")
            assert (points >= item.solid.bounds[0] - 1e-6).all()


class TestScenes:
    def test_one_arrangement_objects_in_view_camera_above(self, tree: Path) -> None:
        reader = YcbVideoReader(tree)
        for scene in reader.scenes():
            table, bad = reader.read(scene)
            assert bad == ()
            assert len(group_arrangements(table, 1e-9, 1e-7)) == 1
            depths = table.Ts_camera_object[:, 2, 3]
            assert (depths > 0.4).all()
            assert (depths < 1.8).all()
            pixels = table.Ts_camera_object[:, :3, 3] @ INTRINSICS.T
            pixels = pixels[:, :2] / pixels[:, 2:]
            assert (pixels > 0).all()
            assert (pixels < [640, 480]).all()

    def test_the_camera_moves_smoothly(self, tree: Path) -> None:
        table, _ = YcbVideoReader(tree).read(0)
        T_object_camera = invert(table.Ts_camera_object[table.instance_start[:-1]])
        steps = np.linalg.norm(np.diff(T_object_camera[:, :3, 3], axis=0), axis=1)
        assert steps.min() > 0.01
        assert steps.max() < 3.0 * steps.min()

    def test_images_show_the_poses(self, tree: Path) -> None:
        """Labels and depth equal a fresh rendering of what the reader reads, and box files hold the masks."""
        reader = YcbVideoReader(tree)
        models = {o.index: o for o in OBJECTS}
        for scene in reader.scenes():
            table, _ = reader.read(scene, frames=[5])
            labels, depth, colour = reader.labels(scene, 5), reader.depth(scene, 5), reader.colour(scene, 5)
            assert labels is not None
            assert depth is not None
            assert colour is not None
            meshes = [models[int(i)].solid for i in table.object_index]
            items = [RenderMesh(m, T) for m, T in zip(meshes, table.Ts_camera_object, strict=True)]
            view = RaycastRenderer().render(items, table.intrinsics[0], (640, 480))
            expected = np.array([*table.object_index, 0], np.uint8)[view.index]
            assert (labels == expected).mean() > 0.9999  # but for pixels that see the table through a contact
            on = (view.index >= 0) & (labels == expected)
            assert np.abs(depth[on] - view.depth[on]).max() < 6e-5  # 0.1 mm units
            assert 30 < colour.mean() < 230
            lines = (tree / "data" / f"{scene:04d}" / "000005-box.txt").read_text().split("\n")[:-1]
            for line, i in zip(lines, table.object_index, strict=True):
                name, *box_text = line.split()
                assert name == NAMES[i - 1]
                x1, y1, x2, y2 = map(float, box_text)
                v, u = np.nonzero(labels == i)
                if len(v):
                    assert x1 - 0.6 <= u.min()
                    assert u.max() <= x2 + 0.6
                    assert y1 - 0.6 <= v.min()
                    assert v.max() <= y2 + 0.6

    def test_vertmap_is_the_point_of_the_object(self, tree: Path) -> None:
        table, _ = YcbVideoReader(tree).read(0, frames=[1])
        labels, depth = YcbVideoReader(tree).labels(0, 1), YcbVideoReader(tree).depth(0, 1)
        assert labels is not None
        assert depth is not None
        vertmap = scipy.io.loadmat(tree / "data" / "0000" / "000001-meta.mat")["vertmap"]
        assert not vertmap[labels == 0].any()
        for i, T in zip(table.object_index, table.Ts_camera_object, strict=True):
            z = apply(T, vertmap[labels == i].astype(np.float64))[:, 2]
            assert np.abs(z - depth[labels == i]).max(initial=0.0) < 6e-5

    def test_objects_lie_on_the_table_and_not_in_each_other(self, tree: Path) -> None:
        models = {o.index: o for o in OBJECTS}
        reader = YcbVideoReader(tree)
        for scene in reader.scenes():
            table, _ = reader.read(scene, frames=[1])
            solids = [models[int(i)] for i in table.object_index]
            content = scipy.io.loadmat(tree / "data" / f"{scene:04d}" / "000001-meta.mat")
            T_camera_world = np.vstack([content["rotation_translation_matrix"], [0, 0, 0, 1]])
            Ts_world_object = invert(T_camera_world) @ table.Ts_camera_object
            corners = [apply(T, s.pieces[0]) for T, s in zip(Ts_world_object, solids, strict=True)]
            lowest = np.array([c[:, 2].min() for c in corners])
            assert lowest.min() > -0.002
            assert lowest.min() < 0.002
            meshes = [trimesh.Trimesh(c, s.solid.faces) for c, s in zip(corners, solids, strict=True)]
            for i, a in enumerate(meshes):
                for b in meshes[i + 1 :]:
                    shared = trimesh.boolean.intersection([a, b])
                    assert shared.is_empty or shared.volume < 2e-6

    def test_the_support_plane_is_the_table(self, tree: Path) -> None:
        models = {o.index: o for o in OBJECTS}
        reader = YcbVideoReader(tree)
        for scene in reader.scenes():
            table, _ = reader.read(scene, frames=[1])
            content = scipy.io.loadmat(tree / "data" / f"{scene:04d}" / "000001-meta.mat")
            R, t = content["rotation_translation_matrix"][:, :3], content["rotation_translation_matrix"][:, 3]
            solids = [models[int(i)] for i in table.object_index]
            points = [s.pieces[0] for s in solids]
            plane = support_plane(table.Ts_camera_object, points)
            depth = reader.depth(scene, 1)
            assert depth is not None
            seen = refine_with_depth(plane, depth, table.intrinsics[0], table.Ts_camera_object, points)
            for found, tilt, height in ((plane, 1.0, 0.002), (seen, 0.1, 0.0003)):
                assert np.degrees(np.arccos(min(1.0, float(found.normal @ R[:, 2])))) < tilt
                assert abs(float(found.height(t))) < height
            assert seen.source == "depth"

    def test_every_object_can_be_seen_somewhere(self, tree: Path) -> None:
        models = {o.index: o for o in OBJECTS}
        reader = YcbVideoReader(tree)
        table, _ = reader.read(1, frames=[1])
        meshes = [models[int(i)].solid for i in table.object_index]
        args = (meshes, table.Ts_camera_object, table.object_index, table.intrinsics[0], (640, 480))
        renderer = RaycastRenderer(shadows=False)
        labelled, drawn = visibility(renderer, *args, reader.labels(1, 1)), visibility(renderer, *args)
        assert labelled.visible_share == pytest.approx(drawn.visible_share, abs=0.01)
        assert labelled.visible_share.max() > 0.9


class TestPiles:
    def test_poses_are_the_same_again_and_at_rest(self) -> None:
        once, again = (drop_pile(OBJECTS[:4], np.random.default_rng(5)) for _ in range(2))
        assert np.array_equal(once, again)
        assert not np.array_equal(once, drop_pile(OBJECTS[:4], np.random.default_rng(6)))

    def test_an_off_centre_mass_is_put_where_it_is(self) -> None:
        """The model frame need not be at the centre of mass: poses are of the model frame."""
        shifted = box("a_box", 1, (0.06, 0.16, 0.20))
        shifted.solid.apply_translation([0.3, -0.2, 0.5])
        T = drop_pile([shifted], np.random.default_rng(0))[0]
        corners = apply(T, shifted.pieces[0])
        assert np.linalg.norm(corners.mean(0)[:2]) < 0.3
        assert abs(corners[:, 2].min()) < 0.002

    def test_what_will_not_stay(self) -> None:
        with pytest.raises(PhysicsError, match="came to rest within 2 attempts"):
            drop_pile(OBJECTS[:3], np.random.default_rng(0), PileConfig(limit=0.0, attempts=2))
        with pytest.raises(PhysicsError, match="a_box"):
            drop_pile(OBJECTS[:1], np.random.default_rng(0), PileConfig(patience=0.0, attempts=1))
        with pytest.raises(InputError, match="a pile needs objects"):
            drop_pile([], np.random.default_rng(0))


class TestRefusals:
    def test_a_folder_in_use(self, tree: Path) -> None:
        before = _digests(tree)
        with pytest.raises(StorageError, match="not empty"):
            generate_scenes(tree, OBJECTS, 0, CONFIG, class_names=NAMES)
        assert _digests(tree) == before

    @pytest.mark.parametrize(
        "config",
        [
            SceneConfig(n_scenes=0),
            SceneConfig(n_frames=0),
            SceneConfig(min_objects=5, max_objects=4),
            SceneConfig(min_objects=0),
        ],
    )
    def test_numbers_that_make_no_sense(self, tmp_path: Path, config: SceneConfig) -> None:
        with pytest.raises(ConfigError, match="cannot make"):
            generate_scenes(tmp_path / "x", OBJECTS, 0, config, class_names=NAMES)

    def test_too_few_objects(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="2 objects to choose from"):
            generate_scenes(tmp_path / "x", OBJECTS[:2], 0, CONFIG, class_names=NAMES)

    def test_an_index_that_is_another_name(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="'a_box' has index 1"):
            generate_scenes(tmp_path / "x", OBJECTS, 0, CONFIG)  # the catalogue's first is a coffee can

    def test_nothing_is_left_of_a_failure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("yaff.scene.synthetic.write_frame", full)
        with pytest.raises(StorageError, match="No space left"):
            generate_scenes(tmp_path / "x", OBJECTS, 0, CONFIG, class_names=NAMES)
        assert list(tmp_path.iterdir()) == []


class TestWriting:
    def test_mat_files_have_no_date(self) -> None:
        values = {"poses": np.arange(24.0).reshape(3, 4, 2)}
        assert mat_bytes(values) == mat_bytes(values)
        assert len(mat_bytes(values)) > 128

    def test_texture_survives(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        image = Image.fromarray(rng.integers(0, 256, size=(16, 16, 3), dtype=np.uint8))
        mesh = trimesh.creation.box((0.1, 0.1, 0.1))
        uv = rng.uniform(size=(8, 2))
        mesh.visual = TextureVisuals(uv=uv, material=SimpleMaterial(image=image))
        write_model(tmp_path, mesh, np.zeros((1, 3)))
        back = Appearance.of(trimesh.load(tmp_path / "textured_simple.obj", force="mesh", process=False))
        assert back.texture is not None
        assert np.array_equal(np.asarray(back.texture), np.asarray(image))
        assert back.texture_coordinates is not None
        assert np.abs(np.sort(np.unique(back.texture_coordinates)) - np.sort(np.unique(uv))).max() < 1e-6

    @pytest.mark.parametrize("kind", ["vertex", "face", "material"])
    def test_colours_survive(self, tmp_path: Path, kind: str) -> None:
        mesh = trimesh.creation.box((0.1, 0.1, 0.1))
        if kind == "vertex":
            mesh.visual.vertex_colors = [200, 100, 50, 255]
        elif kind == "face":
            mesh.visual.face_colors = [200, 100, 50, 255]
        else:
            mesh.visual = TextureVisuals(material=SimpleMaterial(diffuse=[200, 100, 50, 255]))
        write_model(tmp_path, mesh, np.zeros((1, 3)))
        look = Appearance.of(trimesh.load(tmp_path / "textured_simple.obj", force="mesh", process=False))
        colour = look.colour if look.vertex_colours is None else look.vertex_colours[0]
        assert colour is not None
        assert np.abs(colour - [200, 100, 50]).max() <= 1


class TestCamera:
    def test_look_at(self) -> None:
        eye, target = np.array([[0.5, -0.4, 0.6]]), np.array([0.1, 0.0, 0.05])
        T = look_at(eye, target, np.zeros(1))[0]
        assert np.allclose(apply(T, eye), 0.0, atol=1e-12)
        assert np.allclose(apply(T, target[None])[0][:2], 0.0, atol=1e-12)
        assert apply(T, target[None])[0, 2] > 0
        up = T[:3, :3] @ [0.0, 0.0, 1.0]
        assert up[1] < 0  # y down
        assert abs(up[0]) < 1e-12  # a level horizon

    def test_other_image_sizes_see_the_same_width(self) -> None:
        half = scaled_intrinsics((320, 240))
        assert np.allclose(half[:2], INTRINSICS[:2] / 2)
        wide = scaled_intrinsics((1280, 720))
        assert wide[0, 0] == pytest.approx(2 * INTRINSICS[0, 0])
        assert wide[1, 2] == pytest.approx(360 + 2 * (INTRINSICS[1, 2] - 240))


def test_solids_are_droppable() -> None:
    from yaff.scene.piles import Droppable

    assert isinstance(OBJECTS[0], Droppable)
    assert isinstance(OBJECTS[0], Solid)
