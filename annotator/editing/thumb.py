"""Where the thumb goes at the press of a button."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import least_squares

from annotator.editing.editor import Editor
from annotator.store.records import GraspState
from yaff.errors import InputError
from yaff.hand.model import FINGERTIP_VERTICES

ABDUCTED = {
    "thumb.cmc.abduction": 0.85,
    "thumb.cmc.flexion": 0.15,
    "thumb.cmc.rotation": 0.55,
    "thumb.mcp.flexion": 0.2,
    "thumb.ip.flexion": 0.25,
}
"""The thumb before the palm, ready to oppose; radians."""

ADDUCTED = {
    "thumb.cmc.abduction": 0.0,
    "thumb.cmc.flexion": 0.1,
    "thumb.cmc.rotation": 0.0,
    "thumb.mcp.flexion": 0.15,
    "thumb.ip.flexion": 0.1,
}
"""The thumb beside the index finger; radians."""

THUMB_PRESETS: tuple[str, ...] = ("abduct", "adduct", "oppose to index", "oppose to middle")


def thumb_preset(editor: Editor, state: GraspState, name: str) -> GraspState:
    """The grasp with its thumb where the preset has it; the other fingers stay.

    Raises:
        InputError: no such preset.
    """
    presets: Mapping[str, Mapping[str, float]] = {"abduct": ABDUCTED, "adduct": ADDUCTED}
    if name in presets:
        return editor.with_dof(state, presets[name])
    if name not in THUMB_PRESETS:
        raise InputError(f"no thumb preset {name!r}", remedy=f"one of {', '.join(THUMB_PRESETS)}")
    return oppose(editor, state, name.removeprefix("oppose to "))


COMFORT = 0.004
"""Metres that a radian away from :data:`ABDUCTED` counts as."""

LEAST_ABDUCTION = 0.7
"""An opposing thumb is abducted at least so far, radians: it comes from before the palm, not from beside it."""


def oppose(editor: Editor, state: GraspState, finger: str) -> GraspState:
    """The tip of the thumb brought to the tip of a finger, as near as its limits allow.

    Minimises the squared distance of the tips plus that of the angles from :data:`ABDUCTED`, weighted by
    :data:`COMFORT`, so that of all ways to get there the natural one is taken.
    """
    model, anatomy = editor.model, editor.anatomy
    columns = [anatomy.index(name) for name in ABDUCTED]
    natural = np.array(list(ABDUCTED.values()))
    dof, zero = editor.dof(state), np.zeros((1, 3))
    tips = np.array([FINGERTIP_VERTICES["thumb"], FINGERTIP_VERTICES[finger]])

    def residuals(angles: np.ndarray) -> np.ndarray:
        posed = dof.copy()
        posed[columns] = angles
        pose = anatomy.pose_from_dof(posed[None])
        thumb, other = model.vertices(pose, zero, zero, state.shape.astype(np.float64)[None], vertex_indices=tips)[0]
        return np.concatenate([thumb - other, COMFORT * (angles - natural)])

    lower, upper = anatomy.lower[columns], anatomy.upper[columns]
    lower[0] = min(LEAST_ABDUCTION, upper[0] - 0.1)
    found = least_squares(residuals, np.clip(natural, lower, upper), bounds=(lower, upper), x_scale=1.0, diff_step=1e-4)
    return editor.with_dof(state, dict(zip(ABDUCTED, found.x.tolist(), strict=True)))
