"""MANO's pickle files: read without running anything they ask for, and written for manopth and smplx.

A MANO file is a pickled dictionary, made by Python 2, whose arrays are NumPy arrays, a SciPy sparse matrix and chumpy
objects; :mod:`yaff.hand.array_pickles` reads it.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.hand.array_pickles import read_arrays
from yaff.hand.axes import palm_frame
from yaff.hand.components import PoseComponents
from yaff.hand.model import FINGER_JOINTS, HandModel, Side

Array = np.ndarray

MANO_FILES: dict[Side, str] = {"right": "MANO_RIGHT.pkl", "left": "MANO_LEFT.pkl"}
"""The names under which MANO is distributed, and manopth and smplx look for it."""

_SHAPES: Mapping[str, tuple[int, ...]] = {
    "v_template": (778, 3),
    "f": (1538, 3),
    "weights": (778, 16),
    "shapedirs": (778, 3, 10),
    "posedirs": (778, 3, 135),
    "J_regressor": (16, 778),
    "kintree_table": (2, 16),
}
_POSES: Mapping[str, tuple[int, ...]] = {"hands_components": (45, 45), "hands_mean": (45,)}
_REMEDY = "put the unmodified MANO_RIGHT.pkl / MANO_LEFT.pkl of https://mano.is.tue.mpg.de there, or remove the file"
_NO_PARENT = np.uint32(0xFFFFFFFF)


def read_mano_file(path: Path | str, side: Side) -> HandModel:
    """The hand in a MANO pickle.

    Poses stay relative to the flat hand: the file's mean pose and components are kept for conversions
    (``.components``; none where the file has neither) and used for nothing else.

    Raises:
        MissingFileError: no such file.
        FormatError: not a MANO file, an array missing, misshapen or not finite, or the hand of the other side.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError("no MANO file", where=path, remedy=_REMEDY)
    content = read_arrays(path, _REMEDY)
    wanted = {**_SHAPES, **(_POSES if _POSES.keys() & content.keys() else {})}
    arrays = {key: _array(content, key, shape, path) for key, shape in wanted.items()}
    parents = arrays["kintree_table"][0].astype(np.int64)
    parents[0] = -1  # the root's parent is 2^32 - 1 in the file
    try:
        model = HandModel(
            name="mano",
            side=side,
            template=arrays["v_template"].astype(np.float64),
            faces=arrays["f"].astype(np.int64),
            weights=arrays["weights"].astype(np.float64),
            shape_directions=arrays["shapedirs"].astype(np.float64),
            pose_directions=arrays["posedirs"].astype(np.float64),
            joint_regressor=arrays["J_regressor"].astype(np.float64),
            parents=parents,
            components=_components(arrays),
        )
    except InputError as error:
        raise FormatError(error.what, where=path, remedy=_REMEDY) from error
    if side_of(model) != side:
        raise FormatError(f"this is the {side_of(model)} hand, not the {side} one", where=path, remedy=_REMEDY)
    return model


def _array(content: Mapping[str, Any], key: str, shape: tuple[int, ...], path: Path) -> Array:
    if key not in content:
        raise FormatError(f"the hand model lacks {key!r}", where=path, remedy=_REMEDY)
    array = np.asarray(content[key])
    if array.dtype.kind not in "fiu":
        raise FormatError(f"{key} does not hold numbers but {array.dtype}", where=path, remedy=_REMEDY)
    if array.shape != shape:
        raise FormatError(f"{key} has shape {array.shape}, MANO's has {shape}", where=path, remedy=_REMEDY)
    return array


def _components(arrays: Mapping[str, Array]) -> PoseComponents | None:
    if "hands_mean" not in arrays:
        return None
    return PoseComponents(
        mean=arrays["hands_mean"].astype(np.float64), components=arrays["hands_components"].astype(np.float64)
    )


def side_of(model: HandModel) -> Side:
    """The side a hand's geometry shows: the thumb stands before the palm of a right hand or of a left one."""
    joints = model.rest_joints
    as_right = palm_frame(joints, "right")
    thumb = joints[FINGER_JOINTS["thumb"][0]] - joints[0]
    # the knuckles of the two hands are mirror images; the thumb's base lies on the palmar side of either
    return "right" if thumb @ as_right.palmar > 0.0 else "left"


def mano_pickle(model: HandModel) -> bytes:
    """The hand as the bytes of a MANO file (:data:`MANO_FILES` gives its name), which manopth and smplx load.

    Plain NumPy arrays and one SciPy matrix under the names that every version of both understands; the same bytes each
    time. Without ``components`` the PCA of poses is the identity and the mean pose zero, so that "PCA coefficients" are
    the pose itself; :func:`yaff.grasp.natural_poses.with_natural_components` gives a hand real ones.
    """
    poses = model.components or PoseComponents(np.zeros(45), np.eye(45))
    columns = sparse.csc_matrix(model.joint_regressor)
    columns.sort_indices()
    parents = model.parents.astype(np.int64)
    table = np.stack([np.where(parents < 0, _NO_PARENT, parents), np.arange(16)]).astype(np.uint32)
    content = {
        "J_regressor": columns,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
        "f": model.faces.astype(np.uint32),
        "hands_coeffs": np.zeros((1, 45)),
        "hands_components": np.array(poses.components),
        "hands_mean": np.array(poses.mean),
        "kintree_table": table,
        "posedirs": np.array(model.pose_directions),
        "shapedirs": np.array(model.shape_directions),
        "v_template": np.array(model.template),
        "weights": np.array(model.weights),
    }
    return _portable(pickle.dumps(content, protocol=2))


def _portable(data: bytes) -> bytes:
    """The pickle with the public module names that old and new NumPy and SciPy share."""
    names = {
        "numpy._core.multiarray": "numpy.core.multiarray",
        "scipy.sparse._csc": "scipy.sparse",
    }
    parts: list[bytes] = []
    done = 0
    for opcode, argument, position in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            module, name = str(argument).split(" ")
            end = data.index(b"\n", data.index(b"\n", position) + 1) + 1
            parts += [data[done:position], f"c{names.get(module, module)}\n{name}\n".encode()]
            done = end
    return b"".join([*parts, data[done:]])
