"""Functions that the executor's tests hand to worker processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from yaff.errors import MeshError, StorageError


def write(part: Path, text: str, seconds: float = 0.0) -> str:
    time.sleep(seconds)
    part.write_text(text, encoding="utf-8")
    return f"{len(text)} letters"


def count_threads(part: Path) -> str:
    part.write_text(os.environ.get("OMP_NUM_THREADS", "unset"), encoding="utf-8")
    return ""


def raise_mesh_error(part: Path) -> str:
    raise MeshError("no faces", where="mesh.obj", remedy="use another mesh")


def raise_surprise(part: Path) -> str:
    part.write_text("half")
    raise ZeroDivisionError("surprise")


def raise_disk_full(part: Path) -> str:
    raise StorageError("no space", where=part)


def die(part: Path) -> str:
    os._exit(3)


def die_once(part: Path, flag: str) -> str:
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(3)
    part.write_text("second try")
    return ""
