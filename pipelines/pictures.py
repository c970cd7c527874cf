"""Pictures of grasps and of annotated frames, for ``yaff show`` and the report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from pipelines.loading import Recipes, catalogue, hand_of, mesh_of
from yaff.errors import InputError
from yaff.geometry.transforms import make_transform
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    import trimesh

    from yaff.grasp.batch import Grasps
    from yaff.hand import HandModel
    from yaff.scene.frames import SceneReader
    from yaff.scene.render import Renderer, RenderMesh
    from yaff.scene.renderers import Preference
    from yaff.store.shards import ShardReader

Array = np.ndarray
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
HAND_COLOURS: tuple[Colour, ...] = (
    (222, 172, 146),
    (120, 170, 214),
    (138, 196, 128),
    (232, 184, 96),
    (186, 146, 210),
)
"""Skin first; the others tell the hands of a frame apart."""


_renderers: list[Renderer] = []


def renderer() -> Renderer:
    """The renderer of this process: ray casting, the same pixels everywhere, unless another was chosen."""
    if not _renderers:
        from yaff.scene.render_raycast import RaycastRenderer

        _renderers.append(RaycastRenderer(shadows=False))
    return _renderers[-1]


def choose_renderer(prefer: Preference) -> None:
    """Draw with another renderer from now on.

    Raises:
        ConfigError: it does not work here.
    """
    from yaff.scene.renderers import make_renderer

    _renderers.append(make_renderer(prefer))


def hand_mesh(hand: HandModel, vertices: Float[Array, "778 3"]) -> trimesh.Trimesh:
    """The hand as a mesh, its open wrist closed with a lid."""
    import trimesh

    rim = _rim(hand)
    lid = [(rim[i - 1], rim[i], len(vertices)) for i in range(len(rim))]
    points = np.concatenate([vertices, vertices[list(rim)].mean(axis=0, keepdims=True)])
    return trimesh.Trimesh(points, np.concatenate([hand.faces, np.array(lid, np.int64)]), process=False)


def _rim(hand: HandModel) -> tuple[int, ...]:
    """The vertices round the open wrist, in order."""
    edges = np.concatenate([hand.faces[:, [0, 1]], hand.faces[:, [1, 2]], hand.faces[:, [2, 0]]])
    there = {(int(a), int(b)) for a, b in edges}
    following = {b: a for a, b in there if (b, a) not in there}
    rim = [min(following)]
    while following[rim[-1]] != rim[0]:
        rim.append(following[rim[-1]])
    return tuple(rim)


# ---------------------------------------------------------------------- single grasps


def draw_grasp(hand: HandModel, mesh: trimesh.Trimesh, grasp: Grasps, size: int = 360) -> UInt8[Array, "s s 3"]:
    """The first grasp of a batch on the mesh of its object, from where both show best."""
    from yaff.scene.render import RenderMesh

    vertices = hand.vertices(grasp)[0]
    skin = hand_mesh(hand, vertices)

    def meshes(T_camera_object: Float[Array, "4 4"]) -> list[RenderMesh]:
        return [RenderMesh(mesh, T_camera_object), RenderMesh(skin, T_camera_object, HAND_COLOURS[0])]

    points = np.concatenate([vertices, np.asarray(mesh.vertices)])
    forearm = vertices[list(_rim(hand))].mean(axis=0) - vertices.mean(axis=0)
    directions = _directions(vertices, mesh.bounds.mean(axis=0))
    best = max(directions, key=lambda view: _likes(view, forearm) * _both_show(meshes(look_at(points, view))))
    return _smooth(meshes(look_at(points, best)), size)


def _likes(view: Float[Array, "3"], forearm: Float[Array, "3"]) -> float:
    """How natural a view is: rather from above than from below, and not from behind the wrist."""
    behind = float(view @ forearm / np.linalg.norm(view) / np.linalg.norm(forearm))
    above = float(view[2] / np.linalg.norm(view))
    return (1.0 - 0.8 * max(0.0, behind)) * (1.0 if above > -0.1 else 0.5)


def draw_meshes(
    meshes: Sequence[trimesh.Trimesh],
    direction: Float[Array, "3"],
    size: int,
    within: Float[Array, "n 3"] | None = None,
) -> UInt8[Array, "s s 3"]:
    """Meshes of one frame, seen from a direction of that frame; those without colours in the colour of skin.

    The picture shows all of ``within`` where it is given (so that pictures have one scale), else all of the meshes.
    """
    from yaff.scene.render import RenderMesh

    shown = np.concatenate([np.asarray(mesh.vertices) for mesh in meshes]) if within is None else within
    T = look_at(shown, direction)
    coloured = [None if mesh.visual is not None and mesh.visual.defined else HAND_COLOURS[0] for mesh in meshes]
    return _smooth([RenderMesh(mesh, T, colour) for mesh, colour in zip(meshes, coloured, strict=True)], size)


FIELD = 0.5
"""Tangent of half the field of view of the pictures of grasps."""


def look_at(points: Float[Array, "n 3"], direction: Float[Array, "3"]) -> Float[Array, "4 4"]:
    """T_camera_object of a camera in ``direction`` that has all points in view, the object's z upwards in the image."""
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    forward = -np.asarray(direction, np.float64) / np.linalg.norm(direction)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.95 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    seen = (points - centre) @ rotation.T
    distance = float((np.abs(seen[:, :2]).max(axis=1) / (0.9 * FIELD) - seen[:, 2]).max())
    return make_transform(rotation, np.array([0.0, 0.0, distance]) - rotation @ centre)


def _directions(vertices: Float[Array, "778 3"], centre: Float[Array, "3"]) -> list[Float[Array, "3"]]:
    """Views at right angles to the line from object to hand, where neither hides the other."""
    away = vertices.mean(axis=0) - centre
    away = away / max(float(np.linalg.norm(away)), 1e-9)
    helper = np.eye(3)[np.abs(away).argmin()]
    first = np.cross(away, helper)
    first /= np.linalg.norm(first)
    second = np.cross(away, first)
    angles = np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False)
    around = [np.cos(angle) * first + np.sin(angle) * second for angle in angles]
    return [view + lean * away + np.array([0.0, 0.0, 0.3]) for view in around for lean in (0.0, 0.6)]


def _both_show(meshes: list[RenderMesh]) -> float:
    """Pixels of the object times pixels of the hand, in a small picture."""
    index = renderer().render(meshes, intrinsics_of(48), (48, 48)).index
    return float(np.count_nonzero(index == 0)) ** 0.5 * float(np.count_nonzero(index == 1))


def intrinsics_of(size: int) -> Float[Array, "3 3"]:
    """Of the camera of the pictures of grasps, for a square picture of this many pixels."""
    focal, middle = 0.5 * size / FIELD, 0.5 * (size - 1)
    return np.array([[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]])


def _smooth(meshes: list[RenderMesh], size: int) -> UInt8[Array, "s s 3"]:
    """Drawn at twice the size and averaged."""
    large = renderer().render(meshes, intrinsics_of(2 * size), (2 * size, 2 * size), background=WHITE).colour
    return np.asarray(Image.fromarray(large).resize((size, size), Image.Resampling.BOX))


def grasp_caption(grasp: Grasps, row: int) -> str:
    """One line on the first grasp of a batch, whose row in the library is ``row``."""
    number = int(grasp.grasp_type[0])
    state = "" if grasp.verified[0] else f" (for review: {grasp.reason[0]})"
    return f"{grasp.object_name} #{row}: {number} {GRASP_TYPES[number].name}{state}"


# ---------------------------------------------------------------------- frames


@dataclass(frozen=True)
class FramePicture:
    """A drawn frame and what is in it."""

    picture: UInt8[Array, "h w 3"]
    captions: tuple[str, ...]
    """One for each drawn grasp."""


def draw_frame(
    recipes: Recipes, shard: ShardReader, frame: int, reader: SceneReader | None, rng: np.random.Generator
) -> FramePicture:
    """A frame with one random annotated grasp for each object, over its colour image where it has one.

    Raises:
        InputError: the shard has no such frame.
    """
    from yaff.scene.render import RenderMesh

    rows = np.flatnonzero(shard["frames/frame"] == frame)
    if not len(rows):
        known = shard["frames/frame"]
        raise InputError(
            f"no frame {frame} in scene {shard.scene}",
            where=shard.path,
            remedy=f"frames {known.min()} to {known.max()}, {len(known)} of them" if len(known) else "it has none",
        )
    start = shard["frames/instance_start"]
    instances = range(int(start[rows[0]]), int(start[rows[0] + 1]))
    known = catalogue(recipes.objects.data)
    names = {known[name].index: name for name in known.names}
    hand, hands, captions, meshes = hand_of(recipes.hand), [], [], []
    for instance in instances:
        name = names[int(shard["instances/object_index"][instance])]
        T = np.asarray(shard["instances/T_camera_object"][instance])
        meshes.append(RenderMesh(mesh_of(name, recipes.objects), T))
        first, last = (int(shard["instances/annotation_start"][instance + k]) for k in (0, 1))
        if first == last:
            continue
        row = int(rng.integers(first, last))
        vertices, number, library_row = annotation_vertices(hand, shard, row)
        hands.append(RenderMesh(hand_mesh(hand, vertices), np.eye(4), HAND_COLOURS[len(hands) % len(HAND_COLOURS)]))
        captions.append(f"{name} #{library_row}: {number} {GRASP_TYPES[number].name}")
    photo = None if reader is None else reader.colour(shard.scene, frame)
    picture = over_photo(meshes, hands, np.asarray(shard["frames/intrinsics"][rows[0]]), photo)
    return FramePicture(picture, tuple(captions))


def over_photo(
    objects: Sequence[RenderMesh],
    hands: Sequence[RenderMesh],
    intrinsics: Float[Array, "3 3"],
    photo: UInt8[Array, "h w 3"] | None,
) -> UInt8[Array, "h w 3"]:
    """Objects and hands as a camera sees them; only the hands, over the photo, where there is one."""
    size = (640, 480) if photo is None else (photo.shape[1], photo.shape[0])
    drawn = renderer().render([*objects, *hands], intrinsics, size)
    if photo is None:
        return drawn.colour
    return np.where((drawn.index >= len(objects))[..., None], drawn.colour, photo)


def annotation_vertices(hand: HandModel, shard: ShardReader, row: int) -> tuple[Float[Array, "778 3"], int, int]:
    """Vertices of an annotation in the camera frame (metres), its grasp type and its row in the library."""
    numbers = shard.parameters(row, row + 1).astype(np.float64)
    facts = shard.gather(np.array([row]))
    shape = np.asarray(facts["grasp/shape"], np.float64)
    vertices = hand.vertices(numbers[:, 3:48], numbers[:, :3], numbers[:, 48:], shape)[0]
    return vertices, int(facts["grasp/grasp_type"][0]), int(facts["grasp/library_row"][0])


# ---------------------------------------------------------------------- images


def sheet(pictures: Sequence[tuple[Array, str]], columns: int) -> UInt8[Array, "h w 3"]:
    """Pictures of one size in rows, each with its caption below."""
    height, width = pictures[0][0].shape[:2]
    line = 16
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (columns * width, rows * (height + line)), WHITE)
    draw = ImageDraw.Draw(canvas)
    for i, (picture, caption) in enumerate(pictures):
        x, y = (i % columns) * width, (i // columns) * (height + line)
        canvas.paste(Image.fromarray(picture), (x, y))
        while len(caption) > 4 and draw.textlength(caption) > width - 6:
            caption = caption[:-4] + "..."
        draw.text((x + 4, y + height + 1), caption, fill=(60, 66, 72))
    return np.asarray(canvas)


def to_png(picture: UInt8[Array, "h w 3"]) -> bytes:
    """A picture as PNG."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def write_png(path: Path, picture: UInt8[Array, "h w 3"]) -> None:
    """A picture as a PNG file, whole or not at all.

    Raises:
        StorageError: the disk refused.
    """
    from yaff.store.atomic import write_bytes

    write_bytes(path, to_png(picture))
