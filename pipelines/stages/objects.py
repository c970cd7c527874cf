"""Stage "objects": distance grids, convex pieces and masses of every object, into the cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.code import code_digest
from pipelines.executor import Unit, Workforce, digest, run_units
from pipelines.loading import ObjectRecipe, catalogue, object_of, source_of
from pipelines.progress import Progress
from yaff.errors import YaffError


@dataclass(frozen=True)
class PreparedObject:
    """What the other stages need to know of an object without loading it."""

    name: str
    index: int
    digest: str
    standin: bool
    mass: float
    """Kilograms."""
    extents: tuple[float, float, float]
    """Size of the bounding box in the model frame, metres."""
    pieces: int
    """Convex pieces."""
    notes: tuple[str, ...]
    """What was mended in the mesh."""


def prepare_objects(
    names: Sequence[str], recipe: ObjectRecipe, work: Path, workforce: Workforce, progress: Progress
) -> dict[str, PreparedObject]:
    """Fill the cache and return the facts of every object, in the order of ``names``.

    Raises:
        YaffError: an object that cannot be loaded or made solid.
    """
    prepared, failed = prepare_those_that_can(names, recipe, work, workforce, progress)
    if len(failed) == 1:
        raise failed[0][1]
    if failed:
        shown = "\n".join(f"- {name}: {error}" for name, error in failed)
        raise YaffError(f"{len(failed)} objects cannot be used:\n{shown}", remedy="mend or leave out these")
    return prepared


def prepare_those_that_can(
    names: Sequence[str], recipe: ObjectRecipe, work: Path, workforce: Workforce, progress: Progress
) -> tuple[dict[str, PreparedObject], tuple[tuple[str, YaffError], ...]]:
    """The facts of every object that can be loaded and made solid, and why the others cannot."""
    source = source_of(recipe)
    units: dict[str, Unit] = {}
    failed: list[tuple[str, YaffError]] = []
    for name in names:
        try:
            entry = catalogue(recipe.data)[name]
            key = digest("object", code_digest(("geometry", "objects")), entry, source.digest(name))
        except YaffError as error:
            failed.append((name, error))
        else:
            units[name] = Unit(f"objects/{name}", key, _prepare, (name, recipe), ".json")
    facts = {}
    outcomes = run_units("objects", list(units.values()), work, workforce, progress)
    for name, outcome in zip(units, outcomes, strict=True):
        if outcome.error is not None:
            failed.append((name, outcome.error))
            continue
        table = json.loads(outcome.path.read_text(encoding="utf-8"))
        facts[name] = PreparedObject(**{**table, "extents": tuple(table["extents"]), "notes": tuple(table["notes"])})
    return facts, tuple(failed)


def _prepare(part: Path, name: str, recipe: ObjectRecipe) -> str:
    model = object_of(name, recipe)
    facts = {
        "name": model.name,
        "index": int(model.index),
        "digest": model.digest,
        "standin": bool(model.standin),
        "mass": float(model.mass),
        "extents": [float(length) for length in model.solid.extents],
        "pieces": len(model.pieces),
        "notes": list(model.notes),
    }
    part.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return f"{len(model.pieces)} convex pieces"
