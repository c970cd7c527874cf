"""Learning from the annotations. Importing this package does not import PyTorch; using it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaff.learning.dataset import GraspDataset

__all__ = ["GraspDataset"]


def __getattr__(name: str) -> object:
    if name == "GraspDataset":
        from yaff.learning.dataset import GraspDataset

        return GraspDataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
