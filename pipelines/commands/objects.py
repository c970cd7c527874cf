"""``yaff objects show``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, write_table

USAGE = """
yaff objects show
yaff objects show 025_mug 011_banana --models YCB_Video_Dataset/models --out objects.png
yaff objects add kettle.glb --name kettle --mass 0.9        # yaff objects add --help tells more
yaff objects remove kettle
"""


@dataclass(frozen=True)
class Objects:
    """Show the objects: mass, size, symmetries, where their shape comes from, and a picture of them."""

    action: Positional[Literal["show"]]
    """What to do."""
    objects: Positional[tuple[str, ...]] = ()
    """YCB names or those of your own objects; all when none is given."""
    models: Path | None = None
    """Folder of scanned meshes (NNN_name/textured_simple.obj); installed ones, else stand-ins, without it."""
    out: Path | None = None
    """Draw them into this PNG, with symmetry axes, dimensions and convex pieces."""
    json: bool = False
    """Print JSON instead of a table."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    if arguments[:1] in (["add"], ["remove"]):
        from pipelines.commands import own_objects

        return {"add": own_objects.add, "remove": own_objects.remove}[arguments[0]](arguments[1:])
    options = parse(Objects, arguments, "objects", usage=USAGE)

    from pipelines.config import ObjectsSection
    from pipelines.loading import catalogue, chosen_names, object_recipe, source_of

    section = ObjectsSection(source="auto" if options.models is None else "folder", models=options.models)
    source, known, rows = source_of(object_recipe(section, options.models)), catalogue(), []
    names = chosen_names(options.objects) + tuple(n for n in known.names if known[n].own and not options.objects)
    for name in names:
        entry, mesh = known[name], source.mesh(name)
        size = " x ".join(f"{1e3 * length:.0f}" for length in mesh.extents)
        turns = ", ".join("any" if s.order == 0 else str(s.order) for s in entry.symmetries)
        rows.append([entry.index, name, entry.mass, size, turns, len(mesh.faces), source.of(name).label])
    columns = ["index", "object", "mass kg", "size mm", "symmetry", "faces", "shape from"]
    write_table("objects", columns, rows, as_json=options.json)
    if options.out is not None:
        from pipelines.loading import object_of
        from pipelines.object_sheets import draw_objects
        from pipelines.pictures import write_png

        recipe = object_recipe(section, options.models)
        write_png(options.out, draw_objects([(object_of(name, recipe), known[name]) for name in names]))
    return 0
