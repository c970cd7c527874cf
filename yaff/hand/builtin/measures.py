"""Hand length and hand breadth of a skin, measured as ISO 7250-1 measures people."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from yaff.hand.axes import palm_frame, unit
from yaff.hand.model import FINGER_JOINTS, FINGERTIP_VERTICES, HandModel


def hand_length(model: HandModel, shape: Float[np.ndarray, "10"] | None = None) -> float:
    """From the wrist joint to the tip of the middle finger along the palm of the flat hand, metres."""
    vertices, joints = _shaped(model, shape)
    return float((vertices[FINGERTIP_VERTICES["middle"]] - joints[0]) @ palm_frame(joints, model.side).distal)


def hand_breadth(model: HandModel, shape: Float[np.ndarray, "10"] | None = None) -> float:
    """Across the palm at the knuckles of index and little finger, metres.

    The length, along the line from one knuckle to the other, of the skin's section with the plane that holds this line
    and the palm's normal.
    """
    vertices, joints = _shaped(model, shape)
    index, pinky = joints[FINGER_JOINTS["index"][0]], joints[FINGER_JOINTS["pinky"][0]]
    line = unit(index - pinky)
    height = (vertices - index) @ np.cross(line, palm_frame(joints, model.side).palmar)
    start, end = model.faces.ravel(), np.roll(model.faces, -1, axis=1).ravel()
    crossed = (height[start] < 0.0) != (height[end] < 0.0)
    start, end = start[crossed], end[crossed]
    share = (height[start] / (height[start] - height[end]))[:, None]
    points = vertices[start] + share * (vertices[end] - vertices[start])
    thumb = model.weights[start][:, list(FINGER_JOINTS["thumb"])].sum(axis=1) > 0.5
    along = points[~thumb] @ line
    return float(along.max() - along.min())


def _shaped(
    model: HandModel, shape: Float[np.ndarray, "10"] | None
) -> tuple[Float[np.ndarray, "778 3"], Float[np.ndarray, "16 3"]]:
    beta = np.zeros(10) if shape is None else np.asarray(shape, np.float64)
    vertices = model.template + model.shape_directions @ beta
    return vertices, model.joint_regressor @ vertices
