"""Benchmarks on the real meshes and poses of ``YAFF_DATA`` (default ``../shared/data``), by the commands a user has."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.data import real_data
from benchmarks.figures import Figure
from benchmarks.hand import published_grasps

OBJECTS = ("025_mug", "006_mustard_bottle", "011_banana")


def _yaff(*words: str | Path) -> float:
    """Run a command of the program as a user would; seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipelines.cli", *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _kept(path: Path) -> Path:
    """Where results stay to be looked at: YAFF_BENCH_OUT, or a folder that goes away."""
    kept = os.environ.get("YAFF_BENCH_OUT")
    if kept:
        path = Path(kept)
        path.mkdir(parents=True, exist_ok=True)
    return path


def search_real() -> Iterator[Figure]:
    """All 33 types on mug, mustard bottle and banana at the default budget: what holds, how deep, how steady."""
    from yaff.store import GraspLibrary

    with tempfile.TemporaryDirectory() as temporary:
        out = _kept(Path(temporary)) / "library.h5"
        models = real_data() / "YCB_Video_Dataset" / "models"
        seconds = _yaff("search", *OBJECTS, "--models", models, "--out", out)
        library = GraspLibrary.open(out)
        depth, total = [], 0
        for name in OBJECTS:
            grasps = library[name][library[name].verified]
            types, counts = np.unique(grasps.grasp_type, return_counts=True)
            depth.append(grasps.measures["max_penetration"])
            total += len(grasps)
            yield f"{name}, types with 3 or more verified grasps", float((counts >= 3).sum()), "types"
            yield f"{name}, types with a verified grasp", float(len(types)), "types"
            yield f"{name}, verified grasps", float(len(grasps)), "grasps"
            yield f"{name}, most motion in any shake", 1e3 * grasps.measures["shake_translation"].max(), "mm"
            yield f"{name}, median motion", 1e3 * np.median(grasps.measures["shake_translation"].max(axis=1)), "mm"
            yield f"{name}, most rotation in any shake", np.rad2deg(grasps.measures["shake_rotation"].max()), "degrees"
            yield f"{name}, median intersection", 1e6 * np.median(grasps.measures["intersection_volume"]), "cm^3"
        yield "maximum penetration, median", 1e3 * np.median(np.concatenate(depth)), "mm"
        yield "maximum penetration, 95th percentile", 1e3 * np.percentile(np.concatenate(depth), 95), "mm"
        yield "search, wall time", seconds, "s"
        yield "search", total / seconds / (os.cpu_count() or 1), "verified grasps per core-second"


def real_scale() -> Iterator[Figure]:
    """Scenes 0, 48, 49 and 50 at every tenth frame, projected and verified."""
    from benchmarks.real_scale import real_scale as run

    yield from run()


def scenes() -> Iterator[Figure]:
    """Reading the poses of all 92 videos, and the support plane of each."""
    from benchmarks.scenes import scenes as run

    yield from run()


REAL_CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "published-grasps": published_grasps,
    "search-real": search_real,
    "real-scale": real_scale,
    "scenes": scenes,
}
"""By name; only these need the real data."""
