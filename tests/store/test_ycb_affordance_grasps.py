"""Published grasps: read as they are, refused where they are not; the real ones touch what they hold."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from yaff.errors import FormatError, MissingFileError
from yaff.geometry.transforms import apply, rotation_from_axis_angle
from yaff.hand import load_hand
from yaff.objects import Catalogue
from yaff.store.ycb_affordance_grasps import PublishedGrasp, read_published_grasps

J0 = np.array([0.09566993, 0.00638343, 0.00618631])  # the licensed right hand's root joint


def content(**changes: object) -> dict[str, object]:
    turn = np.array([0.0, 0.0, 4.0])
    position = np.array([0.1, 0.2, 0.3])
    return {
        "body": "/somewhere/YCB-objects/025_mug/google_16k/nontextured_transformed.wrl",
        "taxonomy": 9,
        "mano_pose": [*turn, *np.linspace(-1, 1, 45)],
        "mano_trans": [list(position + (rotation_from_axis_angle(turn) - np.eye(3)) @ J0)],
        "dofs": tuple(np.linspace(0, 1, 16)),
        "pose": [*position, 0.0, 0.0, np.sin(2.0), np.cos(2.0)],
        "epsilon": -1.0,
        "volume": 0.5,
        "quality": np.float64(0.0),
        "contacts": [],
        **changes,
    }


def write(folder, name="obj_3_grasp_-2.pickle", **changes):
    (folder / name).write_bytes(pickle.dumps(content(**changes), protocol=0))
    return folder


def test_a_grasp_is_read_into_the_object_frame(tmp_path):
    write(tmp_path)
    write(tmp_path, "obj_3_grasp_11.pickle", epsilon=0.2)
    (tmp_path / "other.txt").write_text("not a grasp")
    grasp, second = read_published_grasps(tmp_path)
    offset = Catalogue.load()["025_mug"].ycb_offset
    assert (grasp.object_name, grasp.number, grasp.grasp_type, grasp.epsilon) == ("025_mug", -2, 9, None)
    assert (second.number, second.epsilon) == (11, 0.2)
    np.testing.assert_array_equal(grasp.pose, np.linspace(-1, 1, 45))
    np.testing.assert_allclose(grasp.wrist_rotation, [0, 0, 4.0 - 2 * np.pi], atol=1e-12)
    np.testing.assert_allclose(grasp.T_object_graspit[:3, 3], np.array([0.1, 0.2, 0.3]) - offset, atol=1e-15)
    # both descriptions put the same template in the same place
    template = load_hand().template
    R = rotation_from_axis_angle(grasp.wrist_rotation)
    np.testing.assert_allclose(
        (template - J0) @ R.T + J0 + grasp.translation, apply(grasp.T_object_graspit, template), atol=1e-12
    )


class _Command:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"taxonomy": 0}, "taxonomy is 0"),
        ({"taxonomy": 34}, "taxonomy is 34"),
        ({"taxonomy": "big"}, "taxonomy is 'big'"),
        ({"mano_pose": [0.0] * 45}, "mano_pose has 45 values, not 48"),
        ({"mano_pose": [np.nan] * 48}, "mano_pose holds NaN"),
        ({"mano_trans": "far"}, "mano_trans does not hold numbers"),
        ({"dofs": [0.0] * 20}, "dofs has 20 values"),
        ({"pose": [0.0] * 7}, "unit quaternion"),
        ({"body": "/tmp/hammer.wrl"}, "hammer.wrl' is none of the 21"),
        ({"contacts": _Command()}, r"system"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, message):
    write(tmp_path, **changes)
    with pytest.raises(FormatError, match=message) as error:
        read_published_grasps(tmp_path)
    assert error.value.where == str(tmp_path / "obj_3_grasp_-2.pickle")
    assert error.value.remedy


def test_a_missing_value_is_named(tmp_path):
    changed = content()
    del changed["dofs"]
    (tmp_path / "obj_1_grasp_0.pickle").write_bytes(pickle.dumps(changed))
    with pytest.raises(FormatError, match="lacks 'dofs'"):
        read_published_grasps(tmp_path)


def test_a_folder_without_grasps_is_said(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(MissingFileError, match="no published grasps"):
            read_published_grasps(folder)


@pytest.fixture(scope="module")
def published(real_data) -> tuple[PublishedGrasp, ...]:
    return read_published_grasps(real_data / "ycb_affordance" / "grasps")


@pytest.mark.realdata
def test_the_two_wrists_of_a_published_grasp_agree(published):
    assert len(published) == 98
    assert len({grasp.object_name for grasp in published}) == 11
    for grasp in published:
        R = rotation_from_axis_angle(grasp.wrist_rotation)
        np.testing.assert_allclose(grasp.T_object_graspit[:3, :3], R, atol=1e-9)
        expected = grasp.T_object_graspit[:3, 3] + (R - np.eye(3)) @ J0
        np.testing.assert_allclose(grasp.translation, expected, atol=1e-7)


@pytest.mark.realdata
def test_published_grasps_touch_their_objects(published, real_data):
    """The nearest distance is at most 8 mm for 90 % of them with the built-in hand."""
    hand, near = load_hand(), []
    for name in sorted({grasp.object_name for grasp in published}):
        path = real_data / "YCB_Video_Dataset" / "models" / name / "textured_simple.obj"
        mesh = trimesh.load(path, force="mesh", process=False, skip_materials=True)
        tree = cKDTree(mesh.triangles_center)
        for grasp in (grasp for grasp in published if grasp.object_name == name):
            skin = hand.vertices(grasp.pose[None], grasp.wrist_rotation[None], grasp.translation[None])[0]
            near.append(tree.query(skin)[0].min())
    assert len(near) == 98
    assert np.mean(np.array(near) <= 0.008) >= 0.9
