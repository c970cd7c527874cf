"""The importers of grasps by name: each reads a folder into batches of grasps."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from yaff.errors import InputError

if TYPE_CHECKING:
    from yaff.grasp.batch import Grasps
    from yaff.hand import HandModel


@runtime_checkable
class Importer(Protocol):
    """Reads a folder into batches of grasps by object, in the YCB-Video object frame, without measures."""

    def __call__(self, folder: Path | str, hand: HandModel) -> dict[str, Grasps]: ...


IMPORTERS: Mapping[str, str] = MappingProxyType({"ycb-affordance": "yaff.store.importers.ycb_affordance"})
"""Module of each source, whose ``read_grasps`` is an :class:`Importer`."""


def importer(source: str) -> Importer:
    """The importer of this name.

    Raises:
        InputError: there is none.
    """
    if source not in IMPORTERS:
        raise InputError(f"no importer {source!r}", remedy=f"one of {', '.join(IMPORTERS)}")
    return import_module(IMPORTERS[source]).read_grasps
