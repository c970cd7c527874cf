"""Frames of a dataset in which a grasp can be looked at: where the object is seen, and the hand would be in front."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from yaff.errors import UnknownItemError
from yaff.scene.frames import FrameTable, SceneReader

Array = np.ndarray

PER_SCENE = 3
"""Frames of each scene that are offered, spread over it."""

AROUND = 0.13
"""How much around the object is shown, metres: it and the hand that holds it."""


@dataclass(frozen=True)
class FrameView:
    """An object as one camera image shows it."""

    scene: int
    frame: int
    intrinsics: Float[Array, "3 3"]
    T_camera_object: Float[Array, "4 4"]
    others: tuple[tuple[str, Float[Array, "4 4"]], ...]
    """Every object of the frame that may be in front of the hand, by name, with its pose in the camera's frame."""

    def crop(self, size: tuple[int, int]) -> tuple[float, float, float, float]:
        """The part of the image around the object, of the image's own proportions: left, top, width, height, pixels.

        Args:
            size: width and height of the image.
        """
        width, height = size
        x, y, z = self.T_camera_object[:3, 3]
        K = self.intrinsics
        half = float(np.clip(K[1, 1] * AROUND / max(z, 0.1), 0.1 * height, 0.5 * height))
        wide = half * width / height
        left = float(np.clip(K[0, 0] * x / z + K[0, 2] - wide, 0.0, width - 2.0 * wide))
        top = float(np.clip(K[1, 1] * y / z + K[1, 2] - half, 0.0, height - 2.0 * half))
        return left, top, 2.0 * wide, 2.0 * half


class FrameViews:
    """Finds frames for grasps.

    Args:
        reader: the dataset.
        names: of its objects, by their number in it.
    """

    def __init__(self, reader: SceneReader, names: Mapping[int, str]) -> None:
        self._reader, self._names = reader, dict(names)
        self._lock = threading.Lock()
        self._tables: list[FrameTable] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images, pixels."""
        return self._reader.image_size

    @property
    def names(self) -> frozenset[str]:
        """Names of the dataset's objects."""
        return frozenset(self._names.values())

    def image(self, scene: int, frame: int) -> Path:
        """The file of a colour image.

        Raises:
            UnknownItemError: the dataset has none.
        """
        with self._lock:
            known = any(table.scene == scene and frame in table.frames for table in self._read())
        path = self._reader.colour_file(scene, frame) if known else None
        if path is None:
            raise UnknownItemError(f"no image of scene {scene}, frame {frame}")
        return path

    def of(self, object_name: str, T_object_hand: Float[Array, "4 4"], most: int = 12) -> tuple[FrameView, ...]:
        """Frames that show an object, those first in which the hand is on the camera's side of it.

        Args:
            object_name: name of the object.
            T_object_hand: the wrist.
            most: how many.
        """
        with self._lock:
            tables = self._read()
        views = [
            self._view(table, row, instance)
            for table in tables
            for row in range(len(table))
            for instance in range(*table.instances(row).indices(len(table.object_index)))
            if self._names.get(int(table.object_index[instance])) == object_name
        ]
        return tuple(sorted(views, key=lambda view: -_faces(view, T_object_hand))[:most])

    def _view(self, table: FrameTable, row: int, instance: int) -> FrameView:
        shown = table.instances(row)
        others = [
            (self._names[int(index)], T)
            for index, T in zip(table.object_index[shown], table.Ts_camera_object[shown], strict=True)
            if int(index) in self._names
        ]
        T = table.Ts_camera_object[instance]
        return FrameView(table.scene, int(table.frames[row]), table.intrinsics[row], T, tuple(others))

    def _read(self) -> list[FrameTable]:
        if self._tables is None:
            tables = []
            for scene in self._reader.scenes():
                numbers = self._reader.frame_numbers(scene)
                cuts = [k * len(numbers) // PER_SCENE for k in range(PER_SCENE + 1)]
                parts = [numbers[first:last] for first, last in pairwise(cuts)]
                found = (self._first_with_image(scene, part) for part in parts)
                chosen = [n for n in found if n is not None]
                if chosen:
                    tables.append(self._reader.read(scene, chosen, skip_bad=True)[0])
            self._tables = tables
        return self._tables

    def _first_with_image(self, scene: int, frames: Sequence[int]) -> int | None:
        """The frame nearest to the middle of these that has a colour image, if one has."""
        nearest = sorted(range(len(frames)), key=lambda k: abs(2 * k + 1 - len(frames)))
        return next((frames[k] for k in nearest if self._reader.colour_file(scene, frames[k]) is not None), None)


def _faces(view: FrameView, T_object_hand: Float[Array, "4 4"]) -> float:
    """Cosine between the way from the object to the hand and the way from it to the camera."""
    hand = view.T_camera_object[:3, :3] @ T_object_hand[:3, 3]
    camera = -view.T_camera_object[:3, 3]
    return float(hand @ camera / max(np.linalg.norm(hand) * np.linalg.norm(camera), 1e-9))
