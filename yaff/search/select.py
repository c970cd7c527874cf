"""Which of the verified grasps are kept: diverse, best first, no symmetric copies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.transforms import rotation_angle
from yaff.search.config import SelectionConfig

Array = np.ndarray


def differs(
    T_object_hand: Float[Array, "4 4"],
    others: Float[Array, "k 4 4"],
    symmetries: Float[Array, "s 4 4"],
    config: SelectionConfig,
) -> bool:
    """Whether a wrist is far enough from all others and from their copies under the object's symmetries.

    Far enough is ``least_distance`` between the origins or ``least_angle`` between the axes.
    """
    if not len(others):
        return True
    copies = (symmetries[:, None] @ others[None]).reshape(-1, 4, 4)
    distance = np.linalg.norm(copies[:, :3, 3] - T_object_hand[:3, 3], axis=1)
    angle = rotation_angle(np.swapaxes(copies[:, :3, :3], 1, 2) @ T_object_hand[:3, :3])
    return bool(((distance >= config.least_distance) | (angle >= config.least_angle)).all())


def select_diverse(
    Ts_object_hand: Float[Array, "n 4 4"],
    quality: Float[Array, "n"],
    symmetries: Float[Array, "s 4 4"],
    config: SelectionConfig,
) -> Int[Array, "k"]:
    """Rows of at most ``config.keep`` grasps, best quality first, any two of which differ."""
    chosen: list[int] = []
    for row in np.argsort(-quality, kind="stable"):
        if len(chosen) == config.keep:
            break
        if differs(Ts_object_hand[row], Ts_object_hand[chosen], symmetries, config):
            chosen.append(int(row))
    return np.array(chosen, np.intp)
