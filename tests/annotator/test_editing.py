from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from review_helpers import grasp

from annotator.editing import THUMB_PRESETS, Editor, History, close_finger, thumb_preset
from annotator.store import GraspState
from yaff.errors import ConflictError, InputError
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.hand import Patches, load_hand
from yaff.hand.model import FINGERTIP_VERTICES


@pytest.fixture(scope="module")
def editor() -> Editor:
    return Editor(load_hand())


@pytest.fixture
def flat(editor: Editor) -> GraspState:
    state = grasp(0)
    zero = np.zeros(45)
    return state.changed(pose=zero, shape=np.zeros(10), wrist_rotation=np.zeros(3), translation=-editor.model.root())


def plane_below(height: float) -> SignedDistanceGrid:
    """Everything below ``y = height`` is solid."""
    axis = np.arange(-0.25, 0.26, 0.005)
    y = np.broadcast_to(axis[None, :, None], (len(axis),) * 3)
    return SignedDistanceGrid(np.full(3, -0.25), 0.005, np.ascontiguousarray(y - height, np.float32))


def test_moving_one_joint_leaves_the_numbers_of_the_others_alone(editor):
    state = grasp(3)  # a pose that no anatomy takes
    moved = editor.with_dof(state, {"index.pip.flexion": 0.7})
    changed = np.flatnonzero(moved.pose != state.pose)
    assert set(changed // 3) == {1}
    assert np.isclose(editor.dof(moved)[editor.anatomy.index("index.pip.flexion")], 0.7, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=21, max_size=21))
def test_degrees_of_freedom_stay_within_limits_and_come_back(angles):
    editor = Editor(load_hand())
    state = editor.all_dof(grasp(1).changed(pose=np.zeros(45)), np.array(angles)[: len(editor.anatomy)])
    dof = editor.dof(state)
    assert (dof >= editor.anatomy.lower - 1e-5).all()
    assert (dof <= editor.anatomy.upper + 1e-5).all()
    assert np.allclose(dof, editor.anatomy.clip(np.array(angles)[: len(editor.anatomy)]), atol=1e-4)


def test_nudges_turn_about_the_wrist_and_come_back(editor):
    state = grasp(5).changed(shape=np.full(10, 0.5))
    for frame in ("hand", "object"):
        there = editor.nudge(state, np.array([0.001, 0, 0]), np.array([0, 0.1, 0]), frame)
        T0, T1 = editor.wrist(state), editor.wrist(there)
        step = T1[:3, 3] - T0[:3, 3]
        assert np.isclose(np.linalg.norm(step), 0.001, atol=1e-6)
        axis = T0[:3, 0] if frame == "hand" else np.eye(3)[0]
        assert np.allclose(step, 0.001 * axis, atol=1e-6)
        back = editor.nudge(there, turn=np.array([0, -0.1, 0]), frame=frame)
        back = editor.nudge(back, np.array([-0.001, 0, 0]), frame=frame)
        assert np.allclose(editor.wrist(back), T0, atol=1e-5)
    with pytest.raises(InputError, match="frame"):
        editor.nudge(state, frame="camera")


def test_a_nudge_that_changes_nothing_is_no_step(editor, flat):
    history = History.begin(flat)
    assert history.then("nothing", editor.with_dof(flat, {})) is history


@given(st.lists(st.sampled_from(["edit", "undo", "redo", "reset"]), max_size=30))
def test_undo_and_redo_walk_the_line_of_states(moves):
    states = [grasp(k) for k in range(31)]
    history, line, at = History.begin(states[0]), [states[0]], 0
    for k, move in enumerate(moves):
        if move == "edit":
            line, at = [*line[: at + 1], states[k + 1]], at + 1
            history = history.then("edit", states[k + 1])
        elif move == "reset":
            if line[at] != line[0]:
                line, at = [*line[: at + 1], line[0]], at + 1
            history = history.reset()
        else:
            step = -1 if move == "undo" else 1
            if 0 <= at + step < len(line):
                at += step
                history = getattr(history, move)()
            else:
                with pytest.raises(ConflictError):
                    getattr(history, move)()
        assert history.state == line[at]
        assert history.edited == (line[at] != line[0])


def test_a_long_session_forgets_the_middle_but_not_the_beginning():
    history = History((History.begin(grasp(0)).steps[0],), 0, 5)
    for k in range(1, 12):
        history = history.then("x", grasp(k))
    assert len(history.steps) == 5
    assert history.original == grasp(0)
    assert history.state == grasp(11)


def test_presets_move_the_thumb_only_and_mean_what_they_say(editor, flat):
    bent = editor.with_dof(flat, {"index.mcp.flexion": 0.9, "index.pip.flexion": 1.0, "index.dip.flexion": 0.5})
    for name in THUMB_PRESETS:
        state = thumb_preset(editor, bent, name)
        assert set(np.flatnonzero(state.pose != bent.pose) // 3) <= {12, 13, 14}
        abducted = bool(editor.anatomy.thumb_is_abducted(state.pose.astype(np.float64)))
        assert abducted == (name != "adduct")
    tips = np.array([FINGERTIP_VERTICES["thumb"], FINGERTIP_VERTICES["index"]])
    thumb, index = editor.vertices(thumb_preset(editor, bent, "oppose to index"))[tips]
    assert np.linalg.norm(thumb - index) < 0.015
    with pytest.raises(InputError, match="preset"):
        thumb_preset(editor, flat, "oppose to nose")


def test_copying_a_thumb_copies_the_thumb(editor, flat):
    other = thumb_preset(editor, flat, "abduct")
    copied = editor.copy_thumb(editor.with_dof(flat, {"ring.pip.flexion": 1.0}), other)
    thumb = [k for k, name in enumerate(editor.anatomy.names) if name.startswith("thumb.")]
    assert np.allclose(editor.dof(copied)[thumb], editor.dof(other)[thumb], atol=1e-5)
    assert np.isclose(editor.dof(copied)[editor.anatomy.index("ring.pip.flexion")], 1.0, atol=1e-5)


@pytest.mark.parametrize("finger", ["index", "middle", "ring", "pinky", "thumb"])
def test_a_finger_closes_until_it_touches(editor, flat, finger):
    patches = Patches.of(editor.model)
    state = thumb_preset(editor, flat, "abduct") if finger == "thumb" else flat
    skin = patches.select(f"{finger}.*")
    lowest = float(editor.vertices(state)[skin, 1].min())
    sdf = plane_below(lowest - 0.012)
    closed = close_finger(editor, patches, sdf, state, finger)
    if finger != "thumb":  # the thumb's flexion may pass over the plane
        assert np.isclose(sdf.distance(editor.vertices(closed)[skin]).min(), -0.0005, atol=2e-5)
    # from inside it is opened to the same depth
    deep = plane_below(lowest + 0.004)
    if finger != "thumb":
        opened = close_finger(editor, patches, deep, state, finger)
        assert sdf.distance(editor.vertices(opened)[skin]).min() > sdf.distance(editor.vertices(closed)[skin]).min()


def test_a_finger_that_meets_nothing_closes_to_its_limits(editor, flat):
    closed = close_finger(editor, Patches.of(editor.model), plane_below(-0.2), flat, "index")
    column = editor.anatomy.index("index.pip.flexion")
    assert np.isclose(editor.dof(closed)[column], editor.anatomy.upper[column], atol=1e-5)
    with pytest.raises(InputError, match="finger"):
        close_finger(editor, Patches.of(editor.model), plane_below(-0.2), flat, "toe")
