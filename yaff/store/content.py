"""What goes into one shard, as arrays: the frames of a scene, what was decided per arrangement, and the grasps.

A *placement* is one object in one arrangement. All instances of a placement (the object in every frame of the
arrangement) have the same annotations: the candidates of the placement that were found feasible, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int32, Int64, Integer, Shaped, UInt8

from yaff.errors import InputError
from yaff.grasp.batch import MEASURES, Grasps
from yaff.hand.model import HandModel
from yaff.scene.arrangements import Arrangements
from yaff.scene.frames import FrameTable
from yaff.store.columns import GRASP_COLUMNS, TYPES

Array = np.ndarray

MAX_SPLITS = 32


@runtime_checkable
class SupportPlane(Protocol):
    """A plane ``normal . p + offset = height of p``; normal points up, metres."""

    @property
    def normal(self) -> Float[Array, "3"]:
        """Unit, up."""
        ...

    @property
    def offset(self) -> float:
        """Height of the frame's origin above the plane, metres."""
        ...


Verdicts = tuple[UInt8[Array, "_"], Float32[Array, "_"]]
"""Code (0 feasible) and clearance (m) of each candidate grasp of one instance."""


@dataclass(frozen=True)
class HandRecord:
    """Which hand the annotations are of."""

    name: str
    side: str
    digest: str

    @classmethod
    def of(cls, hand: HandModel) -> HandRecord:
        """The record of a hand: its name, ``right`` or ``left``, and the digest of its arrays."""
        return cls(hand.name, hand.side, hand.digest)


@dataclass(frozen=True)
class Candidates:
    """Grasps of one object that are tried in the scenes, and where they stand in the library."""

    grasps: Grasps
    library_row: Int[Array, "n"]
    """Row of each grasp among those of its object in the library."""

    @classmethod
    def usable(cls, grasps: Grasps) -> Candidates:
        """The grasps proven by physics or accepted by a person."""
        rows = np.flatnonzero(grasps.verified)
        return cls(grasps[rows], rows)


@dataclass(frozen=True)
class ShardContent:
    """Everything a shard holds, before the layout is chosen; rows refer to each other as in the file."""

    table: FrameTable
    arrangement: Int[Array, "f"]
    """Arrangement of each frame."""
    representative: Int[Array, "a"]
    """Frame row in which each arrangement was decided."""
    plane: Float[Array, "a 4"]
    """Support plane in the camera of the representative frame (normal, offset), zeros where unknown."""
    plane_known: Bool[Array, "a"]
    """Which arrangements have a plane."""
    placement: Int[Array, "i"]
    """Placement of each instance."""
    placement_arrangement: Int[Array, "p"]
    """Arrangement of each placement."""
    placement_object: Integer[Array, "p"]
    """YCB-Video index of the object of each placement."""
    candidate_start: Int64[Array, "p1"]
    """Row offsets of the candidates, ``(p + 1,)``."""
    candidate_grasp: Int32[Array, "q"]
    """Row of ``grasps`` of each candidate."""
    candidate_code: UInt8[Array, "q"]
    """Values of :class:`yaff.scene.feasibility.Infeasible`; 0 where feasible."""
    candidate_clearance: Float32[Array, "q"]
    """Metres from the skin to the nearest neighbour or to the support plane, negative inside."""
    grasps: Mapping[str, Shaped[Array, "g ..."]]
    """The columns of ``/grasps`` by name, in the dtypes of :data:`yaff.store.columns.GRASP_COLUMNS`."""
    objects: Mapping[str, int]
    """Index of each object by name."""
    hand: HandRecord
    splits: Mapping[str, Bool[Array, "f"]] = field(default_factory=dict)
    """Which frames belong to each split."""
    visibility: Float32[Array, "i"] | None = None
    """Share of each instance that the camera sees, 0 to 1; None where that was not measured."""
    visibility_rendered: Bool[Array, "i"] | None = None
    """Where visibility was measured in rendered depth order and not in a label image."""
    inputs: str = ""
    """Digest of everything the shard is made from, so that a resumed build knows its own."""

    def __post_init__(self) -> None:
        f, i, g = len(self.table), len(self.table.object_index), len(self.grasps["grasp_type"])
        where = f"scene {self.table.scene}"
        checks = {
            "arrangement": (self.arrangement, f, len(self.representative)),
            "representative": (self.representative, len(self.plane), f),
            "placement": (self.placement, i, len(self.placement_object)),
            "placement_arrangement": (
                self.placement_arrangement,
                len(self.placement_object),
                len(self.representative),
            ),
            "candidate_grasp": (self.candidate_grasp, len(self.candidate_code), g),
        }
        for name, (values, rows, limit) in checks.items():
            if len(values) != rows:
                raise InputError(f"{name} has {len(values)} rows, expected {rows}", where=where)
            if rows and (values.min() < 0 or values.max() >= limit):
                raise InputError(f"{name} refers to row {values.max()} of {limit}", where=where)
        start = self.candidate_start
        if start[0] != 0 or start[-1] != len(self.candidate_grasp) or (np.diff(start) < 0).any():
            raise InputError("candidate_start is not an ascending table of offsets", where=where)
        if (self.placement_object[self.placement] != self.table.object_index).any():
            raise InputError("an instance and its placement are of different objects", where=where)
        known = set(self.objects.values())
        if unknown := sorted(set(self.table.object_index.tolist()) - known):
            raise InputError(f"objects without a name: {unknown}", where=where, remedy="add them to `objects`")
        if self.visibility is not None and len(self.visibility) != i:
            raise InputError(f"visibility has {len(self.visibility)} rows, expected {i}", where=where)
        if self.visibility_rendered is not None and len(self.visibility_rendered) != i:
            raise InputError(f"visibility_rendered has {len(self.visibility_rendered)} rows, expected {i}", where=where)
        if len(self.splits) > MAX_SPLITS:
            raise InputError(f"{len(self.splits)} splits; a file holds at most {MAX_SPLITS}", where=where)

    @property
    def feasible(self) -> Bool[Array, "q"]:
        """The candidates that become annotations."""
        return self.candidate_code == 0

    @property
    def feasible_start(self) -> Int64[Array, "p1"]:
        """Row offsets of the feasible candidates of each placement."""
        running = np.concatenate([[0], np.cumsum(self.feasible)])
        return running[self.candidate_start].astype(np.int64)

    @property
    def annotation_start(self) -> Int64[Array, "i1"]:
        """Row offsets of the annotations of each instance."""
        counts = np.diff(self.feasible_start)[self.placement]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @property
    def code_count(self) -> Int64[Array, "p 4"]:
        """Candidates of each placement by code."""
        return _histogram(self._candidate_placement, self.candidate_code, len(self.placement_object), 4)

    @property
    def type_count(self) -> Int64[Array, "p 33"]:
        """Feasible candidates of each placement by grasp type."""
        kinds = np.asarray(self.grasps["grasp_type"], np.int64)[self.candidate_grasp] - 1
        keep = self.feasible
        return _histogram(self._candidate_placement[keep], kinds[keep], len(self.placement_object), TYPES)

    @property
    def _candidate_placement(self) -> Int64[Array, "q"]:
        return np.repeat(np.arange(len(self.placement_object)), np.diff(self.candidate_start))


def _histogram(rows: Array, columns: Array, height: int, width: int) -> Int64[Array, "h w"]:
    flat = np.bincount(rows * width + columns.astype(np.int64), minlength=height * width)
    return flat.astype(np.int64).reshape(height, width)


def grasp_table(
    candidates: Mapping[int, Candidates], hand: HandModel
) -> tuple[dict[str, Shaped[Array, "g ..."]], dict[int, slice]]:
    """The columns of ``/grasps`` for objects in ascending order of index, and the rows of each.

    Args:
        candidates: by YCB-Video index.
        hand: the hand of the grasps, for the place of the root joint in each grasp's shape.

    Raises:
        InputError: grasps without their measures.
    """
    parts: dict[str, list[Array]] = {column.name: [] for column in GRASP_COLUMNS}
    rows: dict[int, slice] = {}
    count = 0
    for index in sorted(candidates):
        grasps, n = candidates[index].grasps, len(candidates[index].grasps)
        if missing := sorted(set(MEASURES) - set(grasps.measures)):
            raise InputError(f"grasps without measures: {', '.join(missing)}", where=grasps.object_name)
        values: dict[str, Array] = {name: getattr(grasps, name) for name in parts if hasattr(grasps, name)}
        values |= {f"measures/{name}": array for name, array in grasps.measures.items()}
        values["object_index"] = np.full(n, index, np.uint8)
        values["library_row"] = np.asarray(candidates[index].library_row, np.int32)
        values["root"] = np.asarray(hand.root(grasps.shape.astype(np.float64)), np.float64).reshape(n, 3)
        for name, array in values.items():
            parts[name].append(array)
        rows[index] = slice(count, count + n)
        count += n
    empty = {c.name: np.zeros((0, *c.shape), c.dtype) for c in GRASP_COLUMNS}
    return {name: np.concatenate([empty[name], *part]).astype(empty[name].dtype) for name, part in parts.items()}, rows


def assemble_shard(
    table: FrameTable,
    arrangements: Arrangements,
    verdicts: Sequence[Sequence[Verdicts]],
    planes: Sequence[SupportPlane | None],
    candidates: Mapping[int, Candidates],
    hand: HandModel,
    objects: Mapping[str, int],
    *,
    splits: Mapping[str, Bool[Array, "f"]] | None = None,
    visibility: Float32[Array, "i"] | None = None,
    visibility_rendered: Bool[Array, "i"] | None = None,
    inputs: str = "",
) -> ShardContent:
    """The content of a shard from what was decided for each arrangement.

    Args:
        table: frames of one scene.
        arrangements: the grouping of its frames.
        verdicts: for each arrangement, for each instance of its representative frame, the codes and clearances of
            the candidates of that object.
        planes: the support plane of each arrangement, in the camera of its representative frame; None if unknown.
        candidates: by object index; objects of the scene that are missing here get no annotations.
        hand: the hand of the grasps.
        objects: index of each object by name; at least those in the scene.
        splits: which frames belong to each split.
        visibility: fraction of each instance of the table that the camera sees, where that is known.
        visibility_rendered: where that comes from rendered depth order, and not from a label image.
        inputs: digest of everything the shard is made from.

    Raises:
        InputError: verdicts that do not fit the candidates, or grasps without measures.
    """
    here = {int(index) for index in np.unique(table.object_index)}
    grasps, rows = grasp_table({k: c for k, c in candidates.items() if k in here}, hand)
    sizes = [table.instances(int(row)).stop - table.instances(int(row)).start for row in arrangements.representative]
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    placed = [table.object_index[table.instances(int(row))] for row in arrangements.representative]
    placement_object = np.concatenate([np.zeros(0, np.uint8), *placed])
    grasp, code, clearance, counts = [], [], [], []
    for arrangement, (indices, decided) in enumerate(zip(placed, verdicts, strict=True)):
        if len(decided) != len(indices):
            raise InputError(
                f"verdicts for {len(decided)} instances where there are {len(indices)}",
                where=f"scene {table.scene}, arrangement {arrangement}",
            )
        for index, (codes, clearances) in zip(indices.tolist(), decided, strict=True):
            part = rows.get(index, slice(0, 0))
            n = part.stop - part.start
            if len(codes) != n or len(clearances) != n:
                raise InputError(
                    f"{len(codes)} verdicts for {n} candidate grasps of object {index}",
                    where=f"scene {table.scene}, arrangement {arrangement}",
                )
            grasp.append(np.arange(part.start, part.stop, dtype=np.int32))
            code.append(np.asarray(codes, np.uint8))
            clearance.append(np.asarray(clearances, np.float32))
            counts.append(n)
    known = np.array([plane is not None for plane in planes], bool)
    equations = [np.zeros(4) if p is None else np.array([*p.normal, p.offset], np.float64) for p in planes]
    return ShardContent(
        table=table,
        arrangement=arrangements.group,
        representative=arrangements.representative,
        plane=np.array(equations, np.float64).reshape(-1, 4),
        plane_known=known,
        placement=first[arrangements.group[table.frame_row]] + arrangements.order,
        placement_arrangement=np.repeat(np.arange(len(sizes)), sizes),
        placement_object=placement_object,
        candidate_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        candidate_grasp=np.concatenate([np.zeros(0, np.int32), *grasp]),
        candidate_code=np.concatenate([np.zeros(0, np.uint8), *code]),
        candidate_clearance=np.concatenate([np.zeros(0, np.float32), *clearance]),
        grasps=grasps,
        objects={name: int(index) for name, index in objects.items() if index in here},
        hand=HandRecord.of(hand),
        splits=splits or {},
        visibility=visibility,
        visibility_rendered=visibility_rendered,
        inputs=inputs,
    )
