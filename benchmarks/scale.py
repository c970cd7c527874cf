"""The 28 million: the whole real pose set through ``yaff project`` and back, against what was asked of it.

Needs YAFF_DATA (default ../shared/data), about 8 GB of disk in YAFF_BENCH_OUT (default: the temporary folder), and a
machine that does nothing else. Takes about fifteen minutes.

Usage:
    python -m benchmarks.scale [PART ...]       # write memory kills; all when none is given
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np
import psutil

from benchmarks.machine import description
from benchmarks.scale_kills import KILLS, survived
from benchmarks.scale_library import GRASPS, write_library
from pipelines.commands.parsing import write_table
from pipelines.loading import ObjectRecipe
from yaff.objects.cache import default_cache_dir
from yaff.scene.recognise import open_scenes
from yaff.store.manifest import Manifest
from yaff.store.reading import ShardSet

WORKERS = 2
PIECE = 1 << 18
"""Annotations read at a time."""
BATCH, BATCHES = 256, 800
GIGABYTE = 1e9


@dataclass
class Place:
    """Where everything is."""

    folder: Path
    data: Path
    rows: list[list[str]] = field(default_factory=list)

    @property
    def library(self) -> Path:
        return self.folder / "library.h5"

    def command(self, out: Path, layout: str, workers: int, *others: str) -> list[str]:
        """``yaff project`` of the pose table, as a user would type it."""
        words = ["project", self.data / "ycb_video_poses.npz", "--library", self.library, "--out", out]
        words += ["--models", self.data / "YCB_Video_Dataset" / "models", "--hand.model", "builtin"]
        words += ["--layout", layout, "--workers", str(workers), *others]
        return [sys.executable, "-m", "pipelines.cli", *map(str, words)]

    def add(self, what: str, asked: str, measured: str, holds: bool | None = None) -> None:
        """A row of the table, shown at once as well."""
        self.rows.append([what, asked, measured, "" if holds is None else "yes" if holds else "NO"])
        sys.stderr.write("  ".join(self.rows[-1]) + "\n")


@dataclass
class Run:
    """What a command took."""

    seconds: float = 0.0
    peak: int = 0
    """Largest resident memory of any of its processes, bytes."""
    peak_early: int = 0
    """The same, until half of its time had passed: by then all objects have been loaded."""


def timed(command: list[str]) -> Run:
    """Run a command and watch the memory of its processes."""
    trace: list[tuple[float, int]] = []
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def watch() -> None:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                sizes = [p.memory_info().rss for p in (root, *root.children(recursive=True))]
                trace.append((time.perf_counter() - started, max(sizes)))
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, errors = process.communicate()
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{errors[-2000:]}")
    sizes = [size for _, size in trace] or [0]
    early = [size for when, size in trace if when < 0.5 * seconds] or [0]
    return Run(seconds, max(sizes), max(early))


@contextmanager
def gone_afterwards(folder: Path) -> Iterator[Path]:
    """A folder of shards and its folder of work, removed at the end."""
    try:
        yield folder
    finally:
        for path in (folder, folder.with_name(folder.name + ".work")):
            shutil.rmtree(path, ignore_errors=True)


def write(place: Place) -> None:
    """Projection in the three layouts, on one worker and on two."""
    limits = {"compact": 15, "wrist": 30, "full": 90}
    runs: dict[str, Run] = {}
    for layout, limit in limits.items():
        with gone_afterwards(place.folder / layout) as out:
            runs[layout] = run = timed(place.command(out, layout, WORKERS))
            manifest = Manifest.open(out)
            total = manifest.totals["annotations"]
            if layout == "compact":
                place.add(f"rows, {GRASPS} grasps an object", ">= 28,000,000", f"{total:,}", total >= 28_000_000)
            size = sum(record.bytes for record in manifest.shards) / GIGABYTE
            what = f"yaff project, {layout}, {WORKERS} workers ({size:.2f} GB)"
            place.add(what, f"<= {limit} s", f"{run.seconds:.1f} s", run.seconds <= limit)
            if layout == "full":
                raw = _raw_seconds(place.folder / "raw", [record.annotations for record in manifest.shards])
                ratio = run.seconds / raw
                place.add("the same bytes by h5py and nothing else", "", f"{raw:.1f} s")
                place.add("yaff project, full, against it", "<= 3 x", f"{ratio:.2f} x", ratio <= 3)
                _read(place, out)
            if layout == "compact":
                _read_random(place, out)
    peak = max(run.peak for run in runs.values())
    place.add("resident memory of any process", "<= 1.5 GB", f"{peak / GIGABYTE:.2f} GB", peak <= 1.5 * GIGABYTE)
    early = runs["full"].peak_early
    words = f"{early / GIGABYTE:.2f} GB, at the end {runs['full'].peak / GIGABYTE:.2f} GB"
    place.add("memory in the first half of the scenes, full", "flat", words, runs["full"].peak < early + 0.2 * GIGABYTE)
    with gone_afterwards(place.folder / "one") as out:
        alone = timed(place.command(out, "wrist", 1)).seconds
    gain = alone / runs["wrist"].seconds
    place.add("2 workers against 1, wrist", ">= 1.7 x", f"{gain:.2f} x ({alone:.1f} s alone)", gain >= 1.7)


def _raw_seconds(folder: Path, rows: list[int]) -> float:
    """Seconds that h5py takes to write the annotations of the full layout, from memory, fsynced like ours."""
    block = np.random.default_rng(0).normal(size=(1 << 16, 51)).astype(np.float32)
    grasp = np.arange(1 << 16, dtype=np.int32)
    with gone_afterwards(folder):
        folder.mkdir(parents=True)
        started = time.perf_counter()
        for scene, count in enumerate(rows):
            path = folder / f"shard-{scene:05d}.h5"
            with h5py.File(path, "w") as file:
                hands, grasps = (
                    file.create_dataset("hand", (count, 51), "<f4"),
                    file.create_dataset("grasp", (count,), "<i4"),
                )
                for first in range(0, count, len(block)):
                    n = min(len(block), count - first)
                    hands[first : first + n], grasps[first : first + n] = block[:n], grasp[:n]
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        return time.perf_counter() - started


def _read(place: Place, folder: Path) -> None:
    """Sequential reading of the full layout, then random access to it."""
    shards = ShardSet.open(folder)
    total, largest = len(shards), 0.0

    def ours() -> float:
        return sum(float(part[0, 0]) for part in pieces(total, shards.parameters))

    def raw() -> float:
        checked = 0.0
        for record in shards.manifest.shards:
            with h5py.File(folder / record.file) as file:
                hands = file["annotations/hand"]
                assert isinstance(hands, h5py.Dataset)
                checked += sum(float(p[0, 0]) for p in pieces(len(hands), lambda a, b, h=hands: h[a:b]))
        return checked

    speeds = {}
    for name, work in (("raw", raw), ("ours", ours)):
        speeds[name] = total / min(_seconds(work) for _ in range(2))
    largest = speeds["ours"] / speeds["raw"]
    rate = speeds["ours"]
    place.add("sequential read of all 51 parameters, full", ">= 5,000,000 rows/s", f"{rate:,.0f} rows/s", rate >= 5e6)
    words = f"{100 * largest:.0f} % of {speeds['raw']:,.0f} rows/s"
    place.add("the same against raw h5py", ">= 60 %", words, largest >= 0.6)
    _read_random(place, folder)


def pieces(total: int, read: Callable[[int, int], np.ndarray]) -> Iterator[np.ndarray]:
    """Consecutive pieces of ``total`` rows."""
    for first in range(0, total, PIECE):
        yield read(first, min(first + PIECE, total))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _read_random(place: Place, folder: Path) -> None:
    """Opening, and random access through a DataLoader."""
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    from yaff.learning import GraspDataset

    layout = Manifest.open(folder).layout
    opening = min(_seconds(lambda: GraspDataset(folder)) for _ in range(5))
    place.add(f"opening the dataset, {layout}", "<= 0.2 s", f"{opening:.3f} s", opening <= 0.2)
    for workers in (0, WORKERS):
        dataset = GraspDataset(folder)
        sampler = RandomSampler(dataset, replacement=True, num_samples=BATCH * BATCHES)
        loader = DataLoader(
            dataset,
            BATCH,
            sampler=sampler,
            num_workers=workers,
            collate_fn=GraspDataset.collate,
            generator=torch.Generator().manual_seed(0),
        )
        rates = []
        for _ in range(2):  # the second time, pages are there
            batches = iter(loader)
            next(batches)
            started = time.perf_counter()
            count = sum(len(batch["pose"]) for batch in batches)
            rates.append(count / (time.perf_counter() - started))
        what = f"random access, DataLoader, batch {BATCH}, {layout}, {workers} workers"
        place.add(what, ">= 50,000 rows/s", f"{rates[-1]:,.0f} rows/s (first time {rates[0]:,.0f})", rates[-1] >= 5e4)


def memory(place: Place) -> None:
    """Largest resident memory of any process, for more and more scenes."""
    scenes = open_scenes(place.data / "ycb_video_poses.npz").scenes()
    peaks: dict[int, int] = {}
    for count in (1, len(scenes) // 4, len(scenes) // 2, len(scenes)):
        with gone_afterwards(place.folder / f"scenes-{count}") as out:
            peaks[count] = timed(place.command(out, "full", WORKERS, "--scenes", *map(str, scenes[:count]))).peak
    words = ", ".join(f"{count}: {peak / GIGABYTE:.2f} GB" for count, peak in peaks.items())
    quarter, whole = (peaks[count] for count in (len(scenes) // 4, len(scenes)))  # by then all objects are loaded
    flat = whole < quarter + 0.2 * GIGABYTE and whole <= 1.5 * GIGABYTE
    place.add("resident memory by number of scenes, full", "<= 1.5 GB, flat", words, flat)


def kills(place: Place) -> None:
    """A build that is killed and taken up again."""
    scenes = ["--scenes", "0", "1", "20", "48", "54", "59", "--stride", "4"]
    whole = survived(lambda out: place.command(out, "wrist", WORKERS, *scenes), place.folder, np.random.default_rng(0))
    place.add(
        f"SIGKILL at {KILLS} random moments, then resumed", f"{KILLS} of {KILLS}", f"{whole} identical", whole == KILLS
    )


def _busy() -> tuple[float, float]:
    """Processor time that all programs have used since the machine started, and this one with its children, seconds."""
    everyone, mine = psutil.cpu_times(), os.times()
    idle = everyone.idle + getattr(everyone, "iowait", 0.0)
    return sum(everyone[:8]) - idle, mine.user + mine.system + mine.children_user + mine.children_system


def _others(place: Place, seconds: float, before: tuple[float, float]) -> None:
    """A row that says how quiet the machine was."""
    total, mine = (after - first for after, first in zip(_busy(), before, strict=True))
    share = max(0.0, total - mine) / (seconds * (os.cpu_count() or 1))
    place.add("other programs meanwhile", "", f"{100 * share:.0f} % of the processor")


PARTS: dict[str, Callable[[Place], None]] = {"write": write, "memory": memory, "kills": kills}


def main(names: list[str]) -> int:
    """Run the parts and print the table; status 1 where a figure does not hold."""
    data = Path(os.environ.get("YAFF_DATA", "../shared/data")).resolve()
    if not data.is_dir():
        sys.stderr.write(f"no real data at {data}: set YAFF_DATA\n")
        return 2
    with tempfile.TemporaryDirectory(dir=os.environ.get("YAFF_BENCH_OUT"), prefix="yaff-scale-") as folder:
        place = Place(Path(folder), data)
        recipe = ObjectRecipe("folder", data / "YCB_Video_Dataset" / "models", default_cache_dir())
        write_library(place.library, open_scenes(data / "ycb_video_poses.npz"), recipe)
        started, before = time.perf_counter(), _busy()
        for name in names or PARTS:
            PARTS[name](place)
        _others(place, time.perf_counter() - started, before)
    write_table(description(Path(folder).parent), ["what", "asked", "measured", "holds"], place.rows)
    return int(any(row[-1] == "NO" for row in place.rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
