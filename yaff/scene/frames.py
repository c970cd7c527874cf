"""What every dataset reader delivers: the frames of a scene as one table of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Int64, Integer, UInt8

from yaff.errors import InputError

Array = np.ndarray


@dataclass(frozen=True)
class FrameTable:
    """The frames of one scene and the object instances in them, struct of arrays.

    The instances of row ``r`` are ``instance_start[r]:instance_start[r + 1]``, in the order of the source file.
    """

    scene: int
    frames: Int32[Array, "f"]
    """Frame numbers of the dataset, ascending."""
    intrinsics: Float64[Array, "f 3 3"]
    """Pinhole matrices, pixels; the centre of the first pixel is (0, 0)."""
    instance_start: Int64[Array, "f1"]
    """Row offsets of the instances, ``(f + 1,)``."""
    object_index: UInt8[Array, "i"]
    """YCB-Video index of each instance, 1 to 21."""
    Ts_camera_object: Float64[Array, "i 4 4"]
    """Model frame -> OpenCV camera frame, metres."""

    def __post_init__(self) -> None:
        f, i = len(self.frames), len(self.object_index)
        where = f"scene {self.scene}"
        if len(self.instance_start) != f + 1 or len(self.intrinsics) != f or len(self.Ts_camera_object) != i:
            raise InputError("the arrays of a frame table disagree in length", where=where)
        if self.instance_start[0] != 0 or self.instance_start[-1] != i or (np.diff(self.instance_start) < 0).any():
            raise InputError("instance_start is not an ascending table of offsets", where=where)

    def __len__(self) -> int:
        return len(self.frames)

    def instances(self, row: int) -> slice:
        """The instances of a frame row, as a slice into ``object_index`` and ``Ts_camera_object``."""
        return slice(int(self.instance_start[row]), int(self.instance_start[row + 1]))

    @property
    def frame_row(self) -> Int64[Array, "i"]:
        """The frame row of every instance."""
        return np.repeat(np.arange(len(self)), np.diff(self.instance_start))

    def select(self, rows: Integer[Array, "r"] | Sequence[int]) -> FrameTable:
        """The table of these frame rows only, in the order given."""
        chosen = np.asarray(rows, np.int64).reshape(-1)
        counts = np.diff(self.instance_start)[chosen]
        start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        first = np.repeat(self.instance_start[chosen] - start[:-1], counts)
        instance = first + np.arange(start[-1])
        return FrameTable(
            scene=self.scene,
            frames=self.frames[chosen],
            intrinsics=self.intrinsics[chosen],
            instance_start=start,
            object_index=self.object_index[instance],
            Ts_camera_object=self.Ts_camera_object[instance],
        )

    @classmethod
    def from_rows(
        cls,
        scene: int,
        frames: Sequence[int],
        intrinsics: Sequence[Float[Array, "3 3"]],
        object_index: Sequence[UInt8[Array, "_"]],
        Ts_camera_object: Sequence[Float[Array, "_ 4 4"]],
    ) -> FrameTable:
        """A table from one entry per frame; no frames make an empty table."""
        counts = [len(entry) for entry in object_index]
        return cls(
            scene=scene,
            frames=np.asarray(frames, np.int32).reshape(-1),
            intrinsics=np.asarray(intrinsics, np.float64).reshape(-1, 3, 3),
            instance_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            object_index=np.concatenate([np.zeros(0, np.uint8), *object_index]).astype(np.uint8),
            Ts_camera_object=np.concatenate([np.zeros((0, 4, 4)), *Ts_camera_object]).astype(np.float64),
        )


@dataclass(frozen=True)
class BadFrame:
    """A frame that was left out, and why."""

    file: str
    scene: int
    frame: int
    reason: str


@runtime_checkable
class SceneReader(Protocol):
    """A dataset of scenes: object poses always, images where it has them.

    A reader holds no open file and can be pickled: it travels to worker processes.
    """

    @property
    def root(self) -> Path:
        """The folder of the dataset, where ``models/`` and ``image_sets/`` are looked for."""
        ...

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of every image, pixels."""
        ...

    def scenes(self) -> tuple[int, ...]:
        """The scene numbers, ascending."""
        ...

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        """The frame numbers of a scene, ascending."""
        ...

    def content_key(self, scene: int) -> str:
        """A digest that changes when what :meth:`read` gives for the scene may have changed."""
        ...

    def read(
        self, scene: int, frames: Sequence[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        """Poses of the given frames (default: all) of a scene, validated; ascending, whatever the order in the files.

        Raises:
            FrameError: a frame that cannot be read or names an unknown object, unless ``skip_bad``.
            PoseError: a pose that is not a rigid transform, unless ``skip_bad``.
        """
        ...

    def colour_file(self, scene: int, frame: int) -> Path | None:
        """The file of the colour image, or None where there is none."""
        ...

    def colour(self, scene: int, frame: int) -> UInt8[Array, "h w 3"] | None:
        """The colour image, or None where the dataset has none."""
        ...

    def depth(self, scene: int, frame: int) -> Float32[Array, "h w"] | None:
        """Metres along the optical axis, NaN where nothing was measured; None where the dataset has none."""
        ...

    def labels(self, scene: int, frame: int) -> UInt8[Array, "h w"] | None:
        """The YCB-Video index of the object seen at each pixel, 0 for background; None if there is none."""
        ...
