"""YCB-Video in its native layout: ``ROOT/data/SSSS/FFFFFF-{meta.mat,color.png,depth.png,label.png}``."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image, UnidentifiedImageError

from yaff.errors import FrameError, MissingFileError, PoseError
from yaff.scene.frames import BadFrame, FrameTable
from yaff.scene.meta_file import YCB_VIDEO_INDICES, FrameMeta, read_meta

Array = np.ndarray

_SUFFIX = "-meta.mat"


class YcbVideoReader:
    """A :class:`~yaff.scene.frames.SceneReader` of a YCB-Video tree. It holds no open file: pickle it freely.

    Args:
        root: the folder that contains ``data/``.
        known: class indices that may occur in ``meta.mat``.
        image_size: width and height that every image must have, pixels.

    Raises:
        MissingFileError: there is no ``data`` folder in ``root``.
    """

    def __init__(
        self,
        root: Path | str,
        known: Collection[int] = YCB_VIDEO_INDICES,
        image_size: tuple[int, int] = (640, 480),
    ) -> None:
        self.root = Path(root)
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
        """The frames of a scene that have a ``meta.mat``, ascending.

        Raises:
            MissingFileError: there is no such scene.
        """
        folder = self._folder(scene)
        if not folder.is_dir():
            present = self.scenes()
            known = f"{present[0]} to {present[-1]} ({len(present)} scenes)" if present else "none"
            raise MissingFileError(f"no scene {scene}", where=folder, remedy=f"scenes present: {known}")
        with os.scandir(folder) as entries:
            stems = (e.name[: -len(_SUFFIX)] for e in entries if e.name.endswith(_SUFFIX))
            return tuple(sorted(int(stem) for stem in stems if stem.isdigit()))

    def read(
        self, scene: int, frames: Sequence[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        """Poses of the given frames (default: all) of a scene; see :class:`~yaff.scene.frames.SceneReader`."""
        numbers = self.frame_numbers(scene) if frames is None else tuple(sorted({int(f) for f in frames}))
        good: list[int] = []
        metas: list[FrameMeta] = []
        bad: list[BadFrame] = []
        for frame in numbers:
            try:
                meta = self._meta(scene, frame)
            except (FrameError, PoseError) as error:
                if not skip_bad:
                    raise
                bad.append(BadFrame(str(self.path(scene, frame, "meta.mat")), scene, frame, error.what))
                continue
            good.append(frame)
            metas.append(meta)
        table = FrameTable.from_rows(
            scene,
            good,
            [m.intrinsics for m in metas],
            [m.object_index for m in metas],
            [m.Ts_camera_object for m in metas],
        )
        return table, tuple(bad)

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

    def _meta(self, scene: int, frame: int) -> FrameMeta:
        return read_meta(self.path(scene, frame, "meta.mat"), frame=frame, scene=scene, known=self._known)

    def _image(self, scene: int, frame: int, kind: str, mode: str | None) -> Array | None:
        path = self.path(scene, frame, kind)
        if not path.exists():
            return None
        try:
            with Image.open(path) as image:
                pixels = np.array(image if mode is None else image.convert(mode))
        except (OSError, SyntaxError, UnidentifiedImageError) as error:
            raise FrameError(
                f"the image cannot be read ({error})",
                where=f"{path}, frame {frame} of scene {scene}",
                remedy="copy the file again from the dataset",
            ) from error
        size = (pixels.shape[1], pixels.shape[0])
        if size != self.image_size or (mode is None and pixels.ndim != 2):
            raise FrameError(
                f"the image is {size[0]}x{size[1]} with {pixels.ndim} dimensions, expected"
                f" {self.image_size[0]}x{self.image_size[1]}",
                where=f"{path}, frame {frame} of scene {scene}",
                remedy="copy the file again from the dataset",
            )
        return pixels
