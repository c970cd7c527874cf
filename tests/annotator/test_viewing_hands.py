"""Which hands of a frame the viewer shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotator.viewing.content import FrameContent, ShardsContent
from annotator.viewing.hands import HandChoice

CAN, MUG, BRICK = "002_master_chef_can", "025_mug", "061_foam_brick"


class Content(ShardsContent):
    """Annotations whose rows of the library are given."""

    def __init__(self, library_rows: list[int]) -> None:
        self._rows = np.array(library_rows, np.int32)

    def library_rows(self, annotations: range) -> np.ndarray:
        return self._rows[list(annotations)]


def frame(number: int, *objects: tuple[str, range]) -> FrameContent:
    placed = tuple((name, np.eye(4), rows) for name, rows in objects)
    return FrameContent(0, number, placed, np.eye(3), Path("image.png"))


CONTENT = Content([3, 5, 9, 2, 4, 5, 8, 1, 7])
FIRST = frame(1, (CAN, range(3)), (BRICK, range(3, 3)), (MUG, range(3, 5)))
SECOND = frame(2, (CAN, range(5, 7)), (MUG, range(7, 9)))


def test_one_hand_for_each_object_or_a_single_one() -> None:
    choice = HandChoice(CONTENT)
    assert choice.shown == ()
    choice.turn_to(FIRST)
    assert choice.name == CAN
    assert choice.shown == ((CAN, 0), (MUG, 3))
    choice.everybody = False
    assert choice.shown == ((CAN, 0),)
    choice.name = BRICK  # nothing is feasible on it
    assert (choice.shown, choice.chosen, choice.at) == ((), None, 0)
    choice.step(1)
    choice.everybody = True
    assert choice.shown == ((CAN, 0), (MUG, 3))


def test_next_and_previous_go_round() -> None:
    choice = HandChoice(CONTENT)
    choice.turn_to(FIRST)
    seen = [choice.chosen]
    for _ in range(3):
        choice.step(1)
        seen.append(choice.chosen)
    assert seen == [0, 1, 2, 0]
    choice.step(-1)
    assert choice.chosen == 2
    choice.name = MUG  # every object keeps its own
    assert choice.chosen == 3
    assert choice.shown == ((CAN, 2), (MUG, 3))


def test_the_same_grasp_is_looked_at_in_the_next_frame() -> None:
    choice = HandChoice(CONTENT)
    choice.turn_to(FIRST)
    choice.pick(1)  # grasp 5 of the library
    choice.turn_to(SECOND)
    assert (choice.chosen, choice.at) == (5, 0)
    assert CONTENT.library_rows(range(5, 6))[0] == 5
    choice.turn_to(FIRST)
    choice.pick(2)  # grasp 9, which the second frame has not: its neighbour 8
    choice.turn_to(SECOND)
    assert choice.chosen == 6
    choice.turn_to(FIRST)
    assert choice.chosen == 2  # and back


def test_an_object_that_is_not_there_gives_way() -> None:
    choice = HandChoice(CONTENT)
    choice.turn_to(FIRST)
    choice.name = BRICK
    choice.turn_to(SECOND)
    assert choice.name == CAN
    choice.turn_to(frame(3))
    assert (choice.name, choice.chosen, choice.shown) == (None, None, ())
    choice.turn_to(frame(4, (MUG, range(2, 2)), (CAN, range(3))))
    assert choice.name == CAN  # the first that has grasps


@pytest.mark.parametrize("at", [0, 4, -1])
def test_a_pick_in_an_empty_frame_is_nothing(at: int) -> None:
    choice = HandChoice(CONTENT)
    choice.pick(at)
    assert choice.chosen is None
