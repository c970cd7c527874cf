"""Frames grouped by arrangement: the same objects in the same poses relative to each other.

Feasibility of a grasp depends on the arrangement only, so it is decided once per group. In YCB-Video a video is one
arrangement; a video in which an object moves becomes several, exactly where it moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Integer, UInt8

from yaff.geometry.transforms import invert
from yaff.scene.frames import FrameTable

Array = np.ndarray


@dataclass(frozen=True)
class Arrangements:
    """Groups of frame rows, numbered in the order of their first frame."""

    group: Int64[Array, "f"]
    """Group of each frame row."""
    representative: Int64[Array, "g"]
    """First frame row of each group; every member is within tolerance of it."""
    order: Int64[Array, "i"]
    """Per instance of the table: the instance of the representative that it corresponds to, counted within the
    representative's instances. Readers may list the same objects in another order from frame to frame."""

    def __len__(self) -> int:
        return len(self.representative)

    def members(self, group: int) -> Int64[Array, "m"]:
        """The frame rows of a group, ascending."""
        return np.flatnonzero(self.group == group)

    def instance_of(self, table: FrameTable, rows: Integer[Array, "r"], order: int) -> Int64[Array, "r"]:
        """In frame ``rows`` of one group, the instances that correspond to instance ``order`` of its representative."""
        start, counts = table.instance_start[rows], np.diff(table.instance_start)[rows]
        instances = np.repeat(start - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
        return instances[self.order[instances] == order]


def group_arrangements(table: FrameTable, tolerance_m: float = 1e-3, tolerance_rad: float = 5e-3) -> Arrangements:
    """Group frames by their set of objects and by the poses of those relative to the first of them.

    Leader clustering: the first frame not yet in a group leads a new one and takes every frame whose relative
    translations and rotations all lie within the tolerances of its own. Deterministic; frames need not be adjacent.

    Args:
        table: frames of one scene.
        tolerance_m: metres.
        tolerance_rad: radians.
    """
    f = len(table)
    leader = np.full(f, -1, np.int64)
    rank = _ranks(table)
    for rows, instances in _same_objects(table, rank):
        relative = _relative_poses(table.Ts_camera_object[instances])
        leader[rows] = rows[_lead(relative, tolerance_m, tolerance_rad)]
    representative = np.unique(leader)
    group = np.searchsorted(representative, leader)
    return Arrangements(group=group, representative=representative, order=_correspondence(table, leader, rank))


def _ranks(table: FrameTable) -> Int64[Array, "i"]:
    """Place of each instance among those of its frame when sorted by object, ties in file order."""
    frame = table.frame_row
    by_object = np.lexsort((np.arange(len(frame)), table.object_index, frame))
    rank = np.empty(len(frame), np.int64)
    rank[by_object] = np.arange(len(frame)) - table.instance_start[frame[by_object]]
    return rank


def _same_objects(table: FrameTable, rank: Int64[Array, "i"]) -> list[tuple[Int64[Array, "r"], Int64[Array, "r k"]]]:
    """Frame rows with the same objects, and their instances sorted by object."""
    frame = table.frame_row
    counts = np.diff(table.instance_start)
    width = int(counts.max(initial=0))
    signature: UInt8[Array, "f w"] = np.zeros((len(table), width), np.uint8)
    signature[frame, rank] = table.object_index
    place = np.zeros((len(table), width), np.int64)
    place[frame, rank] = np.arange(len(frame))
    _, kind = np.unique(signature, axis=0, return_inverse=True) if width else (None, np.zeros(len(table), np.int64))
    kind = kind.reshape(-1)
    result = []
    for k in range(int(kind.max(initial=-1)) + 1):
        rows = np.flatnonzero(kind == k)
        result.append((rows, place[rows, : counts[rows[0]]]))
    return result


def _relative_poses(Ts: Float64[Array, "r k 4 4"]) -> Float64[Array, "r k1 4 4"]:
    return invert(Ts[:, :1]) @ Ts[:, 1:]


def _lead(relative: Float64[Array, "r k 4 4"], tolerance_m: float, tolerance_rad: float) -> Int64[Array, "r"]:
    """Row of the leader of each row."""
    leader = np.empty(len(relative), np.int64)
    left = np.arange(len(relative))
    while len(left):
        near = _near(relative[left], relative[left[0]], tolerance_m, tolerance_rad)
        leader[left[near]] = left[0]
        left = left[~near]
    return leader


def _near(
    relative: Float64[Array, "r k 4 4"], other: Float64[Array, "k 4 4"], tolerance_m: float, tolerance_rad: float
) -> Bool[Array, "r"]:
    difference = relative - other
    translation = np.sum(difference[..., :3, 3] ** 2, axis=-1)
    # ||A - B||_F = 2 sqrt(2) sin(angle / 2) for rotations A, B
    rotation = np.sum(difference[..., :3, :3] ** 2, axis=(-2, -1))
    limit = 8.0 * np.sin(0.5 * min(tolerance_rad, np.pi)) ** 2
    return ((translation <= tolerance_m**2) & (rotation <= limit)).all(axis=1)


def _correspondence(table: FrameTable, leader: Int64[Array, "f"], rank: Int64[Array, "i"]) -> Int64[Array, "i"]:
    frame = table.frame_row
    width = int(np.diff(table.instance_start).max(initial=0))
    local = np.zeros((len(table), width), np.int64)
    local[frame, rank] = np.arange(len(frame)) - table.instance_start[frame]
    return local[leader[frame], rank]
