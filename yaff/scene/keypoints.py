"""Where the 21 keypoints of hands are in the image, for whoever wants them: they follow from what shards hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Shaped

from yaff.hand.model import HandModel
from yaff.scene.cameras import project_points

Array = np.ndarray


def image_keypoints(
    hand: HandModel, samples: Mapping[str, Shaped[Array, "n ..."]]
) -> tuple[Float64[Array, "n 21 2"], Float64[Array, "n 21 3"]]:
    """Pixels and camera-frame points of the keypoints of annotated hands.

    Args:
        hand: the hand of the dataset.
        samples: a batch of samples as :meth:`yaff.store.ShardSet.batch` gives them: ``pose``, ``wrist_rotation``,
            ``translation``, ``shape``, ``intrinsics``.

    Returns:
        pixels: u right, v down, whether inside the image or not; NaN behind the camera.
        points: metres, in the order of :data:`yaff.hand.KEYPOINT_NAMES`: wrist, then each finger from palm to tip.
    """
    points = hand.keypoints(
        np.asarray(samples["pose"], np.float64),
        np.asarray(samples["wrist_rotation"], np.float64),
        np.asarray(samples["translation"], np.float64),
        np.asarray(samples["shape"], np.float64),
    )
    return project_points(points, np.asarray(samples["intrinsics"], np.float64)), points
