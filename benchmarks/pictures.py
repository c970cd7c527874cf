"""Make the pictures of README and documentation from a finished demo: built-in hand and stand-ins only.

Usage:
    python -m benchmarks.pictures docs/pictures [out/demo [PART ...]]

Parts: ``drawn`` (hand, postures, grasps, a frame), ``search`` (how the search works), ``screens`` (report, review and
viewer in Debian's chromium); all of them if none is named.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.screenshots import screenshots
from benchmarks.search_figures import search_figures
from pipelines.config import load_config
from pipelines.hand_sheets import draw_sheet
from pipelines.loading import Recipes, hand_of, mesh_of, recipes_of
from pipelines.pictures import draw_frame, draw_grasp, grasp_caption, sheet, to_png
from yaff.scene.recognise import open_scenes
from yaff.store.library import GraspLibrary
from yaff.store.manifest import Manifest
from yaff.store.shards import ShardReader

LIMIT = 300_000
"""Bytes that a committed picture may have."""


PARTS = ("drawn", "search", "screens")


def main(target: Path, demo: Path, parts: Sequence[str] = PARTS) -> None:
    """Write the pictures of these parts, each below :data:`LIMIT`."""
    config = load_config(Path("configs/demo.toml"))
    recipes = recipes_of(config)
    library, manifest = GraspLibrary.open(demo / "library.h5"), Manifest.open(demo / "shards")
    if set(library.metadata["standins"]) != set(library.objects) or hand_of(recipes.hand).name != "builtin":
        raise SystemExit("pictures of licensed hands or scanned meshes are not committed")
    target.mkdir(parents=True, exist_ok=True)
    if "drawn" in parts:
        drawn(target, demo, recipes, library, manifest)
    if "search" in parts:
        for name, picture in search_figures(recipes, config.search.settings).items():
            write(target / f"{name}.png", picture)
    if "screens" in parts:
        for name, picture in screenshots(demo):
            write(target / f"{name}.png", picture)


def drawn(target: Path, demo: Path, recipes: Recipes, library: GraspLibrary, manifest: Manifest) -> None:
    """``hand.png``, ``postures.png``, ``grasps.png`` and ``frame.png``."""
    write(target / "hand.png", draw_sheet(hand_of(recipes.hand), "turntable", 360))
    write(target / "postures.png", draw_sheet(hand_of(recipes.hand), "poses", 360))
    write(target / "grasps.png", grasps(recipes, library))
    write(target / "frame.png", fullest_frame(recipes, manifest, demo / "dataset"))


def grasps(recipes: Recipes, library: GraspLibrary) -> np.ndarray:
    """Eight verified grasps: types that were not shown yet first, objects in turn."""
    rows = [(name, int(row)) for name in library.objects for row in np.flatnonzero(library[name].verified)]
    chosen: list[tuple[str, int]] = []
    while rows and len(chosen) < 8:
        shown = [int(library[name].grasp_type[row]) for name, row in chosen]
        objects = [name for name, _ in chosen]
        rows.sort(key=lambda r: (shown.count(int(library[r[0]].grasp_type[r[1]])), objects.count(r[0]), r))
        chosen.append(rows.pop(0))
    pictures = []
    for name, row in chosen:
        grasp = library[name][row : row + 1]
        pictures.append(
            (draw_grasp(hand_of(recipes.hand), mesh_of(name, recipes.objects), grasp, 250), grasp_caption(grasp, row))
        )
    return sheet(pictures, 4)


def fullest_frame(recipes: Recipes, manifest: Manifest, root: Path) -> np.ndarray:
    """The frame with a colour image in which the most objects have a grasp."""
    reader, rng = open_scenes(root), np.random.default_rng(0)
    best: tuple[int, np.ndarray] | None = None
    for record in manifest.shards:
        shard = ShardReader.open(manifest.folder / record.file)
        for frame in shard["frames/frame"].tolist():
            if reader.colour(shard.scene, frame) is None:
                continue
            drawn = draw_frame(recipes, shard, frame, reader, rng)
            if best is None or len(drawn.captions) > best[0]:
                best = len(drawn.captions), drawn.picture
    if best is None:
        raise SystemExit("no frame has a colour image")
    return best[1]


def write(path: Path, picture: np.ndarray) -> None:
    """A PNG below the limit: with a palette where it has to be."""
    data = to_png(picture)
    if len(data) > LIMIT:
        palette = Image.fromarray(picture).quantize(colors=192, dither=Image.Dither.NONE)
        palette.save(path, optimize=True)
        data = path.read_bytes()
    path.write_bytes(data)
    sys.stdout.write(f"{path}  {len(data) / 1e3:.0f} kB\n")


if __name__ == "__main__":
    asked = tuple(sys.argv[3:]) or PARTS
    if unknown := set(asked) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; one of {', '.join(PARTS)}")
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "out/demo"), asked)
