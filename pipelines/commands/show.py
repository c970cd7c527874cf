"""``yaff show PATH``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from pipelines.config import BuildConfig, HandSection, ObjectsSection
from yaff.errors import InputError, MissingFileError

if TYPE_CHECKING:
    from pipelines.loading import Recipes

USAGE = """
yaff show library.h5 --object 025_mug --index 0 --out grasp.png
yaff show library.h5 --sheet 24 --types 9 14 --out sheet.png
yaff show shards --dataset YCB_Video_Dataset --scene 0 --frame 1 --out frame.png
"""


@dataclass(frozen=True)
class Show:
    """Draw grasps of a library, or a frame of a folder of shards with its grasps, into a PNG.

    A frame is drawn over its colour image where --dataset says where that is, with one random feasible grasp for each
    object.
    """

    path: Positional[Path]
    """A library (.h5), or a folder of shards."""
    out: Path = Path("show.png")
    """The picture."""
    object: str | None = None
    """Of a library: only this object."""
    index: int | None = None
    """Of a library: this row of the object, as in the captions of a sheet."""
    types: tuple[int, ...] = ()
    """Of a library: only these grasp types."""
    sheet: int = 12
    """Of a library: so many random grasps on one sheet."""
    review: bool = False
    """Of a library: grasps that need review instead of verified ones."""
    scene: int | None = None
    """Of shards: the scene; the first when not set."""
    frame: int | None = None
    """Of shards: the frame; the first when not set."""
    dataset: Path | None = None
    """Of shards: the dataset they were made from, for its colour images."""
    source: Literal["auto", "installed", "stand-in", "folder"] = "auto"
    """Shapes of the objects; "auto": those of the search, as far as the file tells."""
    models: Path | None = None
    """Folder of the scanned meshes; DATASET/models when not set."""
    hand: HandSection = field(default_factory=HandSection)
    size: int = 360
    """Of a library: width of each picture, pixels."""
    seed: int = 0
    """Other seeds pick other grasps."""
    renderer: Literal["raycast", "pyrender", "auto"] = "raycast"
    """"raycast" needs no graphics and gives the same pixels everywhere; "pyrender" uses OpenGL, without a screen."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Show, arguments, "show", usage=USAGE)
    if not options.path.exists():
        raise MissingFileError("nothing there", where=options.path, remedy="a library (.h5) or a folder of shards")
    if options.renderer != "raycast":
        from pipelines.pictures import choose_renderer

        choose_renderer(options.renderer)
    lines = _frame(options) if options.path.is_dir() else _library(options)
    for line in lines:
        say(line)
    say(f"picture  {options.out}")
    return 0


def _recipes(options: Show, standins: bool) -> Recipes:
    from pipelines.folders import objects_folder
    from pipelines.loading import installed_names, recipes_of

    source = options.source
    if source == "auto":
        source = "stand-in" if standins and options.models is None else "auto"
    models = options.models or (options.dataset / "models" if options.dataset else None)
    if source == "auto" and models is None and not installed_names(objects_folder()):
        raise InputError(
            "these grasps were found on scanned meshes, and none are installed",
            where=options.path,
            remedy="yaff assets install; or --models DIR, or --source stand-in to draw them on stand-ins",
        )
    return recipes_of(BuildConfig(hand=options.hand, objects=ObjectsSection(source=source, models=models)))


def _library(options: Show) -> list[str]:
    import numpy as np

    from pipelines.loading import hand_of, mesh_of
    from pipelines.pictures import draw_grasp, grasp_caption, sheet, write_png
    from yaff.store.library import GraspLibrary

    library = GraspLibrary.open(options.path)
    recipes = _recipes(options, bool(library.metadata.get("standins")))
    names = library.objects if options.object is None else (options.object,)
    rows: list[tuple[str, int]] = []
    for name in names:
        grasps = library[name]
        wanted = ~grasps.verified if options.review else grasps.verified
        if options.types:
            wanted &= np.isin(grasps.grasp_type, options.types)
        rows += [(name, int(row)) for row in np.flatnonzero(wanted)]
    if options.index is not None:
        if options.object is None:
            raise InputError("--index needs an object", remedy="--object 025_mug --index 0")
        count = len(library[options.object])
        if not 0 <= options.index < count:
            raise InputError(f"no grasp {options.index} of {options.object}", remedy=f"0 to {count - 1}")
        rows = [(options.object, options.index)]
    elif len(rows) > options.sheet:
        chosen = np.random.default_rng(options.seed).choice(len(rows), options.sheet, replace=False)
        rows = [rows[i] for i in sorted(chosen.tolist())]
    if not rows:
        raise InputError(
            "no such grasps in the library", where=options.path, remedy="see yaff stats; try --review or other --types"
        )
    pictures, hand = [], hand_of(recipes.hand)
    for name, row in rows:
        grasp = library[name][row : row + 1]
        picture = draw_grasp(hand, mesh_of(name, recipes.objects), grasp, options.size)
        pictures.append((picture, grasp_caption(grasp, row)))
    write_png(options.out, sheet(pictures, min(len(pictures), 4)))
    return [caption for _, caption in pictures]


def _frame(options: Show) -> list[str]:
    import numpy as np

    from pipelines.pictures import draw_frame, write_png
    from yaff.scene.recognise import open_scenes
    from yaff.store.manifest import Manifest
    from yaff.store.shards import ShardReader

    manifest = Manifest.open(options.path)
    scenes = {record.scene: record.file for record in manifest.shards}
    scene = min(scenes) if options.scene is None else options.scene
    if scene not in scenes:
        raise InputError(f"no scene {scene}", where=options.path, remedy=f"one of {', '.join(map(str, scenes))}")
    shard = ShardReader.open(manifest.folder / scenes[scene])
    frame = int(shard["frames/frame"][0]) if options.frame is None else options.frame
    recipes = _recipes(options, bool(manifest.document["configuration"].get("standins")))
    reader = None if options.dataset is None else open_scenes(options.dataset)
    drawn = draw_frame(recipes, shard, frame, reader, np.random.default_rng(options.seed))
    write_png(options.out, drawn.picture)
    return [f"scene {scene}, frame {frame}", *drawn.captions]
