"""YCB-Video in its native layout: ``ROOT/data/SSSS/FFFFFF-{meta.mat,color.png,depth.png,label.png}``.

A scene that is read whole is indexed: its poses go to the cache as a few arrays, under a digest of the names, sizes and
times of its ``meta.mat`` files. Listing a folder tells whether the index still stands.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from yaff.errors import FrameError, MissingFileError, PoseError
from yaff.objects.cache import content_key
from yaff.scene.frames import BadFrame, FrameTable
from yaff.scene.images import read_image
from yaff.scene.meta_file import FrameMeta, read_meta
from yaff.scene.pose_checks import YCB_VIDEO_INDICES
from yaff.scene.scene_index import SceneIndex, indexed

Array = np.ndarray

_META = "meta.mat"
_KINDS = (_META, "box.txt", "color.png", "depth.png", "label.png")
_READER = "ycb-video 1"
"""Part of the key of an index; changes when this program reads the same files differently."""


class YcbVideoReader:
    """A :class:`~yaff.scene.frames.SceneReader` of a YCB-Video tree. It holds no open file: pickle it freely.

    Args:
        root: the folder that contains ``data/``.
        known: class indices that may occur in ``meta.mat``.
        image_size: width and height that every image must have, pixels.
        cache: folder for the index of each scene; none is kept without it.

    Raises:
        MissingFileError: there is no ``data`` folder in ``root``.
    """

    def __init__(
        self,
        root: Path | str,
        known: Collection[int] = YCB_VIDEO_INDICES,
        image_size: tuple[int, int] = (640, 480),
        cache: Path | None = None,
    ) -> None:
        self.root = Path(root)
        self.cache = cache
        self._image_size = image_size
        self._known = frozenset(known)
        if not (self.root / "data").is_dir():
            raise MissingFileError(
                "not a YCB-Video dataset: no folder 'data'",
                where=self.root,
                remedy="point to the folder that contains data/, image_sets/ and models/",
            )

    def __repr__(self) -> str:
        return f"YcbVideoReader({str(self.root)!r})"

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of every image, pixels."""
        return self._image_size

    def scenes(self) -> tuple[int, ...]:
        """The numbers of the folders in ``data``, ascending."""
        with os.scandir(self.root / "data") as entries:
            return tuple(sorted(int(e.name) for e in entries if e.name.isdigit() and e.is_dir()))

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        """The frames of a scene that have any file, ascending: one without its ``meta.mat`` is a bad frame, not none.

        Raises:
            MissingFileError: there is no such scene.
            FrameError: two files of one frame, such as ``000001-meta.mat`` and ``1-meta.mat``.
        """
        return self._list(scene)[0]

    def content_key(self, scene: int) -> str:
        """A digest that changes when a file of the scene does, images included, by name, size and time."""
        with os.scandir(self._checked_folder(scene)) as entries:
            files = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries)
        return content_key(_READER, str(self.root.resolve()), sorted(self._known), files)

    def read(
        self, scene: int, frames: Sequence[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        """Poses of the given frames (default: all) of a scene; see :class:`~yaff.scene.frames.SceneReader`."""
        everything, key = self._list(scene)
        numbers = everything if frames is None else tuple(sorted({int(f) for f in frames}))
        if self.cache is not None and 2 * len(numbers) > len(everything) and set(numbers) <= set(everything):
            whole = indexed(self.cache, key, scene, lambda: self._read(scene, everything))
            index = whole.chosen(list(numbers))
        else:  # opening the few is cheaper than indexing all
            index = self._read(scene, numbers)
        for frame in index.bad[: 0 if skip_bad else 1]:
            self._meta(scene, frame.frame)  # raises again what it raised when it was indexed
        bad = tuple(BadFrame(str(self.path(scene, b.frame, _META)), scene, b.frame, b.reason) for b in index.bad)
        return index.table, bad

    def _read(self, scene: int, numbers: Sequence[int]) -> SceneIndex:
        good: list[int] = []
        metas: list[FrameMeta] = []
        bad: list[BadFrame] = []
        for frame in numbers:
            try:
                metas.append(self._meta(scene, frame))
                good.append(frame)
            except (FrameError, PoseError) as error:
                bad.append(BadFrame(self.path(scene, frame, _META).name, scene, frame, error.what))
        table = FrameTable.from_rows(
            scene,
            good,
            [m.intrinsics for m in metas],
            [m.object_index for m in metas],
            [m.Ts_camera_object for m in metas],
        )
        return SceneIndex(table, tuple(bad))

    def _list(self, scene: int) -> tuple[tuple[int, ...], str]:
        """Frame numbers of a scene, and the digest of its ``meta.mat`` files."""
        folder = self._checked_folder(scene)
        stems: set[str] = set()
        metas: list[tuple[str, int, int]] = []
        with os.scandir(folder) as entries:
            for entry in entries:
                stem, _, kind = entry.name.partition("-")
                if kind in _KINDS and stem.isdigit():
                    stems.add(stem)
                    if kind == _META:
                        status = entry.stat()
                        metas.append((stem, status.st_size, status.st_mtime_ns))
        numbers = sorted(map(int, stems))
        twice = [number for number, after in pairwise(numbers) if number == after]
        if twice:
            raise FrameError(
                f"frame {twice[0]} is there twice under different names",
                where=folder,
                remedy="name files with six digits, each frame once",
            )
        names, sizes, times = zip(*sorted(metas), strict=True) if metas else ((), (), ())
        files = (sorted(stems), names, np.array(sizes), np.array(times))
        return tuple(numbers), content_key(_READER, str(self.root.resolve()), scene, sorted(self._known), *files)

    def colour_file(self, scene: int, frame: int) -> Path | None:
        """The file of the colour image, or None where there is none."""
        path = self.path(scene, frame, "color.png")
        return path if path.is_file() else None

    def colour(self, scene: int, frame: int) -> UInt8[Array, "h w 3"] | None:
        """The colour image, or None where the frame has none."""
        return self._image(scene, frame, "color.png", "RGB")

    def depth(self, scene: int, frame: int) -> Float32[Array, "h w"] | None:
        """Metres along the optical axis, NaN where nothing was measured; None where the frame has none."""
        raw = self._image(scene, frame, "depth.png", None)
        if raw is None:
            return None
        factor = self._meta(scene, frame).depth_units_per_metre
        metres = raw.astype(np.float32) / np.float32(factor)
        metres[raw == 0] = np.nan
        return metres

    def labels(self, scene: int, frame: int) -> UInt8[Array, "h w"] | None:
        """The YCB-Video index of the object seen at each pixel, 0 for background; None if there is none."""
        raw = self._image(scene, frame, "label.png", None)
        return None if raw is None else raw.astype(np.uint8)

    def path(self, scene: int, frame: int, kind: str) -> Path:
        """Where a file of a frame is, for example ``path(0, 1, "color.png")``."""
        return self._folder(scene) / f"{frame:06d}-{kind}"

    def _folder(self, scene: int) -> Path:
        return self.root / "data" / f"{scene:04d}"

    def _checked_folder(self, scene: int) -> Path:
        folder = self._folder(scene)
        if not folder.is_dir():
            present = self.scenes()
            known = f"{present[0]} to {present[-1]} ({len(present)} scenes)" if present else "none"
            raise MissingFileError(f"no scene {scene}", where=folder, remedy=f"scenes present: {known}")
        return folder

    def _meta(self, scene: int, frame: int) -> FrameMeta:
        return read_meta(self.path(scene, frame, _META), frame=frame, scene=scene, known=self._known)

    def _image(self, scene: int, frame: int, kind: str, mode: str | None) -> Array | None:
        path = self.path(scene, frame, kind)
        if not path.exists():
            return None
        return read_image(path, mode, self.image_size, where=f"{path}, frame {frame} of scene {scene}")
