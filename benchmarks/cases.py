"""The benchmarks: each yields (what, value, unit). All but the last use the built-in hand and the stand-ins."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, best_of
from benchmarks.hand import hand


def command_line() -> Iterator[Figure]:
    """How long the command line takes to answer."""
    for words in ("--help", "build --help"):
        command = [sys.executable, "-m", "pipelines.cli", *words.split()]
        seconds = best_of(3, lambda command=command: subprocess.run(command, check=True, capture_output=True))
        yield f"yaff {words}", seconds, "s"


def projection() -> Iterator[Figure]:
    """Composing wrists with object poses: the heart of a dataset."""
    from yaff.scene.projection import compose_wrist

    rng, n = np.random.default_rng(0), 1_000_000
    from yaff.geometry.transforms import make_transform, rotation_from_axis_angle

    Ts = make_transform(rotation_from_axis_angle(rng.normal(size=(n, 3))), rng.normal(size=(n, 3)))
    wrist, translation, root = rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), np.zeros(3)
    yield "wrists composed", n / best_of(3, lambda: compose_wrist(Ts, wrist, translation, root)), "annotations/s"


def shards() -> Iterator[Figure]:
    """Writing a scene of 2,000 frames and 5 objects with 40 grasps each, in the three layouts; reading it back."""
    from yaff.learning import GraspDataset
    from yaff.store.content import assemble_shard
    from yaff.store.manifest import finish_dataset
    from yaff.store.shards import ShardRecord, shard_name, write_shard

    content = assemble_shard(**_scene(frames=2000, objects=5, grasps=40))
    count = int(content.annotation_start[-1])
    with tempfile.TemporaryDirectory() as folder:
        for layout in ("compact", "wrist", "full"):
            path = Path(folder) / layout / shard_name(0)
            seconds = best_of(2, lambda path=path, layout=layout: write_shard(path, layout, content))
            yield f"written, {layout}", count / seconds, "annotations/s"
            yield f"size, {layout}", path.stat().st_size / count, "bytes/annotation"
            finish_dataset(path.parent, [ShardRecord.of(path)])
            dataset, rng = GraspDataset(path.parent), np.random.default_rng(0)
            rows = rng.integers(len(dataset), size=20_000)
            yield f"read at random, {layout}", len(rows) / best_of(2, lambda d=dataset, r=rows: d.batch(r)), "samples/s"


def _scene(frames: int, objects: int, grasps: int) -> dict[str, object]:
    from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
    from yaff.grasp.batch import MEASURES, Grasps
    from yaff.hand import load_hand
    from yaff.objects import Catalogue
    from yaff.scene.arrangements import group_arrangements
    from yaff.scene.frames import FrameTable
    from yaff.store.content import Candidates

    rng, known = np.random.default_rng(0), Catalogue.load()
    cameras = make_transform(rotation_from_axis_angle(rng.normal(size=(frames, 3))), rng.normal(size=(frames, 3)))
    placed = make_transform(rotation_from_axis_angle(rng.normal(size=(objects, 3))), rng.normal(size=(objects, 3)))
    index = np.arange(1, objects + 1, dtype=np.uint8)
    table = FrameTable.from_rows(
        0, range(frames), [np.eye(3)] * frames, [index] * frames, list(cameras[:, None] @ placed[None])
    )
    candidates = {}
    for number in index.tolist():
        batch = Grasps.make(
            known.by_index(number).name,
            rng.normal(0, 0.3, (grasps, 45)),
            rng.normal(size=(grasps, 3)),
            rng.normal(size=(grasps, 3)),
            rng.integers(1, 34, grasps),
            review_state=np.ones(grasps, np.uint8),
        )
        measures = {name: np.zeros((grasps, *m.shape), np.float32) for name, m in MEASURES.items()}
        candidates[number] = Candidates.usable(replace(batch, measures=measures))
    arrangements = group_arrangements(table)
    free = (np.zeros(grasps, np.uint8), np.zeros(grasps, np.float32))
    return {
        "table": table,
        "arrangements": arrangements,
        "verdicts": [[free] * objects for _ in range(len(arrangements))],
        "planes": [None] * len(arrangements),
        "candidates": candidates,
        "hand": load_hand(),
        "objects": {known.by_index(number).name: number for number in index.tolist()},
    }


def search() -> Iterator[Figure]:
    """One object and one type at the default budget, on one thread."""
    import torch

    from yaff.hand import load_hand
    from yaff.objects import StandInSource, load_object
    from yaff.objects.cache import default_cache_dir
    from yaff.search.config import SearchConfig
    from yaff.search.planner import make_rig, search_pair

    torch.set_num_threads(1)
    config = SearchConfig()
    rig = make_rig(load_hand(), config)
    for name, number in (("061_foam_brick", 9), ("011_banana", 3)):
        model = load_object(name, StandInSource(), default_cache_dir())
        result = search_pair(rig, model, number, config, 0)
        yield f"{name}, type {number}", result.seconds, "s"
        yield f"{name}, type {number}, verified", float(result.grasps.verified.sum()), "grasps"


CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "command-line": command_line,
    "hand": hand,
    "projection": projection,
    "shards": shards,
    "search": search,
}
