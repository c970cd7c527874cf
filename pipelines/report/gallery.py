"""The pictures of the report: random grasps of the library, random frames of the shards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.loading import Recipes, hand_of, mesh_of
from pipelines.pictures import draw_frame, draw_grasp, grasp_caption, to_png
from yaff.scene.recognise import open_scenes
from yaff.store.shards import ShardReader

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary
    from yaff.store.manifest import Manifest


def random_grasps(
    recipes: Recipes, library: GraspLibrary, count: int, rng: np.random.Generator
) -> list[tuple[bytes, str]]:
    """PNG and caption of up to ``count`` verified grasps, spread over the types, in the order of objects."""
    rows = [(name, int(row)) for name in library.objects for row in np.flatnonzero(library[name].verified)]
    left = [rows[i] for i in rng.permutation(len(rows))]
    chosen: list[tuple[str, int]] = []
    seen: set[int] = set()
    for fresh_types_only in (True, False):
        for name, row in left:
            number = int(library[name].grasp_type[row])
            if len(chosen) < count and (name, row) not in chosen and not (fresh_types_only and number in seen):
                chosen.append((name, row))
                seen.add(number)
    pictures = []
    for name, row in sorted(chosen):
        grasp = library[name][row : row + 1]
        picture = draw_grasp(hand_of(recipes.hand), mesh_of(name, recipes.objects), grasp)
        pictures.append((to_png(picture), grasp_caption(grasp, row)))
    return pictures


def random_frames(
    recipes: Recipes, manifest: Manifest, root: Path, count: int, rng: np.random.Generator
) -> list[tuple[bytes, str]]:
    """PNG and caption of up to ``count`` annotated frames, of those with a colour image where there are any."""
    reader = open_scenes(root)
    frames: list[tuple[Path, int, int]] = []
    for record in manifest.shards:
        shard = ShardReader.open(manifest.folder / record.file)
        frames += [(shard.path, shard.scene, int(frame)) for frame in shard["frames/frame"]]
    coloured = [entry for entry in frames if reader.colour_file(entry[1], entry[2])] or frames
    chosen = rng.choice(len(coloured), size=min(count, len(coloured)), replace=False) if coloured else []
    pictures = []
    for path, scene, frame in (coloured[i] for i in sorted(int(i) for i in chosen)):
        drawn = draw_frame(recipes, ShardReader.open(path), frame, reader, rng)
        pictures.append((to_png(drawn.picture), f"scene {scene}, frame {frame}. {'; '.join(drawn.captions)}"))
    return pictures
