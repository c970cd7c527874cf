"""The shape components of the built-in hand and what they make of it."""

from __future__ import annotations

import numpy as np
import pytest
from hand_surfaces import crossings
from scipy.optimize import least_squares

from yaff.hand import builtin
from yaff.hand.builtin import anthropometry, shapes
from yaff.hand.builtin.assembly import TIP_MANOPTH
from yaff.hand.builtin.measures import hand_breadth, hand_length
from yaff.hand.builtin.skeleton import rest_joints
from yaff.hand.model import HandModel

MILLIMETRE = 1e-3


@pytest.fixture(scope="module")
def hand() -> HandModel:
    return HandModel(name="builtin", side="right", **builtin.load())  # pyright: ignore[reportArgumentType]


def shape(**units: float) -> np.ndarray:
    beta = np.zeros(10)
    for name, value in units.items():
        beta[shapes.NAMES.index(name.replace("_", " "))] = value
    return beta


def test_shapes_span_adult_hands(hand: HandModel) -> None:
    """Within two units of the components that lengthen and broaden, from small women's to large men's."""
    for lengths in (anthropometry.HAND_LENGTH, anthropometry.HAND_LENGTH_BRITISH):
        low, high = (MILLIMETRE * value for value in anthropometry.adult_range(lengths))
        units = dict.fromkeys(("size", "finger_length", "palm_length"), 2.0)
        assert hand_length(hand, shape(**{k: -v for k, v in units.items()})) < low
        assert hand_length(hand, shape(**units)) > high
        assert low < hand_length(hand) < high
    for breadths in (anthropometry.HAND_BREADTH, anthropometry.HAND_BREADTH_BRITISH):
        low, high = (MILLIMETRE * value for value in anthropometry.adult_range(breadths))
        assert hand_breadth(hand, shape(size=-2.0, palm_breadth=-2.0)) < low
        assert hand_breadth(hand, shape(size=2.0, palm_breadth=2.0)) > high
        assert low < hand_breadth(hand) < high
    assert len(shapes.MEANINGS) == 10


def test_measures_scale_with_size(hand: HandModel) -> None:
    for measure in (hand_length, hand_breadth):
        assert measure(hand, shape(size=1.5)) == pytest.approx((1 + 1.5 * shapes.SIZE) * measure(hand), rel=1e-6)
        assert measure(hand.mirrored()) == pytest.approx(measure(hand), rel=1e-9)
    assert hand_breadth(hand) == pytest.approx(0.085, abs=0.002)


def test_shapes_move_joints_with_the_skin(hand: HandModel) -> None:
    directions = hand.shape_directions
    assert directions.shape[2] == len(shapes.NAMES)
    assert (np.abs(directions).max(axis=(0, 1)) > 2e-4).all()
    length = {}
    for units in (-2.0, 0.0, 2.0):
        beta = np.zeros((1, 10))
        beta[0, 0] = units
        vertices = hand.vertices(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), beta)[0]
        joints = hand.joints(np.zeros((1, 45)), np.zeros((1, 3)), np.zeros((1, 3)), beta)[0]
        length[units] = np.linalg.norm(vertices[TIP_MANOPTH["middle"]] - joints[0])
        # a scaled hand has scaled bones
        scale = 1.0 + units * shapes.SIZE
        bones = rest_joints()[1:] - rest_joints()[0]
        np.testing.assert_allclose(joints[1:] - joints[0], scale * bones, atol=1e-6)
    women, men = (anthropometry.HAND_LENGTH[k] for k in ("women", "men"))
    wanted = men.percentile(1.645) / women.percentile(-1.645)
    assert length[2.0] / length[-2.0] == pytest.approx(wanted, rel=0.02)
    # no corner of the shape space within two units, one at a time, folds the skin
    for k in range(10):
        for units in (-2.0, 2.0):
            assert crossings(hand.template + units * directions[:, :, k], hand.faces) == 0


@pytest.mark.parametrize("person", ["women", "men"])
@pytest.mark.parametrize("z", [-1.645, 0.0, 1.645])
@pytest.mark.parametrize("tables", ["ACOPLA", "British"])
def test_there_is_a_hand_for_every_adult(hand: HandModel, person: str, z: float, tables: str) -> None:
    """Length and breadth of small, middling and large women and men at once, each component within two units."""
    tail = "_BRITISH" if tables == "British" else ""
    spreads = [getattr(anthropometry, f"HAND_{what}{tail}")[person] for what in ("LENGTH", "BREADTH")]
    wanted = MILLIMETRE * np.array([spread.percentile(z) for spread in spreads])
    names = ("size", "finger_length", "palm_length", "palm_breadth")

    def missed(units: np.ndarray) -> np.ndarray:
        beta = shape(**dict(zip(names, units, strict=True)))
        return (np.array([hand_length(hand, beta), hand_breadth(hand, beta)]) - wanted) / MILLIMETRE

    found = least_squares(missed, np.zeros(len(names)), bounds=(-2.0, 2.0), diff_step=0.01)
    np.testing.assert_allclose(missed(found.x), 0.0, atol=0.1)
