"""One ``FFFFFF-meta.mat`` of YCB-Video: read selectively, checked, and nothing about it believed."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float64, UInt8
from scipy.io.matlab import MatReadError

from yaff.errors import FrameError
from yaff.geometry.transforms import check_rigid
from yaff.scene.mat_file import read_numbers
from yaff.scene.pose_checks import YCB_VIDEO_INDICES, check_distances, check_indices

Array = np.ndarray

VARIABLES = ("cls_indexes", "poses", "intrinsic_matrix", "factor_depth")
"""What is read; the 3.7 MB ``vertmap`` beside them is skipped, which makes reading four times as fast."""

_COPY_AGAIN = "copy the file again from the dataset, or skip the frame with --skip-bad-frames"

# Whatever a damaged file makes scipy.io raise; the parser has no error family of its own.
_PARSER_ERRORS = (
    MatReadError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    OverflowError,
    MemoryError,
    AssertionError,
    OSError,
    EOFError,
    zlib.error,
)


@dataclass(frozen=True)
class FrameMeta:
    """Poses and camera of one frame."""

    object_index: UInt8[Array, "n"]
    """YCB-Video indices, 1 to 21."""
    Ts_camera_object: Float64[Array, "n 4 4"]
    """Poses of the objects in the camera, metres."""
    intrinsics: Float64[Array, "3 3"]
    """Pinhole camera, pixels."""
    depth_units_per_metre: float
    """By which the numbers of the depth image are divided."""


def read_meta(path: Path, *, frame: int, scene: int, known: Collection[int] = YCB_VIDEO_INDICES) -> FrameMeta:
    """Read and validate the ``meta.mat`` of a frame.

    Args:
        path: the file.
        frame, scene: their numbers, for messages.
        known: the class indices that may occur.

    Raises:
        FrameError: missing, unreadable, incomplete, unknown class index, impossible camera.
        PoseError: a pose with NaN or without an orthonormal rotation.
    """
    where = f"{path}, frame {frame} of scene {scene}"
    content = _load(path, where)
    missing = [name for name in VARIABLES if name not in content]
    if missing:
        raise FrameError(f"meta.mat lacks {', '.join(missing)}: truncated?", where=where, remedy=_COPY_AGAIN)
    index = _indices(content["cls_indexes"], known, where)
    return FrameMeta(
        object_index=index,
        Ts_camera_object=_poses(content["poses"], len(index), where),
        intrinsics=_intrinsics(content["intrinsic_matrix"], where),
        depth_units_per_metre=_factor(content["factor_depth"], where),
    )


def _load(path: Path, where: str) -> dict[str, object]:
    try:
        # scipy only warns about a variable it cannot decode; its absence is what is reported here
        with path.open("rb") as stream:
            found = read_numbers(stream, VARIABLES)
            if found is not None and len(found) == len(VARIABLES):
                return dict(found)
            stream.seek(0)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return scipy.io.loadmat(stream, variable_names=VARIABLES)
    except FileNotFoundError:
        raise FrameError(
            "meta.mat is missing",
            where=where,
            remedy="complete the dataset, or skip the frame with --skip-bad-frames",
        ) from None
    except PermissionError as error:
        raise FrameError(f"meta.mat cannot be opened: {error}", where=where, remedy="make the file readable") from None
    except _PARSER_ERRORS as error:
        raise FrameError(
            f"meta.mat is truncated or damaged ({type(error).__name__}: {error})",
            where=where,
            remedy=_COPY_AGAIN,
        ) from error


def _numbers(value: object, name: str, where: str) -> Float64[Array, "*shape"]:
    array = np.asarray(value)
    if array.dtype.kind not in "uif":
        raise FrameError(f"{name} holds {array.dtype} instead of numbers", where=where, remedy=_COPY_AGAIN)
    return array.astype(np.float64)


def _indices(value: object, known: Collection[int], where: str) -> UInt8[Array, "n"]:
    index = _numbers(value, "cls_indexes", where).ravel()
    check_indices(index, known, where=where, listing=" (the lines of image_sets/classes.txt)")
    return index.astype(np.uint8)


def _poses(value: object, count: int, where: str) -> Float64[Array, "n 4 4"]:
    poses = _numbers(value, "poses", where)
    if count == 0 and poses.size == 0:
        return np.zeros((0, 4, 4))
    if poses.shape == (3, 4):  # MATLAB drops trailing dimensions of one
        poses = poses[:, :, None]
    if poses.shape != (3, 4, count):
        raise FrameError(
            f"poses have shape {poses.shape} for {count} objects, expected (3, 4, {count})",
            where=where,
            remedy="poses and cls_indexes must list the same objects; correct the file,"
            " or skip the frame with --skip-bad-frames",
        )
    Ts_camera_object = np.zeros((count, 4, 4))
    Ts_camera_object[:, :3] = poses.transpose(2, 0, 1)
    Ts_camera_object[:, 3, 3] = 1.0
    check_rigid(Ts_camera_object, where=where)
    check_distances(Ts_camera_object, where=where, unit="metres")
    return Ts_camera_object


def _intrinsics(value: object, where: str) -> Float64[Array, "3 3"]:
    matrix = _numbers(value, "intrinsic_matrix", where)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not np.allclose(matrix[2], (0, 0, 1)):
        raise FrameError(
            "intrinsic_matrix is not a finite 3x3 camera matrix with last row 0 0 1",
            where=where,
            remedy=_COPY_AGAIN,
        )
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise FrameError("a focal length is not positive", where=where, remedy=_COPY_AGAIN)
    return matrix


def _factor(value: object, where: str) -> float:
    factor = _numbers(value, "factor_depth", where)
    if factor.size != 1 or not np.isfinite(factor).all() or factor.item() <= 0:
        raise FrameError(
            f"factor_depth is {factor.ravel()[:3].tolist()}, expected one positive number",
            where=where,
            remedy=_COPY_AGAIN,
        )
    return float(factor.item())
