"""Refinement, measures and baselines: against analytic truth, against the search, and on the ground truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import SMALL

from yaff.errors import ConfigError
from yaff.geometry.transforms import rotation_from_axis_angle
from yaff.hand import load_hand
from yaff.learning.baselines import Baselines, ground_truth, look_up
from yaff.learning.batches import BatchMaker
from yaff.learning.checking import NOT_OF_TYPE, demerits
from yaff.learning.hand_space import HandSpace
from yaff.learning.judging import confusion, digits_touching, diversity, judge, type_accuracy, volume_below
from yaff.learning.model import AffordanceModel
from yaff.learning.predicting import PredictionConfig, Predictor, to_object_frame
from yaff.learning.refining import Hands, LastStage, LastStageConfig
from yaff.learning.summary import COLUMNS, better_than, summarise
from yaff.objects import ObjectModel
from yaff.search.config import RefinementConfig, SearchConfig
from yaff.search.judge import make_rig
from yaff.search.refine import Refiner
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES


@pytest.fixture(scope="module")
def rig() -> HandRig:
    return make_rig(load_hand(), SearchConfig())


@settings(max_examples=40, deadline=None)
@given(
    turn=st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
    size=st.lists(st.floats(0.02, 0.2), min_size=3, max_size=3),
    height=st.floats(-0.2, 0.2),
)
def test_volume_below_a_plane(turn: list[float], size: list[float], height: float) -> None:
    """Of a box in any pose, against the solid that trimesh cuts off."""
    box = trimesh.creation.box(size)
    rotation = rotation_from_axis_angle(np.array(turn))
    vertices = np.asarray(box.vertices) @ rotation.T + (0.0, 0.0, height)
    normal = np.array([0.0, 0.0, 1.0])
    found = volume_below(vertices[None], np.asarray(box.faces), vertices[None, :, 2], normal)[0]
    if vertices[:, 2].min() >= 0.0:
        expected = 0.0
    elif vertices[:, 2].max() <= 0.0:
        expected = box.volume
    else:
        moved = trimesh.Trimesh(vertices, box.faces, process=False)
        corners = np.concatenate([vertices[vertices[:, 2] <= 0.0], moved.section(-normal, np.zeros(3)).vertices])
        expected = trimesh.PointCloud(corners).convex_hull.volume if np.ptp(corners[:, 2]) > 1e-9 else 0.0
    assert found == pytest.approx(expected, abs=1e-9 + 1e-6 * box.volume)


def hands_of(maker: BatchMaker, count: int) -> Hands:
    batch = maker.make(maker.table.rows[:count], (0,))
    instance = torch.arange(count).repeat_interleave(4)
    parts = (values.flatten(0, 1) for values in (batch.grasp_type, batch.rotation, batch.origin, batch.dof))
    return to_object_frame(batch, instance, *parts)


def test_hands_return_to_their_objects(maker: BatchMaker) -> None:
    batch, hands = maker.make(maker.table.rows[:6], (0,)), hands_of(maker, 6)
    T = maker.table.grasps.T_object_hand[batch.grasp.flatten().numpy()]
    assert np.abs(hands.rotation.numpy() - T[:, :3, :3]).max() < 1e-5
    assert np.abs(hands.origin.numpy() - T[:, :3, 3]).max() < 1e-5
    planes = maker.table.plane[maker.table.placement[maker.table.rows[:6]]]
    assert np.abs(hands.plane.numpy() - np.repeat(planes, 4, 0)).max() < 1e-5


def test_the_last_stage_agrees_with_the_search(rig: HandRig, maker: BatchMaker, boxes: list[ObjectModel]) -> None:
    """But for penetration, which both sum over vertices of their own, the losses of one object and type are equal."""
    weights = replace(RefinementConfig(), penetration_weight=0.0)
    stage = LastStage(rig, boxes, LastStageConfig(posture_weight=weights.posture_weight, weights=weights))
    hands = hands_of(maker, 2)
    hands = hands._replace(plane=torch.zeros_like(hands.plane), slot=torch.zeros_like(hands.slot))
    bent = torch.tensor(0.5 * rig.anatomy.upper, dtype=torch.float32).expand_as(hands.dof)
    for number in (1, 9, 16, 22):
        one = hands._replace(grasp_type=torch.full_like(hands.grasp_type, number - 1), dof=bent)
        refiner = Refiner(rig, GRASP_TYPES[number], boxes[0], weights)
        expected = refiner.loss(one.rotation, one.origin, one.dof, hands.dof)
        assert torch.allclose(stage.loss(one, hands.dof), expected, rtol=1e-4, atol=1e-4), number


def test_refinement_frees_hands_from_object_and_plane(
    rig: HandRig, maker: BatchMaker, boxes: list[ObjectModel]
) -> None:
    stage = LastStage(rig, boxes, LastStageConfig(iterations=60))
    hands = hands_of(maker, 2)
    # 4 cm towards the object, and 4 cm down into the table
    towards = torch.nn.functional.normalize(-hands.origin, dim=1)
    hands = hands._replace(origin=hands.origin + 0.04 * towards - 0.04 * hands.plane[:, :3])
    before = stage.score(hands)
    refined, after = stage.refine(hands)
    assert (after <= before + 1e-4).all()
    assert torch.allclose(after, stage.loss(refined, hands.dof).detach(), rtol=1e-2, atol=1e-2)
    limits = torch.tensor(np.stack([rig.anatomy.lower, rig.anatomy.upper]), dtype=torch.float32)
    assert ((refined.dof >= limits[0] - 1e-5) & (refined.dof <= limits[1] + 1e-5)).all()
    eye = torch.eye(3).expand_as(refined.rotation)
    assert torch.allclose(refined.rotation @ refined.rotation.transpose(1, 2), eye, atol=1e-5)

    def inside_and_below(some: Hands) -> tuple[float, float]:
        space = HandSpace(rig.model)
        skin = space.vertices(some.rotation, some.origin, some.dof)
        depth = np.concatenate([boxes[int(s)].sdf.distance(p.numpy()) for s, p in zip(some.slot, skin, strict=True)])
        height = (skin * some.plane[:, None, :3]).sum(-1) + some.plane[:, None, 3]
        return float(np.maximum(-depth, 0.0).mean()), float(torch.relu(-height).mean())

    for old, new in zip(inside_and_below(hands), inside_and_below(refined), strict=True):
        assert new < 0.7 * old
    still, loss = stage.unrefined().refine(hands)
    assert still is hands
    assert torch.equal(loss, before)


def test_ground_truth_scores_as_truth(rig: HandRig, maker: BatchMaker, boxes: list[ObjectModel]) -> None:
    rows = maker.table.rows[::4]
    batch = maker.make(rows, (0,))
    answer = ground_truth(maker, batch, 3, seed=0)
    judged = judge(answer.predictions, maker.table, rig, boxes)
    feasible = maker.table.feasible_types(rows)
    row = summarise(judged, answer.types, feasible, rig, np.array([True, False]))
    assert set(row) == set(COLUMNS)
    assert row["top1"] == row["top3"] == 1.0
    assert row["truth"] == pytest.approx(0.0, abs=1e-6)
    assert row["verified"] == 0.5
    assert diversity(judged, rig) > 0.01
    matrix = confusion(answer.types, feasible)
    assert matrix.sum() == pytest.approx(len(rows))
    assert np.trace(matrix) == pytest.approx(len(rows))
    # hands far off touch nothing and are far from the truth
    T = answer.predictions.T_object_hand.copy()
    T[:, 2, 3] += 1.0
    away = judge(replace(answer.predictions, T_object_hand=T), maker.table, rig, boxes)
    assert not away.graspable.any()
    assert not away.contacts.any()
    assert away.to_truth.min() > 0.8
    assert away.intersection.max() == away.below_plane.max() == 0.0


def test_baselines_answer_for_every_instance(rig: HandRig, maker: BatchMaker) -> None:
    baselines, batch = Baselines(maker, rig.anatomy, 3, seed=0), maker.make(maker.table.rows[:7], (1,))
    answers = {name: method(batch) for name, method in baselines.methods.items()}
    answers["look-up"] = look_up(maker, batch, 3, seed=0)
    for name, answer in answers.items():
        predictions = answer.predictions
        assert np.unique(predictions.row).tolist() == maker.table.rows[:7].tolist(), name
        assert answer.types.shape == (7, 33)
        assert np.isin(predictions.grasp_type, (1, 9, 22, 31)).all()
        R = predictions.T_object_hand[:, :3, :3]
        assert np.abs(R @ R.transpose(0, 2, 1) - np.eye(3)).max() < 1e-5
        again = baselines.methods[name](batch) if name in baselines.methods else answer
        assert np.array_equal(again.predictions.T_object_hand, predictions.T_object_hand)


def test_a_network_that_knows_nothing_still_predicts_hands(
    rig: HandRig, maker: BatchMaker, boxes: list[ObjectModel]
) -> None:
    torch.manual_seed(0)
    space = HandSpace(rig.model)
    config = PredictionConfig(grasps=3, drawn=8, refined=4, types=4, steps=2)
    stage = LastStage(rig, boxes, LastStageConfig(iterations=2))
    model = AffordanceModel(SMALL, space.width)
    predictor = Predictor(model, model, space, stage, config)
    batch = maker.make(maker.table.rows[:5], (0,))
    first, again = (predictor.predict(batch, torch.Generator().manual_seed(3)) for _ in range(2))
    for name, values in vars(first).items():
        assert np.array_equal(values, getattr(again, name)), name
    assert np.unique(first.row).tolist() == maker.table.rows[:5].tolist()
    for row in np.unique(first.row):
        mine = first.only(first.row == row)
        assert mine.rank.tolist() == list(range(len(mine)))
        assert len(mine) <= 3
    assert predictor.types(batch).shape == (5, 33)


def test_accuracy_is_against_a_set() -> None:
    scores, feasible = np.zeros((2, 33)), np.zeros((2, 33), bool)
    scores[:, :4] = [4.0, 3.0, 2.0, 1.0]
    feasible[0, [2, 8]], feasible[1, 3] = True, True
    assert type_accuracy(scores, feasible, 1) == 0.0
    assert type_accuracy(scores, feasible, 3) == 0.5
    matrix = confusion(scores, feasible)
    assert matrix[0, 2] == matrix[0, 8] == 0.5
    assert matrix[0, 3] == 1.0


def test_digits_and_comparison(rig: HandRig) -> None:
    touching = np.zeros((1, len(rig.patches.names)), bool)
    touching[0, [rig.patches.names.index(name) for name in ("thumb.distal.pad", "index.distal.pad")]] = True
    assert digits_touching(touching, rig.patches.names).sum() == 2
    good, bad = {"graspable": 0.9, "intersection": 1e-6}, {"graspable": 0.8, "intersection": 1e-6}
    assert better_than(good, bad, ("graspable",))
    assert not better_than(good, bad, ("graspable", "intersection"))
    assert better_than(good, {**bad, "intersection": None}, ("graspable", "intersection"))


def test_impossible_configurations() -> None:
    with pytest.raises(ConfigError):
        PredictionConfig(drawn=0)
    with pytest.raises(ConfigError):
        LastStageConfig(iterations=-1)


def test_shards_stay_as_they_are(scenes: Path) -> None:
    """Nothing of all this writes to the dataset."""
    assert not [path for path in scenes.iterdir() if path.suffix not in (".h5", ".json")]


def test_hands_in_the_object_have_demerits(rig: HandRig, maker: BatchMaker, boxes: list[ObjectModel]) -> None:
    hands = hands_of(maker, 2)
    away = hands._replace(origin=hands.origin + torch.tensor([0.0, 0.0, 1.0]))
    inside = hands._replace(origin=hands.origin - 0.05 * hands.rotation[:, :, 1])  # the palm pushed through
    found = [demerits(rig, boxes, some) for some in (away, inside)]
    assert (found[0] == NOT_OF_TYPE).all()  # it touches nothing, and nothing else is wrong
    assert (found[1] > found[0]).all()
