"""One finger flexed until it touches."""

from __future__ import annotations

import numpy as np

from annotator.editing.editor import Editor
from annotator.store.records import GraspState
from yaff.errors import InputError
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.hand import Patches
from yaff.taxonomy.table import FINGERS

STEPS = 48
"""Postures looked at between open and closed; the touch is then found between two of them."""

FLEXIONS = {
    **{f: (f"{f}.mcp.flexion", f"{f}.pip.flexion", f"{f}.dip.flexion") for f in FINGERS},
    "thumb": ("thumb.cmc.flexion", "thumb.mcp.flexion", "thumb.ip.flexion"),
}
"""What closes when a finger closes."""

SHARES = (1.0, 1.0, 0.6)
"""How far each of its joints goes with the others: the last one lags, as the tendons have it."""


def close_finger(
    editor: Editor, patches: Patches, sdf: SignedDistanceGrid, state: GraspState, finger: str, depth: float = 0.0005
) -> GraspState:
    """Flex one finger until its skin lies ``depth`` inside the object; one that is deeper is opened first.

    All of a finger's flexions move together in the proportion of :data:`SHARES`. A finger that meets nothing closes
    to its limits.

    Args:
        editor: of the hand.
        patches: the hand's regions, which tell a finger's skin.
        sdf: the object's distance field.
        state: the grasp.
        finger: thumb, index, middle, ring or pinky.
        depth: metres; skin is soft.

    Raises:
        InputError: no such finger.
    """
    if finger not in FLEXIONS:
        raise InputError(f"no finger {finger!r}", remedy=f"one of {', '.join(FLEXIONS)}")
    anatomy = editor.anatomy
    columns = [anatomy.index(name) for name in FLEXIONS[finger]]
    skin = np.asarray(patches.select(f"{finger}.*"), np.intp)
    start, shares = editor.dof(state), np.array(SHARES)
    lower, upper = anatomy.lower[columns], anatomy.upper[columns]

    def posed(amounts: np.ndarray) -> np.ndarray:
        dof = np.repeat(start[None], len(amounts), axis=0)
        dof[:, columns] = np.clip(start[columns] + amounts[:, None] * shares, lower, upper)
        return dof

    def nearest(amounts: np.ndarray) -> np.ndarray:
        n = len(amounts)
        wrist = np.repeat(state.wrist_rotation.astype(np.float64)[None], n, axis=0)
        translation = np.repeat(state.translation.astype(np.float64)[None], n, axis=0)
        shape = np.repeat(state.shape.astype(np.float64)[None], n, axis=0)
        points = editor.model.vertices(
            anatomy.pose_from_dof(posed(amounts)), wrist, translation, shape, vertex_indices=skin
        )
        return sdf.distance(points).min(axis=1)

    opened = float(((lower - start[columns]) / shares).min())
    closed = float(((upper - start[columns]) / shares).max())
    here = nearest(np.zeros(1))[0]
    if here < -depth:  # already inside: come back to where it is free, then close from there
        amounts = np.linspace(0.0, opened, STEPS)
        free = np.flatnonzero(nearest(amounts) >= -depth)
        if not len(free):
            return editor.all_dof(state, posed(np.array([opened]))[0])
        outside, inside = float(amounts[free[0]]), float(amounts[free[0] - 1])
    else:
        amounts = np.linspace(0.0, closed, STEPS)
        touching = np.flatnonzero(nearest(amounts) < -depth)
        if not len(touching):
            return editor.all_dof(state, posed(np.array([closed]))[0])
        outside, inside = float(amounts[touching[0] - 1]), float(amounts[touching[0]])
    for _ in range(3):  # three times a sixteenth: 4096 times finer than the first look
        amounts = np.linspace(outside, inside, 17)
        k = int(np.flatnonzero(nearest(amounts) < -depth)[0]) if nearest(amounts)[-1] < -depth else 16
        outside, inside = float(amounts[k - 1]), float(amounts[k])
    return editor.all_dof(state, posed(np.array([outside]))[0])
