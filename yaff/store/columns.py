"""What every dataset of every file is: the one table from which files are written, checked and documented.

A :class:`Column` is one HDF5 dataset. Its first dimension is named (``n`` grasps, ``i`` instances, ...); datasets
of one group that name the same dimension have the same length. Units, frames and descriptions are stored as
attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yaff.grasp.batch import MEASURES

LIBRARY_FORMAT = "yaff-grasp-library"
SHARD_FORMAT = "yaff-shard"
INDEX_FORMAT = "yaff-index"
DATASET_FORMAT = "yaff-dataset"

SCHEMA_VERSIONS = {LIBRARY_FORMAT: 2, SHARD_FORMAT: 2, INDEX_FORMAT: 3, DATASET_FORMAT: 1}
"""Version of each format written by this program; a change that old readers would misread raises it, and
:mod:`yaff.store.migration` says what it was."""

TYPES = 33
"""Grasp types are numbered 1 to 33; column ``t - 1`` of a count belongs to type ``t``."""

_OBJECT = "object, 1 to 21 in YCB-Video's order"
_TYPE = "Feix number of the grasp type, 1 to 33"
_CODES = "0 feasible, 1 hits a neighbour, 2 hits the table, 3 unreachable"
_STATE = "0 needs review, 1 verified, 2 accepted, 3 rejected"


@dataclass(frozen=True)
class Column:
    """One HDF5 dataset."""

    name: str
    """Path below its group, for example ``measures/epsilon``."""
    dtype: str
    """NumPy's name of the dtype; ``utf8`` is a fixed-length UTF-8 string."""
    dimension: str
    """Name of the first dimension; an offset (CSR start) column has ``+1`` behind it. Empty for a scalar."""
    shape: tuple[int, ...]
    """The other dimensions."""
    unit: str
    """SI unit, ``1`` for pure numbers, empty for what is not a quantity."""
    frame: str
    """Frame the values are expressed in, for transforms ``target <- source``; empty where none applies."""
    description: str
    optional: bool = False
    """Whether a file may lack it."""
    points_to: str = ""
    """Group whose rows the values number, for row and offset columns."""

    @property
    def text(self) -> bool:
        """Whether it holds strings."""
        return self.dtype == "utf8"


METADATA = Column("metadata", "utf8", "", (), "", "", "JSON object: hand, meshes, configuration, versions")
"""The text at the root of a library."""


def _measures(dimension: str) -> tuple[Column, ...]:
    frame = {"shake_translation": "object", "shake_rotation": "object"}
    return tuple(
        Column(f"measures/{name}", "float32", dimension, m.shape, m.unit, frame.get(name, ""), m.description)
        for name, m in MEASURES.items()
    )


def _hand_columns(dimension: str) -> tuple[Column, ...]:
    def col(name: str, width: int, unit: str, frame: str, description: str) -> Column:
        return Column(name, "float32", dimension, (width,), unit, frame, description)

    return (
        col("pose", 45, "rad", "parent joint", "axis-angle of the 15 finger joints from the flat hand"),
        col("wrist_rotation", 3, "rad", "object", "axis-angle of the hand about its root joint"),
        col("translation", 3, "m", "object", "MANO translation: vertices are R (x - J0) + J0 + translation"),
        col("shape", 10, "1", "", "MANO shape coefficients"),
        col("pregrasp_pose", 45, "rad", "parent joint", "the opened hand from which the grasp is reached"),
        col("pregrasp_wrist_rotation", 3, "rad", "object", "wrist rotation of the pregrasp"),
        col("pregrasp_translation", 3, "m", "object", "translation of the pregrasp"),
    )


LIBRARY_COLUMNS: tuple[Column, ...] = (
    *_hand_columns("n"),
    Column("grasp_type", "int16", "n", (), "", "", _TYPE),
    Column("review_state", "uint8", "n", (), "", "", _STATE),
    Column("reason", "utf8", "n", (), "", "", "why the grasp needs review; empty for those that do not"),
    Column("provenance", "utf8", "n", (), "", "", "planner and trial that made the grasp"),
    *_measures("n"),
)
"""Datasets of each group ``/objects/NAME`` of a grasp library."""


def _rows(name: str, dimension: str, group: str, description: str) -> Column:
    """A column of row numbers into ``group``."""
    return Column(name, "int32", dimension, (), "", "", description, points_to=group)


def _start(name: str, dimension: str, group: str) -> Column:
    """A column of offsets (CSR): what row ``k`` owns in ``group``."""
    words = f"{group} of row k: rows start[k] to start[k+1] of /{group}"
    return Column(name, "int64", f"{dimension}+1", (), "", "", words, points_to=group)


FRAME_COLUMNS: tuple[Column, ...] = (
    Column("scene", "int32", "f", (), "", "", "number of the scene (video)"),
    Column("frame", "int32", "f", (), "", "", "number of the frame in its scene, as in the source"),
    Column(
        "intrinsics",
        "float64",
        "f",
        (3, 3),
        "px",
        "camera",
        "pinhole matrix K: pixel ~ K p; pixel centres are whole numbers",
    ),
    _rows("arrangement", "f", "arrangements", "arrangement the frame belongs to"),
    Column("splits", "uint32", "f", (), "", "", "bit k: in split k of the file's attribute split_names"),
    _start("instance_start", "f", "instances"),
)

INSTANCE_COLUMNS: tuple[Column, ...] = (
    Column("object_index", "uint8", "i", (), "", "", _OBJECT),
    Column("T_camera_object", "float64", "i", (4, 4), "m", "camera <- object", "pose of the object"),
    _rows("placement", "i", "placements", "this object in its arrangement"),
    _start("annotation_start", "i", "annotations"),
    Column("visibility", "float32", "i", (), "1", "", "fraction of the object that is seen", optional=True),
    Column(
        "visibility_rendered",
        "uint8",
        "i",
        (),
        "",
        "",
        "where visibility comes from: 1 rendered depth order, 0 the label image",
        optional=True,
    ),
)

ARRANGEMENT_COLUMNS: tuple[Column, ...] = (
    _rows("representative", "a", "frames", "frame in which feasibility was decided"),
    Column(
        "plane",
        "float64",
        "a",
        (4,),
        "m",
        "camera of the representative frame",
        "support plane (nx, ny, nz, offset): n.p + offset is the height of p; zeros where plane_known is 0",
    ),
    Column("plane_known", "uint8", "a", (), "", "", "1 where a support plane was found"),
)

PLACEMENT_COLUMNS: tuple[Column, ...] = (
    _rows("arrangement", "p", "arrangements", "arrangement the object stands in"),
    Column("object_index", "uint8", "p", (), "", "", _OBJECT),
    _start("candidate_start", "p", "candidates"),
    Column("code_count", "uint32", "p", (4,), "1", "", f"candidates by code: {_CODES}"),
    Column("type_count", "uint32", "p", (TYPES,), "1", "", "feasible grasps by type; column t - 1 is type t"),
)

CANDIDATE_COLUMNS: tuple[Column, ...] = (
    _rows("grasp", "q", "grasps", "grasp that was tried in the arrangement"),
    Column("code", "uint8", "q", (), "", "", _CODES),
    Column("clearance", "float32", "q", (), "m", "", "skin at the grasp to the nearest neighbour or plane"),
)

GRASP_COLUMNS: tuple[Column, ...] = (
    Column("object_index", "uint8", "g", (), "", "", _OBJECT),
    Column("library_row", "int32", "g", (), "", "", "row in the library's group of the object"),
    *_hand_columns("g"),
    Column("root", "float64", "g", (3,), "m", "template", "root joint J0 of the hand of the grasp's shape"),
    Column("grasp_type", "int16", "g", (), "", "", _TYPE),
    Column("review_state", "uint8", "g", (), "", "", _STATE),
    *_measures("g"),
)

ANNOTATION_GRASP = _rows("grasp", "k", "grasps", "grasp of the annotation")
"""The column of ``/annotations`` that all layouts have."""

SHARD_GROUPS: Mapping[str, tuple[Column, ...]] = {
    "frames": FRAME_COLUMNS,
    "instances": INSTANCE_COLUMNS,
    "arrangements": ARRANGEMENT_COLUMNS,
    "placements": PLACEMENT_COLUMNS,
    "candidates": CANDIDATE_COLUMNS,
    "grasps": GRASP_COLUMNS,
}
"""Groups of a shard, beside ``annotations``, whose columns the layout decides."""

INDEX_SHARDS: tuple[Column, ...] = (
    Column("file", "utf8", "s", (), "", "", "name of the shard, beside the index"),
    *(_start(f"{group[:-1]}_start", "s", group) for group in (*SHARD_GROUPS, "annotations")),
)
"""Datasets of ``/shards`` in the index: where each shard's rows begin."""

_BULKY_GROUPS = frozenset({"annotations", "candidates", "grasps"})
_BULKY_COLUMNS = frozenset({"frames/intrinsics", "instances/T_camera_object"})
_FILTERED_BY = frozenset(
    {
        "candidates/grasp",
        "candidates/code",
        "grasps/grasp_type",
        "grasps/review_state",
        "grasps/measures/epsilon",
        "grasps/measures/max_penetration",
    }
)


def is_virtual(group: str, column: Column) -> bool:
    """Whether the index shows a column through a virtual dataset only: its row numbers stay those of the shard.

    What selections are made by is copied, so that selecting opens no shard.
    """
    name = f"{group}/{column.name}"
    return (group in _BULKY_GROUPS or name in _BULKY_COLUMNS) and name not in _FILTERED_BY
