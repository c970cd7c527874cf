"""Feasibility: distances against analytic solids, a reason for each refusal, the fast path equal to the slow one."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from scene_doubles import BoxField, Solid, box, random_transforms, sphere

from yaff.errors import InputError
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.geometry.transforms import apply, invert, make_transform, rotation_from_axis_angle
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.scene.ball_cover import spread_points
from yaff.scene.feasibility import Feasibility, FeasibilityConfig, Infeasible, Obstacle, feasibility
from yaff.scene.plane import Plane
from yaff.scene.posed_hands import pose_hands

Array = np.ndarray

TARGET = 5
NEIGHBOUR = 13
CONFIG = FeasibilityConfig()


def _grasps(n: int, seed: int = 0, **others: object) -> Grasps:
    rng = np.random.default_rng(seed)
    return Grasps.make(
        "006_mustard_bottle",
        rng.normal(size=(n, 45)) * 0.2,
        rng.normal(size=(n, 3)),
        rng.uniform(-0.1, 0.1, size=(n, 3)),
        np.full(n, 9),
        **others,
    )


def _decide(
    hand: HandModel,
    grasps: Grasps,
    neighbours: list[tuple[Solid, Array]],
    plane: Plane | None = None,
    T_camera_object: Array | None = None,
    config: FeasibilityConfig | None = None,
) -> Feasibility:
    """The verdict on one target among neighbours given in the target's frame."""
    T = np.eye(4) if T_camera_object is None else T_camera_object
    objects: dict[int, Obstacle] = {TARGET: box("006_mustard_bottle", TARGET, (0.05, 0.05, 0.05))}
    objects |= {solid.index: solid for solid, _ in neighbours}
    Ts = np.stack([T, *(T @ pose for _, pose in neighbours)])
    index = np.array([TARGET, *(solid.index for solid, _ in neighbours)])
    in_camera = None if plane is None else plane.transformed(T)
    return feasibility(hand, objects, Ts, index, in_camera, {TARGET: grasps}, config)[0]


def _at(x: float, y: float, z: float) -> Array:
    return make_transform(np.eye(3), np.array([x, y, z], np.float64))


def _gap_to_sphere(hand: HandModel, grasps: Grasps, centre: Array, radius: float) -> Array:
    return (np.linalg.norm(hand.vertices(grasps) - centre, axis=2) - radius).min(axis=1)


class TestNeighbours:
    def test_clearance_of_a_sphere_is_exact(self, hand: HandModel) -> None:
        grasps = _grasps(40)
        solid = sphere("ball", NEIGHBOUR, 0.04)
        pose = _at(0.03, 0.02, -0.05)
        exact = _gap_to_sphere(hand, grasps, pose[:3, 3], 0.04)
        code, clearance = _decide(hand, grasps, [(solid, pose)])
        assert (exact < 0).any()
        assert (exact > 0).any()
        assert np.abs(clearance - np.minimum(exact, CONFIG.clearance_limit)).max() < 1e-6
        blocked = exact < -CONFIG.neighbour_penetration
        assert ((code == Infeasible.NEIGHBOUR) == blocked).all()
        assert (code[~blocked] == Infeasible.FEASIBLE).all()

    @pytest.mark.parametrize("depth", [-0.01, 0.0, 0.0019, 0.0021, 0.01])
    def test_skin_may_give_way_by_the_stated_tolerance(self, hand: HandModel, depth: float) -> None:
        """A sphere that comes from outside until the nearest skin point is ``depth`` inside it."""
        grasps = _grasps(1)
        skin = hand.vertices(grasps)[0]
        away = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])
        low, high = 0.0, 1.0  # bisect the sphere's distance along `away`
        for _ in range(60):
            middle = 0.5 * (low + high)
            gap = np.linalg.norm(skin - skin.mean(0) - middle * away, axis=1).min() - 0.05
            low, high = (middle, high) if gap < -depth else (low, middle)
        pose = make_transform(np.eye(3), skin.mean(0) + low * away)
        code, clearance = _decide(hand, grasps, [(sphere("ball", NEIGHBOUR, 0.05), pose)])
        assert clearance[0] == pytest.approx(-depth, abs=1e-6)
        assert code[0] == (Infeasible.NEIGHBOUR if depth > 0.002 else Infeasible.FEASIBLE)

    def test_the_nearest_of_several_counts(self, hand: HandModel) -> None:
        grasps = _grasps(30)
        solids = [sphere("a", 13, 0.03), sphere("b", 14, 0.02), sphere("c", 15, 0.05)]
        poses = [_at(0.1, 0.1, 0.0), _at(-0.12, 0.0, 0.05), _at(0.0, -0.2, 0.1)]
        exact = np.min(
            [_gap_to_sphere(hand, grasps, p[:3, 3], s.sdf.radius) for s, p in zip(solids, poses, strict=True)],  # type: ignore[union-attr]
            axis=0,
        )
        for order in ([0, 1, 2], [2, 0, 1]):
            clearance = _decide(hand, grasps, [(solids[i], poses[i]) for i in order]).clearance
            assert np.abs(clearance - np.minimum(exact, CONFIG.clearance_limit)).max() < 1e-6

    def test_a_moved_and_turned_neighbour(self, hand: HandModel) -> None:
        """The neighbour's own frame: a sphere off its origin, turned about it, ends elsewhere."""
        grasps = _grasps(10)
        pose = random_transforms(np.random.default_rng(1), 1, reach=0.1)[0]
        solid = sphere("ball", NEIGHBOUR, 0.03, centre=(0.02, -0.05, 0.04))
        exact = _gap_to_sphere(hand, grasps, apply(pose, np.array([[0.02, -0.05, 0.04]]))[0], 0.03)
        clearance = _decide(hand, grasps, [(solid, pose)]).clearance
        assert np.abs(clearance - np.minimum(exact, CONFIG.clearance_limit)).max() < 1e-6

    def test_the_held_object_is_no_neighbour(self, hand: HandModel) -> None:
        code, clearance = _decide(hand, _grasps(8), [])
        assert (code == Infeasible.FEASIBLE).all()
        assert (clearance == np.float32(CONFIG.clearance_limit)).all()

    def test_a_second_one_of_the_same_object_is_a_neighbour(self, hand: HandModel) -> None:
        grasps = _grasps(5)
        objects: dict[int, Obstacle] = {TARGET: sphere("ball", TARGET, 0.3)}
        Ts = np.stack([np.eye(4), _at(0.05, 0.0, 0.0)])
        first, second = feasibility(hand, objects, Ts, np.array([TARGET, TARGET]), None, {TARGET: grasps})
        assert (first.code == Infeasible.NEIGHBOUR).all()
        assert (second.code == Infeasible.NEIGHBOUR).all()


class TestTable:
    def test_clearance_is_the_lowest_skin_point(self, hand: HandModel) -> None:
        grasps = _grasps(60)
        plane = Plane(np.array([0.0, 0.6, 0.8]), 0.09)
        lowest = plane.height(hand.vertices(grasps)).min(axis=1)
        code, clearance = _decide(hand, grasps, [], plane)
        assert np.abs(clearance - np.minimum(lowest, CONFIG.clearance_limit)).max() < 1e-6
        below = lowest < -CONFIG.table_penetration
        assert below.any()
        assert (~below).any()
        assert (code[below] == Infeasible.TABLE).all()

    @pytest.mark.parametrize(("depth", "expected"), [(0.0029, Infeasible.FEASIBLE), (0.0031, Infeasible.TABLE)])
    def test_tolerance(self, hand: HandModel, depth: float, expected: Infeasible) -> None:
        """A hand from above, the forearm straight up, its fingertips ``depth`` under the table."""
        grasps = _grasps(1)
        forearm = pose_hands(hand, grasps).forearm[0]
        lowest = (hand.vertices(grasps)[0] @ forearm).min()
        code, clearance = _decide(hand, grasps, [], Plane(forearm, float(-lowest - depth)))
        assert clearance[0] == pytest.approx(-depth, abs=1e-6)
        assert code[0] == expected

    def test_the_forearm_must_come_from_above(self, hand: HandModel) -> None:
        """Fingers up, wrist just over the table: all skin is free, but there is a table where the arm should be."""
        grasps = _grasps(1)
        hands = pose_hands(hand, grasps)
        up = -hands.forearm[0]
        lowest = (hands.skin[0] @ up).min()
        for above, expected in ((0.005, Infeasible.TABLE), (0.09, Infeasible.FEASIBLE)):
            plane = Plane(up, float(above - lowest))
            assert plane.height(hands.skin).min() > 0
            assert _decide(hand, grasps, [], plane).code[0] == expected

    def test_a_level_forearm_near_the_table_bends_up(self, hand: HandModel) -> None:
        grasps = _grasps(1)
        hands = pose_hands(hand, grasps)
        up = np.cross(hands.forearm[0], [0.0, 0.0, 1.0])
        up /= np.linalg.norm(up)
        plane = Plane(up, float(0.001 - (hands.skin[0] @ up).min()))
        assert _decide(hand, grasps, [], plane).code[0] == Infeasible.FEASIBLE
        stiff = FeasibilityConfig(wrist_bend=0.0, forearm_radius=0.5)
        assert _decide(hand, grasps, [], plane, config=stiff).code[0] == Infeasible.TABLE

    def test_the_worse_of_two_reasons_is_named(self, hand: HandModel) -> None:
        grasps = _grasps(1)
        hands = pose_hands(hand, grasps)
        up = hands.forearm[0]
        lowest = (hands.skin[0] @ up).min()
        solid, pose = sphere("ball", NEIGHBOUR, 0.05), make_transform(np.eye(3), hands.skin[0].mean(0))
        deep = -_gap_to_sphere(hand, grasps, pose[:3, 3], 0.05)[0]
        assert deep > 0.03
        shallow, deeper = (Plane(up, float(-lowest - d)) for d in (0.01, deep + 0.02))
        assert _decide(hand, grasps, [(solid, pose)], shallow).code[0] == Infeasible.NEIGHBOUR
        assert _decide(hand, grasps, [(solid, pose)], deeper).code[0] == Infeasible.TABLE


class TestApproach:
    def _from(self, offset: Array) -> Grasps:
        grasps = _grasps(1)
        return _grasps(1, pregrasp_translation=(grasps.translation + offset).astype(np.float32))

    def test_a_neighbour_on_the_way(self, hand: HandModel) -> None:
        offset = np.array([0.0, 0.0, 0.4])
        grasps = self._from(offset)
        middle = hand.vertices(grasps)[0].mean(0)
        solid = sphere("ball", NEIGHBOUR, 0.05)
        on_the_way = make_transform(np.eye(3), middle + 0.5 * offset)
        beside = make_transform(np.eye(3), middle + 0.5 * offset + np.array([0.5, 0.0, 0.0]))
        verdict = _decide(hand, grasps, [(solid, on_the_way)])
        assert verdict.code[0] == Infeasible.UNREACHABLE
        # the clearance is that of the grasp itself, which is free
        exact = _gap_to_sphere(hand, grasps, on_the_way[:3, 3], 0.05)[0]
        assert verdict.clearance[0] == pytest.approx(min(exact, CONFIG.clearance_limit), abs=1e-6)
        assert _decide(hand, grasps, [(solid, beside)]).code[0] == Infeasible.FEASIBLE

    def test_a_way_through_the_table(self, hand: HandModel) -> None:
        up = pose_hands(hand, _grasps(1)).forearm[0]
        grasps = self._from(-0.2 * up)
        lowest = (hand.vertices(grasps)[0] @ up).min()
        assert _decide(hand, grasps, [], Plane(up, float(0.05 - lowest))).code[0] == Infeasible.UNREACHABLE
        assert _decide(hand, grasps, [], Plane(up, float(0.25 - lowest))).code[0] == Infeasible.FEASIBLE

    def test_a_grasp_that_is_itself_impossible_says_so_first(self, hand: HandModel) -> None:
        grasps = self._from(np.array([0.0, 0.0, 0.1]))
        pose = make_transform(np.eye(3), hand.vertices(grasps)[0].mean(0))
        assert _decide(hand, grasps, [(sphere("ball", NEIGHBOUR, 0.05), pose)]).code[0] == Infeasible.NEIGHBOUR

    def test_the_path_runs_from_pregrasp_to_grasp(self, hand: HandModel) -> None:
        rng = np.random.default_rng(0)
        grasps = _grasps(
            4,
            pregrasp_pose=(rng.normal(size=(4, 45)) * 0.2).astype(np.float32),
            pregrasp_wrist_rotation=rng.normal(size=(4, 3)).astype(np.float32),
            pregrasp_translation=rng.normal(size=(4, 3)).astype(np.float32),
        )
        followed = spread_points(hand.template, 50)
        hands = pose_hands(hand, grasps, path_steps=40, path_vertices=50)
        start = hand.vertices(
            np.asarray(grasps.pregrasp_pose, np.float64),
            np.asarray(grasps.pregrasp_wrist_rotation, np.float64),
            np.asarray(grasps.pregrasp_translation, np.float64),
        )
        assert hands.path.shape == (4, 40, 50, 3)
        assert np.abs(hands.path[:, 0] - start[:, followed]).max() < 1e-9
        steps = np.concatenate([hands.path, hands.skin[:, None, followed]], axis=1)
        stride = np.linalg.norm(np.diff(steps, axis=1), axis=-1)
        whole = np.linalg.norm(steps[:, -1] - steps[:, 0], axis=-1)
        # even steps: no jump anywhere, the last one to the grasp included
        assert (stride.max(axis=1) < 4.0 * stride.mean(axis=1) + 1e-6).all()
        assert (stride.sum(axis=1) >= whole - 1e-9).all()

    def test_no_steps_no_path(self, hand: HandModel) -> None:
        grasps = self._from(np.array([0.0, 0.0, 0.4]))
        middle = hand.vertices(grasps)[0].mean(0) + np.array([0.0, 0.0, 0.2])
        solid = sphere("ball", NEIGHBOUR, 0.05)
        verdict = _decide(
            hand, grasps, [(solid, make_transform(np.eye(3), middle))], config=FeasibilityConfig(path_steps=0)
        )
        assert verdict.code[0] == Infeasible.FEASIBLE

    def test_vertices_that_are_followed_are_spread_over_the_hand(self, hand: HandModel) -> None:
        chosen = spread_points(hand.template, 128)
        assert len(np.unique(chosen)) == 128
        distance = np.linalg.norm(hand.template[:, None] - hand.template[chosen], axis=2).min(1)
        assert distance.max() < 0.015


class TestWhole:
    def test_the_frame_does_not_matter(self, hand: HandModel) -> None:
        grasps = _grasps(40)
        neighbours = [(sphere("ball", NEIGHBOUR, 0.04), _at(0.03, 0.02, -0.05))]
        plane = Plane(np.array([0.0, 0.6, 0.8]), 0.12)
        here = _decide(hand, grasps, neighbours, plane)
        assert len(np.unique(here.code)) > 2
        for T in random_transforms(np.random.default_rng(2), 3):
            there = _decide(hand, grasps, neighbours, plane, T)
            assert np.array_equal(here.code, there.code)
            assert np.abs(here.clearance - there.clearance).max() < 1e-6

    def test_fast_path_equals_slow_path(self, hand: HandModel) -> None:
        """Skipping points that cannot be nearest changes nothing, grid and interpolation included."""
        half = np.array([0.03, 0.05, 0.02])
        axes = [np.arange(-h - 0.02, h + 0.021, 0.004) for h in half]
        nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        values = BoxField(half).distance(nodes).astype(np.float32)
        grid = SignedDistanceGrid(np.array([a[0] for a in axes]), 0.004, values)
        solid = Solid("brick", NEIGHBOUR, trimesh.creation.box(2.0 * half), grid)  # type: ignore[arg-type]
        rng = np.random.default_rng(3)
        grasps = _grasps(60, seed=5)
        poses = random_transforms(rng, 4, reach=0.12)
        plane = Plane(np.array([0.0, 0.0, 1.0]), 0.15)
        skin = hand.vertices(grasps)
        slow = np.minimum(plane.height(skin).min(1), CONFIG.clearance_limit)
        for pose in poses:
            slow = np.minimum(slow, grid.distance(apply(invert(pose), skin.reshape(-1, 3))).reshape(60, -1).min(1))
        solids = [Solid(f"brick{i}", NEIGHBOUR + i, solid.solid, solid.sdf) for i in range(4)]
        fast = _decide(hand, grasps, list(zip(solids, poses, strict=True)), plane)
        assert np.abs(fast.clearance - slow).max() < 1e-6

    def test_hands_posed_once_serve_every_arrangement(self, hand: HandModel) -> None:
        grasps = _grasps(20)
        objects: dict[int, Obstacle] = {TARGET: sphere("t", TARGET, 0.02), NEIGHBOUR: sphere("n", NEIGHBOUR, 0.04)}
        posed = {TARGET: pose_hands(hand, grasps, CONFIG.path_steps, CONFIG.path_vertices)}
        for T in random_transforms(np.random.default_rng(6), 3, reach=0.1):
            Ts, index = np.stack([np.eye(4), T]), np.array([TARGET, NEIGHBOUR])
            fresh = feasibility(hand, objects, Ts, index, None, {TARGET: grasps})
            again = feasibility(hand, objects, Ts, index, None, {TARGET: grasps}, posed=posed)
            assert np.array_equal(fresh[0].code, again[0].code)
            assert np.array_equal(fresh[0].clearance, again[0].clearance)
            assert len(fresh[1].code) == 0  # no grasps of the neighbour

    def test_types_and_empty_batches(self, hand: HandModel) -> None:
        code, clearance = _decide(hand, Grasps.empty("006_mustard_bottle"), [])
        assert code.shape == clearance.shape == (0,)
        code, clearance = _decide(hand, _grasps(2), [])
        assert code.dtype == np.uint8
        assert clearance.dtype == np.float32

    def test_unknown_objects_are_named(self, hand: HandModel) -> None:
        with pytest.raises(InputError, match=r"no model of objects \[9\]"):
            feasibility(
                hand, {TARGET: sphere("t", TARGET, 0.02)}, np.eye(4)[None].repeat(2, 0), np.array([9, 5]), None, {}
            )

    def test_a_shaped_hand_is_posed_in_its_shape(self, hand: HandModel) -> None:
        shape = np.random.default_rng(7).normal(size=(3, 10)).astype(np.float32)
        grasps = _grasps(3, shape=shape)
        hands = pose_hands(hand, grasps)
        assert np.allclose(hands.skin, hand.vertices(grasps), atol=1e-12)
        roots = np.asarray(hand.root(shape.astype(np.float64)))
        assert np.allclose(hands.wrist, roots + grasps.translation, atol=1e-6)
        assert np.allclose(
            hands.forearm,
            (rotation_from_axis_angle(grasps.wrist_rotation) @ pose_hands(hand, _still()).forearm[0][:, None])[..., 0],
            atol=1e-6,
        )


def _still() -> Grasps:
    return Grasps.make("x", np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), np.ones(1, int))
