"""``yaff objects add`` and ``yaff objects remove``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json

ADD_USAGE = """
yaff objects add kettle.glb --name kettle --mass 0.9
yaff objects add jar.stl --name jar --mass 0.31 --unit mm --symmetry z:any
"""
REMOVE_USAGE = "yaff objects remove kettle"


@dataclass(frozen=True)
class Add:
    """Make an object of your own from a mesh. Its name then works wherever a YCB name does.

    The mesh is checked, and repaired where that is safe: what was done is said. Its frame stays that of the file.
    """

    file: Positional[Path]
    """The mesh: OBJ, PLY, STL or GLB."""
    name: str
    """Small letters, digits, _ and -, beginning with a letter."""
    mass: float
    """Kilograms."""
    unit: Literal["m", "mm"] = "m"
    """Unit of the file."""
    symmetry: tuple[str, ...] = ()
    """Rotations that leave the shape as it is, about axes through its centre of mass: AXIS:TURNS, as in z:any (a
    surface of revolution), x:2 (half a turn) or 0,0.1,1:4; the continuous one first."""
    licence: str = "not stated"
    """Under which the mesh may be used; goes into what is made with it."""
    json: bool = False
    """Print what was done as JSON."""


@dataclass(frozen=True)
class Remove:
    """Remove an object of your own. Its index stays reserved for the name."""

    name: Positional[str]
    """The object."""


def add(arguments: list[str]) -> int:
    """Run ``yaff objects add``; returns the exit status."""
    options = parse(Add, arguments, "objects add", usage=ADD_USAGE)

    from pipelines.folders import objects_folder
    from pipelines.installing import add_own
    from yaff.objects.own import check_name, prepare_own

    check_name(options.name)
    made = prepare_own(options.file, options.mass, options.unit, options.symmetry)
    record = add_own(objects_folder(), options.name, options.mass, options.licence, options.file, made)
    index = record.object.index if record.object else 0
    if options.json:
        write_json(
            {
                "name": record.name,
                "index": index,
                "dimensions": made.dimensions,
                "notes": made.notes,
                "sha256": record.digest,
            }
        )
        return 0
    size = " x ".join(f"{1e3 * length:.0f}" for length in made.dimensions)
    for note in made.notes:
        say(f"note: {note}")
    say(f"{record.name}: object {index}, {size} mm, {options.mass:g} kg")
    say(f"try: yaff objects show {record.name} --out {record.name}.png")
    return 0


def remove(arguments: list[str]) -> int:
    """Run ``yaff objects remove``; returns the exit status."""
    options = parse(Remove, arguments, "objects remove", usage=REMOVE_USAGE)

    from pipelines.folders import objects_folder
    from pipelines.installing import remove_own

    remove_own(objects_folder(), options.name)
    say(f"removed {options.name}")
    return 0
