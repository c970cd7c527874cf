"""The annealing planner: its schedule, its energy, its auto-grasp, and that it finds verified grasps."""

from __future__ import annotations

import numpy as np
import pytest

from yaff.errors import ConfigError, InputError
from yaff.objects import ObjectModel
from yaff.search import SearchConfig, SelectionConfig
from yaff.search.eigengrasp import Annealer, Eigengrasps
from yaff.search.eigengrasp_config import EigengraspConfig
from yaff.search.planners import PLANNERS, planner
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES

SMALL = SearchConfig(select=SelectionConfig(keep=2), eigengrasp=EigengraspConfig(chains=24, steps=400, rounds=1))


@pytest.fixture(scope="module")
def annealer(rig: HandRig, can: ObjectModel) -> Annealer:
    return Annealer(rig, GRASP_TYPES[1], can, SMALL.eigengrasp)


def test_two_eigengrasps_explain_most_of_the_preshapes_and_more_explain_all(rig: HandRig) -> None:
    two, every = Eigengrasps.of(rig, 2), Eigengrasps.of(rig, len(rig.anatomy))
    assert two.explained > 0.6
    assert every.explained == pytest.approx(1.0)
    # directions are orthogonal, one standard deviation long
    assert two.directions[0] @ two.directions[1] == pytest.approx(0.0, abs=1e-9)
    assert (two.limits[:, 0] < 0.0).all()
    assert (two.limits[:, 1] > 0.0).all()


def test_the_schedule_is_graspits(annealer: Annealer) -> None:
    """T0 exp(-7 k^(1/8)) with T0 = 1e6: 9.4e-6 at step 30000; a worse state by 9.4 mm is then taken 1 time in e."""
    np.testing.assert_allclose(annealer.temperature(np.array([1.0])), 1e6 * np.exp(-7.0))
    np.testing.assert_allclose(annealer.temperature(np.array([30000.0])), 9.38e-6, rtol=0.01)


def test_neighbours_stay_in_range_and_are_log_uniform(annealer: Annealer) -> None:
    """The size y of a move obeys P(|y| < s) = log(1 + s/T) / log(1 + 1/T), variable by variable."""
    low, high, jump = annealer._low, annealer._high, annealer._jump
    middle = np.repeat(0.5 * (low + high)[None], 4000, axis=0)
    T = np.full(4000, 1e-5)
    fresh = annealer.neighbour(middle, T, np.random.default_rng(0))
    assert (fresh >= low).all()
    assert (fresh <= high).all()
    size = np.abs(fresh - middle) / jump
    for share in (1e-4, 1e-2, 0.3):
        expected = np.log1p(share / 1e-5) / np.log1p(1e5)
        np.testing.assert_allclose((size < share).mean(axis=0), expected, atol=0.03)


def test_a_far_hand_pays_its_distance_and_a_hand_inside_is_not_allowed(annealer: Annealer, can: ObjectModel) -> None:
    state = np.zeros((3, 8))
    state[:, :3] = can.centre_of_mass
    state[0, 0] += 0.5
    state[1, 0] += 0.6
    energy, legal = annealer.energy(state)
    assert legal.tolist() == [True, True, False]
    # 100 mm further off; the normals hardly change
    assert energy[1] - energy[0] == pytest.approx(100.0, abs=8.0)
    assert np.isinf(energy[2])


def test_annealing_approaches_and_auto_grasp_closes_to_the_surface(
    annealer: Annealer, rig: HandRig, can: ObjectModel
) -> None:
    found = annealer.anneal(np.random.default_rng(1))
    again = annealer.anneal(np.random.default_rng(1))
    np.testing.assert_array_equal(found.T_object_hand, again.T_object_hand)
    assert (np.diff(found.score) >= 0.0).all()
    assert found.score[0] < 60.0
    wrist, translation = rig.model.wrist_parameters(found.T_object_hand[:8])
    vertices = rig.model.vertices(rig.anatomy.pose_from_dof(found.dof[:8]), wrist, translation)
    nearest = can.sdf.distance(vertices).min(axis=1)
    # fingers stop at the first posture in which they touch: one step of their closing deep at most
    assert (nearest < 0.01).all()
    assert (nearest > -0.012).all()


def test_it_finds_verified_grasps_of_an_easy_pair(rig: HandRig, can: ObjectModel) -> None:
    # one short annealing may miss; of several, one finds
    tries = ((n, planner("eigengrasp")(rig, can, n, SMALL, seed)) for seed in range(4) for n in (13, 10, 1))
    number, result = next((n, result) for n, result in tries if result.grasps.verified.any())
    grasps = result.grasps
    assert all(text.startswith(f"eigengrasp/{number}/") for text in grasps.provenance)
    assert (grasps.measures["shake_translation"] <= SMALL.physics.most_translation).all()
    assert result.tally["proposed"] == 24 * 400


def test_a_pair_that_does_not_fit_is_reported(rig: HandRig, can: ObjectModel) -> None:
    result = planner("eigengrasp")(rig, can, 16, SMALL, 0)
    assert "mm apart" in result.infeasible
    assert len(result.grasps) == 0


def test_planners_are_found_by_name() -> None:
    for name in PLANNERS:
        assert callable(planner(name))
    with pytest.raises(InputError, match="no planner 'magic'"):
        planner("magic")


def test_an_empty_schedule_is_refused() -> None:
    with pytest.raises(ConfigError, match="chains is 0"):
        EigengraspConfig(chains=0)
    with pytest.raises(ConfigError, match="from step"):
        EigengraspConfig(first_step=5.0, last_step=5.0)
