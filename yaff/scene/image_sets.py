"""The official splits of YCB-Video: text files of ``SSSS/FFFFFF`` in ``image_sets/``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from yaff.errors import FormatError, MissingFileError

Array = np.ndarray

SPLITS = ("train", "val", "keyframe")


def read_image_set(root: Path | str, name: str) -> Mapping[int, Int32[Array, "_"]]:
    """Frame numbers of a split by scene, both ascending: ``image_sets/NAME.txt``.

    Raises:
        MissingFileError: there is no such split.
        FormatError: a line that is not ``SSSS/FFFFFF``.
    """
    folder = Path(root) / "image_sets"
    path = folder / f"{name}.txt"
    if not path.is_file():
        present = sorted(p.stem for p in folder.glob("*.txt") if p.stem != "classes")
        raise MissingFileError(f"no image set {name!r}", where=path, remedy=f"present: {', '.join(present) or 'none'}")
    pairs: set[tuple[int, int]] = set()
    for number, line in enumerate(path.read_text().split(), start=1):
        scene, slash, frame = line.partition("/")
        if not (slash and scene.isdigit() and frame.isdigit()):
            raise FormatError(f"{line!r} is not a frame", where=f"{path}, entry {number}", remedy="write SSSS/FFFFFF")
        pairs.add((int(scene), int(frame)))
    rows = np.array(sorted(pairs), np.int32).reshape(-1, 2)
    return {int(scene): rows[rows[:, 0] == scene, 1] for scene in np.unique(rows[:, 0])}


def read_classes(root: Path | str) -> tuple[str, ...]:
    """Object names in the order of their indices 1, 2, ...: ``image_sets/classes.txt``.

    Raises:
        MissingFileError: there is no such file.
    """
    path = Path(root) / "image_sets" / "classes.txt"
    if not path.is_file():
        raise MissingFileError("no list of classes", where=path, remedy="copy image_sets/ of the dataset")
    return tuple(path.read_text().split())


def format_image_set(frames: Iterable[tuple[int, int]]) -> str:
    """The text of a split from (scene, frame) pairs, in their order."""
    return "".join(f"{scene:04d}/{frame:06d}\n" for scene, frame in frames)
