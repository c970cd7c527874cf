"""The search: propose, refine, close in physics, verify, select."""

from yaff.search.config import (
    PhysicsConfig,
    PregraspConfig,
    ProposalConfig,
    RefinementConfig,
    SearchConfig,
    SelectionConfig,
)

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
