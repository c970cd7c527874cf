"""One unit of the stage "project", in a worker process: from the frames of a scene to its shard."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import ConvexHull

from pipelines.executor import digest
from pipelines.loading import ObjectRecipe, Recipes, catalogue, hand_of, object_of
from yaff.errors import FrameError
from yaff.geometry.transforms import invert
from yaff.scene.arrangements import Arrangements, group_arrangements
from yaff.scene.frames import FrameTable, SceneReader
from yaff.scene.image_sets import SPLITS, read_image_set
from yaff.scene.recognise import open_scenes
from yaff.store.hashing import digest_arrays

if TYPE_CHECKING:
    from yaff.scene.feasibility import Feasibility
    from yaff.scene.plane import Plane
    from yaff.scene.posed_hands import PosedHands
    from yaff.store.content import Candidates


@dataclass(frozen=True)
class ProjectTask:
    """What is to be projected, and how."""

    root: Path
    """Folder of the dataset."""
    scenes: tuple[int, ...]
    """Scenes; all of them when empty."""
    stride: int
    skip_bad_frames: bool
    library: Path
    layout: str
    tolerance: float
    """Relative motion within which frames share an arrangement, metres."""
    visibility: bool
    """Whether to store which share of each object is seen."""
    recipes: Recipes


def project_scene(part: Path, scene: int, task: ProjectTask, common: str, shards: Path) -> str:
    """Write the shard of a scene, and what the manifest needs to know of it into ``part``."""
    from yaff.store.content import assemble_shard
    from yaff.store.shards import ShardRecord, shard_name, write_shard
    from yaff.store.splits import splits_of

    reader = open_scenes(task.root, task.recipes.objects.cache, catalogue(task.recipes.objects.data).indices)
    table, bad = reader.read(scene, reader.frame_numbers(scene)[:: task.stride], skip_bad=task.skip_bad_frames)
    arrangements = group_arrangements(table, tolerance_m=task.tolerance)
    hand, objects = hand_of(task.recipes.hand), catalogue(task.recipes.objects.data)
    names = {objects[name].index: name for name in objects.names}
    candidates = _candidates(task.library, common, task.recipes.objects.data)
    planes, verdicts = [], []
    for group in range(len(arrangements)):
        plane, decided = _decide(reader, table, arrangements, group, task, common, names, candidates)
        planes.append(plane)
        verdicts.append(decided)
    seen, rendered = _visibility(reader, table, task, names) if task.visibility else (None, None)
    content = assemble_shard(
        table,
        arrangements,
        verdicts,
        planes,
        candidates,
        hand,
        {name: index for index, name in names.items()},
        splits=splits_of(table, _image_sets(reader.root, task.recipes.objects.models)),
        visibility=seen,
        visibility_rendered=rendered,
        inputs=digest(common, digest_arrays(_arrays(table))),
    )
    path = shards / shard_name(scene)
    write_shard(path, task.layout, content)
    record = ShardRecord.of(path)
    left_out = [{**asdict(frame), "file": _relative(frame.file, reader.root)} for frame in bad]
    text = json.dumps({"record": record.document(), "bad_frames": left_out}, indent=1)
    part.write_text(text, encoding="utf-8")
    skipped = f", {len(bad)} bad frames skipped" if bad else ""
    return f"{record.frames} frames, {record.annotations:,} annotations{skipped}"


@lru_cache(maxsize=1)
def _candidates(library: Path, common: str, data: Path) -> dict[int, Candidates]:
    """Usable grasps by object index, of the 21 and of own objects in ``data``.

    ``common`` is part of the key because a path may come to hold another library.
    """
    from yaff.store.content import Candidates
    from yaff.store.library import GraspLibrary

    opened, known = GraspLibrary.open(library), catalogue(data)
    return {known[name].index: Candidates.usable(opened[name]) for name in opened.objects}


def _decide(
    reader: SceneReader,
    table: FrameTable,
    arrangements: Arrangements,
    group: int,
    task: ProjectTask,
    common: str,
    names: Mapping[int, str],
    candidates: Mapping[int, Candidates],
) -> tuple[Plane, list[Feasibility]]:
    """Support plane and verdicts of one arrangement, in the camera of its representative frame."""
    from yaff.scene.feasibility import feasibility
    from yaff.scene.support import support_plane, viewpoints

    here = table.instances(int(arrangements.representative[group]))
    indices, Ts = table.object_index[here], table.Ts_camera_object[here]
    models = {int(index): object_of(names[int(index)], task.recipes.objects) for index in np.unique(indices)}
    ordered = [models[int(index)] for index in indices]
    plane = support_plane(
        Ts,
        [_corners(names[int(index)], task.recipes.objects) for index in indices],
        convex=True,
        masses=[model.mass for model in ordered],
        centres_of_mass=[np.asarray(model.centre_of_mass) for model in ordered],
        Ts_camera_view=viewpoints(table, arrangements, group),
    )
    plane = _refined(plane, reader, table, arrangements, group, [m.surface_points for m in ordered], task)
    grasps = {i: candidates[i].grasps for i in models if i in candidates and len(candidates[i].grasps)}
    posed = {index: _posed(task.library, common, index, task.recipes) for index in grasps}
    return plane, feasibility(hand_of(task.recipes.hand), models, Ts, indices, plane, grasps, posed=posed)


@lru_cache(maxsize=32)
def _corners(name: str, recipe: ObjectRecipe) -> np.ndarray:
    """Corners (p, 3) of the convex hull of an object: where it touches a plane."""
    vertices = np.asarray(object_of(name, recipe).solid.vertices, np.float64)
    return vertices[np.sort(ConvexHull(vertices).vertices)]


DEPTH_FRAMES = 16
"""Frames of an arrangement in which a depth image is looked for."""


def _refined(
    plane: Plane,
    reader: SceneReader,
    table: FrameTable,
    arrangements: Arrangements,
    group: int,
    points: Sequence[np.ndarray],
    task: ProjectTask,
) -> Plane:
    """The plane made exact by the first depth image of the arrangement that shows enough of it; or as it is."""
    from yaff.scene.support_depth import refine_with_depth

    rows = arrangements.members(group)
    origin = table.instances(int(arrangements.representative[group]))
    for row in rows[np.unique(np.linspace(0, len(rows) - 1, DEPTH_FRAMES).round().astype(int))].tolist():
        depth = _image(reader.depth, table, row, task.skip_bad_frames)
        if depth is None or origin.start == origin.stop:
            continue
        first = int(arrangements.instance_of(table, np.array([row]), 0)[0])
        T = table.Ts_camera_object[first] @ invert(table.Ts_camera_object[origin.start])
        poses = T @ table.Ts_camera_object[origin]
        refined = refine_with_depth(plane.transformed(T), depth, table.intrinsics[row], poses, list(points))
        if refined.source == "depth":
            return refined.transformed(invert(T))
    return plane


@lru_cache(maxsize=32)
def _posed(library: Path, common: str, index: int, recipes: Recipes) -> PosedHands:
    """The hands of an object's candidates, posed once for all arrangements of all scenes of this process."""
    from yaff.scene.feasibility import FeasibilityConfig
    from yaff.scene.posed_hands import pose_hands

    config = FeasibilityConfig()
    grasps = _candidates(library, common, recipes.objects.data)[index].grasps
    return pose_hands(hand_of(recipes.hand), grasps, config.path_steps, config.path_vertices)


SHRINK = 4
"""Visibility is decided on images this much smaller than the camera's: a share needs no more pixels."""


def _visibility(
    reader: SceneReader, table: FrameTable, task: ProjectTask, names: Mapping[int, str]
) -> tuple[np.ndarray, np.ndarray]:
    """Visible share of each instance (i,), and whether it comes from rendered depth order or from a label image."""
    from yaff.scene.render_raycast import RaycastRenderer
    from yaff.scene.visibility import visibility

    renderer = RaycastRenderer(shadows=False)
    size = (reader.image_size[0] // SHRINK, reader.image_size[1] // SHRINK)
    shares, rendered = np.zeros(len(table.object_index), np.float32), np.ones(len(table.object_index), bool)
    for row in range(len(table)):
        here = table.instances(row)
        indices = table.object_index[here]
        meshes = [object_of(names[int(index)], task.recipes.objects).solid for index in indices]
        intrinsics = np.diag([1 / SHRINK, 1 / SHRINK, 1.0]) @ table.intrinsics[row]
        labels = _image(reader.labels, table, row, task.skip_bad_frames)
        if labels is not None:
            labels = np.ascontiguousarray(labels[::SHRINK, ::SHRINK][: size[1], : size[0]])
        seen = visibility(renderer, meshes, table.Ts_camera_object[here], indices, intrinsics, size, labels)
        shares[here] = seen.visible_share
        rendered[here] = labels is None
    return shares, rendered


def _image(
    read: Callable[[int, int], np.ndarray | None], table: FrameTable, row: int, skip_bad: bool
) -> np.ndarray | None:
    """The depth or label image of a frame; None where there is none, or where a bad one is to be passed over."""
    try:
        return read(table.scene, int(table.frames[row]))
    except FrameError:
        if skip_bad:
            return None
        raise


def _relative(file: str, root: Path) -> str:
    """A path as seen from the dataset, so that a manifest does not depend on where that is."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


@lru_cache(maxsize=1)
def _image_sets(root: Path, models: Path | None) -> dict[str, Mapping[int, np.ndarray]]:
    """The official splits: of ``image_sets/`` in the dataset, or beside the folder of models that it is used with."""
    for place in (root, *([] if models is None else [models.parent])):
        present = [name for name in SPLITS if (place / "image_sets" / f"{name}.txt").is_file()]
        if present:
            return {name: read_image_set(place, name) for name in present}
    return {}


def _arrays(table: FrameTable) -> dict[str, np.ndarray]:
    names = ("frames", "intrinsics", "instance_start", "object_index", "Ts_camera_object")
    return {name: getattr(table, name) for name in names}
