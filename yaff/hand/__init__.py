"""The hand: MANO forward kinematics, anatomy with limits, surface patches, collision pieces, the built-in
hand.

Importing this package does not import PyTorch; ``HandLayer`` does when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from yaff.hand.anatomy import Anatomy, DegreeOfFreedom
from yaff.hand.collision import BonePiece, collision_pieces
from yaff.hand.loading import load_hand
from yaff.hand.model import FINGERTIP_VERTICES, FINGERTIP_VERTICES_SMPLX, HandModel
from yaff.hand.patches import Patch, Patches

if TYPE_CHECKING:
    from yaff.hand.torch_layer import HandLayer

__all__ = [
    "FINGERTIP_VERTICES",
    "FINGERTIP_VERTICES_SMPLX",
    "Anatomy",
    "BonePiece",
    "DegreeOfFreedom",
    "HandLayer",
    "HandModel",
    "Patch",
    "Patches",
    "collision_pieces",
    "load_hand",
]


def __getattr__(name: str) -> object:
    if name == "HandLayer":
        from yaff.hand.torch_layer import HandLayer

        return HandLayer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
