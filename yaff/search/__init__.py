"""The search: propose, refine, close in physics, verify, select."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaff.search.config import (
    PhysicsConfig,
    PregraspConfig,
    ProposalConfig,
    RefinementConfig,
    SearchConfig,
    SelectionConfig,
)

if TYPE_CHECKING:
    from yaff.search.planner import PairResult, make_rig, search_pair

__all__ = [
    "PairResult",
    "PhysicsConfig",
    "PregraspConfig",
    "ProposalConfig",
    "RefinementConfig",
    "SearchConfig",
    "SelectionConfig",
    "make_rig",
    "search_pair",
]


def __getattr__(name: str) -> object:
    """The planner brings torch and PyBullet: it is imported when it is asked for."""
    if name in ("PairResult", "make_rig", "search_pair"):
        from yaff.search import planner

        return getattr(planner, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
