"""Which frames of a table belong to which split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Int

from yaff.scene.frames import FrameTable

Array = np.ndarray


def splits_of(
    table: FrameTable, image_sets: Mapping[str, Mapping[int, Int[Array, "_"]]]
) -> dict[str, Bool[Array, "f"]]:
    """For each image set (frame numbers by scene), the frames of the table in it; the order of the sets is kept."""
    none = np.zeros(0, np.int32)
    return {name: np.isin(table.frames, frames.get(table.scene, none)) for name, frames in image_sets.items()}
