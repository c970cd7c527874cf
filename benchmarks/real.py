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

from benchmarks.cases import Figure
from yaff.errors import MissingFileError

OBJECTS = ("025_mug", "006_mustard_bottle", "011_banana")
SCENES = ("0", "48", "49", "50")


def real_data() -> Path:
    """The folder with the real data.

    Raises:
        MissingFileError: it is not there.
    """
    folder = Path(os.environ.get("YAFF_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        raise MissingFileError("no real data", where=folder, remedy="set YAFF_DATA to the folder that holds it")
    return folder


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


def project_real() -> Iterator[Figure]:
    """Scenes 0, 48, 49 and 50 of YCB-Video at stride 10, projected and verified with a library of generated grasps."""
    data = real_data()
    expand = data.parent / "tools" / "expand_ycb_video.py"
    with tempfile.TemporaryDirectory() as temporary:
        folder = _kept(Path(temporary))
        tree, library = folder / "ycb_video", folder / "generated.h5"
        words = ["--layout", "native", "--out", str(tree), "--scenes", *SCENES, "--stride", "10"]
        subprocess.run([sys.executable, str(expand), *words], check=True, stdout=subprocess.DEVNULL)
        _generated_library(library)
        first = _yaff("project", tree, "--library", library, "--out", folder / "first")
        yield "projected, geometry of the meshes derived where not cached", first, "s"
        project = _yaff("project", tree, "--library", library, "--out", folder / "shards")
        verify = _yaff("verify", folder / "shards")
        yield "scenes 0, 48, 49, 50 at stride 10, projected", project, "s"
        yield "the same, verified", verify, "s"
        yield "together", project + verify, "s"


def _generated_library(path: Path) -> None:
    """Eighty hands round every object: enough for a projection, of no use for anything else."""
    from dataclasses import replace

    from yaff.grasp.batch import MEASURES, Grasps
    from yaff.hand import load_hand
    from yaff.objects import Catalogue
    from yaff.store import GraspLibrary

    rng, hand, batches = np.random.default_rng(0), load_hand(), {}
    for name in Catalogue.load().names:
        direction = rng.normal(size=(80, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        rotation = rng.normal(size=(80, 3))
        batch = Grasps.make(
            name,
            rng.normal(0.0, 0.2, (80, 45)),
            rotation,
            0.18 * direction - hand.root(),
            rng.integers(1, 34, 80),
            review_state=np.ones(80, np.uint8),
        )
        measures = {key: np.zeros((80, *m.shape), np.float32) for key, m in MEASURES.items()}
        batches[name] = replace(batch, measures=measures)
    GraspLibrary.write(path, batches, {"hand": {"name": hand.name, "digest": hand.digest}})


REAL_CASES: Mapping[str, Callable[[], Iterator[Figure]]] = {"search-real": search_real, "project-real": project_real}
"""By name; only these need the real data."""
