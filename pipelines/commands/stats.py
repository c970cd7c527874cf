"""``yaff stats PATH``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from pipelines.commands.parsing import parse, write_json, write_table
from yaff.errors import MissingFileError

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary

USAGE = """
yaff stats out/demo/library.h5
yaff stats out/demo/shards --json
"""


@dataclass(frozen=True)
class Stats:
    """Count what a grasp library or a folder of shards holds."""

    path: Positional[Path]
    """A library (.h5), or a folder with a manifest.json."""
    json: bool = False
    """Print JSON instead of a table."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Stats, arguments, "stats", usage=USAGE)
    if not options.path.exists():
        raise MissingFileError("nothing there", where=options.path, remedy="a library (.h5) or a folder of shards")
    if options.path.is_dir():
        _shards(options.path, options.json)
    else:
        _library(options.path, options.json)
    return 0


def library_coverage(library: GraspLibrary) -> list[dict[str, Any]]:
    """For each object of a library: grasps, verified, types with a verified grasp, for review, medians."""
    import numpy as np

    rows = []
    for name in library.objects:
        grasps = library[name]
        good = grasps[grasps.verified]

        def median(measure: str, batch: Any = good) -> float | None:
            return float(np.median(batch.measures[measure])) if len(batch) else None

        rows.append(
            {
                "object": name,
                "grasps": len(grasps),
                "verified": len(good),
                "types": len(np.unique(good.grasp_type)),
                "review": int((grasps.review_state == 0).sum()),
                "penetration_m": median("max_penetration"),
                "epsilon": median("epsilon"),
                "contact_area_m2": median("contact_area"),
            }
        )
    return rows


def _library(path: Path, as_json: bool) -> None:
    from yaff.store.library import GraspLibrary

    library = GraspLibrary.open(path)
    rows = library_coverage(library)
    if as_json:
        write_json({"path": str(path), "hand": library.metadata.get("hand"), "objects": rows})
        return
    columns = list(rows[0]) if rows else ["object"]
    write_table(f"{path}", columns, [list(row.values()) for row in rows])


def _shards(folder: Path, as_json: bool) -> None:
    import json

    path = folder / "manifest.json"
    if not path.is_file():
        raise MissingFileError(
            "no manifest.json", where=folder, remedy="a folder written by yaff project or yaff build"
        )
    manifest = json.loads(path.read_text(encoding="utf-8"))
    totals, shards = manifest["totals"], manifest["shards"]
    if as_json:
        write_json({"path": str(folder), "totals": totals, "shards": shards})
        return
    counts = ("frames", "instances", "arrangements", "annotations", "candidates")
    rows = [[shard["file"], *(shard[key] for key in counts), *shard["infeasible"].values()] for shard in shards]
    rows.append(["total", *(totals[key] for key in counts), *totals["infeasible"].values()])
    write_table(f"{folder} ({manifest['layout']})", ["shard", *counts, *totals["infeasible"]], rows)
