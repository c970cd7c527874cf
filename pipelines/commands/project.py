"""``yaff project DATASET --library library.h5 --out shards/``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, with_absolute_paths, write_json
from pipelines.config import BuildConfig, DatasetSection, HandSection, ObjectsSection, OutputSection, ProjectSection
from yaff.errors import MissingFileError

USAGE = """
yaff project YCB_Video_Dataset --library out/library.h5 --out shards
yaff project YCB_Video_Dataset --library out/library.h5 --out shards --scenes 0 48 --stride 10 --layout full
yaff project bop/ycbv/test --library out/library.h5 --out shards --models YCB_Video_Dataset/models
yaff project poses.npz --library out/library.h5 --out shards --models YCB_Video_Dataset/models
yaff project out/demo/dataset --library out/demo/library.h5 --out shards
"""


@dataclass(frozen=True)
class Project:
    """Annotate the frames of a dataset with the verified grasps of a library.

    An interrupted projection goes on where it was when the same command is given again.
    """

    dataset: Positional[Path]
    """A YCB-Video folder (data/SSSS/FFFFFF-meta.mat), a BOP folder (SSSSSS/scene_gt.json), or a table of poses (.npz,
    .parquet). Which of them it is shows in what is there."""
    library: Path
    """The grasp library."""
    out: Path = Path("shards")
    """Folder for the shards, index and manifest. Work in progress is kept beside it, in a folder ending in .work."""
    layout: Literal["compact", "wrist", "full"] = "compact"
    """"compact" stores grasp numbers, "wrist" adds camera-frame wrists, "full" all 51 parameters."""
    scenes: tuple[int, ...] = ()
    """Scenes; all of them when none is given."""
    stride: int = 1
    """Every stride-th frame."""
    skip_bad_frames: bool = False
    """Leave out frames that cannot be read, and list them, instead of stopping."""
    source: Literal["auto", "installed", "folder", "stand-in"] = "auto"
    """Shapes of the objects, which must be those of the search; "auto": those of --models; else stand-ins where the
    library says that its grasps were found on them; else scanned meshes of DATASET/models where there are any; else
    installed ones, else stand-ins. Which of them it was, and why, is said at the beginning."""
    models: Path | None = None
    """Folder of the scanned meshes; DATASET/models when not set."""
    hand: HandSection = field(default_factory=HandSection)
    tolerance: float = 1e-3
    """Relative motion of objects (metres) within which frames share one arrangement."""
    visibility: bool = False
    """Store which share of each object is seen in each frame; takes about 50 ms a frame."""
    workers: int = 0
    """Processes at work; 0 takes every core."""
    backend: Literal["local", "dask"] = "local"
    scheduler: str | None = None
    """Address of the Dask scheduler, tcp://host:port."""
    cache: Path | None = None
    """Folder for derived geometry; the user's cache folder when not set."""
    json: bool = False
    """Print what was written as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = with_absolute_paths(parse(Project, arguments, "project", usage=USAGE))
    if not options.dataset.exists():
        raise MissingFileError(
            "dataset not found", where=options.dataset, remedy="give a YCB-Video or BOP folder, or a table of poses"
        )
    config = BuildConfig(
        hand=options.hand,
        dataset=DatasetSection("recorded", options.dataset, options.scenes, options.stride, options.skip_bad_frames),
        objects=ObjectsSection(source=options.source, models=options.models, cache=options.cache),
        project=ProjectSection(options.layout, options.tolerance, options.visibility),
        output=OutputSection(options.out, options.workers, options.backend, options.scheduler),
    )

    from pipelines.build import project_task, workforce_of
    from pipelines.loading import recipes_of
    from pipelines.progress import default_progress
    from pipelines.stages.project import project
    from yaff.store.atomic import build_lock
    from yaff.store.manifest import Manifest

    work = options.out.with_name(options.out.name + ".work")
    recipes, progress = recipes_of(config, options.library), default_progress()
    why = f" ({recipes.objects.why})" if recipes.objects.why else ""
    progress.say(f"objects: {recipes.objects.label}{why}")
    task = project_task(config, recipes, options.library)
    with build_lock(options.out):
        result = project(task, options.out, work, workforce_of(config), progress)
    totals = dict(Manifest.open(options.out).totals)
    if options.json:
        write_json({"shards": str(options.out), **totals, "bad_frames": [vars(bad) for bad in result.bad_frames]})
        return 0
    for bad in result.bad_frames:
        say(f"skipped {bad.file}: {bad.reason}")
    say(f"{totals['frames']:,} frames, {totals['annotations']:,} annotations in {totals['shards']} shards")
    say(f"shards  {options.out}")
    return 0
