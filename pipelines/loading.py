"""Recipes for hand and objects that travel to worker processes, and the loaded things, once for each process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config import BuildConfig, HandSection, ObjectsSection
from pipelines.folders import data_folder, objects_folder
from yaff.errors import MissingFileError

if TYPE_CHECKING:
    import trimesh

    from yaff.hand import HandModel
    from yaff.objects import Catalogue, ObjectModel
    from yaff.objects.sources import SelectedSource, SourceKind

LICENSED_HANDS = ("MANO_RIGHT.pkl", "MANO_LEFT.pkl")


@dataclass(frozen=True)
class ObjectRecipe:
    """Where the shapes of the objects come from."""

    source: SourceKind
    models: Path | None
    """Folder of the scanned meshes, for "folder"."""
    cache: Path
    """Where derived geometry is kept."""
    data: Path = field(default_factory=objects_folder)
    """Where scanned meshes and a user's own objects are installed."""
    stamp: tuple[int, int] = (0, 0)
    """When that changed last, so that nothing loaded before is used after."""
    why: str = field(default="", compare=False)
    """Why these and no others, where the program chose them."""

    @property
    def label(self) -> str:
        """What messages say of the source: "stand-in", the folder, or how many meshes are installed."""
        if self.source in ("auto", "installed"):
            count = len(installed_names(self.data))
            return f"{count or 'no'} installed meshes" + ("" if self.source == "installed" else ", else stand-ins")
        return self.source if self.models is None else str(self.models)


@dataclass(frozen=True)
class Recipes:
    """What a unit of work needs to load hand and objects."""

    hand: HandSection
    objects: ObjectRecipe


def default_hand_folder() -> Path:
    """Where a licensed hand is looked for. Only the command line asks for it."""
    return data_folder() / "mano"


def hand_recipe(section: HandSection) -> HandSection:
    """The section with its folder settled: where the licensed hand is, or none for the built-in one.

    Raises:
        MissingFileError: the licensed hand is asked for and not there.
    """
    if section.model == "builtin":
        return replace(section, folder=None)
    folder = section.folder or default_hand_folder()
    there = folder.is_dir() and any(next(folder.rglob(name), None) for name in LICENSED_HANDS)
    if not there and (section.folder is not None or section.model == "mano"):
        raise MissingFileError(
            f"no {' or '.join(LICENSED_HANDS)}",
            where=folder,
            remedy='put the licensed files there, or choose the built-in hand with hand.model = "builtin"',
        )
    return replace(section, folder=folder if there else None)


def recipes_of(config: BuildConfig, library: Path | None = None) -> Recipes:
    """The recipes of a configuration.

    Args:
        config: with the source of the objects' shapes. "auto" takes the folder of meshes that is named; else the shapes
            that the grasps of ``library`` were found on, where it says that stand-ins are among them; else the meshes
            that come with a recorded dataset; else installed ones, and stand-ins for the rest.
        library: whose grasps are used.

    Raises:
        MissingFileError: a folder that the configuration names is not there.
    """
    section, models, why = config.objects, None, ""
    if section.source == "auto":
        section, why = _chosen(config, library)
    if section.source == "folder":
        models = config.models.resolve()
        if not models.is_dir():
            raise MissingFileError(
                "folder of meshes not found",
                where=models,
                remedy="set --objects.models DIR, with DIR/025_mug/textured_simple.obj and so on, or "
                "--objects.source auto (yaff assets install brings the meshes)",
            )
    return Recipes(hand_recipe(config.hand), replace(object_recipe(section, models), why=why))


def _chosen(config: BuildConfig, library: Path | None) -> tuple[ObjectsSection, str]:
    """What "auto" means here, and why."""
    section = config.objects
    if section.models is not None:
        return replace(section, source="folder"), "the folder that was named"
    if library is not None:
        from yaff.store.library import read_metadata

        metadata = read_metadata(library)
        standins = set(metadata.get("standins", ()))
        if standins and standins >= set(metadata.get("meshes", ())):
            return replace(section, source="stand-in"), "the library's grasps were found on stand-ins"
        if standins:
            return section, f"the library's grasps of {', '.join(sorted(standins))} were found on stand-ins"
    recorded = config.dataset.kind != "synthetic" and config.dataset.root is not None
    if recorded and any(config.models.glob("*/textured_simple.obj")):
        return replace(section, source="folder"), "they come with the dataset"
    return section, ""


def object_recipe(section: ObjectsSection, models: Path | None) -> ObjectRecipe:
    """The recipe of a section, with the user's folders settled; ``models`` for the source "folder"."""
    from yaff.objects.cache import default_cache_dir
    from yaff.objects.installation import OWN, YCB

    data = objects_folder()
    stamp = (_changed(data / YCB), _changed(data / OWN))
    return ObjectRecipe(section.source, models, section.cache or default_cache_dir(), data, stamp)


def installed_names(data: Path) -> tuple[str, ...]:
    """Names of the 21 whose scanned mesh is installed."""
    from yaff.objects.installation import YCB
    from yaff.objects.obj_files import MESH_FILE

    return tuple(sorted(path.parent.name for path in (data / YCB).glob(f"[!.]*/{MESH_FILE}")))


def _changed(folder: Path) -> int:
    """When a folder's list of entries changed last; 0 where there is none."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=2)
def hand_of(recipe: HandSection) -> HandModel:
    """The hand."""
    from yaff.hand import load_hand

    return load_hand(recipe.side, recipe.folder)


@lru_cache(maxsize=2)
def source_of(recipe: ObjectRecipe) -> SelectedSource:
    """The source of the meshes; ``source_of(recipe).of(name)`` that of one object."""
    from yaff.objects.installation import OWN, YCB
    from yaff.objects.sources import SelectedSource

    return SelectedSource(recipe.source, recipe.models, recipe.data / YCB, recipe.data / OWN)


@lru_cache(maxsize=32)
def mesh_of(name: str, recipe: ObjectRecipe) -> trimesh.Trimesh:
    """The mesh to look at, with its texture; nothing is derived from it."""
    catalogue(recipe.data)[name]
    return source_of(recipe).mesh(name)


@lru_cache(maxsize=32)
def object_of(name: str, recipe: ObjectRecipe) -> ObjectModel:
    """An object with its derived geometry."""
    from yaff.objects import load_object

    return load_object(name, source_of(recipe).of(name), recipe.cache, catalogue(recipe.data))


def catalogue(data: Path | None = None) -> Catalogue:
    """The 21 objects and a user's own, which are installed in ``data`` (the user's folder where not given).

    Raises:
        FormatError: an own object whose record is damaged.
    """
    from yaff.objects.installation import OWN

    data = objects_folder() if data is None else data
    return _catalogue(data, _changed(data / OWN))


@lru_cache(maxsize=2)
def _catalogue(data: Path, changed: int) -> Catalogue:
    from yaff.objects import Catalogue
    from yaff.objects.installation import own_objects

    return Catalogue.load().with_own(tuple(record.entry() for record in own_objects(data).values()))


def chosen_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in the order of the catalogue; the 21 when none are given (a user's own objects have to be named).

    Raises:
        InputError: a name that the catalogue does not know.
    """
    known = catalogue()
    for name in names:
        known[name]
    return tuple(name for name in known.names if name in names or (not names and not known[name].own))
