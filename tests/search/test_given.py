"""Grasps made by others: what holds is verified in the pose physics settled into, what does not keeps its own."""

from __future__ import annotations

import numpy as np
import pytest

from yaff.errors import InputError
from yaff.geometry.transforms import make_transform
from yaff.grasp import Grasps
from yaff.objects import ObjectModel
from yaff.search import ProposalConfig, RefinementConfig, SearchConfig, SelectionConfig, search_pair
from yaff.search.given import verify_given
from yaff.search.rig import HandRig

SMALL = SearchConfig(
    propose=ProposalConfig(candidates=256),
    refine=RefinementConfig(batch=12, iterations=50, rounds=1),
    select=SelectionConfig(keep=3),
)


def test_a_grasp_that_holds_holds_again_and_one_in_the_air_does_not(rig: HandRig, can: ObjectModel) -> None:
    found = search_pair(rig, can, 6, SMALL, 0).grasps
    assert found.verified.all()
    far = make_transform(np.eye(3), np.array([0.0, 0.5, 0.0]))[None]
    wrist, translation = rig.model.wrist_parameters(far)
    air = Grasps.make(can.name, found.pose[:1], wrist, translation, np.array([9]), provenance=("human/air",))
    given = Grasps.concatenate(
        [
            Grasps.make(
                can.name, found.pose, found.wrist_rotation, found.translation, found.grasp_type,
                provenance=tuple(f"human/{row}" for row in range(len(found))),
            ),
            air,
        ]
    )  # fmt: skip
    tested = verify_given(rig, can, given, SMALL)
    assert tested.provenance == given.provenance
    assert tested.grasp_type.tolist() == given.grasp_type.tolist()
    assert tested.verified[:-1].any()
    held = tested[tested.verified]
    assert (held.measures["shake_translation"] <= SMALL.physics.most_translation).all()
    # closing again from where physics settled moves the wrist a little at most
    assert np.linalg.norm(tested.translation[:-1] - given.translation[:-1], axis=1).max() < 0.02
    assert not tested.verified[-1]
    assert "beside" in tested.reason[-1]
    np.testing.assert_array_equal(tested.pose[-1], given.pose[-1])
    np.testing.assert_array_equal(tested.translation[-1], given.translation[-1])
    assert tested.measures["contact_count"][-1] == 0


def test_grasps_of_another_object_are_refused(rig: HandRig, can: ObjectModel) -> None:
    with pytest.raises(InputError, match="grasps of 025_mug on 005"):
        verify_given(rig, can, Grasps.empty("025_mug"), SMALL)


def test_none_are_none(rig: HandRig, can: ObjectModel) -> None:
    assert len(verify_given(rig, can, Grasps.empty(can.name), SMALL)) == 0
