"""Object poses in one file, from anybody's tracker: an ``.npz`` archive or a Parquet table.

Two layouts are told apart by the names in the file; docs/file-formats.md lists them.

- *rows*: one row for each object in each frame, with its scene, frame, object, pose and camera;
- *tracks*: each object followed through a scene, as a block of rows for its frames 1, 2, ... n.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from yaff.errors import FrameError, MissingFileError, PoseError
from yaff.geometry.transforms import make_transform, rotation_from_quaternion_wxyz
from yaff.objects.cache import content_key
from yaff.scene.frames import BadFrame, FrameTable
from yaff.scene.pose_checks import YCB_VIDEO_INDICES, bad_rows, check_unit
from yaff.scene.pose_columns import PoseColumns, columns_of

Array = np.ndarray

SUFFIXES = (".npz", ".parquet")


class PoseTableReader:
    """A :class:`~yaff.scene.frames.SceneReader` of a table of poses; it has no images.

    Args:
        path: the ``.npz`` or ``.parquet`` file.
        known: object numbers that may occur.

    Raises:
        MissingFileError: there is no such file, or pyarrow is needed and not installed.
        FormatError: it is damaged, or lacks columns, naming them.
    """

    def __init__(self, path: Path | str, known: Collection[int] = YCB_VIDEO_INDICES) -> None:
        self.path = Path(path)
        self._known = frozenset(known)
        if not self.path.is_file():
            raise MissingFileError("no pose table", where=self.path, remedy="give an .npz or a .parquet file")
        _ = self._columns

    def __repr__(self) -> str:
        return f"PoseTableReader({str(self.path)!r})"

    @property
    def root(self) -> Path:
        """The folder of the file."""
        return self.path.parent

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that the camera takes, pixels."""
        return self._columns.image_size

    def scenes(self) -> tuple[int, ...]:
        """The scene numbers, ascending."""
        return tuple(self._columns.scenes.tolist())

    def frame_numbers(self, scene: int) -> tuple[int, ...]:
        """The frame numbers of a scene, ascending."""
        return tuple(np.unique(self._columns.frame[self._rows(scene)]).tolist())

    def content_key(self, scene: int) -> str:
        """A digest of the rows of the scene."""
        columns, rows = self._columns, self._rows(scene)
        parts = (columns.frame, columns.object_index, columns.rotation, columns.translation, columns.intrinsics)
        return content_key(columns.image_size, sorted(self._known), *(part[rows] for part in parts))

    def read(
        self, scene: int, frames: Sequence[int] | None = None, skip_bad: bool = False
    ) -> tuple[FrameTable, tuple[BadFrame, ...]]:
        """Poses of the given frames (default: all) of a scene; see :class:`~yaff.scene.frames.SceneReader`.

        Rows may come in any order. A frame whose rows are in two places of the file is bad: it may be two frames with
        one number.

        Raises:
            FormatError: a scene in another unit, also when bad frames are skipped.
        """
        columns, rows = self._columns, self._rows(scene)
        twice = _in_two_places(columns.frame[rows])
        rows = rows[np.argsort(columns.frame[rows], kind="stable")]
        numbers, first = np.unique(columns.frame[rows], return_index=True)
        missing: list[int] = []
        if frames is not None:
            wanted = np.unique(np.asarray(list(frames), np.int64))
            missing = np.setdiff1d(wanted, numbers).tolist()
            rows = rows[np.isin(columns.frame[rows], wanted)]
            numbers, first = np.unique(columns.frame[rows], return_index=True)
        start = np.append(first, len(rows)).astype(np.int64)

        def where(row: int) -> str:
            return f"{self.path}, row {int(rows[start[row]])}, frame {int(numbers[row])} of scene {scene}"

        q = columns.rotation[rows].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            rotation = rotation_from_quaternion_wxyz(_unit_or_nan(q)) if q.ndim == 2 else q
        Ts = make_transform(rotation, columns.translation[rows].astype(np.float64))
        check_unit(Ts, where=f"{self.path}, scene {scene}", unit="metres")
        ids = columns.object_index[rows]
        errors = bad_rows(ids, Ts, start, self._known, where=where, unit="metres")
        for row in np.flatnonzero(np.isin(numbers, twice)).tolist():
            errors.setdefault(row, _twice(where(row)))
        for row in np.flatnonzero(~_camera_is_good(columns.intrinsics[rows[start[:-1]]])).tolist():
            errors.setdefault(row, _no_camera(where(row)))
        by_frame = {int(numbers[row]): error for row, error in errors.items()}
        by_frame |= {frame: self._absent(scene, frame) for frame in missing}
        if by_frame and not skip_bad:
            raise by_frame[min(by_frame)]
        table = FrameTable(
            scene=scene,
            frames=numbers.astype(np.int32),
            intrinsics=columns.intrinsics[rows[start[:-1]]].astype(np.float64),
            instance_start=start,
            object_index=np.where(np.isin(ids, list(self._known)), ids, 0).astype(np.uint8),
            Ts_camera_object=Ts,
        )
        if errors:
            table = table.select(np.setdiff1d(np.arange(len(table)), sorted(errors)))
        return table, tuple(BadFrame(str(self.path), scene, f, by_frame[f].what) for f in sorted(by_frame))

    def colour_file(self, scene: int, frame: int) -> Path | None:
        """None: a table of poses has no images."""
        return None

    def colour(self, scene: int, frame: int) -> UInt8[Array, "h w 3"] | None:
        """None: a table of poses has no images."""
        return None

    def depth(self, scene: int, frame: int) -> Float32[Array, "h w"] | None:
        """None: a table of poses has no images."""
        return None

    def labels(self, scene: int, frame: int) -> UInt8[Array, "h w"] | None:
        """None: a table of poses has no images."""
        return None

    @property
    def _columns(self) -> PoseColumns:
        status = self.path.stat()
        return _load(self.path, status.st_size, status.st_mtime_ns)

    def _rows(self, scene: int) -> Int64[Array, "r"]:
        """Rows of a scene, in the order of the file."""
        rows = self._columns.rows(scene)
        if rows is None:
            present = ", ".join(map(str, self.scenes()))
            raise MissingFileError(f"no scene {scene}", where=self.path, remedy=f"scenes present: {present or 'none'}")
        return rows

    def _absent(self, scene: int, frame: int) -> FrameError:
        where = f"{self.path}, frame {frame} of scene {scene}"
        return FrameError("the table has no such frame", where=where, remedy="ask for frames that are there")


@lru_cache(maxsize=2)
def _load(path: Path, size: int, changed: int) -> PoseColumns:
    """The columns of a file, once in each process for each state of the file."""
    return columns_of(path)


def _unit_or_nan(q: Array) -> Array:
    """Quaternions; NaN for those whose length is not one within a thousandth, which turn nothing."""
    length = np.sqrt(np.einsum("ni,ni->n", q, q))
    return np.where(np.abs(length - 1.0)[:, None] <= 1e-3, q, np.nan)


def _in_two_places(frame: Array) -> Array:
    """Frame numbers that occur in more than one run of equal numbers."""
    runs = frame[np.flatnonzero(np.diff(frame, prepend=frame[:1] - 1))]
    numbers, count = np.unique(runs, return_counts=True)
    return numbers[count > 1]


def _camera_is_good(intrinsics: Array) -> Array:
    focal = np.diagonal(intrinsics, axis1=-2, axis2=-1)[..., :2]
    return np.asarray(np.isfinite(intrinsics).all(axis=(-2, -1)) & (focal > 0.0).all(axis=-1))


def _twice(where: str) -> FrameError | PoseError:
    return FrameError(
        "the rows of the frame are in two places: frames out of order, or two frames with one number",
        where=where,
        remedy="sort the table by scene and frame, or number its frames, or skip the frame with --skip-bad-frames",
    )


def _no_camera(where: str) -> FrameError | PoseError:
    return FrameError(
        "no camera: focal lengths must be positive and all four numbers finite",
        where=where,
        remedy="correct the table, or skip the frame with --skip-bad-frames",
    )
