"""The 33 grasp types, read once from ``grasp_types.toml`` and checked while they are read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

from yaff.errors import FormatError, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser, from the registry
    import tomli as tomllib  # type: ignore[import-not-found]

SCHEMA = 1
Direction = Literal["distal", "proximal", "palmar", "dorsal", "radial", "ulnar"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
"""Directions of the hand: towards fingertips, forearm, out of the palm, the back, towards thumb and little finger."""
FINGERS: tuple[str, ...] = ("index", "middle", "ring", "pinky")


@dataclass(frozen=True)
class ContactGroup:
    """A named set of skin patches of which at least one has to touch."""

    name: str
    patches: tuple[str, ...]
    """Patterns over the names of :class:`yaff.hand.Patches` (``fnmatch``)."""


@dataclass(frozen=True)
class GraspType:
    """One grasp type of the Feix taxonomy: what it asks of the hand, of the contacts and of the object."""

    number: int
    """Feix number, 1 to 33."""
    name: str
    slug: str
    family: Literal["power", "intermediate", "precision"]
    opposition: Literal["palm", "pad", "side"]
    thumb: Literal["abducted", "adducted"]
    """Where Feix' table has the thumb."""
    either_thumb: bool
    """Whether the label holds with the thumb on the other side as well."""
    virtual_fingers: tuple[tuple[str, ...], ...]
    """Digits (or ``palm``) that act together, in Feix' order."""
    first: tuple[ContactGroup, ...]
    """One side of the opposition (palm or thumb, as a rule)."""
    second: tuple[ContactGroup, ...]
    """The other side (fingers)."""
    also: tuple[ContactGroup, ...]
    """Groups that must touch beside the opposition."""
    may_miss: int
    """How many of all these groups may stay off the object."""
    avoid: tuple[str, ...]
    """Patterns of patches that must not touch."""
    size: tuple[float, float]
    """Least and most extent of the object between the two sides, metres."""
    test: Literal["six_axes", "carry"]
    """The physical test that fits the type."""
    carries: tuple[Direction, ...]
    """What a type of test ``carry`` is made to resist: pulls out of which directions of the hand; else empty."""
    interior: Literal["as_is", "filled"]
    """Whether fingers may go into the object's cavities, or hold it as if it were solid."""
    preshape: Mapping[str, tuple[float, float]]
    """Degree of freedom -> (open, closed), radians; degrees of freedom not named are 0."""

    @property
    def groups(self) -> tuple[ContactGroup, ...]:
        """Every group that must touch: first, second, also."""
        return self.first + self.second + self.also

    @property
    def oppositions(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Between which sides the object may be pressed, as places in :attr:`groups`: those of the table first. A wrap
        whose thumb stands opposite the fingers may press between palm and fingers or between thumb and fingers."""
        a, b = len(self.first), len(self.first + self.second)
        first, second, also = tuple(range(a)), tuple(range(a, b)), tuple(range(b, len(self.groups)))
        either = self.opposition == "palm" and self.thumb == "abducted" and also
        return ((first, second), (also, second)) if either else ((first, second),)

    @property
    def thumb_side(self) -> int:
        """1 where the thumb has to be abducted, -1 where adducted, 0 where it may be either."""
        return 0 if self.either_thumb else 1 if self.thumb == "abducted" else -1

    @property
    def digits(self) -> tuple[str, ...]:
        """The digits that take part, without the palm."""
        return tuple(dict.fromkeys(d for finger in self.virtual_fingers for d in finger if d != "palm"))


def _groups(table: Mapping[str, list[str]], names: list[str], where: str) -> tuple[ContactGroup, ...]:
    unknown = [name for name in names if name not in table]
    if unknown:
        raise FormatError(f"unknown contact group {unknown[0]!r}", where=where, remedy=f"one of {sorted(table)}")
    return tuple(ContactGroup(name, tuple(table[name])) for name in names)


def _carries(row: Mapping[str, Any], where: str) -> tuple[Direction, ...]:
    carries = tuple(row.get("carries", ()))
    unknown = [direction for direction in carries if direction not in DIRECTIONS]
    if unknown:
        raise FormatError(f"unknown direction {unknown[0]!r}", where=where, remedy=f"one of {list(DIRECTIONS)}")
    if bool(carries) != (row["test"] == "carry"):
        raise FormatError("carries goes with the test carry, and only with it", where=where)
    return carries


def _preshape(raw: Mapping[str, list[float]], where: str) -> Mapping[str, tuple[float, float]]:
    posture: dict[str, tuple[float, float]] = {}
    for key, values in raw.items():
        if len(values) != 2:
            raise FormatError(f"preshape {key!r} needs [open, closed]", where=where)
        names = [finger + key[1:] for finger in FINGERS] if key.startswith("*") else [key]
        posture.update(dict.fromkeys(names, (float(values[0]), float(values[1]))))
    return MappingProxyType(posture)


def read_table(text: str, where: str) -> Mapping[int, GraspType]:
    """Grasp types from the text of a table.

    Raises:
        FormatError: another schema, an unknown group, a size or preshape of the wrong form, a number twice.
    """
    raw: dict[str, Any] = tomllib.loads(text)
    if raw.get("schema") != SCHEMA:
        raise FormatError(
            f"grasp type table has schema {raw.get('schema')!r}, this version reads {SCHEMA}", where=where
        )
    types: dict[int, GraspType] = {}
    for row in raw["type"]:
        here = f"{where}, type {row.get('number')} ({row.get('name')})"
        least, most = row["size"]
        if row["number"] in types or not 0.0 < least < most:
            raise FormatError("number given twice, or size is not [least, most] in metres", where=here)
        types[row["number"]] = GraspType(
            number=row["number"],
            name=row["name"],
            slug=row["slug"],
            family=row["family"],
            opposition=row["opposition"],
            thumb=row["thumb"],
            either_thumb=row.get("either_thumb", False),
            virtual_fingers=tuple(tuple(digits) for digits in row["virtual_fingers"]),
            first=_groups(raw["groups"], row["first"], here),
            second=_groups(raw["groups"], row["second"], here),
            also=_groups(raw["groups"], row["also"], here),
            may_miss=row["may_miss"],
            avoid=tuple(row["avoid"]),
            size=(float(least), float(most)),
            test=row["test"],
            carries=_carries(row, here),
            interior=row.get("interior", "as_is"),
            preshape=_preshape(row["preshape"], here),
        )
    return MappingProxyType(dict(sorted(types.items())))


def _read_builtin() -> Mapping[int, GraspType]:
    source = resources.files("yaff.taxonomy").joinpath("grasp_types.toml")
    return read_table(source.read_text(encoding="utf-8"), "yaff/taxonomy/grasp_types.toml")


GRASP_TYPES: Mapping[int, GraspType] = _read_builtin()
"""The 33 types by Feix number."""


def grasp_type(key: int | str) -> GraspType:
    """The type of a number, a slug (``palmar-pinch``) or a name (``Palmar Pinch``).

    Raises:
        InputError: no such type; the message lists the valid ones.
    """
    for entry in GRASP_TYPES.values():
        if key in (entry.number, str(entry.number), entry.slug, entry.name):
            return entry
    raise InputError(
        f"unknown grasp type {key!r}",
        remedy="a Feix number 1..33 or a slug: " + ", ".join(t.slug for t in GRASP_TYPES.values()),
    )
