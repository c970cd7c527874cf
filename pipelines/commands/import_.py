"""``yaff import SOURCE DIR --out library.h5``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, with_absolute_paths, write_json
from pipelines.config import BuildConfig, HandSection, ObjectsSection, OutputSection
from yaff.errors import ConfigError
from yaff.search.config import SearchConfig

if TYPE_CHECKING:
    from yaff.grasp.batch import Grasps
    from yaff.hand import HandModel

USAGE = """
yaff import ycb-affordance ycb_affordance/grasps --out published.h5 --models YCB_Video_Dataset/models
yaff import ycb-affordance ycb_affordance --dataset YCB_Video_Dataset --out published.h5
"""


@dataclass(frozen=True)
class Import:
    """Bring grasps of another dataset into a library, measured and verified like those of the search.

    What holds is stored in the pose that physics settled into, what does not as it was published, for review, with the
    reason. The same command given again does not test again what is done.
    """

    source: Positional[Literal["ycb-affordance"]]
    """Whose grasps they are."""
    folder: Positional[Path]
    """Where they are: for ycb-affordance, the folder of obj_*_grasp_*.pickle, or that of annotated frames (data/ with
    imgnames.npy and YCB_Affordance_grasps/)."""
    dataset: Path | None = None
    """The frames that were annotated, where the folder holds annotations of frames: a YCB-Video folder, a BOP folder or
    a table of poses."""
    out: Path = Path("imported.h5")
    """The library. Work in progress is kept beside it, in a folder ending in .work."""
    models: Path | None = None
    """Folder of the scanned meshes (NNN_name/textured_simple.obj); stand-ins are used without it."""
    hand: HandSection = field(default_factory=HandSection)
    workers: int = 0
    """Processes at work; 0 takes every core."""
    cache: Path | None = None
    """Folder for derived geometry; the user's cache folder when not set."""
    settings: SearchConfig = field(default_factory=SearchConfig)
    json: bool = False
    """Print what came of it as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = with_absolute_paths(parse(Import, arguments, "import", usage=USAGE))
    work = options.out.with_name(options.out.name + ".work")
    source = "stand-in" if options.models is None else "folder"
    config = BuildConfig(
        hand=options.hand,
        objects=ObjectsSection(source=source, models=options.models, cache=options.cache),
        output=OutputSection(work, options.workers),
    )

    from pipelines.build import workforce_of
    from pipelines.loading import hand_of, recipes_of
    from pipelines.progress import default_progress
    from pipelines.stages.imports import ImportTask, import_grasps
    from pipelines.stages.objects import prepare_those_that_can
    from yaff.store.atomic import build_lock
    from yaff.store.importers.registry import importer
    from yaff.store.importers.ycb_affordance_dataset import is_ycb_affordance_dataset
    from yaff.store.library import GraspLibrary

    progress, workforce, recipes = default_progress(), workforce_of(config), recipes_of(config)
    hand = hand_of(recipes.hand)
    if is_ycb_affordance_dataset(options.folder):
        grasps = _from_frames(options, hand, recipes.objects.cache)
    else:
        grasps = importer(options.source)(options.folder, hand)
    with build_lock(work):
        prepared, unusable = prepare_those_that_can(tuple(grasps), recipes.objects, work, workforce, progress)
        if not prepared:
            raise unusable[0][1]
        task = ImportTask(options.source, grasps, prepared, options.settings, recipes)
        failed = [*unusable, *import_grasps(task, options.out, work, workforce, progress)]
    library = GraspLibrary.open(options.out)
    reasons = Counter(
        reason.split(":")[0].rstrip("0123456789. m") for name in library for reason in library[name].reason if reason
    )
    rows = [
        {"object": name, "grasps": len(library[name]), "verified": int(library[name].verified.sum())}
        for name in library.objects
    ]
    if options.json:
        write_json({"objects": rows, "reasons": dict(reasons.most_common())})
    else:
        for row in rows:
            say(f"{row['object']}: {row['verified']} of {row['grasps']} verified")
        for reason, count in reasons.most_common():
            say(f"for review, {reason}: {count}")
        for name, error in failed:
            say(f"failed: {name}: {error}")
        say(f"grasp library  {options.out}")
    return 1 if failed else 0


def _from_frames(options: Import, hand: HandModel, cache: Path) -> dict[str, Grasps]:
    """The grasps of a dataset of annotated frames, each once."""
    from yaff.scene.recognise import open_scenes
    from yaff.store.importers.ycb_affordance_dataset import YcbAffordanceDataset

    if options.dataset is None:
        raise ConfigError(
            "these are annotations of frames: the poses of their objects are needed",
            where=options.folder,
            remedy="say where the frames are: --dataset YCB_Video_Dataset",
        )
    annotations = YcbAffordanceDataset(options.folder)
    return annotations.distinct_grasps(open_scenes(options.dataset, cache), hand, annotations.components(hand))
