"""Scenes as they were read, kept in the cache: a hundred thousand small files are opened once.

An entry is found by a digest of what decides its content (where the scene is; names, sizes and times of its files), so
that an index which has grown stale is never found.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yaff.objects.cache import cached_arrays
from yaff.scene.frames import BadFrame, FrameTable

Array = np.ndarray


class SceneIndex(NamedTuple):
    """All frames of a scene: the good ones as a table, the others by name."""

    table: FrameTable
    bad: tuple[BadFrame, ...]

    def chosen(self, frames: list[int]) -> SceneIndex:
        """The same of these frames only, ascending."""
        rows = np.flatnonzero(np.isin(self.table.frames, np.asarray(frames, np.int32)))
        wanted = set(frames)
        table = self.table if len(rows) == len(self.table) else self.table.select(rows)
        return SceneIndex(table, tuple(b for b in self.bad if b.frame in wanted))


def indexed(cache: Path | None, key: str, scene: int, read: Callable[[], SceneIndex]) -> SceneIndex:
    """The index of a scene, from the cache where it is there, else read and put there.

    Args:
        cache: the cache folder; None reads every time.
        key: digest of everything that the result depends on.
        scene: its number.
        read: reads all frames of the scene.

    Raises:
        StorageError: the cache cannot be written.
    """
    if cache is None:
        return read()
    arrays = cached_arrays(cache, "frames", key, lambda: _arrays(read()))
    return _index(scene, arrays)


def _arrays(index: SceneIndex) -> dict[str, Array]:
    table, bad = index
    texts = [(b.file, b.reason) for b in bad]
    return {
        "frames": table.frames,
        "intrinsics": table.intrinsics,
        "instance_start": table.instance_start,
        "object_index": table.object_index,
        "poses": table.Ts_camera_object[:, :3],
        "bad_frames": np.array([b.frame for b in bad], np.int32),
        "bad_texts": np.array(texts, dtype=np.str_).reshape(-1, 2),
    }


def _index(scene: int, arrays: dict[str, Array]) -> SceneIndex:
    Ts_camera_object = np.zeros((len(arrays["poses"]), 4, 4))
    Ts_camera_object[:, :3] = arrays["poses"]
    Ts_camera_object[:, 3, 3] = 1.0
    table = FrameTable(
        scene=scene,
        frames=arrays["frames"],
        intrinsics=arrays["intrinsics"],
        instance_start=arrays["instance_start"],
        object_index=arrays["object_index"],
        Ts_camera_object=Ts_camera_object,
    )
    rows = zip(arrays["bad_frames"].tolist(), arrays["bad_texts"].tolist(), strict=True)
    return SceneIndex(table, tuple(BadFrame(file, scene, frame, reason) for frame, (file, reason) in rows))
