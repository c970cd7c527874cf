"""The published YCB-Affordance grasps: one pickle for each, with GraspIt's parameters and MANO's.

What the numbers mean, found from the 98 published files themselves and held by a test:

- the poses are in the frame of the original YCB meshes, ``YCB = YCB-Video + offset``; metres and radians;
- ``pose`` is GraspIt's: position and quaternion (x, y, z, w) of a hand whose frame has the axes *and the origin* of
  MANO's template, so that its wrist turns about that origin; ``mano_trans`` is the same wrist turned about MANO's
  root joint, ``mano_trans = position + (R - 1) J0`` with J0 = (0.09567, 0.00638, 0.00619);
- ``mano_pose`` is the wrist's rotation and 45 numbers **relative to the flat hand**, neither principal components nor
  relative to the mean pose; ``pca_poses`` holds the same pose as coefficients of the licensed model's components;
- ``taxonomy`` is the Feix number, ``epsilon`` is -1 where GraspIt found no force closure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Float

from yaff.errors import FormatError, MissingFileError
from yaff.geometry.transforms import (
    axis_angle_from_rotation,
    make_transform,
    rotation_from_axis_angle,
    rotation_from_quaternion_wxyz,
)
from yaff.hand.array_pickles import read_arrays
from yaff.objects.catalogue import Catalogue, CatalogueEntry

Array = np.ndarray

_REMEDY = "leave only the published files obj_*_grasp_*.pickle in the folder"
_NAME = re.compile(r"obj_(\d+)_grasp_(-?\d+)\.pickle")
_LENGTHS = {"mano_pose": 48, "mano_trans": 3, "dofs": 16, "pose": 7, "epsilon": 1, "volume": 1, "quality": 1}


@dataclass(frozen=True, eq=False)
class PublishedGrasp:
    """One published grasp of a right MANO hand, in the YCB-Video object frame."""

    object_name: str
    """YCB name, for example ``006_mustard_bottle``."""
    file: Path
    number: int
    """The grasp's number in its file name; negative numbers occur."""
    grasp_type: int
    """Feix number, 1 to 33."""
    pose: Float[Array, "45"]
    """Axis-angle of the 15 finger joints relative to the flat hand, radians, MANO order."""
    wrist_rotation: Float[Array, "3"]
    """Axis-angle about the root joint, radians, angle at most pi."""
    translation: Float[Array, "3"]
    """Metres, for the licensed model's root joint."""
    graspit_dofs: Float[Array, "16"]
    """GraspIt's joint angles, radians: see :mod:`yaff.hand.graspit`."""
    T_object_graspit: Float[Array, "4 4"]
    """GraspIt's hand frame: axes and origin of MANO's template."""
    epsilon: float | None
    """GraspIt's radius of the largest wrench ball resisted; none where it found no force closure."""
    volume: float
    """GraspIt's volume of the grasp wrench space."""
    quality: float
    """GraspIt's planner energy as published: 0 in every file."""


def read_published_grasps(folder: Path | str, catalogue: Catalogue | None = None) -> tuple[PublishedGrasp, ...]:
    """All grasps ``obj_*_grasp_*.pickle`` in a folder, by object and number.

    Nothing that a pickle asks for is run: it may hold numbers, texts and arrays.

    Raises:
        MissingFileError: no such folder, or none of these files in it.
        FormatError: a file that is not such a pickle, names another class, lacks a key, has a wrong number of values,
            NaN, a grasp type outside 1 to 33, or an object that the catalogue does not have.
    """
    folder, known = Path(folder), catalogue or Catalogue.load()
    files = [path for path in folder.glob("obj_*_grasp_*.pickle") if _NAME.fullmatch(path.name)]
    if not files:
        raise MissingFileError(
            "no published grasps", where=folder, remedy="name the folder that holds obj_*_grasp_*.pickle"
        )
    grasps = [read_published_grasp(path, known) for path in files]
    return tuple(sorted(grasps, key=lambda grasp: (grasp.object_name, grasp.number)))


def read_published_grasp(path: Path, catalogue: Catalogue) -> PublishedGrasp:
    """One file; see :func:`read_published_grasps`."""
    content = read_arrays(path, _REMEDY)
    values = {key: _numbers(content, key, count, path) for key, count in _LENGTHS.items()}
    entry = _object(content, catalogue, path)
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise FormatError("not named obj_*_grasp_*.pickle", where=path, remedy=_REMEDY)
    grasp_type = content.get("taxonomy")
    if not isinstance(grasp_type, int | np.integer) or not 1 <= grasp_type <= 33:
        raise FormatError(f"taxonomy is {grasp_type!r}, not a Feix number from 1 to 33", where=path, remedy=_REMEDY)
    quaternion = values["pose"][[6, 3, 4, 5]]
    if abs(np.linalg.norm(quaternion) - 1.0) > 1e-3:
        raise FormatError("pose does not hold a unit quaternion", where=path, remedy=_REMEDY)
    epsilon = float(values["epsilon"][0])
    return PublishedGrasp(
        object_name=entry.name,
        file=path,
        number=int(named[2]),
        grasp_type=int(grasp_type),
        pose=values["mano_pose"][3:],
        # the published vectors turn by up to 4 radians the long way round
        wrist_rotation=axis_angle_from_rotation(rotation_from_axis_angle(values["mano_pose"][:3])),
        translation=values["mano_trans"] - entry.ycb_offset,
        graspit_dofs=values["dofs"],
        T_object_graspit=make_transform(
            rotation_from_quaternion_wxyz(quaternion), values["pose"][:3] - entry.ycb_offset
        ),
        epsilon=epsilon if epsilon >= 0.0 else None,
        volume=float(values["volume"][0]),
        quality=float(values["quality"][0]),
    )


def _numbers(content: dict[str, Any], key: str, count: int, path: Path) -> Array:
    if key not in content:
        raise FormatError(f"the grasp lacks {key!r}", where=path, remedy=_REMEDY)
    try:
        values = np.asarray(content[key], np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise FormatError(f"{key} does not hold numbers", where=path, remedy=_REMEDY) from error
    if len(values) != count:
        raise FormatError(f"{key} has {len(values)} values, not {count}", where=path, remedy=_REMEDY)
    if not np.isfinite(values).all():
        raise FormatError(f"{key} holds NaN or infinity", where=path, remedy=_REMEDY)
    return values


def _object(content: dict[str, Any], catalogue: Catalogue, path: Path) -> CatalogueEntry:
    """The object, named by a folder of the mesh that was grasped (the file name has another numbering)."""
    body = str(content.get("body", ""))
    for part in PurePosixPath(body).parts:
        if part in catalogue:
            return catalogue[part]
    raise FormatError(f"the grasped body {body!r} is none of the 21 objects", where=path, remedy=_REMEDY)
