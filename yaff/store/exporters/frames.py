"""The annotations of a dataset frame by frame, in pieces of bounded memory: what every exporter walks over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64, UInt8

from yaff.geometry.transforms import invert
from yaff.store.reading import ShardSet
from yaff.store.shards import ShardReader

Array = np.ndarray

_PIECE = 1 << 16
"""Annotations composed at a time: 13 MB."""


@dataclass(frozen=True)
class AnnotatedFrame:
    """One frame with its ``k`` instances and ``n`` annotations, instance after instance."""

    scene: int
    frame: int
    splits: tuple[str, ...]
    intrinsics: Float64[Array, "3 3"]
    """Pinhole camera, pixels."""
    plane: Float64[Array, "4"] | None
    """Support plane in the camera of this frame (normal, offset), metres; None where unknown."""
    object_index: UInt8[Array, "k"]
    Ts_camera_object: Float64[Array, "k 4 4"]
    visibility: Float32[Array, "k"] | None
    start: Int64[Array, "k1"]
    """Row offsets of the annotations of each instance, ``(k + 1,)``."""
    grasp: Int[Array, "n"]
    """Row of each annotation in the grasps of its shard."""
    parameters: Float32[Array, "n 51"]
    """Wrist rotation, pose, translation; camera frame."""


def frames_of(shards: ShardSet, split: str | None = None) -> Iterator[tuple[ShardReader, AnnotatedFrame]]:
    """All frames by scene and number, each with the shard it is in.

    Args:
        shards: the dataset.
        split: only the frames of this split.

    Raises:
        InputError: the dataset has no such split.
    """
    if split is not None:
        shards.select(split=split)  # refuses what is not there, naming what is
    for number in np.argsort(_scenes(shards), kind="stable").tolist():
        reader = shards.reader(number)
        yield from ((reader, frame) for frame in _frames(reader, split))
        reader.release()


def _scenes(shards: ShardSet) -> list[int]:
    return [shards.reader(number).scene for number in range(len(shards.index.files))]


def _frames(reader: ShardReader, split: str | None) -> Iterator[AnnotatedFrame]:
    instance_start, annotation_start = reader["frames/instance_start"], reader["instances/annotation_start"]
    bits, names = reader["frames/splits"], reader.split_names
    planes = _Planes(reader)
    begin, piece = 0, np.zeros((0, 51), np.float32)
    for row in range(len(bits)):
        member = tuple(name for k, name in enumerate(names) if bits[row] >> np.uint32(k) & np.uint32(1))
        if split is not None and split not in member:
            continue
        here = slice(int(instance_start[row]), int(instance_start[row + 1]))
        start = np.asarray(annotation_start[here.start : here.stop + 1], np.int64)
        first, last = int(start[0]), int(start[-1])
        if first < begin or last > begin + len(piece):
            begin = first
            piece = reader.parameters(first, max(last, min(first + _PIECE, len(reader))))
        yield AnnotatedFrame(
            scene=int(reader["frames/scene"][row]),
            frame=int(reader["frames/frame"][row]),
            splits=member,
            intrinsics=np.array(reader["frames/intrinsics"][row]),
            plane=planes.of(row),
            object_index=np.array(reader["instances/object_index"][here]),
            Ts_camera_object=np.array(reader["instances/T_camera_object"][here]),
            visibility=np.array(reader["instances/visibility"][here]) if "instances/visibility" in reader else None,
            start=start - first,
            grasp=np.array(reader["annotations/grasp"][first:last]),
            parameters=piece[first - begin : last - begin],
        )


class _Planes:
    """Support planes moved from the frame in which they were found to any frame of their arrangement."""

    def __init__(self, reader: ShardReader) -> None:
        self._reader = reader

    def of(self, row: int) -> Float64[Array, "4"] | None:
        """The plane of a frame row; None where it is unknown or nothing ties the two cameras together."""
        reader = self._reader
        arrangement = int(reader["frames/arrangement"][row])
        if not reader["arrangements/plane_known"][arrangement]:
            return None
        origin = int(reader["arrangements/representative"][arrangement])
        plane = np.array(reader["arrangements/plane"][arrangement], np.float64)
        if origin == row:
            return plane
        there, here = self._first(origin), self._first(row)
        if there is None or here is None:
            return None
        T = here @ invert(there)
        normal = T[:3, :3] @ plane[:3]
        return np.append(normal, plane[3] - normal @ T[:3, 3])

    def _first(self, row: int) -> Float[Array, "4 4"] | None:
        """Pose of the instance with the lowest placement, which the frames of an arrangement share."""
        start = self._reader["frames/instance_start"]
        here = slice(int(start[row]), int(start[row + 1]))
        if here.stop == here.start:
            return None
        lowest = int(np.argmin(self._reader["instances/placement"][here]))
        return np.array(self._reader["instances/T_camera_object"][here.start + lowest], np.float64)
