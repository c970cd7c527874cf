"""The catalogue of the 21 objects: ``assets/ycb/catalogue.toml``, validated by ``schemas/catalogue.schema.json``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from jsonschema import Draft202012Validator

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.resources import asset, schema

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found]

Array = np.ndarray

FIRST_OWN_INDEX = 22
"""Numbers from here on are a user's own objects."""

CONTINUOUS_STEPS = 36
"""A continuous symmetry is sampled by this many rotations."""


@dataclass(frozen=True)
class Symmetry:
    """A rotation about an axis in the object frame that leaves the shape as it is."""

    axis: tuple[float, float, float]
    """Direction of the axis, unit, object frame."""
    offset: tuple[float, float, float]
    """A point on the axis, metres, object frame."""
    order: int
    """Turns by 1/order of a circle; 0 for a surface of revolution (any angle)."""

    def transforms(self, steps: int = CONTINUOUS_STEPS) -> Float[Array, "k 4 4"]:
        """The rotations, identity first, as transforms of the object frame; ``steps`` of them if continuous."""
        count = self.order or steps
        axis = np.asarray(self.axis) / np.linalg.norm(self.axis)
        rotation = rotation_from_axis_angle(2.0 * np.pi * np.arange(count)[:, None] / count * axis)
        point = np.asarray(self.offset)
        return make_transform(rotation, point - rotation @ point)


@dataclass(frozen=True)
class Cavity:
    """The inside of a vessel: a body of revolution about an axis along z of the object frame, open at its upper end."""

    axis: tuple[float, float]
    """Where the axis is, x and y, metres."""
    profile: tuple[tuple[float, float], ...]
    """Radius and height z of the inner wall, metres, from the bottom's edge to above the rim."""


@dataclass(frozen=True)
class CatalogueEntry:
    """What is published about an object; SI units."""

    name: str
    """YCB name, or that of a user's own object."""
    index: int
    """YCB-Video's number, 1..21; 22 to 255 for a user's own objects."""
    bop_index: int
    """Object id in the BOP version of YCB-Video."""
    mass: float
    """Kilograms."""
    dimensions: tuple[float, float, float]
    """Extents of the scanned mesh along the axes of the object frame, metres."""
    ycb_offset: Float[Array, "3"]
    """Original YCB frame = YCB-Video object frame + offset, metres."""
    bop_offset: Float[Array, "3"]
    """Frame of BOP's model = object frame + offset, metres."""
    symmetries: tuple[Symmetry, ...]
    """Generators of the group of rotations that leave the shape (not the print on it) as it is."""
    licence: str
    """Licence of the scanned mesh."""
    sources: Mapping[str, str]
    """Where the figures come from."""
    archive_sha256: str | None = None
    """Of the published archive, where it is known."""
    cavity: Cavity | None = None
    """The inside of a vessel, which scans do not show in full."""

    @property
    def own(self) -> bool:
        """Whether a user added it, rather than being one of the 21."""
        return self.index >= FIRST_OWN_INDEX

    def symmetry_transforms(self, steps: int = CONTINUOUS_STEPS) -> Float[Array, "k 4 4"]:
        """All symmetries, identity first: the products of the generators' rotations.

        The generators are listed with the continuous one first; perpendicular half-turns then make each element once.
        """
        group = np.eye(4)[None]
        for symmetry in self.symmetries:
            turns = symmetry.transforms(steps)
            products = (turns[:, None] @ group[None]).reshape(-1, 4, 4)
            group = _distinct(products)
        return group


def _distinct(transforms: Float[Array, "n 4 4"]) -> Float[Array, "k 4 4"]:
    """Transforms whose rotations differ, in order of first appearance."""
    keys = np.rint(transforms[:, :3, :3].reshape(-1, 9) * 1e3).astype(np.int64)
    _, first = np.unique(keys, axis=0, return_index=True)
    return transforms[np.sort(first)]


@dataclass(frozen=True)
class Download:
    """Where the archives of the meshes are published."""

    urls: tuple[str, ...]
    """Addresses with ``{name}`` for the object's name, tried in this order."""
    licence: str
    credit: str
    """Whom to cite."""


class Catalogue(Mapping[str, CatalogueEntry]):
    """The objects by name, in YCB-Video order."""

    def __init__(self, entries: tuple[CatalogueEntry, ...], download: Download | None = None) -> None:
        self.download = download
        """Where meshes are published, if the catalogue says."""
        self._entries = {entry.name: entry for entry in sorted(entries, key=lambda e: e.index)}
        self._by_index = {entry.index: entry for entry in entries}

    @classmethod
    def load(cls, path: Path | None = None) -> Catalogue:
        """The catalogue that comes with YAFF, or the one in a file.

        Raises:
            MissingFileError: if the file is not there.
            FormatError: if it is not TOML, does not validate, or names an object or index twice.
        """
        return _load(path) if path is not None else _builtin()

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in YCB-Video order, a user's own objects last."""
        return tuple(self._entries)

    @property
    def indices(self) -> tuple[int, ...]:
        """The indices in use, ascending."""
        return tuple(sorted(self._by_index))

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names by index from 1 on, as lists of classes want them; ``unused_NNN`` where no object has the index."""
        return tuple(
            self._by_index[index].name if index in self._by_index else f"unused_{index:03d}"
            for index in range(1, max(self._by_index) + 1)
        )

    def with_own(self, entries: tuple[CatalogueEntry, ...]) -> Catalogue:
        """The catalogue with a user's own objects.

        Raises:
            InputError: a name or an index is taken.
        """
        for entry in entries:
            if entry.name in self._entries or entry.index in self._by_index:
                raise InputError(
                    f"the name {entry.name!r} or the index {entry.index} is taken",
                    remedy=f"yaff objects remove {entry.name}, and add it again under another name",
                )
        return Catalogue((*self._entries.values(), *entries), self.download)

    def by_index(self, index: int) -> CatalogueEntry:
        """The object with a YCB-Video number.

        Raises:
            InputError: if there is none.
        """
        if index not in self._by_index:
            raise InputError(
                f"no object has the index {index}",
                remedy=f"use one of {min(self._by_index)}..{max(self._by_index)}, YCB-Video's numbers",
            )
        return self._by_index[index]

    def __getitem__(self, name: str) -> CatalogueEntry:
        if name not in self._entries:
            raise InputError(
                f"unknown object {name!r}",
                remedy=f"use one of {', '.join(self._entries)}; yaff objects add makes an object of your own",
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self):
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@lru_cache(maxsize=1)
def _builtin() -> Catalogue:
    return _load(asset("ycb", "catalogue.toml"))


def _load(path: Path) -> Catalogue:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFileError("catalogue not found", where=path, remedy="give the path of a catalogue") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"the catalogue is not TOML: {error}", where=path, remedy="correct the file") from error
    validator = Draft202012Validator(schema("catalogue"))
    problems = sorted(validator.iter_errors(document), key=lambda e: [str(part) for part in e.absolute_path])
    if problems:
        place = "/".join(str(part) for part in problems[0].absolute_path) or "top"
        raise FormatError(
            f"the catalogue does not validate: {problems[0].message}",
            where=f"{path}:{place}",
            remedy="correct the file; schemas/catalogue.schema.json says what is expected",
        )
    entries = tuple(_entry(item, document["sources"]) for item in document["object"])
    for key in ("name", "index", "bop_index"):
        values = [getattr(entry, key) for entry in entries]
        doubled = sorted({value for value in values if values.count(value) > 1})
        if doubled:
            raise FormatError(f"two objects have the {key} {doubled[0]}", where=path, remedy="make them differ")
    table = document["download"]
    return Catalogue(entries, Download(tuple(table["urls"]), table["licence"], table["credit"]))


def _entry(item: dict[str, Any], sources: dict[str, str]) -> CatalogueEntry:
    return CatalogueEntry(
        name=item["name"],
        index=item["index"],
        bop_index=item["bop_index"],
        mass=float(item["mass"]),
        dimensions=_triple(item["dimensions"]),
        ycb_offset=np.asarray(item["ycb_offset"], np.float64),
        bop_offset=np.asarray(item["bop_offset"], np.float64),
        symmetries=symmetries_of(item.get("symmetry", [])),
        licence=item["licence"],
        sources=dict(sources),
        archive_sha256=item.get("archive_sha256"),
        cavity=_cavity(item["cavity"]) if "cavity" in item else None,
    )


def symmetries_of(table: list[dict[str, Any]]) -> tuple[Symmetry, ...]:
    """Generators from the list of a catalogue that has been validated."""
    return tuple(Symmetry(_triple(part["axis"]), _triple(part["offset"]), part["order"]) for part in table)


def _cavity(item: dict[str, Any]) -> Cavity:
    x, y = item["axis"]
    return Cavity((float(x), float(y)), tuple((float(radius), float(height)) for radius, height in item["profile"]))


def _triple(values: list[float]) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
