"""Recipes for hand and objects that travel to worker processes, and the loaded things, once for each process."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.config import BuildConfig, HandSection
from yaff.errors import MissingFileError

if TYPE_CHECKING:
    import trimesh

    from yaff.hand import HandModel
    from yaff.objects import Catalogue, MeshSource, ObjectModel

LICENSED_HANDS = ("MANO_RIGHT.pkl", "MANO_LEFT.pkl")


@dataclass(frozen=True)
class ObjectRecipe:
    """Where the shapes of the objects come from."""

    source: Literal["stand-in", "folder"]
    models: Path | None
    """Folder of the scanned meshes, for "folder"."""
    cache: Path
    """Where derived geometry is kept."""

    @property
    def label(self) -> str:
        """What files say of the source: "stand-in", or the folder."""
        return self.source if self.models is None else str(self.models)


@dataclass(frozen=True)
class Recipes:
    """What a unit of work needs to load hand and objects."""

    hand: HandSection
    objects: ObjectRecipe


def default_hand_folder() -> Path:
    """Where a licensed hand is looked for (XDG Base Directory Specification). Only the command line asks for it."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "yaff" / "mano"


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


def recipes_of(config: BuildConfig) -> Recipes:
    """The recipes of a configuration.

    Raises:
        MissingFileError: a folder that the configuration names is not there.
    """
    models = None
    if config.objects.source == "folder":
        models = config.models.resolve()
        if not models.is_dir():
            raise MissingFileError(
                "folder of meshes not found",
                where=models,
                remedy="set --objects.models DIR, with DIR/025_mug/textured_simple.obj and so on, or "
                "--objects.source stand-in",
            )
    cache = config.objects.cache
    if cache is None:
        from yaff.objects.cache import default_cache_dir

        cache = default_cache_dir()
    return Recipes(hand_recipe(config.hand), ObjectRecipe(config.objects.source, models, cache))


@lru_cache(maxsize=2)
def hand_of(recipe: HandSection) -> HandModel:
    """The hand."""
    from yaff.hand import load_hand

    return load_hand(recipe.side, recipe.folder)


@lru_cache(maxsize=2)
def source_of(recipe: ObjectRecipe) -> MeshSource:
    """The source of the meshes."""
    from yaff.objects import FolderSource, StandInSource

    return StandInSource() if recipe.models is None else FolderSource(recipe.models)


@lru_cache(maxsize=32)
def mesh_of(name: str, recipe: ObjectRecipe) -> trimesh.Trimesh:
    """The mesh to look at, with its texture; nothing is derived from it."""
    catalogue()[name]
    return source_of(recipe).mesh(name)


@lru_cache(maxsize=32)
def object_of(name: str, recipe: ObjectRecipe) -> ObjectModel:
    """An object with its derived geometry."""
    from yaff.objects import load_object

    return load_object(name, source_of(recipe), recipe.cache)


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The 21 objects."""
    from yaff.objects import Catalogue

    return Catalogue.load()


def chosen_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in the order of the catalogue; all of them when none are given.

    Raises:
        InputError: a name that the catalogue does not know.
    """
    known = catalogue()
    for name in names:
        known[name]
    return tuple(name for name in known.names if not names or name in names)
