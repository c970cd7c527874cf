"""Stage "project": one unit for each scene, from its frames to its shard; then index and manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.code import PROJECTING, code_digest
from pipelines.executor import Outcome, Unit, Workforce, digest, run_units
from pipelines.loading import catalogue, hand_of
from pipelines.progress import Progress
from pipelines.stages.objects import prepare_objects
from pipelines.stages.outcomes import raise_failures
from pipelines.stages.project_scene import ProjectTask, project_scene
from pipelines.stages.search import versions
from yaff.errors import InputError
from yaff.scene.frames import BadFrame, SceneReader
from yaff.scene.recognise import open_scenes
from yaff.store.atomic import remove_temporaries

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary


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

    reader = open_scenes(task.root, task.recipes.objects.cache, catalogue(task.recipes.objects.data).indices)
    scenes = _chosen_scenes(reader, task.scenes)
    library = GraspLibrary.open(task.library)
    _check_hand(library, task)
    seen = _objects_in(reader, scenes, task.recipes.objects.data)
    prepared = prepare_objects(seen, task.recipes.objects, work, workforce, progress)
    meshes = {name: entry.digest for name, entry in prepared.items()}
    _check_meshes(library, task, meshes)
    decides = (library.digest, hand_of(task.recipes.hand).digest, meshes, task.layout, task.tolerance, task.visibility)
    common = digest("project", code_digest(PROJECTING), *decides)
    units = [
        Unit(
            f"project/{scene:04d}",
            digest(common, reader.content_key(scene), task.stride, task.skip_bad_frames),
            project_scene,
            (scene, task, common, shards),
            ".json",
            still_good=partial(_shard_is_there, shards),
        )
        for scene in scenes
    ]
    if not all(unit.part(work).is_file() for unit in units):
        # until the manifest is written again, the folder is unfinished; and what described it may no longer be true
        for name in ("manifest.json", "croissant.json", "objects.csv", "instances.csv"):
            (shards / name).unlink(missing_ok=True)
    remove_temporaries(shards)  # of a build that was killed
    try:
        outcomes = run_units("project", units, work, workforce, progress)
    finally:
        remove_temporaries(shards)  # of workers that were killed
    raise_failures(outcomes)
    bad = _finish(task, shards, outcomes, library, meshes)
    return ProjectResult(shards, bad)


def _chosen_scenes(reader: SceneReader, wanted: tuple[int, ...]) -> tuple[int, ...]:
    present = reader.scenes()
    missing = sorted(set(wanted) - set(present))
    if missing or not present:
        raise InputError(
            f"no scene {missing[0]}" if missing else "no scenes",
            where=repr(reader),
            remedy=f"scenes present: {', '.join(map(str, present)) or 'none'}",
        )
    return tuple(sorted(wanted)) or present


def _objects_in(reader: SceneReader, scenes: Sequence[int], data: Path) -> tuple[str, ...]:
    """Names of the objects in the first frame of each scene: enough to prepare them in parallel beforehand."""
    known = catalogue(data)
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


def _shard_is_there(shards: Path, part: Path) -> bool:
    """Whether the shard that a part speaks of is complete."""
    try:
        record = json.loads(part.read_text(encoding="utf-8"))["record"]
        return (shards / record["file"]).stat().st_size == record["bytes"]
    except (OSError, ValueError, KeyError):
        return False


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
        "visibility": task.visibility,
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
