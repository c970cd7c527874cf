"""What must be true of every object pose that a reader lets in, whatever file it came from."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from jaxtyping import Float, Integer

from yaff.errors import FormatError, FrameError, PoseError
from yaff.geometry.transforms import check_rigid

Array = np.ndarray

YCB_VIDEO_INDICES = range(1, 22)

NEAREST, FARTHEST = 0.05, 20.0
"""Metres from the camera between which an object can be seen in a room. Outside, a pose is in another unit."""

_CORRECT = "correct the file, or skip the frame with --skip-bad-frames"


def check_distances(Ts_camera_object: Float[Array, "n 4 4"], *, where: str, unit: str) -> None:
    """Refuse objects that are nearer than :data:`NEAREST` or farther than :data:`FARTHEST`.

    Args:
        Ts_camera_object: poses, metres.
        where: file and frame, for the message.
        unit: what the file's translations should be in, for the message.

    Raises:
        PoseError: naming the pose and its distance.
    """
    distance = np.linalg.norm(Ts_camera_object[:, :3, 3], axis=1)
    outside = np.flatnonzero((distance < NEAREST) | (distance > FARTHEST))
    if len(outside):
        raise PoseError(
            f"pose {outside[0]}: an object is {distance[outside[0]]:.4g} m from the camera"
            f" (plausible: {NEAREST} to {FARTHEST:g} m)",
            where=where,
            remedy=f"translations must be in {unit}: {_CORRECT}",
        )


def check_unit(Ts_camera_object: Float[Array, "n 4 4"], *, where: str, unit: str) -> None:
    """Refuse a whole scene whose objects are, in the median, impossibly near or far: a property of the file, so that
    skipping bad frames does not hide it.

    Raises:
        FormatError: naming the factor of a thousand that would mend it, where one would.
    """
    distance = np.linalg.norm(Ts_camera_object[:, :3, 3], axis=1)
    distance = distance[np.isfinite(distance)]
    median = float(np.median(distance)) if len(distance) else 1.0
    if NEAREST <= median <= FARTHEST:
        return
    other = {"millimetres": "metres", "metres": "millimetres"}[unit]
    thousandth = median * (1000.0 if unit == "millimetres" else 0.001)
    mends = NEAREST <= thousandth <= FARTHEST
    raise FormatError(
        f"objects are {median:.4g} m from the camera (median) if translations are in {unit}"
        + (f"; they look like {other}" if mends else ""),
        where=where,
        remedy=f"write the translations in {unit}",
    )


def check_indices(index: Float[Array, "n"], known: Collection[int], *, where: str, listing: str = "") -> None:
    """Refuse object numbers that are not in ``known``.

    Args:
        index: numbers as the file has them, not yet known to be whole or finite.
        known: the valid ones.
        where: file and frame, for the message.
        listing: where the file format lists its objects, for the message.

    Raises:
        FrameError: naming the numbers.
    """
    unknown = [f"{i:g}" for i in index if not np.isfinite(i) or int(i) != i or int(i) not in known]
    if unknown:
        valid = f"{min(known)} to {max(known)}" if known else "none"
        raise FrameError(
            f"unknown class index {', '.join(unknown)}",
            where=where,
            remedy=f"valid indices are {valid}{listing}; {_CORRECT}",
        )


def bad_rows(
    index: Integer[Array, "i"],
    Ts_camera_object: Float[Array, "i 4 4"],
    instance_start: Integer[Array, "f1"],
    known: Collection[int],
    *,
    where: Callable[[int], str],
    unit: str,
) -> dict[int, FrameError | PoseError]:
    """The frame rows of a scene with something wrong in them, and what: all poses are looked at in one go.

    Args:
        index: object numbers of the instances.
        Ts_camera_object: their poses, metres.
        instance_start: row offsets of the frames.
        known: valid object numbers.
        where: file and frame of a row, for messages.
        unit: what the file's translations should be in.
    """
    poses = np.asarray(Ts_camera_object, np.float64)
    rotation = poses[:, :3, :3]
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(poses[:, :3, 3], axis=1)
        skew = np.abs(np.swapaxes(rotation, 1, 2) @ rotation - np.eye(3)).max(axis=(1, 2), initial=0.0)
        good = np.isin(index, list(known)) & (distance >= NEAREST) & (distance <= FARTHEST) & (skew <= 1e-3)
        good &= np.isfinite(poses).all(axis=(1, 2)) & (np.einsum("ni,ni->n", *_axes(rotation)) > 0.0)
    frame = np.searchsorted(instance_start, np.flatnonzero(~good), side="right") - 1
    result: dict[int, FrameError | PoseError] = {}
    for row in np.unique(frame).tolist():
        here, place = slice(int(instance_start[row]), int(instance_start[row + 1])), where(row)
        try:
            check_indices(index[here].astype(np.float64), known, where=place)
            check_rigid(poses[here], where=place)
            check_distances(poses[here], where=place, unit=unit)
        except (FrameError, PoseError) as error:
            result[row] = error
    return result


def _axes(rotation: Float[Array, "n 3 3"]) -> tuple[Array, Array]:
    """The third column, and what it is in a right-handed rotation."""
    return rotation[:, :, 2], np.cross(rotation[:, :, 0], rotation[:, :, 1])
