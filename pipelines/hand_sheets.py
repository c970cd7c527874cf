"""Sheets of pictures of the hand: all round, in postures, and in the preshapes of the grasp types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, UInt8

from pipelines.pictures import draw_meshes, hand_mesh, sheet
from yaff.hand import Anatomy
from yaff.hand.postures import POSTURES
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    from yaff.hand import HandModel

Array = np.ndarray
Sheet = Literal["turntable", "poses", "types"]

_PALM, _BACK, _THUMB_SIDE = (0.35, -1.0, 0.25), (0.35, 1.0, 0.3), (1.0, -0.55, 0.3)
"""Directions to look from, in the upright frame of :func:`_upright`: x towards the thumb, y out of the back."""


def draw_sheet(model: HandModel, kind: Sheet, size: int = 300) -> UInt8[Array, "h w 3"]:
    """A sheet of pictures ``size`` pixels wide each.

    Args:
        model: the hand.
        kind: ``turntable`` (the flat hand all round), ``poses`` (see :data:`yaff.hand.postures.POSTURES`) or ``types``
            (open and closed preshape of each of the 33 grasp types).
        size: width and height of one picture, pixels.
    """
    return _SHEETS[kind](model, size)


def _turntable(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    vertices = _posed(model, {})
    pictures = []
    for turn in range(0, 360, 45):
        angle = np.deg2rad(turn - 90.0)  # the palm first
        direction = np.array([np.cos(angle), np.sin(angle), 0.2])
        pictures.append((_draw(model, vertices, direction, size), f"{turn}°"))
    for caption, direction in (("from the fingertips", (0.25, -0.2, 1.0)), ("from the wrist", (0.2, -0.3, -1.0))):
        pictures.append((_draw(model, vertices, np.array(direction), size), caption))
    return sheet(pictures, 5)


def _poses(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    pictures = []
    for name, posture in POSTURES.items():
        vertices = _posed(model, posture)
        for side, direction in (("palm", _PALM), ("back", _BACK)):
            pictures.append((_draw(model, vertices, np.array(direction), size), f"{name}, {side}"))
    return sheet(pictures, 6)


def _types(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    pictures = []
    for number, grasp_type in GRASP_TYPES.items():
        halves = []
        for end in (0, 1):
            vertices = _posed(model, {name: ends[end] for name, ends in grasp_type.preshape.items()})
            picture = _draw(model, vertices, np.array(_THUMB_SIDE), size)
            margin = size // 6
            halves.append(picture[:, margin : size - margin])
        pictures.append((np.concatenate(halves, axis=1), f"{number} {grasp_type.name}: open, closed"))
    return sheet(pictures, 6)


_SHEETS: Mapping[Sheet, Callable[[HandModel, int], UInt8[Array, "h w 3"]]] = {
    "turntable": _turntable,
    "poses": _poses,
    "types": _types,
}


def _posed(model: HandModel, posture: Mapping[str, float]) -> Float[Array, "778 3"]:
    anatomy = Anatomy(model)
    return model.vertices(anatomy.pose_from_dof(anatomy.angles(posture)[None]))[0]


def _draw(model: HandModel, vertices: Float[Array, "778 3"], direction: Float[Array, "3"], size: int) -> Array:
    """The hand upright, at the same scale in all pictures; a left hand from the mirrored direction."""
    upright, mirror = _upright(model)
    frame = np.array([-1.0, 1.0])[:, None] * np.array([0.085, 0.03, 0.1]) + np.array([0.01, -0.01, 0.078])
    frame = np.stack(np.meshgrid(*frame.T, indexing="ij"), axis=-1).reshape(-1, 3) * mirror
    mesh = hand_mesh(model, (vertices - model.root()) @ upright.T)
    return draw_meshes([mesh], direction * mirror, size, within=frame)


def _upright(model: HandModel) -> tuple[Float[Array, "3 3"], Float[Array, "3"]]:
    """The rotation that turns the fingers of the rest pose up, and the factors that mirror a view for a left hand."""
    sign = 1.0 if model.side == "right" else -1.0
    rotation = np.array([[0.0, 0.0, sign], [0.0, 1.0, 0.0], [-sign, 0.0, 0.0]])
    return rotation, np.array([sign, 1.0, 1.0])
