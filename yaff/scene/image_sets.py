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
    entries = path.read_text().split()
    if not entries:
        return {}
    pairs = _regular(entries)
    if pairs is None:
        pairs = np.array([_pair(line, path, k) for k, line in enumerate(entries, start=1)], np.int32).reshape(-1, 2)
    rows = np.unique(pairs, axis=0)
    scenes, start = np.unique(rows[:, 0], return_index=True)
    return {int(scene): part for scene, part in zip(scenes, np.split(rows[:, 1], start[1:]), strict=True)}


def _regular(entries: list[str]) -> Int32[Array, "n 2"] | None:
    """Entries of four and six digits, all at once: a hundred thousand in a moment; None where one looks otherwise."""
    text = np.array(entries, np.str_)
    if text.dtype.itemsize != 11 * 4:  # NumPy's letters have four bytes
        return None
    letters = text.view(np.uint32).reshape(-1, 11)
    digits = np.delete(letters, 4, axis=1).astype(np.int32) - ord("0")
    if (letters[:, 4] != ord("/")).any() or (digits < 0).any() or (digits > 9).any():
        return None
    powers = 10 ** np.arange(5, -1, -1, dtype=np.int32)
    return np.stack([digits[:, :4] @ powers[2:], digits[:, 4:] @ powers], axis=1)


def _pair(line: str, path: Path, number: int) -> tuple[int, int]:
    scene, slash, frame = line.partition("/")
    if not (slash and scene.isdigit() and frame.isdigit()):
        raise FormatError(f"{line!r} is not a frame", where=f"{path}, entry {number}", remedy="write SSSS/FFFFFF")
    return int(scene), int(frame)


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
