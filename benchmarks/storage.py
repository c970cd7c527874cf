"""Ways to store annotations: the full layout of one scene, contiguous, chunked and compressed.

Hands are noise, but each grasp comes back in every frame, as it does in a shard.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from benchmarks.machine import description
from pipelines.commands.parsing import write_table

FRAMES, INSTANCES, GRASPS = 1500, 5, 46
"""As in a video of middle length: 345,000 annotations, 70 MB."""
BATCH, BATCHES = 256, 20

WAYS: Mapping[str, dict[str, Any]] = {
    "contiguous": {},
    "chunks of 64 rows": {"chunks": (64, 51)},
    "chunks of 1024 rows": {"chunks": (1024, 51)},
    "lzf": {"chunks": (1024, 51), "compression": "lzf"},
    "shuffle, lzf": {"chunks": (1024, 51), "compression": "lzf", "shuffle": True},
    "gzip 1": {"chunks": (1024, 51), "compression": "gzip", "compression_opts": 1},
    "shuffle, gzip 1": {"chunks": (1024, 51), "compression": "gzip", "compression_opts": 1, "shuffle": True},
    "shuffle, gzip 4": {"chunks": (1024, 51), "compression": "gzip", "compression_opts": 4, "shuffle": True},
}


def hands() -> np.ndarray:
    """The 51 parameters of every annotation of a scene (k, 51): wrists move with the camera, fingers do not."""
    rng = np.random.default_rng(0)
    fingers = rng.normal(0, 0.3, (INSTANCES * GRASPS, 45)).astype(np.float32)
    start = rng.normal(0, 1, (INSTANCES * GRASPS, 6))
    camera = np.cumsum(rng.normal(0, 0.003, (FRAMES, 1, 6)), axis=0)
    wrists = (start + camera + rng.normal(0, 1e-4, (FRAMES, INSTANCES * GRASPS, 6))).astype(np.float32)
    everything = np.concatenate(
        [wrists[..., :3], np.broadcast_to(fingers, (FRAMES, *fingers.shape)), wrists[..., 3:]], axis=2
    )
    return everything.reshape(-1, 51)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of the quickest of three runs: other programs on the machine do not count."""
    best = np.inf
    for _ in range(3):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return float(best)


def measure(path: Path, values: np.ndarray, way: dict[str, Any]) -> list[str]:
    """Size, and processor time of writing, reading all, and reading batches of random rows."""

    def write() -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("hand", data=values, **way)

    def read() -> None:
        with h5py.File(path) as file:
            data = file["hand"]
            assert isinstance(data, h5py.Dataset)
            for first in range(0, len(values), 1 << 16):
                data[first : first + (1 << 16)]

    rows = [np.sort(np.random.default_rng(k).choice(len(values), BATCH, replace=False)) for k in range(BATCHES)]

    def read_random() -> None:
        with h5py.File(path) as file:
            data = file["hand"]
            assert isinstance(data, h5py.Dataset)
            for chosen in rows:
                data[chosen]

    writing, megabytes = cpu_seconds(write), values.nbytes / 1e6
    size = path.stat().st_size / values.nbytes
    reading, at_random = len(values) / cpu_seconds(read), BATCH * BATCHES / cpu_seconds(read_random)
    return [f"{100 * size:.1f} %", f"{megabytes / writing:,.0f}", f"{reading / 1e6:.2f}", f"{at_random:,.0f}"]


def mapped(path: Path, values: np.ndarray) -> str:
    """Random rows through a memory map, which only contiguous data allows."""
    with h5py.File(path, "w") as file:
        offset = file.create_dataset("hand", data=values).id.get_offset()
    data = np.memmap(path, np.float32, "r", offset, values.shape)
    rows = np.random.default_rng(0).integers(len(values), size=(BATCHES * 50, BATCH))
    seconds = cpu_seconds(lambda: [data[chosen] for chosen in rows])
    return f"{rows.size / seconds:,.0f}"


def main() -> int:
    """Print the table."""
    values = hands()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.h5"
        rows = [[name, *measure(path, values, way)] for name, way in WAYS.items()]
        rows.append(["contiguous, mapped into memory", *rows[0][1:4], mapped(path, values)])
        title = f"{len(values):,} annotations; processor time; {description(Path(folder))}"
    columns = ["stored", "size", "written MB/s", "read, million rows/s", "random rows/s"]
    write_table(title, columns, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
