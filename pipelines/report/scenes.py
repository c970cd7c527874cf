"""What became of the grasps in the scenes: how many each frame has, and of each object why the rest are infeasible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure

from pipelines.report.charts import BLUE, INK, SOFT, png

if TYPE_CHECKING:
    from yaff.store.reading import ShardSet

Array = np.ndarray


@dataclass(frozen=True)
class ObjectInScenes:
    """One object over all scenes."""

    name: str
    instances: int
    """Times it is in a frame."""
    annotations: int
    """Feasible grasps over all of them."""
    decided: tuple[int, int, int, int]
    """Grasps that were decided, once for each arrangement: feasible, neighbour, table, unreachable."""


def annotations_per_frame(shards: ShardSet) -> Int[Array, "f"]:
    """Feasible grasps of every frame."""
    first = shards.index["instances/annotation_start"]
    return np.diff(first[shards.index["frames/instance_start"]])


def objects_in_scenes(shards: ShardSet) -> list[ObjectInScenes]:
    """The objects of a dataset, in the order of their numbers."""
    instances, counts = shards.index["instances/object_index"], np.diff(shards.index["instances/annotation_start"])
    placed, codes = shards.index["placements/object_index"], shards.index["placements/code_count"]
    rows = []
    for name, number in sorted(shards.objects.items(), key=lambda item: item[1]):
        decided = codes[placed == number].sum(axis=0)
        feasible, neighbour, table, unreachable = (int(count) for count in decided)
        here = instances == number
        rows.append(
            ObjectInScenes(name, int(here.sum()), int(counts[here].sum()), (feasible, neighbour, table, unreachable))
        )
    return rows


def per_frame_chart(counts: Int[Array, "f"]) -> bytes:
    """Frames by their number of feasible grasps, as PNG."""
    figure = Figure(figsize=(7.5, 2.2), layout="constrained")
    axes = figure.subplots()
    most = int(counts.max(initial=0))
    edges = np.arange(-0.5, most + 1.5) if most < 40 else np.linspace(-0.5, most + 0.5, 41)
    axes.hist(counts, bins=edges.tolist(), color=BLUE, rwidth=0.9)
    axes.axvline(float(np.median(counts)) if len(counts) else 0.0, color=INK, linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, length=2, color=SOFT)
    axes.set_xlabel("feasible grasps in a frame; the line is the median", fontsize=9, color=INK)
    axes.set_ylabel("frames", fontsize=9, color=INK)
    return png(figure)
