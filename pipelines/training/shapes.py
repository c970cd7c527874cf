"""Which hand and which meshes a folder of shards is of: what every command that learns or judges asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.config import BuildConfig, HandSection, ObjectsSection
from pipelines.folders import objects_folder
from pipelines.loading import Recipes, installed_names, recipes_of
from yaff.errors import InputError

if TYPE_CHECKING:
    from yaff.store.reading import ShardSet


@dataclass(frozen=True)
class ShapeOptions:
    """Which hand and meshes the shards are of."""

    source: Literal["auto", "installed", "folder", "stand-in"] = "auto"
    """Shapes of the objects; "auto": those that the shards were made with, as far as they tell."""
    models: Path | None = None
    """Folder of the scanned meshes, where the shards are of these; DATASET/models when not set."""
    hand: HandSection = field(default_factory=HandSection)
    cache: Path | None = None
    """Folder for derived geometry; the user's cache folder when not set."""
    dataset: Path | None = None
    """The dataset that the shards were made from, for its images."""


def recipes_for(shards: ShardSet, options: ShapeOptions) -> Recipes:
    """Hand and meshes of the shards: as asked, else stand-ins where they were made with these.

    Raises:
        InputError: they were made with scanned meshes, none are given, and none are installed.
    """
    source, models = options.source, options.models
    if source == "auto" and models is None and shards.manifest.document["configuration"].get("standins"):
        source = "stand-in"
    elif source in ("auto", "folder") and models is None and options.dataset is not None:
        beside = options.dataset / "models"
        models = beside if beside.is_dir() else None
    if source == "auto" and models is not None:
        source = "folder"
    elif source == "auto" and not installed_names(objects_folder()):
        raise InputError(
            "the shards are of scanned meshes, and none are installed",
            where=shards.folder,
            remedy="yaff assets install; or --models DIR with DIR/025_mug/textured_simple.obj and so on",
        )
    objects = ObjectsSection(source=source, models=models, cache=options.cache)
    return recipes_of(BuildConfig(hand=options.hand, objects=objects))
