"""What must be true inside a shard, beyond its structure: each check returns what is wrong, or nothing.

Annotations are looked at in pieces, so that memory does not grow with the shard. Later checks rely on earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from yaff.errors import PoseError
from yaff.geometry.transforms import check_rigid, rotation_angle, rotation_from_axis_angle
from yaff.store.columns import SHARD_GROUPS, TYPES, Column
from yaff.store.layouts import POSE, ROTATION, TRANSLATION, annotation_columns
from yaff.store.shards import ShardReader, camera_wrist

Array = np.ndarray

PIECE = 1 << 18
"""Annotations looked at at a time."""

ROTATION_TOLERANCE = 1e-5
"""Radians between a stored wrist and the composed one (float32 resolves 2e-7)."""
TRANSLATION_TOLERANCE = 1e-6
"""Metres between a stored wrist and the composed one (float32 resolves 1e-7)."""

Problem = str | None


def _columns(reader: ShardReader) -> Iterator[tuple[str, str, Column]]:
    groups: Mapping[str, Sequence[Column]] = {
        **SHARD_GROUPS,
        "annotations": annotation_columns(reader.layout.name),
    }
    for group, columns in groups.items():
        for column in columns:
            if f"{group}/{column.name}" in reader:
                yield group, f"{group}/{column.name}", column


def _pieces(values: Array) -> Iterator[tuple[int, Array]]:
    for first in range(0, len(values), PIECE):
        yield first, values[first : first + PIECE]


def _first(mask: Any) -> int:
    return int(np.flatnonzero(mask)[0])


def check_offsets(reader: ShardReader) -> Problem:
    """Columns of a group have one length; offsets ascend from 0 to the length of what they divide."""
    lengths: dict[str, tuple[str, int]] = {}
    for group, name, column in _columns(reader):
        rows = len(reader[name]) - column.dimension.endswith("+1")
        first, expected = lengths.setdefault(group, (name, rows))
        if rows != expected:
            return f"/{name} has {rows} rows where /{first} has {expected}"
    for _, name, column in _columns(reader):
        if column.dimension.endswith("+1"):
            start, end = reader[name], lengths[column.points_to][1]
            steps = np.diff(start)
            if (steps < 0).any():
                return f"/{name} descends at row {_first(steps < 0) + 1}"
            if start[0] != 0 or start[-1] != end:
                return f"/{name} runs from {start[0]} to {start[-1]}, not from 0 to {end} rows of /{column.points_to}"
    return None


def check_rows(reader: ShardReader) -> Problem:
    """Row numbers exist in the group they refer to."""
    sizes = {group: len(reader[name]) - c.dimension.endswith("+1") for group, name, c in _columns(reader)}
    for _, name, column in _columns(reader):
        if column.points_to and not column.dimension.endswith("+1"):
            limit = sizes[column.points_to]
            for first, values in _pieces(reader[name]):
                bad = np.logical_or(values < 0, values >= limit)
                if bad.any():
                    row = _first(bad)
                    return f"/{name}, row {first + row}: refers to row {values[row]} of {limit} in /{column.points_to}"
    return None


def check_finite(reader: ShardReader) -> Problem:
    """No NaN, no infinity."""
    for _, name, column in _columns(reader):
        if column.dtype.startswith("float"):
            for first, values in _pieces(reader[name]):
                finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
                if not finite.all():
                    return f"/{name}, row {first + _first(~finite)}: NaN or infinity"
    return None


def check_ranges(reader: ShardReader) -> Problem:
    """Types, codes, states, objects and splits are ones that exist."""
    known = sorted(reader.objects.values())
    rules: dict[str, tuple[Callable[[Array], Array], str]] = {
        "grasps/grasp_type": (lambda v: (v < 1) | (v > TYPES), "is not a grasp type (1 to 33)"),
        "grasps/review_state": (lambda v: v > 3, "is not a review state (0 to 3)"),
        "grasps/library_row": (lambda v: v < 0, "is not a row"),
        "candidates/code": (lambda v: v > 3, "is not a code (0 to 3)"),
        "arrangements/plane_known": (lambda v: v > 1, "is neither 0 nor 1"),
        "frames/splits": (
            lambda v: v >= 1 << np.uint64(len(reader.split_names)),
            f"has bits beyond the {len(reader.split_names)} splits",
        ),
        "frames/scene": (lambda v: v != reader.scene, f"is not the scene of the shard, {reader.scene}"),
    }
    for name in ("grasps/object_index", "instances/object_index", "placements/object_index"):
        rules[name] = (lambda v: ~np.isin(v, known), "is an object without a name in the attribute objects")
    for name, (wrong, words) in rules.items():
        values = reader[name]
        bad = wrong(values.astype(np.uint64) if name == "frames/splits" else values)
        if bad.any():
            row = _first(bad)
            return f"/{name}, row {row}: {values[row]} {words}"
    numbers = reader["frames/frame"]
    if len(np.unique(numbers)) != len(numbers):
        return "/frames/frame: a frame number occurs twice"
    return None


def check_geometry(reader: ShardReader) -> Problem:
    """Poses are rigid, planes have unit normals, cameras have positive focal lengths."""
    poses = reader["instances/T_camera_object"]
    try:
        check_rigid(poses, where="/instances/T_camera_object")
    except PoseError as error:
        return f"/instances/T_camera_object: {error.what}"
    bottom = np.abs(poses[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(axis=1, initial=0.0) > 0
    if bottom.any():
        return f"/instances/T_camera_object, row {_first(bottom)}: the last row of the matrix is not 0 0 0 1"
    normals = np.linalg.norm(reader["arrangements/plane"][:, :3], axis=1)
    bad = (reader["arrangements/plane_known"] == 1) & (np.abs(normals - 1.0) > 1e-6)
    if bad.any():
        return f"/arrangements/plane, row {_first(bad)}: the normal has length {normals[_first(bad)]:.6g}"
    intrinsics = reader["frames/intrinsics"]
    flat = (intrinsics[:, 0, 0] <= 0) | (intrinsics[:, 1, 1] <= 0)
    return f"/frames/intrinsics, row {_first(flat)}: focal length not positive" if flat.any() else None


def check_agreement(reader: ShardReader) -> Problem:
    """Instances, placements, arrangements, candidates and grasps tell the same story."""
    placement = reader["instances/placement"]
    frame = np.repeat(reader["frames/arrangement"], np.diff(reader["frames/instance_start"]))
    if (reader["placements/object_index"][placement] != reader["instances/object_index"]).any():
        return "/instances/placement: an instance and its placement are of different objects"
    if (reader["placements/arrangement"][placement] != frame).any():
        return "/instances/placement: an instance and its placement are of different arrangements"
    start = reader["placements/candidate_start"]
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    grasp, code = reader["candidates/grasp"], reader["candidates/code"]
    if (reader["grasps/object_index"][grasp] != reader["placements/object_index"][owner]).any():
        return "/candidates/grasp: a candidate and its placement are of different objects"
    codes = np.bincount(owner * 4 + code, minlength=4 * (len(start) - 1)).reshape(-1, 4)
    if (codes != reader["placements/code_count"]).any():
        return "/placements/code_count does not count the codes of the candidates"
    keep = code == 0
    kinds = reader["grasps/grasp_type"][grasp[keep]].astype(np.int64) - 1
    types = np.bincount(owner[keep] * TYPES + kinds, minlength=TYPES * (len(start) - 1)).reshape(-1, TYPES)
    if (types != reader["placements/type_count"]).any():
        return "/placements/type_count does not count the types of the feasible candidates"
    return None


def check_annotations(reader: ShardReader) -> Problem:
    """The annotations of every instance are the feasible candidates of its placement, in their order."""
    placement, start = reader["instances/placement"], reader["instances/annotation_start"]
    feasible = reader["candidates/code"] == 0
    running = np.concatenate([[0], np.cumsum(feasible)])[reader["placements/candidate_start"]]
    counts = np.diff(running)[placement]
    if (np.diff(start) != counts).any():
        row = _first(np.diff(start) != counts)
        return (
            f"/instances, row {row}: {int(np.diff(start)[row])} annotations "
            f"where its placement has {int(counts[row])} feasible grasps"
        )
    wanted = reader["candidates/grasp"][feasible]
    for first, values in _pieces(reader["annotations/grasp"]):
        rows = np.arange(first, first + len(values))
        instance = reader.instance_of(rows)
        expected = wanted[running[placement[instance]] + rows - start[instance]]
        if (values != expected).any():
            row = _first(values != expected)
            return f"/annotations/grasp, row {first + row}: grasp {values[row]} where grasp {expected[row]} is feasible"
    return None


def check_sample(reader: ShardReader, rows: Int[Array, "k"]) -> Problem:
    """The hands stored for these annotations are those composed from pose and grasp."""
    if not len(rows):
        return None
    grasps: dict[str, Any] = {n: reader[f"grasps/{n}"] for n in ("root", "wrist_rotation", "translation")}
    grasp, poses = reader["annotations/grasp"][rows], reader["instances/T_camera_object"][reader.instance_of(rows)]
    wrist = camera_wrist(poses, np.arange(len(rows)), grasps, grasp)
    rotation, translation = wrist
    stored = {c.name: reader[f"annotations/{c.name}"][rows] for c in reader.layout.columns}
    hands = reader.layout.parameters(stored, lambda: wrist, lambda: reader["grasps/pose"][grasp])
    between = rotation_from_axis_angle(hands[:, ROTATION]).swapaxes(1, 2) @ rotation_from_axis_angle(rotation)
    angle, distance = rotation_angle(between), np.linalg.norm(hands[:, TRANSLATION] - translation, axis=1)
    worst = int(np.argmax(np.maximum(angle / ROTATION_TOLERANCE, distance / TRANSLATION_TOLERANCE)))
    if angle[worst] > ROTATION_TOLERANCE or distance[worst] > TRANSLATION_TOLERANCE:
        return (
            f"/annotations, row {rows[worst]}: the stored wrist is {distance[worst]:.3g} m and {angle[worst]:.3g} rad "
            "from the one composed of object pose and grasp"
        )
    different = (hands[:, POSE] != reader["grasps/pose"][grasp]).any(axis=1)
    if different.any():
        return f"/annotations, row {rows[_first(different)]}: the stored finger pose is not that of its grasp"
    return None


INVARIANTS: Mapping[str, Callable[[ShardReader], Problem]] = {
    "offsets": check_offsets,
    "rows": check_rows,
    "finite": check_finite,
    "ranges": check_ranges,
    "geometry": check_geometry,
    "agreement": check_agreement,
    "annotations": check_annotations,
}
"""In the order in which they must be checked."""
