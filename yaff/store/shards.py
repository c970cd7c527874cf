"""Shards: the annotations of one scene in one HDF5 file that stands alone, written in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yaff.store.atomic import atomic_file
from yaff.store.columns import SHARD_FORMAT, SHARD_GROUPS
from yaff.store.content import ShardContent
from yaff.store.hashing import canonical_json, digest_file
from yaff.store.hdf5 import NewFile, create_column, create_file, write_table
from yaff.store.layouts import Layout, Wrist, annotation_columns, layout_named
from yaff.store.shard_reader import ShardReader, camera_wrist

__all__ = ["CHUNK_ROWS", "REASONS", "ShardReader", "ShardRecord", "camera_wrist", "shard_name", "write_shard"]

Array = np.ndarray

CHUNK_ROWS = 1 << 16
"""Annotations written at a time: 13 MB of the full layout."""

REASONS = ("neighbour", "table", "unreachable")
"""Why a candidate is not feasible: codes 1, 2, 3."""


@dataclass(frozen=True)
class ShardRecord:
    """What the manifest says of one shard."""

    file: str
    scene: int
    bytes: int
    sha256: str
    inputs: str
    frames: int
    instances: int
    arrangements: int
    candidates: int
    grasps: int
    annotations: int
    infeasible: Mapping[str, int]
    """Candidates that did not become annotations, per arrangement and placement, by reason."""

    def document(self) -> dict[str, Any]:
        """The record as JSON can hold it."""
        return asdict(self)

    @classmethod
    def of(cls, path: Path | str) -> ShardRecord:
        """The record of a shard on disk; reads the whole file for its digest.

        Raises:
            MissingFileError, FormatError: as :meth:`ShardReader.open`.
        """
        reader = ShardReader.open(path, thorough=False)
        return cls.describe(reader, digest_file(reader.path))

    @classmethod
    def describe(cls, reader: ShardReader, sha256: str) -> ShardRecord:
        """The record of an open shard whose digest is known."""
        codes = reader["placements/code_count"].sum(axis=0, dtype=np.int64)
        return cls(
            file=reader.path.name,
            scene=reader.scene,
            bytes=reader.path.stat().st_size,
            sha256=sha256,
            inputs=reader.inputs,
            frames=len(reader["frames/frame"]),
            instances=len(reader["instances/object_index"]),
            arrangements=len(reader["arrangements/representative"]),
            candidates=len(reader["candidates/grasp"]),
            grasps=len(reader["grasps/grasp_type"]),
            annotations=len(reader),
            infeasible={reason: int(codes[code]) for code, reason in enumerate(REASONS, start=1)},
        )


def shard_name(scene: int) -> str:
    """The file name of a scene's shard."""
    return f"shard-{scene:05d}.h5"


def write_shard(path: Path | str, layout: str, content: ShardContent) -> None:
    """Write a shard, whole or not at all; the same content makes the same bytes.

    Args:
        path: where, by convention :func:`shard_name` in the dataset's folder.
        layout: ``compact``, ``wrist`` or ``full``.
        content: what it holds.

    Raises:
        InputError: an unknown layout, NaN, or numbers that do not fit their column.
        StorageError: the disk refused.
    """
    chosen = layout_named(layout)
    attributes = {
        "layout": chosen.name,
        "scene": int(content.table.scene),
        "split_names": canonical_json(list(content.splits)),
        "objects": canonical_json(dict(content.objects)),
        "hand": canonical_json(asdict(content.hand)),
        "inputs": content.inputs,
    }
    with atomic_file(path) as temporary, create_file(temporary, SHARD_FORMAT, attributes) as file:
        values = _table_values(content)
        for name, columns in SHARD_GROUPS.items():
            write_table(file.root.create_group(name), columns, values[name])
        _write_annotations(file, chosen, content)


def _table_values(content: ShardContent) -> dict[str, Mapping[str, Any]]:
    table = content.table
    splits = np.zeros(len(table), np.uint32)
    for bit, member in enumerate(content.splits.values()):
        splits |= np.asarray(member, bool).astype(np.uint32) << np.uint32(bit)
    instances: dict[str, Any] = {
        "object_index": table.object_index,
        "T_camera_object": table.Ts_camera_object,
        "placement": content.placement,
        "annotation_start": content.annotation_start,
    }
    if content.visibility is not None:
        instances["visibility"] = content.visibility
    if content.visibility_rendered is not None:
        instances["visibility_rendered"] = content.visibility_rendered.astype(np.uint8)
    return {
        "frames": {
            "scene": np.full(len(table), table.scene, np.int32),
            "frame": table.frames,
            "intrinsics": table.intrinsics,
            "arrangement": content.arrangement,
            "splits": splits,
            "instance_start": table.instance_start,
        },
        "instances": instances,
        "arrangements": {
            "representative": content.representative,
            "plane": content.plane,
            "plane_known": content.plane_known.astype(np.uint8),
        },
        "placements": {
            "arrangement": content.placement_arrangement,
            "object_index": content.placement_object,
            "candidate_start": content.candidate_start,
            "code_count": content.code_count,
            "type_count": content.type_count,
        },
        "candidates": {
            "grasp": content.candidate_grasp,
            "code": content.candidate_code,
            "clearance": content.candidate_clearance,
        },
        "grasps": content.grasps,
    }


def _write_annotations(file: NewFile, layout: Layout, content: ShardContent) -> None:
    group = file.root.create_group("annotations")
    start = content.annotation_start
    columns = {c.name: create_column(group, c, int(start[-1])) for c in annotation_columns(layout.name)}
    feasible_start = content.feasible_start
    feasible_grasp = content.candidate_grasp[content.feasible]
    poses, grasps = content.table.Ts_camera_object, content.grasps
    for first, last in _pieces(start):
        rows = slice(int(start[first]), int(start[last]))
        counts = np.diff(start[first : last + 1])
        instance = np.repeat(np.arange(last - first), counts)
        # row of the annotation within its placement's list, then in all lists
        within = np.arange(rows.start, rows.stop) - np.repeat(start[first:last], counts)
        grasp = feasible_grasp[np.repeat(feasible_start[content.placement[first:last]], counts) + within]

        def compose(piece: slice = slice(first, last), instance: Array = instance, grasp: Array = grasp) -> Wrist:
            return camera_wrist(poses[piece], instance, grasps, grasp)

        def pose(grasp: Array = grasp) -> Array:
            return grasps["pose"][grasp]

        columns["grasp"][rows] = grasp
        for name, values in layout.encode(compose, pose).items():
            columns[name][rows] = values.astype(np.float32, copy=False)
        file.check()


def _pieces(start: Array) -> Iterator[tuple[int, int]]:
    """Ranges of instances with at most CHUNK_ROWS annotations, or one instance where that has more."""
    first, count = 0, len(start) - 1
    while first < count:
        last = int(np.searchsorted(start, start[first] + CHUNK_ROWS, side="right")) - 1
        last = min(max(last, first + 1), count)
        if start[last] > start[first]:
            yield first, last
        first = last
