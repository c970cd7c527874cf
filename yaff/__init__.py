"""YAFF: datasets of human grasp affordances, searched, proven by physics, projected into every frame.

What most programs need is here. A name is imported from its room when it is first used, so that ``import yaff`` is
quick and needs neither PyTorch nor PyBullet; rooms (``yaff.hand``, ``yaff.scene``, ...) export the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaff._version import __version__
from yaff.errors import YaffError

if TYPE_CHECKING:
    from yaff.grasp import Grasps, ReviewState, measure_grasps
    from yaff.hand import Anatomy, HandLayer, HandModel, load_hand
    from yaff.learning import GraspDataset
    from yaff.objects import Catalogue, FolderSource, ObjectModel, StandInSource, load_object
    from yaff.scene import open_scenes
    from yaff.search import SearchConfig, search_pair
    from yaff.store import GraspLibrary, ShardSet, iterate, verify_path
    from yaff.taxonomy import GRASP_TYPES, GraspType

__all__ = [
    "GRASP_TYPES",
    "Anatomy",
    "Catalogue",
    "FolderSource",
    "GraspDataset",
    "GraspLibrary",
    "GraspType",
    "Grasps",
    "HandLayer",
    "HandModel",
    "ObjectModel",
    "ReviewState",
    "SearchConfig",
    "ShardSet",
    "StandInSource",
    "YaffError",
    "__version__",
    "iterate",
    "load_hand",
    "load_object",
    "measure_grasps",
    "open_scenes",
    "search_pair",
    "verify_path",
]

_ROOMS: dict[str, tuple[str, ...]] = {
    "grasp": ("Grasps", "ReviewState", "measure_grasps"),
    "hand": ("Anatomy", "HandLayer", "HandModel", "load_hand"),
    "learning": ("GraspDataset",),
    "objects": ("Catalogue", "FolderSource", "ObjectModel", "StandInSource", "load_object"),
    "scene": ("open_scenes",),
    "search": ("SearchConfig", "search_pair"),
    "store": ("GraspLibrary", "ShardSet", "iterate", "verify_path"),
    "taxonomy": ("GRASP_TYPES", "GraspType"),
}
_HOMES = {name: f"yaff.{room}" for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
