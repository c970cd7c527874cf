"""A batch of grasps of one object: struct of arrays, object frame, SI units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from yaff.errors import InputError

Array = np.ndarray


class ReviewState(IntEnum):
    """What is known: by the machine (VERIFIED, NEEDS_REVIEW) or by a person (ACCEPTED, REJECTED)."""

    NEEDS_REVIEW = 0
    VERIFIED = 1
    ACCEPTED = 2
    REJECTED = 3


@dataclass(frozen=True)
class Measure:
    """One measure kept with every grasp: what it means, in which unit, with which trailing shape."""

    unit: str
    shape: tuple[int, ...]
    description: str


SHAKE_DIRECTIONS: tuple[str, ...] = ("+x", "-x", "+y", "-y", "+z", "-z")
"""Order of the shake directions in every array: axes of the object frame."""

MEASURES: Mapping[str, Measure] = {
    "epsilon": Measure(
        "1", (), "Ferrari-Canny quality: radius of the largest wrench ball resisted (GraspIt convention)"
    ),
    "volume": Measure("1", (), "volume of the grasp wrench space (GraspIt convention)"),
    "max_penetration": Measure("m", (), "deepest skin point inside the object"),
    "intersection_volume": Measure("m^3", (), "volume shared by hand and object"),
    "self_penetration": Measure("m", (), "deepest overlap between parts of the hand that are not neighbours"),
    "contact_count": Measure("1", (), "patches of skin that touch the object"),
    "contact_area": Measure("m^2", (), "area of skin within contact distance of the object"),
    "shake_translation": Measure(
        "m", (6,), "motion of the object under one weight along +x, -x, +y, -y, +z, -z; 0 where not shaken"
    ),
    "shake_rotation": Measure(
        "rad", (6,), "rotation of the object under one weight along +x, -x, +y, -y, +z, -z; 0 where not shaken"
    ),
    "shaken": Measure("1", (6,), "1 where the object was shaken along +x, -x, +y, -y, +z, -z, 0 where it was not"),
    "fingertip_force": Measure(
        "N", (), "most that one digit presses on the object while it closes and is shaken; 0 where not measured"
    ),
    "conformity": Measure("1", (), "agreement with the grasp type's definition, 0 to 1"),
}
"""Every measure by name; a file and a :class:`Grasps` hold exactly these."""


@dataclass(frozen=True)
class Grasps:
    """``n`` grasps of one object by one hand; wrist poses are in the object frame.

    Vertices of the hand are ``R (x - J0) + J0 + translation`` with ``R`` the rotation of ``wrist_rotation``.
    """

    object_name: str
    """YCB name, for example ``025_mug``."""
    pose: Float[Array, "n 45"]
    """Axis-angle of the 15 finger joints relative to the flat hand, radians, MANO order."""
    wrist_rotation: Float[Array, "n 3"]
    """Axis-angle about the root joint, radians."""
    translation: Float[Array, "n 3"]
    """Metres."""
    grasp_type: Int[Array, "n"]
    """Feix number, 1 to 33."""
    shape: Float[Array, "n 10"]
    """MANO shape coefficients."""
    pregrasp_pose: Float[Array, "n 45"]
    """The opened hand from which the grasp is reached."""
    pregrasp_wrist_rotation: Float[Array, "n 3"]
    """Axis-angle about the root joint, radians."""
    pregrasp_translation: Float[Array, "n 3"]
    """Metres."""
    review_state: UInt8[Array, "n"]
    """Values of :class:`ReviewState`."""
    reason: tuple[str, ...]
    """Why a grasp needs review; empty for those that do not."""
    provenance: tuple[str, ...]
    """Planner and trial that made each grasp, for example ``contact/9/17``."""
    measures: Mapping[str, Float[Array, "n *shape"]] = field(default_factory=dict)
    """Arrays of :data:`MEASURES`, each ``(n, *shape)``; all of them, or none while a grasp is being made."""

    def __post_init__(self) -> None:
        n = len(self.pose)
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in ("object_name", "measures"):
                continue
            if len(value) != n:
                raise InputError(f"{item.name} has {len(value)} rows where pose has {n}", where=self.object_name)
        for name, values in self.measures.items():
            if name not in MEASURES:
                raise InputError(
                    f"unknown measure {name!r}", where=self.object_name, remedy=f"one of {sorted(MEASURES)}"
                )
            if values.shape != (n, *MEASURES[name].shape):
                raise InputError(
                    f"measure {name!r} has shape {values.shape}, expected {(n, *MEASURES[name].shape)}",
                    where=self.object_name,
                )

    def __len__(self) -> int:
        return len(self.pose)

    def __getitem__(self, rows: slice | Shaped[Array, "..."] | Sequence[int]) -> Grasps:
        """The grasps of these rows (slice, integer array or boolean mask), as a new batch."""
        index = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        index = np.atleast_1d(index).astype(np.intp)
        changes: dict[str, object] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                changes[item.name] = tuple(value[i] for i in index)
            elif isinstance(value, np.ndarray):
                changes[item.name] = value[index]
        changes["measures"] = {name: values[index] for name, values in self.measures.items()}
        return replace(self, **changes)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Grasps]:
        return (self[i : i + 1] for i in range(len(self)))

    @property
    def verified(self) -> Bool[Array, "n"]:
        """Mask of the grasps that may be used: proven by physics or accepted by a person."""
        return np.isin(self.review_state, (ReviewState.VERIFIED, ReviewState.ACCEPTED))

    @classmethod
    def make(
        cls,
        object_name: str,
        pose: Float[Array, "n 45"],
        wrist_rotation: Float[Array, "n 3"],
        translation: Float[Array, "n 3"],
        grasp_type: Int[Array, "n"],
        **others: object,
    ) -> Grasps:
        """A batch with the rest at its neutral value: mean shape, pregrasp = grasp, needs review."""
        n = len(pose)

        def floats(values: object) -> Array:
            return np.ascontiguousarray(values, dtype=np.float32)

        neutral: dict[str, object] = {
            "shape": np.zeros((n, 10), np.float32),
            "pregrasp_pose": floats(pose),
            "pregrasp_wrist_rotation": floats(wrist_rotation),
            "pregrasp_translation": floats(translation),
            "review_state": np.full(n, ReviewState.NEEDS_REVIEW, np.uint8),
            "reason": ("",) * n,
            "provenance": ("",) * n,
            "measures": {},
        }
        neutral.update(others)
        return cls(
            object_name=object_name,
            pose=floats(pose),
            wrist_rotation=floats(wrist_rotation),
            translation=floats(translation),
            grasp_type=np.asarray(grasp_type, np.int16),
            **neutral,  # type: ignore[arg-type]
        )

    @classmethod
    def empty(cls, object_name: str) -> Grasps:
        """No grasps, with every measure present and of length zero."""
        batch = cls.make(object_name, np.zeros((0, 45)), np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0, np.int16))
        measures = {name: np.zeros((0, *m.shape), np.float32) for name, m in MEASURES.items()}
        return replace(batch, measures=measures)

    @classmethod
    def concatenate(cls, batches: Sequence[Grasps]) -> Grasps:
        """Batches of the same object, one after the other.

        Raises:
            InputError: no batches, several objects, or batches with different measures.
        """
        if not batches:
            raise InputError("nothing to concatenate", remedy="use Grasps.empty(object_name)")
        names = {b.object_name for b in batches}
        kinds = {frozenset(b.measures) for b in batches}
        if len(names) > 1 or len(kinds) > 1:
            raise InputError(f"batches differ in object {sorted(names)} or in their measures")
        changes: dict[str, object] = {}
        for item in fields(cls):
            values = [getattr(b, item.name) for b in batches]
            if isinstance(values[0], tuple):
                changes[item.name] = tuple(entry for value in values for entry in value)
            elif isinstance(values[0], np.ndarray):
                changes[item.name] = np.concatenate(values)
        changes["measures"] = {
            name: np.concatenate([b.measures[name] for b in batches]) for name in batches[0].measures
        }
        return replace(batches[0], **changes)  # type: ignore[arg-type]
