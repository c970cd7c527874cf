"""Stage "project": one unit for each scene, from its frames to its shard; then index and manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.code import PROJECTING, code_digest
from pipelines.executor import Outcome, Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, catalogue, hand_of, object_of
from pipelines.progress import Progress
from pipelines.stages.objects import prepare_objects
from pipelines.stages.outcomes import raise_failures
from pipelines.stages.search import versions
from yaff.errors import FrameError, InputError
from yaff.scene.arrangements import group_arrangements
from yaff.scene.frames import BadFrame, FrameTable
from yaff.scene.image_sets import SPLITS, read_image_set
from yaff.scene.ycb_video import YcbVideoReader
from yaff.store.hashing import digest_arrays

if TYPE_CHECKING:
    from yaff.scene.feasibility import Feasibility
    from yaff.scene.plane import Plane
    from yaff.scene.posed_hands import PosedHands
    from yaff.store.content import Candidates
    from yaff.store.library import GraspLibrary


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
    recipes: Recipes


@dataclass(frozen=True)
class ProjectResult:
    """The folder of shards and the frames that were left out."""

    shards: Path
    bad_frames: tuple[BadFrame, ...]


def project(task: ProjectTask, shards: Path, work: Path, workforce: Workforce, progress: Progress) -> ProjectResult:
    """Write the shards of all scenes, then index and manifest.

    Raises:
        YaffError: a frame that cannot be read (unless they are skipped), a library of another hand or other meshes.
    """
    from yaff.store.library import GraspLibrary

    reader = YcbVideoReader(task.root)
    scenes = _chosen_scenes(reader, task.scenes)
    library = GraspLibrary.open(task.library)
    _check_hand(library, task)
    seen = _objects_in(reader, scenes)
    prepared = prepare_objects(seen, task.recipes.objects, work, workforce, progress)
    meshes = {name: entry.digest for name, entry in prepared.items()}
    _check_meshes(library, task, meshes)
    common = digest(
        "project",
        code_digest(PROJECTING),
        library.digest,
        hand_of(task.recipes.hand).digest,
        meshes,
        task.layout,
        task.tolerance,
    )
    units = [
        Unit(
            f"project/{scene:04d}",
            digest(common, _fingerprint(task.root, scene), task.stride, task.skip_bad_frames),
            _project_scene,
            (scene, task, common, shards),
            ".json",
            still_good=partial(_shard_is_there, shards),
        )
        for scene in scenes
    ]
    if not all(unit.part(work).is_file() for unit in units):
        (shards / "manifest.json").unlink(missing_ok=True)  # until it is written again, the folder is unfinished
    outcomes = run_units("project", units, work, workforce, progress)
    raise_failures(outcomes)
    bad = _finish(task, shards, outcomes, library, meshes)
    return ProjectResult(shards, bad)


def _chosen_scenes(reader: YcbVideoReader, wanted: tuple[int, ...]) -> tuple[int, ...]:
    present = reader.scenes()
    missing = sorted(set(wanted) - set(present))
    if missing or not present:
        raise InputError(
            f"no scene {missing[0]}" if missing else "no scenes",
            where=reader.root / "data",
            remedy=f"scenes present: {', '.join(map(str, present)) or 'none'}",
        )
    return tuple(sorted(wanted)) or present


def _objects_in(reader: YcbVideoReader, scenes: Sequence[int]) -> tuple[str, ...]:
    """Names of the objects in the first frame of each scene: enough to prepare them in parallel beforehand."""
    known = catalogue()
    indices: set[int] = set()
    for scene in scenes:
        frames = reader.frame_numbers(scene)
        table, _ = reader.read(scene, frames[:1], skip_bad=True)
        indices.update(table.object_index.tolist())
    return tuple(name for name in known.names if known[name].index in indices)


def _check_hand(library: GraspLibrary, task: ProjectTask) -> None:
    """Refuse grasps of another hand."""
    hand = hand_of(task.recipes.hand)
    made_by = library.metadata.get("hand", {})
    if made_by.get("digest") != hand.digest:
        raise InputError(
            f"the library's grasps are of another hand ({made_by.get('name', 'unknown')}, {made_by.get('side', '')}) "
            f"than the one at work ({hand.name}, {hand.side})",
            where=library.path,
            remedy="choose that hand with hand.side and hand.folder, or search again",
        )


def _check_meshes(library: GraspLibrary, task: ProjectTask, meshes: Mapping[str, str]) -> None:
    """Refuse grasps of objects with another shape."""
    for name, of_library in library.metadata.get("meshes", {}).items():
        if name in meshes and meshes[name] != of_library:
            raise InputError(
                f"the library's grasps of {name} were found on another mesh than the one at work "
                f"({task.recipes.objects.label})",
                where=library.path,
                remedy="use the same objects.source and objects.models as in the search, or search again",
            )


def _fingerprint(root: Path, scene: int) -> str:
    """A digest that changes when a file of the scene does (by name, size and time): which parts of work still stand."""
    with os.scandir(root / "data" / f"{scene:04d}") as entries:
        files = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries)
    return digest(str(root.resolve()), files)


def _shard_is_there(shards: Path, part: Path) -> bool:
    """Whether the shard that a part speaks of is complete."""
    try:
        record = json.loads(part.read_text(encoding="utf-8"))["record"]
        return (shards / record["file"]).stat().st_size == record["bytes"]
    except (OSError, ValueError, KeyError):
        return False


# ---------------------------------------------------------------------- in a worker


def _project_scene(part: Path, scene: int, task: ProjectTask, common: str, shards: Path) -> str:
    from yaff.store.content import assemble_shard
    from yaff.store.shards import ShardRecord, shard_name, write_shard
    from yaff.store.splits import splits_of

    reader = YcbVideoReader(task.root)
    table, bad = reader.read(scene, _frames(task.root, scene)[:: task.stride], skip_bad=task.skip_bad_frames)
    arrangements = group_arrangements(table, tolerance_m=task.tolerance)
    hand, objects = hand_of(task.recipes.hand), catalogue()
    names = {objects[name].index: name for name in objects.names}
    candidates = _candidates(task.library, common)
    planes, verdicts = [], []
    for row in arrangements.representative:
        plane, decided = _decide(reader, table, int(row), task, common, names, candidates)
        planes.append(plane)
        verdicts.append(decided)
    content = assemble_shard(
        table,
        arrangements,
        verdicts,
        planes,
        candidates,
        hand,
        {name: index for index, name in names.items()},
        splits=splits_of(table, _image_sets(task.root)),
        inputs=digest(common, digest_arrays(_arrays(table))),
    )
    path = shards / shard_name(scene)
    write_shard(path, task.layout, content)
    record = ShardRecord.of(path)
    left_out = [{**asdict(frame), "file": _relative(frame.file, task.root)} for frame in bad]
    text = json.dumps({"record": record.document(), "bad_frames": left_out}, indent=1)
    part.write_text(text, encoding="utf-8")
    skipped = f", {len(bad)} bad frames skipped" if bad else ""
    return f"{record.frames} frames, {record.annotations:,} annotations{skipped}"


def _frames(root: Path, scene: int) -> list[int]:
    """Frame numbers of a scene by any of their files: one without its ``meta.mat`` is a bad frame, not no frame."""
    with os.scandir(root / "data" / f"{scene:04d}") as entries:
        stems = {entry.name.split("-")[0] for entry in entries if "-" in entry.name}
    return sorted(int(stem) for stem in stems if stem.isdigit())


@lru_cache(maxsize=1)
def _candidates(library: Path, common: str) -> dict[int, Candidates]:
    """Usable grasps by object index. ``common`` is part of the key because a path may come to hold another library."""
    from yaff.store.content import Candidates
    from yaff.store.library import GraspLibrary

    opened, known = GraspLibrary.open(library), catalogue()
    return {known[name].index: Candidates.usable(opened[name]) for name in opened.objects}


def _decide(
    reader: YcbVideoReader,
    table: FrameTable,
    row: int,
    task: ProjectTask,
    common: str,
    names: Mapping[int, str],
    candidates: Mapping[int, Candidates],
) -> tuple[Plane, list[Feasibility]]:
    """Support plane and verdicts of one arrangement, in the camera of its representative frame."""
    from yaff.scene.feasibility import feasibility
    from yaff.scene.support import support_plane
    from yaff.scene.support_depth import refine_with_depth

    here = table.instances(row)
    indices, Ts = table.object_index[here], table.Ts_camera_object[here]
    models = {int(index): object_of(names[int(index)], task.recipes.objects) for index in np.unique(indices)}
    ordered = [models[int(index)] for index in indices]
    points = [np.asarray(model.surface_points) for model in ordered]
    plane = support_plane(
        Ts,
        points,
        masses=[model.mass for model in ordered],
        centres_of_mass=[np.asarray(model.centre_of_mass) for model in ordered],
    )
    depth = _depth(reader, table, row, task.skip_bad_frames)
    if depth is not None:
        plane = refine_with_depth(plane, depth, table.intrinsics[row], Ts, points)
    grasps = {i: candidates[i].grasps for i in models if i in candidates and len(candidates[i].grasps)}
    posed = {index: _posed(task.library, common, index, task.recipes) for index in grasps}
    return plane, feasibility(hand_of(task.recipes.hand), models, Ts, indices, plane, grasps, posed=posed)


@lru_cache(maxsize=32)
def _posed(library: Path, common: str, index: int, recipes: Recipes) -> PosedHands:
    """The hands of an object's candidates, posed once for all arrangements of all scenes of this process."""
    from yaff.scene.feasibility import FeasibilityConfig
    from yaff.scene.posed_hands import pose_hands

    config = FeasibilityConfig()
    grasps = _candidates(library, common)[index].grasps
    return pose_hands(hand_of(recipes.hand), grasps, config.path_steps, config.path_vertices)


def _depth(reader: YcbVideoReader, table: FrameTable, row: int, skip_bad: bool) -> np.ndarray | None:
    """The depth image of a frame; None where there is none, or where a bad one is to be passed over."""
    try:
        return reader.depth(table.scene, int(table.frames[row]))
    except FrameError:
        if skip_bad:
            return None
        raise


def _relative(file: str, root: Path) -> str:
    """A path as seen from the dataset, so that a manifest does not depend on where that is."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) else file


@lru_cache(maxsize=1)
def _image_sets(root: Path) -> dict[str, Mapping[int, np.ndarray]]:
    present = [name for name in SPLITS if (root / "image_sets" / f"{name}.txt").is_file()]
    return {name: read_image_set(root, name) for name in present}


def _arrays(table: FrameTable) -> dict[str, np.ndarray]:
    names = ("frames", "intrinsics", "instance_start", "object_index", "Ts_camera_object")
    return {name: getattr(table, name) for name in names}


# ---------------------------------------------------------------------- at the end


def _finish(
    task: ProjectTask, shards: Path, outcomes: Sequence[Outcome], library: GraspLibrary, meshes: Mapping[str, str]
) -> tuple[BadFrame, ...]:
    """Make the folder of shards a dataset: index, then manifest. Nothing in them depends on place or time."""
    from yaff.store.manifest import Sources, finish_dataset
    from yaff.store.shards import ShardRecord

    parts = [json.loads(outcome.path.read_text(encoding="utf-8")) for outcome in outcomes]
    records = [ShardRecord(**part["record"]) for part in parts]
    bad = tuple(BadFrame(**frame) for part in parts for frame in part["bad_frames"])
    wanted = {record.file for record in records}
    for other in shards.glob("shard-*.h5"):  # of an earlier build with other scenes
        if other.name not in wanted:
            other.unlink()
    configuration = {
        "layout": task.layout,
        "tolerance": task.tolerance,
        "stride": task.stride,
        "skip_bad_frames": task.skip_bad_frames,
        "standins": library.metadata.get("standins", []),
        "library": library.metadata.get("configuration", {}),
    }
    sources = Sources(
        library=library.digest, meshes=meshes, configuration=configuration, versions=versions(), bad_frames=bad
    )
    finish_dataset(shards, records, sources)
    return bad
