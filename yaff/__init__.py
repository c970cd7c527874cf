"""YAFF: datasets of human grasp affordances, searched, proven by physics, projected into every frame.

``load_hand``, ``GraspLibrary`` and ``GraspDataset`` are imported when they are first used, so that ``import yaff`` is
quick and does not need PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaff._version import __version__

if TYPE_CHECKING:
    from yaff.hand import load_hand
    from yaff.learning import GraspDataset
    from yaff.store import GraspLibrary

__all__ = ["GraspDataset", "GraspLibrary", "__version__", "load_hand"]

_HOMES = {"load_hand": "yaff.hand", "GraspLibrary": "yaff.store", "GraspDataset": "yaff.learning"}


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
