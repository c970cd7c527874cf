"""Stage "dataset": generated scenes, written as a YCB-Video tree that the next stage reads like a real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pipelines.code import PROJECTING, code_digest
from pipelines.config import SyntheticSection
from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.loading import Recipes, catalogue, object_of
from pipelines.progress import Progress
from pipelines.stages.objects import PreparedObject
from pipelines.stages.outcomes import raise_failures
from yaff.errors import StorageError

MARKER = "generated.json"
"""Written into a generated dataset, so that no other folder is ever replaced by one."""


def generate_dataset(
    section: SyntheticSection,
    prepared: Mapping[str, PreparedObject],
    recipes: Recipes,
    root: Path,
    work: Path,
    progress: Progress,
) -> None:
    """Generate the scenes, unless those of the same configuration are there.

    Raises:
        StorageError: ``root`` holds something that this did not generate.
    """
    if root.exists() and any(root.iterdir()) and not (root / MARKER).is_file():
        raise StorageError(
            "generated scenes would replace what is there",
            where=root,
            remedy="choose an empty folder as dataset.root, or leave it out",
        )
    meshes = {name: entry.digest for name, entry in prepared.items()}
    key = digest("dataset", code_digest(PROJECTING), section, meshes)
    unit = Unit(
        "dataset/scenes",
        key,
        _generate,
        (key, section, tuple(prepared), recipes, root),
        ".json",
        still_good=partial(_is_there, root, key),
    )
    raise_failures(run_units("dataset", [unit], work, Workforce(1), progress))


def _is_there(root: Path, key: str, part: Path) -> bool:
    try:
        return json.loads((root / MARKER).read_text(encoding="utf-8"))["key"] == key
    except (OSError, ValueError, KeyError):
        return False


def _generate(
    part: Path, key: str, section: SyntheticSection, names: tuple[str, ...], recipes: Recipes, root: Path
) -> str:
    from yaff.scene.synthetic import SceneConfig, generate_scenes

    fresh = root.with_name(root.name + ".partial")
    shutil.rmtree(fresh, ignore_errors=True)
    config = SceneConfig(
        n_scenes=section.scenes,
        n_frames=section.frames,
        min_objects=min(section.min_objects, len(names)),
        max_objects=min(section.max_objects, len(names)),
        image_every=section.image_every,
    )
    objects = [object_of(name, recipes.objects) for name in names]
    classes = catalogue(recipes.objects.data).class_names
    generate_scenes(fresh, objects, section.seed, config, class_names=classes)
    (fresh / MARKER).write_text(json.dumps({"key": key}), encoding="utf-8")
    shutil.rmtree(root, ignore_errors=True)
    fresh.rename(root)
    part.write_text(json.dumps({"key": key}), encoding="utf-8")
    return f"{section.scenes} scenes of {section.frames} frames"
