"""The published YCB-Affordance grasps as batches of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from yaff.errors import InputError
from yaff.geometry.transforms import make_transform
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.store.ycb_affordance_grasps import read_published_grasps

SOURCE = "ycb-affordance"


def read_grasps(folder: Path | str, hand: HandModel) -> dict[str, Grasps]:
    """Every grasp of a folder of ``obj_*_grasp_*.pickle``, by object; provenance ``human/ycb-affordance/FILE``.

    The hand is put where its template lies in GraspIt's frame, which is the same for every hand in MANO's terms; a
    translation alone would carry the root joint of the hand it was made for.

    Raises:
        MissingFileError: no such folder, or no grasps in it.
        FormatError: a file that is no such grasp; see :mod:`yaff.store.ycb_affordance_grasps`.
        InputError: a left hand; the grasps are of a right one.
    """
    if hand.side != "right":
        raise InputError("the published grasps are of a right hand", remedy='choose hand.side = "right"')
    by_object: dict[str, list[int]] = {}
    published = read_published_grasps(folder)
    for row, grasp in enumerate(published):
        by_object.setdefault(grasp.object_name, []).append(row)
    T_graspit_hand = make_transform(np.eye(3), hand.root())
    batches = {}
    for name, rows in by_object.items():
        mine = [published[row] for row in rows]
        wrist, translation = hand.wrist_parameters(np.stack([g.T_object_graspit for g in mine]) @ T_graspit_hand)
        batches[name] = Grasps.make(
            name,
            np.stack([grasp.pose for grasp in mine]),
            wrist,
            translation,
            np.array([grasp.grasp_type for grasp in mine]),
            provenance=tuple(f"human/{SOURCE}/{grasp.file.stem}" for grasp in mine),
        )
    return batches
