"""All measures at once, on the built-in hand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from grasp_analytic import Rod, gridded

from yaff.errors import ConfigError, InputError
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.geometry.transforms import apply, make_transform, rotation_from_axis_angle
from yaff.grasp import (
    GEOMETRIC_MEASURES,
    MEASURES,
    Grasps,
    MeasureConfig,
    find_contacts,
    intersection_volume,
    measure_grasps,
    sample_skin,
    self_collision_of,
    wrench_measures,
)
from yaff.grasp.penetration import closing_faces
from yaff.hand import Anatomy, HandModel, load_hand
from yaff.hand.model import mirror_axis_angle
from yaff.hand.patches import Patches

ROD = Rod(0.02, 0.04)


@dataclass(frozen=True)
class Held:
    """A rod on a grid."""

    sdf: SignedDistanceGrid
    name: str = "rod"
    radius: float = float(np.hypot(ROD.radius, ROD.half))
    centre_of_mass: np.ndarray = field(default_factory=lambda: np.zeros(3))


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return load_hand()


@pytest.fixture(scope="module")
def patches(hand: HandModel) -> Patches:
    return Patches.of(hand)


@pytest.fixture(scope="module")
def rod() -> Held:
    size = np.array([ROD.radius, ROD.radius, ROD.half]) + 0.01
    return Held(gridded(ROD, -size, size, 0.0015))


@pytest.fixture(scope="module")
def grip(hand: HandModel) -> Grasps:
    """Palm and four fingers round the rod: lowered on it, then flexed joint by joint until skin meets the surface."""
    anatomy = Anatomy(hand)
    dof = np.zeros((1, len(anatomy.names)))
    rest = hand.vertices(np.zeros((1, 45)))[0]
    palm = rest[hand.weights[:, 0] > 0.9]
    front = palm[palm[:, 0] < palm[:, 0].min() + 0.03]
    place = np.array([-front[:, 0].mean(), 0.0, 0.01 - front[:, 2].mean()])
    heights = np.arange(0.08, 0.0, -0.0002)
    place[1] = heights[[ROD.distance(rest + place + [0, y, 0]).min() > 0.0005 for y in heights]].min()
    owner = hand.weights.argmax(axis=1)
    chains = {"index": 1, "middle": 4, "pinky": 7, "ring": 10}
    for finger, base in chains.items():
        names = [n for n in anatomy.names if n.startswith(finger) and n.endswith("flexion")]
        for k, name in enumerate(names):
            skin = np.flatnonzero((owner >= base + k) & (owner < base + 3))
            i = anatomy.index(name)
            for angle in np.arange(max(0.0, anatomy.lower[i]), anatomy.upper[i], 0.03):
                dof[0, i] = angle
                posed = hand.vertices(anatomy.pose_from_dof(dof), vertex_indices=skin)[0] + place
                if ROD.distance(posed).min() < 0.0005:
                    break
    return Grasps.make("rod", anatomy.pose_from_dof(dof), np.zeros((1, 3)), place[None], np.array([1]))


def moved(hand: HandModel, grasps: Grasps, T: np.ndarray) -> Grasps:
    """The grasps moved with the object by T."""
    Ts = T @ hand.wrist_transform(grasps.wrist_rotation.astype(float), grasps.translation.astype(float))
    rotation, translation = hand.wrist_parameters(Ts)
    return replace(grasps, wrist_rotation=rotation.astype(np.float32), translation=translation.astype(np.float32))


def boolean_volume(one: trimesh.Trimesh, other: trimesh.Trimesh) -> float:
    """Volume of the exact intersection of two solids."""
    both = trimesh.boolean.intersection([one, other], engine="manifold", check_volume=False)
    return 0.0 if both.is_empty else float(both.volume)


def test_a_hand_round_a_rod(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    measures = measure_grasps(hand, patches, rod, grip)
    assert tuple(measures) == GEOMETRIC_MEASURES
    assert set(GEOMETRIC_MEASURES) < set(MEASURES)
    assert all(v.shape == (1,) and v.dtype == np.float32 and np.isfinite(v).all() for v in measures.values())
    assert measures["epsilon"][0] > 0.02
    assert measures["volume"][0] > 0.0
    assert measures["contact_count"][0] >= 8
    assert 1e-4 < measures["contact_area"][0] < 2 * np.pi * ROD.radius * 2 * ROD.half
    assert measures["max_penetration"][0] < 0.004
    assert measures["intersection_volume"][0] < 3e-6
    assert measures["self_penetration"][0] < 0.006


def test_palm_and_fingers_are_what_touches(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    contacts = find_contacts(hand, patches, hand.vertices(grip), rod)
    touching = {name for name, touch in zip(contacts.names, contacts.touching[0], strict=True) if touch}
    assert any(name.startswith("palm") for name in touching)
    assert any(name.startswith("index") for name in touching)
    assert any(name.startswith("middle") for name in touching)
    assert not any(name.endswith("dorsal") for name in touching)
    rows = contacts.touching[0]
    across = contacts.point[0, rows] * [1, 1, 0]
    np.testing.assert_allclose(np.linalg.norm(across, axis=1), ROD.radius, atol=3e-4)
    inward = -across / np.linalg.norm(across, axis=1, keepdims=True)
    along = np.sum(inward * contacts.normal[0, rows], axis=1)
    assert (along[np.abs(contacts.point[0, rows, 2]) < ROD.half - 0.005] > 0.99).all()  # elsewhere the rim is felt
    assert (along > 0.7).all()


def test_moving_hand_and_object_together_changes_nothing(
    hand: HandModel, patches: Patches, rod: Held, grip: Grasps
) -> None:
    # the rod is the same after a turn about its axis by any angle and after a turn end over end
    turned = [
        moved(hand, grip, make_transform(rotation_from_axis_angle(np.array(a)), np.zeros(3)))
        for a in ([0, 0, 0.0], [0, 0, 0.7], [np.pi, 0, 0.0], [0, 0, -2.2])
    ]
    measures = measure_grasps(hand, patches, rod, Grasps.concatenate(turned))
    tolerance = {"epsilon": 0.08, "volume": 0.25, "contact_area": 0.03, "intersection_volume": 0.1}
    for name, values in measures.items():
        if name == "contact_count":
            assert np.ptp(values) <= 2  # a patch that barely touches may not after interpolation
        else:
            np.testing.assert_allclose(values, values[0], rtol=tolerance.get(name, 0.0), atol=1e-4, err_msg=name)


def test_batch_is_grasp_by_grasp(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    rng = np.random.default_rng(0)
    shifts = [
        moved(hand, grip, make_transform(np.eye(3), np.array([0.0, y, z])))
        for y, z in [(0, 0), (0.004, 0), (-0.003, 0.02), (0.5, 0), *rng.uniform(-0.01, 0.01, (3, 2))]
    ]
    batch = Grasps.concatenate(shifts)
    together = measure_grasps(hand, patches, rod, batch)
    for i, one in enumerate(shifts):
        for name, values in measure_grasps(hand, patches, rod, one).items():
            assert together[name][i] == pytest.approx(values[0], rel=1e-4, abs=1e-9), name
    far = {name: values[3] for name, values in together.items()}
    assert far.pop("self_penetration") == pytest.approx(together["self_penetration"][0], abs=1e-6)
    assert not any(far.values())


def test_same_input_same_bytes(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    first, second = (measure_grasps(hand, patches, rod, grip) for _ in range(2))
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


def test_pushing_deeper_is_seen(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    pushed = [moved(hand, grip, make_transform(np.eye(3), np.array([0.0, -y, 0.0]))) for y in (0, 0.003, 0.006)]
    measures = measure_grasps(hand, patches, rod, Grasps.concatenate(pushed))
    assert (np.diff(measures["max_penetration"]) > 0.001).all()
    assert (np.diff(measures["intersection_volume"]) > 3e-7).all()


def test_volume_is_that_of_the_exact_boolean(hand: HandModel, rod: Held, grip: Grasps) -> None:
    pushed = Grasps.concatenate(
        [
            moved(hand, grip, make_transform(np.eye(3), np.array([x, y, z])))
            for x, y, z in ((0, -0.002, 0), (0.004, -0.006, 0), (0.0, 0.02, 0), (0, -0.02, 0.03))
        ]
    )
    vertices = hand.vertices(pushed)
    ours = intersection_volume(sample_skin(vertices, hand.faces, rod.sdf), vertices, hand.faces, rod.sdf)
    solid = trimesh.creation.cylinder(ROD.radius, 2 * ROD.half, sections=256)
    closed = np.concatenate([hand.faces, closing_faces(hand.faces.tobytes())])
    exact = [boolean_volume(trimesh.Trimesh(v, closed, process=False), solid) for v in vertices]
    np.testing.assert_allclose(ours, exact, rtol=0.05, atol=2e-8)


def test_hand_at_rest_and_relaxed_does_not_meet_itself(hand: HandModel) -> None:
    anatomy = Anatomy(hand)
    relaxed = np.zeros((3, len(anatomy.names)))
    for i, name in enumerate(anatomy.names):
        if name.endswith("flexion") and not name.startswith("thumb"):
            relaxed[:, i] = np.array([0.0, 0.3, 0.5]) * anatomy.upper[i]
    pose = anatomy.pose_from_dof(relaxed)
    depth = self_collision_of(hand).depth(hand.vertices(pose), hand.bone_transforms(pose))
    np.testing.assert_array_equal(depth, 0.0)
    assert self_collision_of(hand) is self_collision_of(hand)


def test_a_clenched_fist_meets_itself(hand: HandModel) -> None:
    anatomy = Anatomy(hand)
    fist = np.zeros((1, len(anatomy.names)))
    for i, name in enumerate(anatomy.names):
        if name.endswith("flexion"):
            fist[:, i] = anatomy.upper[i]
    pose = anatomy.pose_from_dof(fist)
    assert self_collision_of(hand).depth(hand.vertices(pose), hand.bone_transforms(pose))[0] > 0.003


def test_left_hand_measures_like_the_right(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    left = load_hand("left")
    mirrored = replace(
        grip,
        pose=mirror_axis_angle(grip.pose).astype(np.float32),
        wrist_rotation=mirror_axis_angle(grip.wrist_rotation).astype(np.float32),
        translation=grip.translation * np.array([-1, 1, 1], np.float32),
    )
    right_measures = measure_grasps(hand, patches, rod, grip)
    left_measures = measure_grasps(left, Patches.of(left), rod, mirrored)
    assert left_measures["contact_count"][0] == pytest.approx(right_measures["contact_count"][0], abs=3)
    for name in ("max_penetration", "contact_area", "intersection_volume"):
        assert left_measures[name][0] == pytest.approx(right_measures[name][0], rel=0.05), name
    assert left_measures["epsilon"][0] == pytest.approx(right_measures["epsilon"][0], rel=0.1)
    assert left_measures["self_penetration"][0] == pytest.approx(right_measures["self_penetration"][0], abs=5e-4)


def test_no_grasps(hand: HandModel, patches: Patches, rod: Held) -> None:
    measures = measure_grasps(hand, patches, rod, Grasps.empty("rod"))
    assert all(len(values) == 0 for values in measures.values())


def test_config_matters(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    contacts = find_contacts(hand, patches, hand.vertices(grip), rod)
    slippery = wrench_measures(contacts, rod, MeasureConfig(friction=0.2))[0]
    rough = wrench_measures(contacts, rod, MeasureConfig(friction=1.0))[0]
    assert slippery[0] < rough[0]
    near = measure_grasps(hand, patches, rod, grip, MeasureConfig(contact_distance=0.001))
    far = measure_grasps(hand, patches, rod, grip, MeasureConfig(contact_distance=0.005))
    assert near["contact_area"][0] < far["contact_area"][0]
    assert near["max_penetration"][0] == pytest.approx(far["max_penetration"][0], abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [{"contact_distance": 0.0}, {"edges": 2}, {"friction": -1.0}, {"volume_points": 2}, {"skin_divisions": 0}],
)
def test_bad_config_is_refused(change: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        MeasureConfig(**change)


def test_grasp_at_nan_is_named(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    broken = Grasps.concatenate([grip, replace(grip, translation=np.full((1, 3), np.nan, np.float32))])
    with pytest.raises(InputError, match=r"grasp 1 .*NaN(.|\n)*rod"):
        measure_grasps(hand, patches, rod, broken)


def test_64_closed_grasps_in_time(hand: HandModel, patches: Patches, rod: Held, grip: Grasps) -> None:
    rng = np.random.default_rng(0)
    batch = Grasps.concatenate(
        [moved(hand, grip, make_transform(np.eye(3), rng.uniform(-0.001, 0.001, 3))) for _ in range(64)]
    )
    start = time.process_time()
    measures = measure_grasps(hand, patches, rod, batch)
    spent = time.process_time() - start
    assert (measures["epsilon"] > 0.0).mean() > 0.9  # the costly case: nearly all of them close force
    assert spent < 10.0  # some 1.5 s of one core; this machine may be busy and checks types as it runs


@pytest.mark.realdata
def test_volume_on_real_meshes(hand: HandModel, real_data: Path) -> None:
    from yaff.geometry.distance_field import build
    from yaff.geometry.mesh import watertight_solid
    from yaff.objects.sources import FolderSource

    closed = np.concatenate([hand.faces, closing_faces(hand.faces.tobytes())])
    source = FolderSource(real_data / "YCB_Video_Dataset" / "models")
    rng = np.random.default_rng(0)
    for name, tolerance in (("006_mustard_bottle", 0.06), ("025_mug", 0.15)):
        solid, _ = watertight_solid(source.mesh(name), name)
        sdf = build(solid)
        # flat hands laid against the object at random, 4 mm deep
        directions = rng.normal(size=(4, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        turns = rotation_from_axis_angle(rng.normal(size=(4, 3)))
        rest = hand.vertices(np.zeros((1, 45)))[0] - hand.root()
        skins = []
        for R, direction in zip(turns, directions, strict=True):
            skin = apply(make_transform(R, solid.center_mass), rest - rest.mean(axis=0))
            near, far = 0.0, 0.4
            for _ in range(30):
                middle = 0.5 * (near + far)
                deep = sdf.distance(skin + middle * direction).min() < -0.004
                near, far = (middle, far) if deep else (near, middle)
            skins.append(skin + far * direction)
        vertices = np.stack(skins)
        ours = intersection_volume(sample_skin(vertices, hand.faces, sdf), vertices, hand.faces, sdf)
        exact = [boolean_volume(trimesh.Trimesh(v, closed, process=False), solid) for v in vertices]
        assert ours.sum() == pytest.approx(sum(exact), rel=tolerance), name
