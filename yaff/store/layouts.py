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
from jaxtyping import Float, Float32, Shaped

from yaff.errors import InputError
from yaff.store.columns import ANNOTATION_GRASP, Column

Array = np.ndarray

Wrist = tuple[Float[Array, "k 3"], Float[Array, "k 3"]]
"""Wrist rotation (rad) and translation (m) of ``k`` hands in the camera frame."""
FingerPose = Callable[[], Float32[Array, "k 45"]]
"""Gives the finger pose of ``k`` hands when it is needed: radians from the flat hand, MANO order."""
Stored = Mapping[str, Shaped[Array, "k ..."]]
"""The columns of a layout by name, for ``k`` annotations."""

PARAMETERS = 51
ROTATION, POSE, TRANSLATION = slice(0, 3), slice(3, 48), slice(48, 51)
"""Columns of the 51 parameters: wrist rotation, finger pose, translation."""


@runtime_checkable
class Layout(Protocol):
    """How annotations are stored; columns are added to the grasp row, which all layouts have."""

    @property
    def name(self) -> str:
        """What configurations, files and manifests call it."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """The datasets of ``/annotations`` beside ``grasp``."""
        ...

    def encode(self, compose: Callable[[], Wrist], pose: FingerPose) -> Stored:
        """Values of the columns for ``k`` annotations.

        Args:
            compose: gives the wrists in the camera frame; called only by a layout that stores them.
            pose: gives the finger poses; likewise.
        """
        ...

    def decode(self, stored: Stored, compose: Callable[[], Wrist]) -> Wrist:
        """The wrist in the camera frame, from the stored columns or, where they do not hold it, composed.

        Args:
            stored: the columns, as :meth:`encode` gave them.
            compose: gives the wrists in the camera frame.
        """
        ...

    def parameters(self, stored: Stored, compose: Callable[[], Wrist], pose: FingerPose) -> Float32[Array, "k 51"]:
        """All 51 parameters in the camera frame: wrist rotation (rad), finger pose (rad), translation (m).

        Args:
            stored: the columns, as :meth:`encode` gave them.
            compose: gives the wrists in the camera frame.
            pose: gives the finger poses.
        """
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

    def encode(self, compose: Callable[[], Wrist], pose: FingerPose) -> Stored:
        """No columns; neither wrist nor pose is asked for."""
        return {}

    def decode(self, stored: Stored, compose: Callable[[], Wrist]) -> Wrist:
        """The composed wrist, in float32 as the other layouts store it."""
        rotation, translation = compose()
        return rotation.astype(np.float32), translation.astype(np.float32)

    def parameters(self, stored: Stored, compose: Callable[[], Wrist], pose: FingerPose) -> Float32[Array, "k 51"]:
        """Composed wrist and finger pose, joined."""
        return _joined(compose(), pose())


@dataclass(frozen=True)
class WristLayout:
    """The grasp row, and the wrist in the camera frame."""

    name: str = "wrist"
    columns: tuple[Column, ...] = (
        Column("wrist_rotation", "float32", "k", (3,), "rad", "camera", "axis-angle about the root joint"),
        Column("translation", "float32", "k", (3,), "m", "camera", "vertices are R (x - J0) + J0 + translation"),
    )

    def encode(self, compose: Callable[[], Wrist], pose: FingerPose) -> Stored:
        """The composed wrist: ``wrist_rotation`` (k, 3) and ``translation`` (k, 3)."""
        rotation, translation = compose()
        return {"wrist_rotation": rotation, "translation": translation}

    def decode(self, stored: Stored, compose: Callable[[], Wrist]) -> Wrist:
        """The stored wrist; nothing is composed."""
        return stored["wrist_rotation"], stored["translation"]

    def parameters(self, stored: Stored, compose: Callable[[], Wrist], pose: FingerPose) -> Float32[Array, "k 51"]:
        """Stored wrist and finger pose, joined."""
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

    def encode(self, compose: Callable[[], Wrist], pose: FingerPose) -> Stored:
        """All parameters in one column, ``hand`` (k, 51)."""
        return {"hand": _joined(compose(), pose())}

    def decode(self, stored: Stored, compose: Callable[[], Wrist]) -> Wrist:
        """The wrist's columns of ``hand``; nothing is composed."""
        hand = stored["hand"]
        return hand[:, ROTATION], hand[:, TRANSLATION]

    def parameters(self, stored: Stored, compose: Callable[[], Wrist], pose: FingerPose) -> Float32[Array, "k 51"]:
        """``hand`` as it is stored, not copied."""
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
