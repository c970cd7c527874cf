"""Which bone carries which skin, and which skin tells where the joints are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from yaff.hand.builtin.skeleton import DIGIT, DIGITS, WRIST, first_joint, rest_joints

MOST_BONES = 4
"""Bones per vertex, as real-time engines want it."""


@dataclass(frozen=True)
class Bend:
    """How skin passes from one bone to the next along a digit; millimetres."""

    width: tuple[float, float, float]
    """Length over which each joint of the digit blends, about the thickness of the finger there."""
    palmar_shift: tuple[float, float, float]
    """How much further out the blend lies on the pad's side, where the creases are."""


_FINGER = Bend((28.0, 24.0, 19.0), (2.0, 0.0, 0.0))
BENDS: Mapping[str, Bend] = {
    "index": _FINGER,
    "middle": _FINGER,
    "ring": _FINGER,
    "pinky": Bend((22.0, 19.0, 16.0), (1.0, 0.0, 0.0)),
    "thumb": Bend((28.0, 26.0, 23.0), (0.0, 0.0, 0.0)),
}
_CARPUS: Mapping[str, tuple[float, float, float]] = {
    "index": (-0.018, -0.0015, 0.012),
    "middle": (-0.018, -0.0005, 0.003),
    "ring": (-0.018, -0.001, -0.007),
    "pinky": (-0.016, -0.003, -0.017),
}


def smooth_step(x: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """0 below -0.5, 1 above 0.5, with zero slope at both."""
    t = np.clip(x + 0.5, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def membership(
    vertices: Float[np.ndarray, "v 3"], digit_of: Int[np.ndarray, "v"]
) -> Mapping[str, Float[np.ndarray, "v"]]:
    """How much of each vertex moves with each digit at all, 0 to 1; the rest stays with the palm.

    ``digit_of`` is the row in :data:`DIGITS` for vertices on a digit's rings, -1 for the palm.
    """
    thumb = _thumb_share(vertices)
    fingers = [name for name in DIGITS if name != "thumb"]
    distance = np.stack([_to_segment(vertices, DIGIT[n].joints[0], DIGIT[n].joints[1]) for n in fingers])
    nearness = np.exp(-np.minimum((distance - distance.min(axis=0)) / 0.0022, 50.0))
    nearness /= nearness.sum(axis=0)
    result = {}
    for row, name in enumerate(fingers):
        share = nearness[row] * (1.0 - thumb) * _beyond(vertices, name, 0)
        result[name] = np.where(digit_of >= 0, (digit_of == DIGITS.index(name)) * _beyond(vertices, name, 0), share)
    result["thumb"] = np.where(digit_of >= 0, 1.0 * (digit_of == DIGITS.index("thumb")), thumb)
    return result


def skinning_weights(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], digit_of: Int[np.ndarray, "v"]
) -> Float[np.ndarray, "v 16"]:
    """Weights of the 16 bones, rows summing to one, at most :data:`MOST_BONES` above zero."""
    weights = np.zeros((len(vertices), 16))
    share = membership(vertices, digit_of)
    for name in DIGITS:
        joint = first_joint(name)
        second = share[name] * _beyond(vertices, name, 1)
        third = share[name] * _beyond(vertices, name, 2)
        weights[:, joint] = share[name] - second
        weights[:, joint + 1] = second - np.minimum(third, second)
        weights[:, joint + 2] = np.minimum(third, second)
    weights[:, 0] = np.maximum(0.0, 1.0 - weights.sum(axis=1))
    weights = _smooth(weights, faces, digit_of < 0)
    return _sparse(weights)


def _beyond(vertices: Float[np.ndarray, "v 3"], name: str, joint: int) -> Float[np.ndarray, "v"]:
    """0 before a joint of a digit, 1 beyond it."""
    digit, bend = DIGIT[name], BENDS[name]
    along, _, dorsal = digit.local(vertices).T
    palmar = smooth_step(-dorsal / 0.012)
    centre = digit.knots[joint] + 1e-3 * bend.palmar_shift[joint] * palmar
    return smooth_step((along - centre) / (1e-3 * bend.width[joint]))


def _thumb_share(vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v"]:
    """How much of the palm's skin the thumb's metacarpal carries: the thenar, fading out over web and palm."""
    thumb = DIGIT["thumb"]
    to_thumb = np.minimum(
        _to_segment(vertices, thumb.joints[0], thumb.joints[1]),
        _to_segment(vertices, thumb.joints[1], thumb.joints[2]),
    )
    to_palm = np.stack(
        [_to_segment(vertices, WRIST + np.array(_CARPUS[name]), DIGIT[name].joints[0]) for name in _CARPUS]
        + [_to_segment(vertices, DIGIT[name].joints[0], DIGIT[name].joints[1]) for name in _CARPUS]
    ).min(axis=0)
    along = thumb.local(vertices)[:, 0]
    return smooth_step((to_palm - to_thumb - 0.001) / 0.034) * smooth_step((along - 0.004) / 0.028)


def _to_segment(
    points: Float[np.ndarray, "v 3"], start: Float[np.ndarray, "3"], end: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "v"]:
    segment = end - start
    share = np.clip(((points - start) @ segment) / np.sum(segment**2), 0.0, 1.0)
    return np.sqrt(np.sum((points - start - share[:, None] * segment) ** 2, axis=1))


def _smooth(
    values: Float[np.ndarray, "v k"], faces: Int[np.ndarray, "f 3"], movable: np.ndarray, rounds: int = 3
) -> Float[np.ndarray, "v k"]:
    """Half-way to the mean of the neighbours, a few times, where ``movable``."""
    edges = np.unique(np.sort(np.concatenate([faces[:, :2], faces[:, 1:], faces[:, ::2]]), axis=1), axis=0)
    degree = np.bincount(edges.ravel(), minlength=len(values))
    for _ in range(rounds):
        total = np.zeros_like(values)
        np.add.at(total, edges[:, 0], values[edges[:, 1]])
        np.add.at(total, edges[:, 1], values[edges[:, 0]])
        values = np.where(movable[:, None], 0.5 * values + 0.5 * total / degree[:, None], values)
    return values


def _sparse(weights: Float[np.ndarray, "v 16"]) -> Float[np.ndarray, "v 16"]:
    """The largest few, without traces, rounded so that rows still sum to one."""
    order = np.argsort(-weights, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(16), order.shape), axis=1)
    kept = np.where((rank < MOST_BONES) & (weights > 0.02), weights, 0.0)
    kept = np.round(kept / kept.sum(axis=1, keepdims=True), 6)
    first = order[:, :1]
    rest = kept.sum(axis=1, keepdims=True) - np.take_along_axis(kept, first, axis=1)
    np.put_along_axis(kept, first, np.round(1.0 - rest, 6), axis=1)
    return kept


def joint_regressor(vertices: Float[np.ndarray, "v 3"], digit_of: Int[np.ndarray, "v"]) -> Float[np.ndarray, "16 v"]:
    """Weights of the skin round each joint whose mean is the joint: non-negative, rows summing to one."""
    regressor = np.zeros((16, len(vertices)))
    for joint, point in enumerate(rest_joints()):
        distance = np.sqrt(np.sum((vertices - point) ** 2, axis=1))
        if joint == 0:
            near = np.abs(vertices[:, 0] - point[0]) < 0.016
        elif joint % 3 == 1:
            near = distance < (0.030 if joint == 13 else 0.024)
        else:
            name = DIGITS[(joint - 1) // 3]
            along = DIGIT[name].local(vertices)[:, 0] - DIGIT[name].knots[(joint - 1) % 3]
            near = (
                (np.abs(along) < 0.0085) & (digit_of == DIGITS.index(name))
                if name != "thumb"
                else ((np.abs(along) < 0.0085) & (distance < 0.017))
            )
        regressor[joint] = _convex_weights(vertices, near, point)
    return regressor


def _convex_weights(
    vertices: Float[np.ndarray, "v 3"], near: np.ndarray, point: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "v"]:
    """Least-norm weights with mean ``point``; vertices whose weight would be negative are left out in turn."""
    rows = np.flatnonzero(near)
    while True:
        system = np.concatenate([(vertices[rows] - point).T / 0.01, np.ones((1, len(rows)))])
        weights = np.linalg.lstsq(system, np.array([0.0, 0.0, 0.0, 1.0]), rcond=None)[0]
        if len(rows) < 5 or np.abs(system @ weights - [0.0, 0.0, 0.0, 1.0]).max() > 1e-9:
            raise RuntimeError("no convex combination of the skin round a joint gives the joint")
        if weights.min() >= 1e-5:
            break
        rows = rows[weights >= min(0.5 * weights.min(), 1e-5)]
    weights = np.round(weights, 10)  # so that the last bits of a solver do not reach the asset
    weights[np.argmax(weights)] += 1.0 - weights.sum()
    result = np.zeros(len(vertices))
    result[rows] = weights
    return result
