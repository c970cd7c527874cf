"""The three layouts of a shard: what is stored for each annotation beside the number of its grasp.

=========  ==============================================  =============
layout     stored for each annotation                      bytes
=========  ==============================================  =============
compact    grasp row; the hand is composed when read       4
wrist      + wrist rotation and translation, camera frame  28
full       + all 51 parameters, camera frame               208
=========  ==============================================  =============

Every layout answers the same question, ``decode``: the hand of an annotation in the camera frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32

from yaff.errors import InputError
from yaff.store.columns import ANNOTATION_GRASP, Column

Array = np.ndarray

Wrist = tuple[Float[Array, "k 3"], Float[Array, "k 3"]]
"""Wrist rotation (rad) and translation (m) of ``k`` hands in the camera frame."""

PARAMETERS = 51
ROTATION, POSE, TRANSLATION = slice(0, 3), slice(3, 48), slice(48, 51)
"""Columns of the 51 parameters: wrist rotation, finger pose, translation."""


@runtime_checkable
class Layout(Protocol):
    """How annotations are stored; columns are added to the grasp row, which all layouts have."""

    @property
    def name(self) -> str: ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """The datasets of ``/annotations`` beside ``grasp``."""
        ...

    def encode(self, compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]) -> Mapping[str, Array]:
        """Values of the columns for ``k`` annotations; what a layout does not need is not computed."""
        ...

    def decode(self, stored: Mapping[str, Array], compose: Callable[[], Wrist]) -> Wrist:
        """The wrist in the camera frame, from the stored columns or, where they do not hold it, composed."""
        ...

    def parameters(
        self, stored: Mapping[str, Array], compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]
    ) -> Float32[Array, "k 51"]:
        """All 51 parameters in the camera frame."""
        ...


def _joined(wrist: Wrist, pose: Float32[Array, "k 45"]) -> Float32[Array, "k 51"]:
    hand = np.empty((len(pose), PARAMETERS), np.float32)
    hand[:, ROTATION], hand[:, POSE], hand[:, TRANSLATION] = wrist[0], pose, wrist[1]
    return hand


@dataclass(frozen=True)
class Compact:
    """The grasp row only."""

    name: str = "compact"
    columns: tuple[Column, ...] = ()

    def encode(self, compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]) -> Mapping[str, Array]:
        return {}

    def decode(self, stored: Mapping[str, Array], compose: Callable[[], Wrist]) -> Wrist:
        rotation, translation = compose()
        return rotation.astype(np.float32), translation.astype(np.float32)

    def parameters(
        self, stored: Mapping[str, Array], compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]
    ) -> Float32[Array, "k 51"]:
        return _joined(compose(), pose())


@dataclass(frozen=True)
class WristLayout:
    """The grasp row, and the wrist in the camera frame."""

    name: str = "wrist"
    columns: tuple[Column, ...] = (
        Column("wrist_rotation", "float32", "k", (3,), "rad", "camera", "axis-angle about the root joint"),
        Column("translation", "float32", "k", (3,), "m", "camera", "vertices are R (x - J0) + J0 + translation"),
    )

    def encode(self, compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]) -> Mapping[str, Array]:
        rotation, translation = compose()
        return {"wrist_rotation": rotation, "translation": translation}

    def decode(self, stored: Mapping[str, Array], compose: Callable[[], Wrist]) -> Wrist:
        return stored["wrist_rotation"], stored["translation"]

    def parameters(
        self, stored: Mapping[str, Array], compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]
    ) -> Float32[Array, "k 51"]:
        return _joined(self.decode(stored, compose), pose())


@dataclass(frozen=True)
class Full:
    """The grasp row, and all 51 parameters in the camera frame."""

    name: str = "full"
    columns: tuple[Column, ...] = (
        Column(
            "hand",
            "float32",
            "k",
            (PARAMETERS,),
            "rad; m",
            "camera",
            "wrist rotation (0:3, rad), finger pose (3:48, rad, from the flat hand), translation (48:51, m)",
        ),
    )

    def encode(self, compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]) -> Mapping[str, Array]:
        return {"hand": _joined(compose(), pose())}

    def decode(self, stored: Mapping[str, Array], compose: Callable[[], Wrist]) -> Wrist:
        hand = stored["hand"]
        return hand[:, ROTATION], hand[:, TRANSLATION]

    def parameters(
        self, stored: Mapping[str, Array], compose: Callable[[], Wrist], pose: Callable[[], Float32[Array, "k 45"]]
    ) -> Float32[Array, "k 51"]:
        return stored["hand"]


LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in (Compact(), WristLayout(), Full())}


def layout_named(name: str) -> Layout:
    """The layout of this name.

    Raises:
        InputError: there is none, naming those there are.
    """
    if name not in LAYOUTS:
        raise InputError(f"unknown layout {name!r}", remedy=f"one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]


def annotation_columns(name: str) -> tuple[Column, ...]:
    """All datasets of ``/annotations`` in this layout."""
    return (ANNOTATION_GRASP, *layout_named(name).columns)
