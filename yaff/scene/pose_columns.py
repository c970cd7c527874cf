"""The columns of a pose table, whatever file format and layout they come in."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64, Int64

from yaff.errors import FormatError, MissingFileError
from yaff.objects.catalogue import Catalogue
from yaff.scene.cameras import YCB_VIDEO_CAMERAS

Array = np.ndarray


@dataclass(frozen=True)
class PoseColumns:
    """One row for each object in each frame, in the order of the file."""

    scene: Int64[Array, "n"]
    frame: Int64[Array, "n"]
    object_index: Int64[Array, "n"]
    """YCB-Video index; 0 for a name that is not in the catalogue."""
    rotation: Float[Array, "n 4"] | Float[Array, "n 3 3"]
    """Quaternions (w, x, y, z) or matrices, model -> camera."""
    translation: Float[Array, "n 3"]
    """Metres."""
    intrinsics: Float64[Array, "n 3 3"]
    """Pixels."""
    image_size: tuple[int, int]
    """Width and height, pixels."""

    @cached_property
    def scenes(self) -> Int64[Array, "s"]:
        """Scene numbers, ascending."""
        return np.unique(self.scene)

    def rows(self, scene: int) -> Int64[Array, "r"] | None:
        """Rows of a scene in the order of the file; None where there is no such scene."""
        if scene not in self.scenes:
            return None
        first, last = np.searchsorted(self._sorted, [scene, scene + 1])
        return self._order[first:last]

    @cached_property
    def _order(self) -> Int64[Array, "n"]:
        return np.argsort(self.scene, kind="stable")

    @cached_property
    def _sorted(self) -> Int64[Array, "n"]:
        return self.scene[self._order]


def columns_of(path: Path) -> PoseColumns:
    """Read a pose table.

    Raises:
        MissingFileError: pyarrow is needed and not installed.
        FormatError: another kind of file, a damaged one, or one that lacks columns, naming them.
    """
    if path.suffix not in _FORMATS:
        raise FormatError(
            f"a pose table ends in {' or '.join(_FORMATS)}, not {path.suffix!r}", where=path, remedy="save it as .npz"
        )
    columns = _FORMATS[path.suffix](path)
    layout = _tracks if "track_start" in columns else _by_row
    try:
        return layout(columns, path)
    except (ValueError, TypeError, IndexError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"columns do not fit together: {error}", where=path, remedy=_SEE) from None


_SEE = "docs/file-formats.md lists the columns of a pose table"


def _npz(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        raise FormatError(f"not an .npz of plain arrays ({error})", where=path, remedy="write it again") from None


def _parquet(path: Path) -> dict[str, Array]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingFileError(
            "reading Parquet needs pyarrow",
            where=path,
            remedy="pip install 'yaff[parquet]', or save the table as .npz",
        ) from None
    try:
        table = parquet.read_table(path)
        return {name: table[name].to_numpy(zero_copy_only=False) for name in table.column_names}
    except (ValueError, OSError) as error:  # pyarrow's own errors are kinds of these
        raise FormatError(f"not a Parquet table ({error})", where=path, remedy="write it again") from None


_FORMATS: Mapping[str, Callable[[Path], dict[str, Array]]] = {".npz": _npz, ".parquet": _parquet}


def _by_row(columns: Mapping[str, Array], path: Path) -> PoseColumns:
    _need(columns, path, ("scene", "frame", "object"))
    n = len(columns["scene"])
    rotation = _stacked(columns, ("quaternion_wxyz", ("qw", "qx", "qy", "qz")))
    if rotation is None:
        rotation = _stacked(columns, ("rotation", tuple(f"r{i}{j}" for i in range(3) for j in range(3))))
        rotation = None if rotation is None else rotation.reshape(-1, 3, 3)
    translation = _stacked(columns, ("translation_m", ("tx_m", "ty_m", "tz_m")))
    intrinsics = columns.get("intrinsics")
    if intrinsics is None and {"fx", "fy", "cx", "cy"} <= set(columns):
        intrinsics = np.zeros((n, 3, 3))
        intrinsics[:, 0, 0], intrinsics[:, 1, 1], intrinsics[:, 2, 2] = columns["fx"], columns["fy"], 1.0
        intrinsics[:, 0, 2], intrinsics[:, 1, 2] = columns["cx"], columns["cy"]
    lacking = [
        words
        for value, words in (
            (rotation, "quaternion_wxyz (or qw, qx, qy, qz; or rotation; or r00 to r22)"),
            (translation, "translation_m (or tx_m, ty_m, tz_m)"),
            (intrinsics, "intrinsics (or fx, fy, cx, cy)"),
        )
        if value is None
    ]
    if lacking or rotation is None or translation is None or intrinsics is None:
        raise FormatError(f"the table lacks {'; '.join(lacking)}", where=path, remedy=_SEE)
    size = columns.get("image_size", np.array([640, 480]))
    if "image_width" in columns and "image_height" in columns and n:
        size = np.array([columns["image_width"][0], columns["image_height"][0]])
    lengths = {len(columns[name]) for name in ("scene", "frame", "object")} | {len(rotation), len(translation)}
    if lengths != {n}:
        raise FormatError(f"columns of different lengths: {sorted(lengths)}", where=path, remedy=_SEE)
    return PoseColumns(
        scene=_whole(columns["scene"], "scene", path),
        frame=_whole(columns["frame"], "frame", path),
        object_index=_objects(columns["object"], path),
        rotation=rotation,
        translation=translation,
        intrinsics=np.broadcast_to(np.asarray(intrinsics, np.float64), (n, 3, 3)),
        image_size=(int(size[0]), int(size[1])),
    )


def _tracks(columns: Mapping[str, Array], path: Path) -> PoseColumns:
    """Blocks of rows: track ``k`` is object ``track_object[k]`` of ``track_scene[k]`` in frames 1, 2, ... n."""
    _need(columns, path, ("track_scene", "track_object", "track_start", "quaternion_wxyz", "translation_m"))
    start = np.asarray(columns["track_start"], np.int64)
    counts = np.diff(start)
    n = len(columns["translation_m"])
    if start[0] != 0 or start[-1] != n or (counts < 0).any() or len(counts) != len(columns["track_scene"]):
        raise FormatError("track_start is not an ascending table of offsets into the rows", where=path, remedy=_SEE)
    scene = _whole(columns["track_scene"], "track_scene", path)
    # by frame, as a reader of frames meets them: within a scene, row f of each of its tracks
    parts = [np.zeros((3, 0), np.int64)]
    for number in np.unique(scene):
        here = np.flatnonzero(scene == number)
        lengths = np.unique(counts[here])
        if len(lengths) > 1:
            raise FormatError(
                f"the tracks of scene {number} have {lengths.tolist()} frames: all of a scene have the same",
                where=path,
                remedy="give rows with their frame numbers instead",
            )
        frames = np.arange(lengths[0])[:, None]
        parts.append(np.stack([frames + start[here], frames + 0 * here, 0 * frames + here]).reshape(3, -1))
    order, within, track = np.concatenate(parts, axis=1)
    cameras = columns.get("intrinsics")
    if cameras is None:
        cameras = np.stack([_camera_of(int(number), path) for number in scene]) if len(scene) else np.zeros((0, 3, 3))
    cameras = np.broadcast_to(np.asarray(cameras, np.float64), (len(scene), 3, 3))
    size = columns.get("image_size", np.array([640, 480]))
    return PoseColumns(
        scene=scene[track],
        frame=within + 1,
        object_index=_objects(columns["track_object"], path)[track],
        rotation=columns["quaternion_wxyz"][order],
        translation=columns["translation_m"][order],
        intrinsics=cameras[track],
        image_size=(int(size[0]), int(size[1])),
    )


def _camera_of(scene: int, path: Path) -> Float64[Array, "3 3"]:
    for scenes, camera in YCB_VIDEO_CAMERAS.items():
        if scene in scenes:
            return camera
    raise FormatError(
        f"the table names no camera, and scene {scene} is none of YCB-Video's",
        where=path,
        remedy="add intrinsics (3, 3), or one for each track",
    )


def _need(columns: Mapping[str, Array], path: Path, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise FormatError(
            f"the table lacks {', '.join(missing)}; it has {', '.join(columns) or 'nothing'}", where=path, remedy=_SEE
        )


def _stacked(columns: Mapping[str, Array], names: tuple[str, tuple[str, ...]]) -> Array | None:
    """One array under its own name, or several columns side by side; None where neither is complete."""
    whole, parts = names
    if whole in columns:
        return columns[whole]
    if set(parts) <= set(columns):
        return np.stack([np.asarray(columns[part], np.float64) for part in parts], axis=1)
    return None


def _whole(values: Array, name: str, path: Path) -> Int64[Array, "n"]:
    values = np.asarray(values)
    numbers = values.astype(np.float64) if values.dtype.kind in "uif" else np.full(len(values), np.nan)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)) | (numbers < 0))
    if len(wrong):
        raise FormatError(
            f"{name} is {values[wrong[0]]!r}", where=f"{path}, row {wrong[0]}", remedy="whole numbers from 0 on"
        )
    return numbers.astype(np.int64)


def _objects(values: Array, path: Path) -> Int64[Array, "n"]:
    """Indices of objects given by index or by name; 0 for a name that the catalogue does not know."""
    values = np.asarray(values)
    if values.dtype.kind not in "OUS":
        return _whole(values, "object", path)
    known = Catalogue.load()
    names, place = np.unique(values.astype(np.str_), return_inverse=True)
    return np.array([known[str(n)].index if str(n) in known.names else 0 for n in names], np.int64)[place.reshape(-1)]
