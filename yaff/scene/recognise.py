"""Which kind of dataset a path is: every reader is asked in turn, by what is there and not by its name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from yaff.errors import FormatError, MissingFileError
from yaff.scene.bop import BopReader, bop_scenes
from yaff.scene.frames import SceneReader
from yaff.scene.pose_checks import YCB_VIDEO_INDICES
from yaff.scene.pose_table import SUFFIXES, PoseTableReader
from yaff.scene.ycb_video import YcbVideoReader


class Kind(NamedTuple):
    """One kind of dataset."""

    words: str
    """How to tell it, for messages."""
    recognises: Callable[[Path], bool]
    open: Callable[[Path, Path | None, Collection[int]], SceneReader]
    """Path of the dataset, of the cache, and object numbers that may occur -> reader."""


def _is_table(path: Path) -> bool:
    return path.is_file() and path.suffix in SUFFIXES


KINDS: dict[str, Kind] = {
    "pose-table": Kind(
        f"a table of poses ({' or '.join(SUFFIXES)})",
        _is_table,
        lambda path, cache, known: PoseTableReader(path, known),
    ),
    "ycb-video": Kind(
        "a YCB-Video folder (data/SSSS/FFFFFF-meta.mat)",
        lambda path: (path / "data").is_dir(),
        lambda path, cache, known: YcbVideoReader(path, known, cache=cache),
    ),
    "bop": Kind(
        "a BOP folder (SSSSSS/scene_gt.json)",
        lambda path: path.is_dir() and bool(bop_scenes(path)),
        lambda path, cache, known: BopReader(path, known, cache=cache),
    ),
}
"""The kinds, in the order in which they are asked."""


def open_scenes(path: Path | str, cache: Path | None = None, known: Collection[int] = YCB_VIDEO_INDICES) -> SceneReader:
    """The reader of whatever dataset is at a path.

    Args:
        path: a YCB-Video folder, a BOP folder, or a table of poses.
        cache: folder for indexes of scenes; none are kept without it.
        known: object numbers that may occur; 1 to 21 unless there are more objects.

    Raises:
        MissingFileError: there is nothing.
        FormatError: it is none of the three, or it is one and damaged.
    """
    path = Path(path)
    kinds = "; ".join(kind.words for kind in KINDS.values())
    if not path.exists():
        raise MissingFileError("dataset not found", where=path, remedy=f"give one of: {kinds}")
    for kind in KINDS.values():
        if kind.recognises(path):
            return kind.open(path, cache, known)
    raise FormatError("not a dataset of scenes", where=path, remedy=f"give one of: {kinds}")
