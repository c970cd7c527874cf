"""What the objects were asked to show, measured: `make bench-objects`. Prints Markdown tables.

Usage:
    python -m benchmarks.objects                    # YAFF_DATA's meshes and the stand-ins
    python -m benchmarks.objects --models DIR
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
import trimesh
from joblib import Parallel, delayed
from scipy.spatial import KDTree

from benchmarks.machine import description
from pipelines.commands.parsing import parse
from yaff.geometry.blocks import look_up_with_gradient
from yaff.geometry.nearest import NearestTriangle
from yaff.geometry.transforms import apply
from yaff.objects import Catalogue, FolderSource, MeshSource, ObjectModel, StandInSource, load_object
from yaff.objects.pieces import union_volume
from yaff.objects.surface import surface_samples

USAGE = """
python -m benchmarks.objects
python -m benchmarks.objects --models YCB_Video_Dataset/models
"""


NEAR = 0.03
"""Metres from the surface within which errors count."""
_SAMPLES, _QUERIES = 20_000, 1_000_000


@dataclass(frozen=True)
class ObjectsBenchmark:
    """Measure the objects: first and later use, stand-ins against scans, distance field, pieces, symmetries."""

    models: Path | None = None
    """Scanned meshes; those of YAFF_DATA (default ../shared/data) when not set."""
    workers: int = 2
    """Processes at first use."""


def main() -> int:
    """Run and print the tables."""
    options = parse(ObjectsBenchmark, sys.argv[1:], "benchmark", usage=USAGE)
    data = Path(os.environ.get("YAFF_DATA", "../shared/data"))
    scans = FolderSource(options.models or data / "YCB_Video_Dataset" / "models")
    names = Catalogue.load().names
    there = [name for name in names if _has(scans, name)]
    _say(f"{description(Path.cwd())}\n\n{len(there)} of {len(names)} scanned meshes are there.\n")
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for label, source, some in (("scanned meshes", scans, there), ("stand-ins", StandInSource(), list(names))):
            started = time.perf_counter()
            tasks = (delayed(_use)(name, source, cache) for name in some)
            spent = [float(seconds or 0.0) for seconds in Parallel(options.workers)(tasks)]
            wall = time.perf_counter() - started
            _say(
                f"First use of {len(some)} {label}, {options.workers} processes, empty cache: {wall:.0f} s "
                f"({sum(spent):.0f} s of processor time, the longest object {max(spent, default=0.0):.0f} s)\n"
            )
        _shapes(names, there, scans, cache)
        models = {f"{name}": load_object(name, scans, cache) for name in there}
        models |= {f"{name} (stand-in)": load_object(name, StandInSource(), cache) for name in names}
        _fields(models)
        _drops(models)
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [columns, ["---"] * len(columns), *rows]
    _say("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")


def _has(source: FolderSource, name: str) -> bool:
    try:
        return source.file(name).is_file()
    except FileNotFoundError:
        return False


def _use(name: str, source: MeshSource, cache: Path) -> float:
    """Processor seconds of loading an object."""
    started = time.process_time()
    load_object(name, source, cache)
    return time.process_time() - started


def _shapes(names: Sequence[str], there: Sequence[str], scans: FolderSource, cache: Path) -> None:
    rows, gaps, ratios, later = [], [], [], []
    for name in names:
        ours = load_object(name, StandInSource(), cache)
        row = [name, "", *_pieces_of(ours), "", "", "", ""]
        ratios.append(union_volume(ours.pieces) / float(ours.solid.volume))
        if name in there:
            theirs = load_object(name, scans, cache)
            gap, turned = _gap(ours, theirs), _symmetry(theirs)
            seconds = min(_use(name, scans, cache) for _ in range(3))
            gaps.append(gap)
            later.append(seconds)
            ratios.append(union_volume(theirs.pieces) / float(theirs.solid.volume))
            row[1] = f"{1e3 * gap:.2f}"
            row[4:] = [*_pieces_of(theirs), "" if turned is None else f"{1e3 * turned:.2f}", f"{1e3 * seconds:.0f}"]
        rows.append(row)
    columns = ["object", "stand-in to scan, mm", "pieces (stand-in)", "volume ratio", "pieces (scan)", "volume ratio"]
    _table([*columns, "symmetry, mm", "later use, ms"], rows)
    if gaps:
        _say(
            f"Stand-ins within 4 mm: {sum(gap <= 4e-3 for gap in gaps)} of {len(gaps)}; the farthest "
            f"{1e3 * max(gaps):.2f} mm. Volume ratios {min(ratios):.3f} to {max(ratios):.3f}. Later use: "
            f"{1e3 * max(later):.0f} ms at most.\n"
        )


def _pieces_of(model: ObjectModel) -> list[str]:
    return [str(len(model.pieces)), f"{union_volume(model.pieces) / float(model.solid.volume):.3f}"]


def _gap(ours: ObjectModel, theirs: ObjectModel) -> float:
    """Symmetric mean distance of two surfaces as they are looked at, exact from 4,096 points of each; metres."""
    one, other = _bare(ours.visual), _bare(theirs.visual)
    return 0.5 * (_mean_distance(one, other) + _mean_distance(other, one))


def _bare(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(np.asarray(mesh.vertices), np.asarray(mesh.faces), process=False)


def _mean_distance(of: trimesh.Trimesh, to: trimesh.Trimesh) -> float:
    points, _ = surface_samples(of, 4096)
    surface = NearestTriangle.of(np.asarray(to.vertices, np.float64), np.asarray(to.faces))
    return float(np.abs(surface.signed_distance(points)).mean())


def _symmetry(model: ObjectModel) -> float | None:
    """The most that a symmetry moves the surface in the mean, metres; None where there is none."""
    if len(model.symmetries) == 1:
        return None
    dense, _ = surface_samples(_bare(model.visual), 20_000)
    tree = KDTree(dense)
    return max(float(tree.query(apply(T, dense[:2000]))[0].mean()) for T in model.symmetries[1:])


def _fields(models: dict[str, ObjectModel]) -> None:
    rows = []
    for label, model in models.items():
        rng = np.random.default_rng(0)
        surface = NearestTriangle.of(np.asarray(model.solid.vertices, np.float64), np.asarray(model.solid.faces))
        low, high = np.asarray(model.solid.bounds)
        points = rng.uniform(low - NEAR, high + NEAR, (_SAMPLES, 3))
        points = points[np.lexsort(np.floor(points / 4e-3).T)]
        exact, (found, unit) = surface.signed_distance(points), model.sdf.distance_and_gradient(points)
        near = np.abs(exact) < NEAR
        off = np.abs(np.abs(found) - np.abs(exact))[near]
        inside = np.asarray(model.solid.contains(points))
        _, slope = look_up_with_gradient(model.sdf.blocks, points[near])
        steep = np.abs(np.linalg.norm(slope, axis=1) - 1.0)
        length = np.abs(np.linalg.norm(unit, axis=1) - 1.0).max()
        few = points[rng.choice(len(points), 500, replace=False)]
        close = model.surface_points[rng.integers(0, len(model.surface_points), _QUERIES)]
        close = (close + rng.normal(0.0, 3e-3, close.shape)).astype(np.float32)
        anywhere = rng.uniform(low - NEAR, high + NEAR, (_QUERIES, 3)).astype(np.float32)
        speeds = [_QUERIES / _least(model.sdf.distance, p) for p in (anywhere, close)]
        slow = len(few) / _least(trimesh.proximity.ProximityQuery(model.solid).signed_distance, few)
        rows.append(
            [
                label,
                f"{1e3 * off.mean():.3f}",
                f"{1e3 * np.percentile(off, 99.9):.2f}",
                f"{1e3 * off.max():.2f}",
                f"{100.0 * ((found < 0.0) == inside).mean():.3f}",
                f"{100.0 * length:.4f}",
                f"{100.0 * (steep < 0.02).mean():.1f}",
                *(f"{speed / 1e6:.1f}" for speed in speeds),
                f"{speeds[0] / slow:,.0f}",
            ]
        )
    columns = ["object", "error mean, mm", "99.9 %", "most", "sign right, %", "unit gradient off, %"]
    columns += ["raw gradient within 2 %, %", "random, M/s", "near, M/s", "times trimesh"]
    _table(columns, rows)


def _least(work: Callable[[np.ndarray], object], points: np.ndarray) -> float:
    """Processor seconds of the quickest of three runs."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work(points)
        seconds.append(time.process_time() - started)
    return min(seconds)


def _drops(models: dict[str, ObjectModel]) -> None:
    rows = []
    for label, model in models.items():
        entry = Catalogue.load()[model.name]
        if entry.cavity is None:
            continue
        depth = _depth_of_ball(model, entry.cavity.axis)
        hollow = np.array([[*entry.cavity.axis, float(np.mean(model.solid.bounds[:, 2]))]])
        rows.append([label, f"{1e3 * depth:.0f}", f"{1e3 * float(model.sdf.distance(hollow)[0]):.0f}"])
    _table(["vessel", "ball's middle below the rim, mm", "distance half-way down the axis, mm"], rows)


def _depth_of_ball(model: ObjectModel, axis: tuple[float, float]) -> float:
    """How far below the rim a 2 cm ball rests that was dropped into the pieces, metres; negative if not inside."""
    rim = float(model.solid.bounds[1, 2])
    client = pybullet.connect(pybullet.DIRECT)
    try:
        for piece in model.pieces:
            shape = pybullet.createCollisionShape(pybullet.GEOM_MESH, vertices=piece.tolist(), physicsClientId=client)
            pybullet.createMultiBody(0, shape, physicsClientId=client)
        shape = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.01, physicsClientId=client)
        start = [axis[0] + 0.012, axis[1], rim + 0.02]
        ball = pybullet.createMultiBody(0.02, shape, basePosition=start, physicsClientId=client)
        pybullet.changeDynamics(ball, -1, rollingFriction=1e-4, linearDamping=0.2, physicsClientId=client)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
        for _ in range(720):
            pybullet.stepSimulation(physicsClientId=client)
        (x, y, z), _ = pybullet.getBasePositionAndOrientation(ball, physicsClientId=client)
    finally:
        pybullet.disconnect(client)
    beside = np.hypot(x - axis[0], y - axis[1]) > 0.08
    return -1.0 if beside or z < model.solid.bounds[0, 2] else rim - z


if __name__ == "__main__":
    raise SystemExit(main())
