"""The stages of the search, each against what must be true of it on solids whose answers are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from yaff.errors import ConfigError, InputError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.hand import load_hand
from yaff.objects import ObjectModel, StandInSource, load_object
from yaff.search import ProposalConfig, RefinementConfig, SearchConfig, SelectionConfig
from yaff.search.grip import closing_effort
from yaff.search.opposition import OppositionPairs, opposition_pairs
from yaff.search.planner import pair_seed, search_pair
from yaff.search.pregrasp import find_pregrasp
from yaff.search.propose import PreshapeTable, propose
from yaff.search.refine import Refiner, force_shares
from yaff.search.rig import HandRig, TypeSkin, farthest_points
from yaff.search.select import differs, select_diverse
from yaff.taxonomy import GRASP_TYPES

SMALL = SearchConfig(
    propose=ProposalConfig(candidates=256),
    refine=RefinementConfig(batch=12, iterations=50, rounds=2),
    select=SelectionConfig(keep=2),
)


@pytest.fixture(scope="module")
def mug(cache_dir: Path) -> ObjectModel:
    return load_object("025_mug", StandInSource(), cache_dir)


@pytest.fixture(scope="module")
def pairs(can: ObjectModel) -> OppositionPairs:
    return opposition_pairs(can, 600, 0.6, np.random.default_rng(0))


def proposing(candidates: int) -> SearchConfig:
    return SearchConfig(propose=ProposalConfig(candidates=candidates))


# ---------------------------------------------------------------------- opposition


def test_pairs_lie_on_the_surface_and_face_away_from_each_other(can: ObjectModel, pairs: OppositionPairs) -> None:
    assert len(pairs) > 300
    np.testing.assert_allclose(can.sdf.distance(pairs.first), 0.0, atol=1e-3)
    np.testing.assert_allclose(can.sdf.distance(pairs.second), 0.0, atol=1e-3)
    axis = (pairs.second - pairs.first) / pairs.thickness[:, None]
    _, outward = can.sdf.distance_and_gradient(pairs.first)
    # two degrees of slack: the field is a grid, and edges round its gradient
    assert (-(outward * axis).sum(1) > np.cos(0.6) - 0.2).mean() > 0.97


def test_the_can_is_offered_by_its_diameter_and_its_height(can: ObjectModel, pairs: OppositionPairs) -> None:
    """A cylinder of diameter d and height h has pairs between d cos(0.6) and h / cos(0.6), and none outside."""
    extents = can.solid.extents
    assert pairs.thickness.min() > 0.75 * extents.min()
    assert pairs.thickness.max() < 1.25 * extents.max()
    for size in (extents.min(), extents.max()):
        assert (np.abs(pairs.thickness - size) < 0.003).sum() > 20


def test_the_mug_is_offered_by_its_wall_and_across_its_body(mug: ObjectModel) -> None:
    thickness = opposition_pairs(mug, 800, 0.6, np.random.default_rng(1)).thickness
    assert (thickness < 0.008).sum() > 50
    assert (thickness > 0.07).sum() > 50


# ---------------------------------------------------------------------- proposals


def test_every_type_narrows_as_it_closes(rig: HandRig) -> None:
    for kind in GRASP_TYPES.values():
        for aperture in PreshapeTable.of(rig, kind, 8).aperture:
            assert aperture[-1] < aperture[0], kind.name


def test_a_wrap_is_proposed_between_palm_and_fingers_and_between_thumb_and_fingers(
    rig: HandRig, can: ObjectModel
) -> None:
    """The middle of one pair of points, beside the object, is then the middle of either opposition."""
    kind, middle = GRASP_TYPES[1], np.array([0.31, 0.02, 0.03])
    half = np.array([[0.033, 0.0, 0.0]])
    pair = OppositionPairs(middle - half, middle + half, np.array([0.066]))
    candidates = propose(rig, kind, can, pair, proposing(64), 64, np.random.default_rng(3))
    wrist, translation = rig.model.wrist_parameters(candidates.T_object_hand)
    vertices = rig.model.vertices(rig.anatomy.pose_from_dof(candidates.dof), wrist, translation)
    centres = np.stack([vertices[:, group].mean(axis=1) for group in TypeSkin.of(rig, kind).groups], axis=1)
    off = [
        np.linalg.norm(0.5 * (centres[:, list(a)].mean(axis=1) + centres[:, list(b)].mean(axis=1)) - middle, axis=1)
        for a, b in kind.oppositions
    ]
    np.testing.assert_allclose(np.min(off, axis=0), 0.0, atol=1e-6)
    assert set(np.argmin(off, axis=0)) == {0, 1}


def test_proposals_bring_both_sides_to_the_object(rig: HandRig, can: ObjectModel, pairs: OppositionPairs) -> None:
    rng = np.random.default_rng(2)
    candidates = propose(rig, GRASP_TYPES[1], can, pairs, proposing(candidates=256), 16, rng)
    assert len(candidates) == 16
    T = candidates.T_object_hand
    np.testing.assert_allclose(np.swapaxes(T[:, :3, :3], 1, 2) @ T[:, :3, :3], np.eye(3)[None].repeat(16, 0), atol=1e-9)
    wrist, translation = rig.model.wrist_parameters(T)
    vertices = rig.model.vertices(rig.anatomy.pose_from_dof(candidates.dof), wrist, translation)
    distance = can.sdf.distance(vertices)
    assert (distance.min(axis=1) > -0.035).all()
    assert (distance.min(axis=1) < 0.03).all()


def test_the_sides_of_every_opposition_press_alike() -> None:
    for kind in GRASP_TYPES.values():
        for share, sides in zip(force_shares(kind), kind.oppositions, strict=True):
            assert [float(share[list(side)].sum()) for side in sides] == pytest.approx([1.0, 1.0])
            assert float(share.sum()) == pytest.approx(2.0)


def test_an_object_of_no_suitable_size_gives_no_proposals(rig: HandRig, can: ObjectModel) -> None:
    far = OppositionPairs(np.zeros((1, 3)), np.array([[0.0, 0.0, 0.5]]), np.array([0.5]))
    assert len(propose(rig, GRASP_TYPES[9], can, far, SearchConfig(), 8, np.random.default_rng(0))) == 0


def test_what_is_heavy_is_gripped_near_its_middle(rig: HandRig, can: ObjectModel, pairs: OppositionPairs) -> None:
    """Between digits of the same strength, ten times the weight brings the hand ten times nearer, as far as it fits."""
    apart = []
    for mass in (0.05, 1.5):
        heavy = replace(can, mass=mass)
        candidates = propose(rig, GRASP_TYPES[7], heavy, pairs, proposing(512), 48, np.random.default_rng(5))
        wrist, translation = rig.model.wrist_parameters(candidates.T_object_hand)
        vertices = rig.model.vertices(rig.anatomy.pose_from_dof(candidates.dof), wrist, translation)
        skin = TypeSkin.of(rig, GRASP_TYPES[7])
        middle = np.mean([vertices[:, g].mean(axis=1) for g in skin.first + skin.second], axis=0)
        apart.append(np.median(np.linalg.norm(middle - can.centre_of_mass, axis=1)))
    assert apart[1] < 0.75 * apart[0]


# ---------------------------------------------------------------------- refinement


def test_refinement_lowers_the_loss_within_the_limits(rig: HandRig, can: ObjectModel, pairs: OppositionPairs) -> None:
    kind, config = GRASP_TYPES[7], RefinementConfig(iterations=60)
    start = propose(rig, kind, can, pairs, proposing(candidates=256), 12, np.random.default_rng(3))
    refiner = Refiner(rig, kind, can, config)
    end = refiner.refine(start)
    again = refiner.refine(start)
    np.testing.assert_array_equal(end.T_object_hand, again.T_object_hand)
    np.testing.assert_array_equal(end.dof, again.dof)
    assert (end.dof >= rig.anatomy.lower - 1e-6).all()
    assert (end.dof <= rig.anatomy.upper + 1e-6).all()
    initial = Refiner(rig, kind, can, RefinementConfig(iterations=1, step=1e-9)).refine(start).score
    # the score is the loss of the state that is returned
    state = (end.T_object_hand[:, :3, :3], end.T_object_hand[:, :3, 3], end.dof, end.posture)
    loss = refiner.loss(*(torch.tensor(part, dtype=torch.float32) for part in state))
    np.testing.assert_allclose(loss.detach().numpy(), end.score, rtol=0.02, atol=1e-3)
    assert (end.score <= initial + 1e-6).all()
    assert np.median(end.score) < 0.5 * np.median(initial)


def test_the_loss_has_the_gradient_that_finite_differences_have(
    rig: HandRig, can: ObjectModel, pairs: OppositionPairs
) -> None:
    """Directional derivative along random motions of the wrist; contact terms only move where the field is smooth."""
    kind = GRASP_TYPES[1]
    start = propose(rig, kind, can, pairs, proposing(candidates=128), 4, np.random.default_rng(4))
    config = RefinementConfig(normal_weight=0.0, balance_weight=0.0)  # their normals are held fixed on purpose
    refiner = Refiner(rig, kind, can, config)
    rotation = torch.tensor(start.T_object_hand[:, :3, :3], dtype=torch.float32)
    dof, posture = torch.tensor(start.dof).float(), torch.tensor(start.posture).float()
    direction = torch.tensor(np.random.default_rng(5).normal(size=(4, 3))).float()
    origin = torch.tensor(start.T_object_hand[:, :3, 3], dtype=torch.float32, requires_grad=True)
    loss = refiner.loss(rotation, origin, dof, posture)
    (gradient,) = torch.autograd.grad(loss.sum(), origin)
    step = 2e-4
    with torch.no_grad():
        ahead, behind = origin + step * direction, origin - step * direction
    difference = (refiner.loss(rotation, ahead, dof, posture) - refiner.loss(rotation, behind, dof, posture)) / (
        2 * step
    )
    expected = (gradient * direction).sum(1).numpy()
    np.testing.assert_allclose(difference.detach().numpy(), expected, rtol=0.1, atol=0.05 * np.abs(expected).max())


# ---------------------------------------------------------------------- pregrasp, selection


def test_a_hand_far_from_the_object_has_a_free_approach(rig: HandRig, can: ObjectModel) -> None:
    T = make_transform(np.eye(3), np.array([0.0, 0.4, 0.0]))
    dof = np.zeros(len(rig.anatomy.lower))
    pregrasp = find_pregrasp(rig, GRASP_TYPES[1], can, T, dof, SMALL.pregrasp)
    assert pregrasp.free
    assert pregrasp.depth == 0.0
    np.testing.assert_allclose(np.linalg.norm(pregrasp.T_object_hand[:3, 3] - T[:3, 3]), SMALL.pregrasp.distance)


def test_a_hand_inside_the_object_has_none(rig: HandRig, can: ObjectModel) -> None:
    middle = make_transform(np.eye(3), can.solid.bounds.mean(axis=0))
    pregrasp = find_pregrasp(rig, GRASP_TYPES[1], can, middle, np.zeros(len(rig.anatomy.lower)), SMALL.pregrasp)
    assert not pregrasp.free
    assert pregrasp.depth > 0.01


def test_selection_keeps_the_best_of_each_neighbourhood_and_no_symmetric_copy() -> None:
    config = SelectionConfig(keep=3, least_distance=0.02, least_angle=0.35)
    turn = make_transform(rotation_from_axis_angle(np.array([0.0, 0.0, np.pi])), np.zeros(3))
    symmetries = np.stack([np.eye(4), turn])
    first = make_transform(np.eye(3), np.array([0.1, 0.0, 0.0]))
    near = make_transform(np.eye(3), np.array([0.11, 0.0, 0.0]))
    copy = turn @ first
    other = make_transform(np.eye(3), np.array([0.0, 0.0, 0.1]))
    turned = make_transform(rotation_from_axis_angle(np.array([0.5, 0.0, 0.0])), np.array([0.1, 0.0, 0.0]))
    Ts = np.stack([near, first, copy, other, turned])
    chosen = select_diverse(Ts, np.array([0.5, 1.0, 0.9, 0.2, 0.7]), symmetries, config)
    assert chosen.tolist() == [1, 4, 3]
    assert not differs(copy, first[None], symmetries, config)
    assert differs(copy, first[None], np.eye(4)[None], config)


def test_farthest_points_spread() -> None:
    line = np.column_stack([np.linspace(0.0, 1.0, 101), np.zeros(101), np.zeros(101)])
    assert sorted(farthest_points(line, 3).tolist()) == [0, 50, 100]


# ---------------------------------------------------------------------- planner


def test_a_heavier_object_is_pressed_harder_and_no_fingertip_beyond_the_limit(rig: HandRig, can: ObjectModel) -> None:
    light = closing_effort(rig, GRASP_TYPES[9], can, SMALL).torque
    direction = rig.closing_direction(GRASP_TYPES[9])
    closing = direction != 0.0
    force = light[closing] / rig.levers[closing]
    assert (force >= SMALL.physics.least_force - 1e-9).all()
    assert (force <= SMALL.physics.most_force + 1e-9).all()
    assert (light[~closing] == SMALL.physics.passive_torque).all()


def test_the_thumb_of_a_wrap_presses_half_as_hard_as_the_fingers_together(rig: HandRig, can: ObjectModel) -> None:
    effort = closing_effort(rig, GRASP_TYPES[1], replace(can, mass=0.2), SMALL)
    force = dict(zip(dict.fromkeys(rig.digit_of_dof), effort.force, strict=True))
    together = SMALL.physics.force_per_weight * 0.2 * SMALL.physics.gravity / SMALL.physics.friction
    assert force["thumb"] == pytest.approx(0.5 * together)
    assert force["index"] == pytest.approx(together / 5)
    # where the thumb is beside the fingers, it presses as one of them
    effort = closing_effort(rig, GRASP_TYPES[4], replace(can, mass=0.2), SMALL)
    assert effort.force.max() == pytest.approx(together / 5)


def test_the_inner_spheres_are_apart_in_an_open_hand_and_meet_in_a_crushed_one(rig: HandRig) -> None:
    bones, centres, radii = rig.spheres
    first, second = rig.sphere_pairs

    def least_gap(dof: np.ndarray) -> float:
        zero = np.zeros((1, 3))
        T = rig.model.bone_transforms(rig.anatomy.pose_from_dof(dof[None]), zero, zero)[0, bones]
        world = (T[:, :3, :3] @ centres[..., None])[..., 0] + T[:, :3, 3]
        return float((np.linalg.norm(world[first] - world[second], axis=1) - radii[first] - radii[second]).min())

    assert least_gap(np.zeros(len(rig.anatomy.lower))) > 0.0
    assert least_gap(rig.anatomy.clip(rig.anatomy.angles({"*.flexion": 3.0, "thumb.cmc.*": 3.0}))) < -0.003


def test_the_seed_depends_on_what_the_unit_of_work_is() -> None:
    seeds = {pair_seed(s, o, t) for s in (0, 1) for o in ("025_mug", "024_bowl") for t in (1, 2)}
    assert len(seeds) == 8
    assert pair_seed(0, "025_mug", 9) == pair_seed(0, "025_mug", 9)


def test_a_pair_is_searched_verified_and_the_same_every_time(rig: HandRig, can: ObjectModel) -> None:
    result = search_pair(rig, can, 1, SMALL, seed=0)
    again = search_pair(load_hand(), can, 1, SMALL, seed=0)
    grasps = result.grasps
    assert result.tally == again.tally
    for name in ("pose", "wrist_rotation", "translation", "pregrasp_translation"):
        np.testing.assert_array_equal(getattr(grasps, name), getattr(again.grasps, name))
    for name, values in grasps.measures.items():
        np.testing.assert_array_equal(values, again.grasps.measures[name])
    assert grasps.verified.all()
    assert 1 <= len(grasps) <= 2
    assert (grasps.measures["shake_translation"] <= SMALL.physics.most_translation).all()
    assert (grasps.measures["shake_rotation"] <= SMALL.physics.most_rotation).all()
    assert (grasps.measures["max_penetration"] <= SMALL.select.most_penetration + 5e-4).all()
    # 51 parameters and the pose that physics settled into are the same hand, within joint limits
    dof, residual = rig.anatomy.dof_from_pose(grasps.pose.astype(np.float64))
    assert residual.max() < 1e-5
    assert (rig.anatomy.violations(grasps.pose.astype(np.float64)) < 0.2).all()
    assert np.isfinite(dof).all()


def test_a_type_without_suitable_extent_is_reported_not_searched(rig: HandRig, can: ObjectModel) -> None:
    result = search_pair(rig, can, 16, SMALL, seed=0)
    assert "mm apart" in result.infeasible
    assert len(result.grasps) == 0
    assert set(result.grasps.measures) == set(search_pair(rig, can, 16, SMALL, seed=1).grasps.measures)


def test_an_unknown_type_and_an_empty_budget_are_refused(rig: HandRig, can: ObjectModel) -> None:
    with pytest.raises(InputError, match="unknown grasp type 34"):
        search_pair(rig, can, 34, SMALL, seed=0)
    with pytest.raises(ConfigError, match=r"refine\.batch is 0"):
        SearchConfig(refine=RefinementConfig(batch=0))


def test_refinement_moves_only_what_is_free(rig: HandRig, can: ObjectModel, pairs: OppositionPairs) -> None:
    kind = GRASP_TYPES[9]
    start = propose(rig, kind, can, pairs, proposing(candidates=64), 4, np.random.default_rng(0))
    free = np.array([name.startswith("thumb.") for name in rig.anatomy.names])
    refined = Refiner(rig, kind, can, RefinementConfig(iterations=20)).refine(start, free_dof=free, free_wrist=False)
    assert np.allclose(refined.T_object_hand, start.T_object_hand, atol=1e-6)
    assert np.allclose(refined.dof[:, ~free], start.dof[:, ~free], atol=1e-6)
    assert np.abs(refined.dof[:, free] - start.dof[:, free]).max() > 0.01
