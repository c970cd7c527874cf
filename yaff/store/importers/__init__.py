"""Data in the formats of others, read into ours: one module for each format.

An importer takes a folder and the hand of the library to be, and gives grasps by object name, as they were published:
without measures, and for review until they are verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from yaff.errors import InputError
from yaff.grasp.batch import Grasps
from yaff.hand.model import HandModel

Importer = Callable[[Path | str, HandModel], dict[str, Grasps]]

IMPORTERS: Mapping[str, str] = {"ycb-affordance": "yaff.store.importers.ycb_affordance"}
"""Module of each source; it has ``read_grasps``."""


def importer(source: str) -> Importer:
    """What reads the grasps of a source.

    Raises:
        InputError: an unknown source, naming those there are.
    """
    if source not in IMPORTERS:
        raise InputError(f"unknown source {source!r}", remedy=f"one of {', '.join(IMPORTERS)}")
    return import_module(IMPORTERS[source]).read_grasps
