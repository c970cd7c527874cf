"""The planners by name: each takes a hand, an object and a type, and returns what it found, tested alike."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from yaff.errors import InputError

if TYPE_CHECKING:
    from yaff.hand import HandModel
    from yaff.objects import ObjectModel
    from yaff.search.config import SearchConfig
    from yaff.search.planner import PairResult
    from yaff.search.rig import HandRig


@runtime_checkable
class Planner(Protocol):
    """Finds grasps of one type on one object; deterministic in its arguments."""

    def __call__(
        self, hand: HandModel | HandRig, obj: ObjectModel, grasp_type: int, config: SearchConfig, seed: int
    ) -> PairResult: ...


DEFAULT_PLANNER = "contact"

PLANNERS: Mapping[str, str] = MappingProxyType(
    {
        "contact": "yaff.search.planner",
        "eigengrasp": "yaff.search.eigengrasp_planner",
    }
)
"""Module of each planner, whose ``search_pair`` is a :class:`Planner`; imported when asked for."""


def planner(name: str) -> Planner:
    """The planner of this name.

    Raises:
        InputError: there is none.
    """
    if name not in PLANNERS:
        raise InputError(f"no planner {name!r}", remedy=f"one of {', '.join(PLANNERS)}")
    return import_module(PLANNERS[name]).search_pair
