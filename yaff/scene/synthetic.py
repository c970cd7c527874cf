"""Scenes that the program makes itself: piles of objects, filmed, written as a YCB-Video tree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from jaxtyping import Float, Float64
from PIL import Image
from trimesh.visual.material import SimpleMaterial
from trimesh.visual.texture import TextureVisuals

from yaff.errors import ConfigError, StorageError
from yaff.geometry.transforms import apply, invert
from yaff.scene.cameras import unproject_depth
from yaff.scene.image_sets import format_image_set
from yaff.scene.orbit import INTRINSICS, orbit
from yaff.scene.piles import Droppable, PileConfig, drop_pile
from yaff.scene.render import Renderer, RenderMesh
from yaff.scene.render_raycast import RaycastRenderer
from yaff.scene.ycb_video_writer import FrameImages, write_camera, write_frame, write_model

Array = np.ndarray

_BACKGROUND = (214, 221, 226)


@dataclass(frozen=True)
class SceneConfig:
    """What generated scenes are like."""

    n_scenes: int = 4
    n_frames: int = 60
    """Frames of each scene."""
    min_objects: int = 4
    max_objects: int = 6
    image_every: int = 20
    """Every which frame, from the first, has colour, depth and label images; 0 for none."""
    validation_share: float = 0.25
    """Share of the scenes, the last ones, that make the validation split."""
    supersample: int = 2
    """Rays along each side of a pixel for the colour image."""


def generate_scenes(
    root: Path,
    objects: Sequence[Droppable],
    seed: int,
    config: SceneConfig | None = None,
    *,
    class_names: Sequence[str] | None = None,
    pile: PileConfig | None = None,
    size: tuple[int, int] = (640, 480),
    renderer: Renderer | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, ...]:
    """Drop objects on a table, move a camera round them, and write it all as a YCB-Video tree.

    Scene numbers start at 0. Each scene depends on ``seed`` and its number only. The tree is written beside ``root``
    and renamed when it is complete.

    Args:
        root: the dataset folder; it must not exist, or be empty.
        objects: to choose from, each at most once in a scene.
        seed: of everything that is drawn.
        config: numbers of scenes, frames, objects and images.
        class_names: all names in the order of their indices; the catalogue's 21 where not given.
        pile: how the objects are dropped.
        size: width and height of the images, pixels; the camera is scaled from 640x480.
        renderer: draws the images; ray casting, which gives the same pixels everywhere, where not given.
        progress: called with the number of each scene when it is done.

    Returns:
        The scene numbers.

    Raises:
        ConfigError: numbers that make no sense, or objects whose index and name disagree with ``class_names``.
        StorageError: ``root`` is in use, or writing failed.
        PhysicsError: objects that will not come to rest.
    """
    config = config or SceneConfig()
    names = _class_names(class_names)
    _check(objects, names, config)
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise StorageError("the folder for generated scenes is not empty", where=root, remedy="remove it first")
    renderer = renderer or RaycastRenderer(supersample=config.supersample)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{root.name}-", suffix=".partial", dir=root.parent))
        try:
            work.chmod(0o755)
            for scene in range(config.n_scenes):
                rng = np.random.default_rng([seed, scene])
                _write_scene(work, scene, objects, rng, config, pile, size, renderer)
                if progress is not None:
                    progress(scene)
            _write_models(work, objects)
            _write_lists(work, names, config, size)
            if root.exists():
                root.rmdir()
            work.rename(root)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"the scenes could not be written ({error})", where=root, remedy="free space, or write elsewhere"
        ) from error
    return tuple(range(config.n_scenes))


def _class_names(given: Sequence[str] | None) -> tuple[str, ...]:
    if given is not None:
        return tuple(given)
    from yaff.objects.catalogue import Catalogue

    return tuple(Catalogue.load().names)


def _check(objects: Sequence[Droppable], names: tuple[str, ...], config: SceneConfig) -> None:
    if config.n_scenes < 1 or config.n_frames < 1 or not 1 <= config.min_objects <= config.max_objects:
        raise ConfigError(
            f"cannot make {config.n_scenes} scenes of {config.n_frames} frames with {config.min_objects} to"
            f" {config.max_objects} objects",
            remedy="all at least 1, and no more at least than at most",
        )
    if len(objects) < config.min_objects:
        raise ConfigError(
            f"{len(objects)} objects to choose from, {config.min_objects} wanted in a scene",
            remedy="give more objects, or lower min_objects",
        )
    for item in objects:
        if not 1 <= item.index <= len(names) or names[item.index - 1] != item.name:
            raise ConfigError(
                f"object {item.name!r} has index {item.index}, which is not its line in the list of classes",
                remedy="pass class_names with every object at its index, counted from 1",
            )


def _write_scene(
    root: Path,
    scene: int,
    objects: Sequence[Droppable],
    rng: np.random.Generator,
    config: SceneConfig,
    pile: PileConfig | None,
    size: tuple[int, int],
    renderer: Renderer,
) -> None:
    count = int(rng.integers(config.min_objects, min(config.max_objects, len(objects)) + 1))
    chosen = [objects[i] for i in rng.permutation(len(objects))[:count]]
    Ts_world_object = drop_pile(chosen, rng, pile)
    # files list instances by index, as YCB-Video does
    order = np.argsort([o.index for o in chosen], kind="stable")
    chosen, Ts_world_object = [chosen[i] for i in order], Ts_world_object[order]
    corners = np.concatenate([apply(T, np.concatenate(o.pieces)) for T, o in zip(Ts_world_object, chosen, strict=True)])
    target = 0.5 * (corners.min(0) + corners.max(0))
    extent = float(np.linalg.norm(corners - target, axis=1).max())
    Ts_camera_world = orbit(config.n_frames, target, extent, rng)
    table = RenderTable(rng)
    intrinsics = scaled_intrinsics(size)
    folder = root / "data" / f"{scene:04d}"
    folder.mkdir(parents=True)
    for k, T_camera_world in enumerate(Ts_camera_world):
        Ts_camera_object = T_camera_world @ Ts_world_object
        images = None
        if config.image_every and k % config.image_every == 0:
            images = _photograph(renderer, chosen, Ts_camera_object, T_camera_world, table, intrinsics, size)
        write_frame(
            folder,
            k + 1,
            names=[o.name for o in chosen],
            object_index=[o.index for o in chosen],
            Ts_camera_object=Ts_camera_object,
            intrinsics=intrinsics,
            points=[np.asarray(o.visual.vertices) for o in chosen],
            T_camera_world=T_camera_world,
            images=images,
        )


def scaled_intrinsics(size: tuple[int, int]) -> Float64[Array, "3 3"]:
    """YCB-Video's camera for images of another size than 640x480, the same field of view along the width."""
    scale = size[0] / 640.0
    intrinsics = INTRINSICS * scale
    intrinsics[2, 2] = 1.0
    intrinsics[1, 2] += 0.5 * (size[1] - 480.0 * scale)
    return intrinsics


class RenderTable:
    """A round wooden table whose top is z = 0."""

    def __init__(self, rng: np.random.Generator) -> None:
        angle = np.linspace(0.0, 2.0 * np.pi, 96, endpoint=False)
        rim = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        flat = np.concatenate([np.zeros((1, 2)), rim])
        vertices = np.column_stack([0.75 * flat, np.zeros(len(flat))])
        ring = np.arange(96)
        faces = np.column_stack([np.zeros(96, np.int64), ring + 1, (ring + 1) % 96 + 1])
        visual = TextureVisuals(uv=0.5 + 0.5 * flat, material=SimpleMaterial(image=_wood(rng)))
        self.mesh = trimesh.Trimesh(vertices, faces, visual=visual, process=False)


def _wood(rng: np.random.Generator) -> Image.Image:
    """Planks with grain, drawn from sums of sines."""
    n, planks = 768, 7
    y, x = np.meshgrid(np.linspace(0.0, 1.0, n), np.linspace(0.0, 1.0, n), indexing="ij")
    plank = np.minimum((y * planks).astype(np.int64), planks - 1)
    phase = rng.uniform(0.0, 2.0 * np.pi, size=(planks, 3))[plank]
    tone = rng.uniform(0.90, 1.06, size=planks)[plank]
    bend = 0.25 * np.sin(5.0 * x + phase[..., 0]) + 0.12 * np.sin(13.0 * x + phase[..., 1])
    grain = np.sin(46.0 * (planks * y + bend) + phase[..., 2]) + 0.5 * np.sin(131.0 * (y * planks + 0.6 * bend))
    gap = np.abs(y * planks - np.rint(y * planks)) < 0.012
    value = tone * (1.0 + 0.035 * grain) * np.where(gap, 0.72, 1.0)
    colour = value[..., None] * np.array([203.0, 172.0, 134.0])
    return Image.fromarray(np.clip(colour, 0.0, 255.0).astype(np.uint8))


def _photograph(
    renderer: Renderer,
    objects: Sequence[Droppable],
    Ts_camera_object: Float[Array, "k 4 4"],
    T_camera_world: Float[Array, "4 4"],
    table: RenderTable,
    intrinsics: Float[Array, "3 3"],
    size: tuple[int, int],
) -> FrameImages:
    items = [RenderMesh(o.visual, T) for o, T in zip(objects, Ts_camera_object, strict=True)]
    view = renderer.render([*items, RenderMesh(table.mesh, T_camera_world)], intrinsics, size, _BACKGROUND)
    values = np.array([*(o.index for o in objects), 0, 0], np.uint8)  # then the table, then nothing
    labels = values[view.index]
    cloud = unproject_depth(np.where(labels > 0, view.depth, 0.0), intrinsics)
    vertmap = np.zeros((*labels.shape, 3), np.float32)
    for k, T in enumerate(Ts_camera_object):
        of_object = view.index == k
        vertmap[of_object] = apply(invert(T), cloud[of_object])
    return FrameImages(colour=view.colour, depth=view.depth, labels=labels, vertmap=vertmap)


def _write_models(root: Path, objects: Sequence[Droppable]) -> None:
    for item in objects:
        folder = root / "models" / item.name
        folder.mkdir(parents=True)
        points = getattr(item, "surface_points", None)
        write_model(folder, item.visual, np.asarray(item.visual.vertices if points is None else points))


def _write_lists(root: Path, names: tuple[str, ...], config: SceneConfig, size: tuple[int, int]) -> None:
    (root / "cameras").mkdir()
    write_camera(root / "cameras" / "synthetic.json", scaled_intrinsics(size), size)
    folder = root / "image_sets"
    folder.mkdir()
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="ascii")
    first_held_out = config.n_scenes - round(config.validation_share * config.n_scenes)
    frames = [(scene, frame) for scene in range(config.n_scenes) for frame in range(1, config.n_frames + 1)]
    held_out = [(scene, frame) for scene, frame in frames if scene >= first_held_out]
    every = config.image_every or 1
    splits = {
        "train": [(scene, frame) for scene, frame in frames if scene < first_held_out],
        "val": held_out,
        "trainval": frames,
        "keyframe": [(scene, frame) for scene, frame in held_out if (frame - 1) % every == 0],
    }
    for name, content in splits.items():
        (folder / f"{name}.txt").write_text(format_image_set(content), encoding="ascii")
