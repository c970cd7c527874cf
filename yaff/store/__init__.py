"""Files: the grasp library, shards in three layouts, the manifest and index of a dataset, and their validation.

Importing this package imports neither h5py nor jsonschema; using a name of it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary
    from yaff.store.manifest import Manifest
    from yaff.store.reading import ShardSet, iterate
    from yaff.store.shards import ShardReader, write_shard
    from yaff.store.validation import VerifyReport, verify_path

__all__ = [
    "GraspLibrary",
    "Manifest",
    "ShardReader",
    "ShardSet",
    "VerifyReport",
    "iterate",
    "verify_path",
    "write_shard",
]

_HOMES = {
    "GraspLibrary": "library",
    "Manifest": "manifest",
    "ShardReader": "shards",
    "ShardSet": "reading",
    "VerifyReport": "validation",
    "iterate": "reading",
    "verify_path": "validation",
    "write_shard": "shards",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"yaff.store.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
