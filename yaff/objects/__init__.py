"""The 21 objects: catalogue, meshes, and the geometry that is derived from them.

Names are imported on first use, so that reading the catalogue does not load torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaff.objects.catalogue import Catalogue, CatalogueEntry, Symmetry
    from yaff.objects.loading import load_object
    from yaff.objects.model import ObjectModel
    from yaff.objects.sources import FolderSource, MeshSource, StandInSource

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "FolderSource",
    "MeshSource",
    "ObjectModel",
    "StandInSource",
    "Symmetry",
    "load_object",
]

_HOME = {
    "Catalogue": "catalogue",
    "CatalogueEntry": "catalogue",
    "Symmetry": "catalogue",
    "FolderSource": "sources",
    "MeshSource": "sources",
    "StandInSource": "sources",
    "ObjectModel": "model",
    "load_object": "loading",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"yaff.objects.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
