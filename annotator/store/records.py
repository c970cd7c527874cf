"""What the review database holds, as frozen records. SI units; wrist poses in the object frame."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from jaxtyping import Float32

from yaff.errors import InputError
from yaff.grasp.batch import Grasps
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray

ARRAYS: Mapping[str, int] = {
    "pose": 45,
    "wrist_rotation": 3,
    "translation": 3,
    "shape": 10,
    "pregrasp_pose": 45,
    "pregrasp_wrist_rotation": 3,
    "pregrasp_translation": 3,
}
"""The arrays of a grasp and how long each is."""

FARTHEST = 10.0
"""A wrist further than this from its object, in metres, is a mistake (millimetres, or another frame)."""


class Action(str, Enum):
    """What a person did with a grasp."""

    ACCEPT = "accept"
    REJECT = "reject"
    SKIP = "skip"
    FLAG = "flag"
    WITHDRAW = "withdraw"
    """Takes the person's own last decision on this grasp back."""


class ItemState(str, Enum):
    """Where a grasp of the queue stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FLAGGED = "flagged"
    DISPUTED = "disputed"
    """Judged by several people who do not agree; a further person decides."""


@dataclass(frozen=True)
class GraspState:
    """One grasp as it is edited: its 51 parameters, hand shape, pregrasp and type."""

    grasp_type: int
    """Feix number, 1 to 33."""
    pose: Float32[Array, "45"]
    """Axis-angle relative to the flat hand, radians."""
    wrist_rotation: Float32[Array, "3"]
    """Axis-angle about the root joint, object frame, radians."""
    translation: Float32[Array, "3"]
    """Metres, object frame."""
    shape: Float32[Array, "10"]
    pregrasp_pose: Float32[Array, "45"]
    pregrasp_wrist_rotation: Float32[Array, "3"]
    pregrasp_translation: Float32[Array, "3"]

    @classmethod
    def of(cls, grasps: Grasps, row: int) -> GraspState:
        """Row ``row`` of a batch."""
        arrays = {name: np.ascontiguousarray(getattr(grasps, name)[row], np.float32) for name in ARRAYS}
        return cls(grasp_type=int(grasps.grasp_type[row]), **arrays)

    @classmethod
    def from_json(cls, document: Any) -> GraspState:
        """Read what :meth:`as_json` wrote, or what a script sent.

        Raises:
            InputError: a missing or unknown key, a wrong length, a number that is not finite, a wrist more than 10 m
                away, or a type outside 1 to 33.
        """
        if not isinstance(document, Mapping):
            raise InputError(f"a grasp is a JSON object, not {type(document).__name__}")
        wanted = {"grasp_type", *ARRAYS}
        if set(document) != wanted:
            wrong = sorted(wanted ^ set(document))
            raise InputError(f"a grasp without or with unknown keys: {', '.join(map(repr, wrong))}")
        number = document["grasp_type"]
        if isinstance(number, bool) or not isinstance(number, int) or number not in GRASP_TYPES:
            raise InputError(f"unknown grasp type {number!r}", remedy="a Feix number, 1 to 33")
        arrays = {}
        for name, length in ARRAYS.items():
            try:
                values = np.array(document[name], dtype=np.float64)
            except (TypeError, ValueError, OverflowError) as error:
                raise InputError(f"{name} is not a list of numbers", where="grasp") from error
            if values.shape != (length,):
                raise InputError(f"{name} has shape {values.shape}, expected ({length},)", where="grasp")
            if not np.isfinite(values).all() or np.abs(values).max(initial=0.0) > 1e6:
                raise InputError(f"{name} has a number that is not finite or absurdly large", where="grasp")
            arrays[name] = values.astype(np.float32)
        if np.linalg.norm(arrays["translation"]) > FARTHEST:
            raise InputError("the wrist is more than 10 m from the object", where="grasp", remedy="give metres")
        return cls(grasp_type=number, **arrays)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, exact: float32 values survive the round trip."""
        document: dict[str, Any] = {name: [float(v) for v in getattr(self, name)] for name in ARRAYS}
        return {"grasp_type": self.grasp_type} | document

    @property
    def digest(self) -> str:
        """SHA-256 of type, pose, wrist and hand shape: what physics depends on. The pregrasp does not count."""
        parts = [np.int32(self.grasp_type).tobytes()]
        parts += [getattr(self, name).tobytes() for name in ("pose", "wrist_rotation", "translation", "shape")]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    def changed(self, **changes: Any) -> GraspState:
        """A copy with these fields replaced; arrays are brought to float32."""
        fixed = {k: v if k == "grasp_type" else np.ascontiguousarray(v, np.float32) for k, v in changes.items()}
        return replace(self, **fixed)

    def batch(self, object_name: str) -> Grasps:
        """A batch of one, without measures."""
        arrays = {name: getattr(self, name)[None] for name in ARRAYS}
        return Grasps.make(object_name, grasp_type=np.array([self.grasp_type], np.int16), **arrays)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GraspState):
            return NotImplemented
        same = self.grasp_type == other.grasp_type
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ARRAYS)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class Item:
    """One grasp of the queue."""

    number: int
    """Its number in this database."""
    key: str
    """What it is, the same in every database of this library: ``025_mug/17``, or ``sibling/...`` for a proposal."""
    object_name: str
    row: int | None
    """Row in the library's batch of the object; ``None`` for what the machine proposed later."""
    grasp_type: int
    type_name: str
    thumb_abducted: bool
    usable: int
    """Grasps of this pair that were verified or accepted when the queue was made."""
    shortfall: float
    """How far from passing; see :func:`annotator.queue.shortfall`."""
    reason: str
    """Why it is in the queue."""
    priority: int
    """Place in the queue; smaller comes first."""
    state: ItemState
    judgements: int
    """People who have judged it."""
    wanted: int
    """People who must judge it."""
    annotator: str | None
    """Who judged it last."""
    leased_by: str | None
    leased_until: float | None
    """Seconds since 1970, UTC."""
    epsilon: float | None
    penetration: float | None
    """Deepest skin point inside the object, metres."""
    shake_translation: float | None
    """Largest motion in the shakes, metres."""
    shake_rotation: float | None
    """Largest rotation in the shakes, radians."""


@dataclass(frozen=True)
class Lease:
    """The right of one person to decide on one grasp for a while."""

    token: str
    item: Item
    annotator: str
    until: float
    """Seconds since 1970, UTC."""


@dataclass(frozen=True)
class Verification:
    """The verdict of physics on one edited grasp."""

    digest: str
    """:attr:`GraspState.digest` of what was tested."""
    held: bool
    """Whether the object stayed in the hand in every direction that was tested."""
    settled: GraspState
    """The grasp that physics settled into: what an accepted grasp becomes."""
    measures: Mapping[str, Sequence[float] | float]
    """Every measure of :data:`yaff.grasp.batch.MEASURES` by name."""
    reason: str = ""
    """Why it does not hold, or what else is broken."""
    conforms: bool = False
    """Whether the type's definition agrees."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of the program, digests of hand, mesh and configuration."""


@dataclass(frozen=True)
class Decision:
    """One line of the log."""

    uid: str
    """Chosen by whoever decides; a decision sent twice is one decision."""
    item_key: str
    annotator: str
    at: float
    """Seconds since 1970, UTC."""
    action: Action
    reason: str
    """Why it was rejected or flagged."""
    note: str
    overruled: str
    """Why it was accepted although physics does not agree."""
    before: GraspState
    after: GraspState
    measures: Mapping[str, Any] | None
    """Measures of ``after``, where they are known."""
    seconds: float | None
    """From lease to decision."""
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Entry:
    """A grasp to put into the queue."""

    item: Item
    grasp: GraspState
    measures: dict[str, Any] | None
    origin: str | None = None
    """``uid`` of the decision whose correction made it, for proposals."""


def dump(document: Any) -> str:
    """Canonical JSON text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
