"""Importers by name, and that an imported hand lies where the published one does."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from yaff.errors import InputError, MissingFileError
from yaff.geometry.transforms import apply, rotation_from_axis_angle
from yaff.hand import load_hand
from yaff.objects import Catalogue
from yaff.store.importers.registry import IMPORTERS, importer

J0 = np.array([0.09566993, 0.00638343, 0.00618631])
"""The licensed right hand's root joint."""


def write_grasp(folder: Path, number: int, turn: np.ndarray, position: np.ndarray, grasp_type: int) -> Path:
    """A file as the published ones are; the place is that of GraspIt's hand frame, in the original YCB frame."""
    angle = np.linalg.norm(turn)
    quaternion_xyzw = [*(np.sin(angle / 2) * turn / max(angle, 1e-12)), np.cos(angle / 2)]
    content = {
        "body": "/YCB/005_tomato_soup_can/google_16k/nontextured.wrl",
        "taxonomy": grasp_type,
        "mano_pose": [*turn, *np.linspace(0.0, 0.4, 45)],
        "mano_trans": [list(position + (rotation_from_axis_angle(turn) - np.eye(3)) @ J0)],
        "dofs": tuple(np.zeros(16)),
        "pose": [*position, *quaternion_xyzw],
        "epsilon": 0.1,
        "volume": 0.5,
        "quality": np.float64(0.0),
        "contacts": [],
    }
    path = folder / f"obj_5_grasp_{number}.pickle"
    path.write_bytes(pickle.dumps(content, protocol=0))
    return path


def test_the_imported_hand_lies_where_the_published_one_does(tmp_path: Path) -> None:
    turn, position = np.array([0.3, -1.1, 0.4]), np.array([0.1, 0.2, 0.3])
    write_grasp(tmp_path, 7, turn, position, 1)
    hand, offset = load_hand(), Catalogue.load()["005_tomato_soup_can"].ycb_offset
    (name, batch), *others = importer("ycb-affordance")(tmp_path, hand).items()
    assert not others
    assert (name, batch.provenance) == ("005_tomato_soup_can", ("human/ycb-affordance/obj_5_grasp_7",))
    assert batch.grasp_type.tolist() == [1]
    np.testing.assert_allclose(batch.pose[0], np.linspace(0.0, 0.4, 45), atol=1e-6)
    T = hand.wrist_transform(batch.wrist_rotation, batch.translation)[0]
    np.testing.assert_allclose(T[:3, :3], rotation_from_axis_angle(turn), atol=1e-6)
    # the template of any hand is placed by GraspIt's frame
    expected = rotation_from_axis_angle(turn) @ hand.root() + position - offset
    np.testing.assert_allclose(apply(T, np.zeros((1, 3)))[0], expected, atol=1e-6)


def test_a_left_hand_an_empty_folder_and_an_unknown_source_are_refused(tmp_path: Path) -> None:
    read = importer("ycb-affordance")
    with pytest.raises(MissingFileError, match="no published grasps"):
        read(tmp_path, load_hand())
    write_grasp(tmp_path, 1, np.zeros(3), np.zeros(3), 9)
    with pytest.raises(InputError, match="right hand"):
        read(tmp_path, load_hand("left"))
    with pytest.raises(InputError, match="no importer 'dexonomy'"):
        importer("dexonomy")
    assert all(callable(importer(name)) for name in IMPORTERS)
