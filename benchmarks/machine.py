"""What a figure was measured on, in one line."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import psutil


def description(folder: Path) -> str:
    """Processor, cores, memory, the file system of a folder, system, versions, and how busy the machine is."""
    disk = max(
        (part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)),
        key=lambda part: len(part.mountpoint),
    )
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "h5py", "torch"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{_processor()}, {cores} cores, {psutil.virtual_memory().total / 1e9:.0f} GB; {disk.fstype} on {disk.device}; "
        f"{platform.system()} {platform.release()}; Python {platform.python_version()}, {packages}; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
