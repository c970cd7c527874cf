"""A camera that moves round a table as a person with a camera in the hand would."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from yaff.geometry.transforms import make_transform

Array = np.ndarray

INTRINSICS: Float64[Array, "3 3"] = np.array([[1066.778, 0.0, 312.9869], [0.0, 1067.487, 241.3109], [0.0, 0.0, 1.0]])
"""The colour camera of YCB-Video's first 60 videos, pixels, for images of 640x480."""


def look_at(eye: Float[Array, "f 3"], target: Float[Array, "3"], roll: Float[Array, "f"]) -> Float64[Array, "f 4 4"]:
    """``Ts_camera_world`` of OpenCV cameras at ``eye`` (metres) that look at ``target``; world z is up.

    Args:
        roll: radians about the optical axis, 0 for a level horizon.
    """
    forward = target - eye
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(forward, right)
    cosine, sine = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack([cosine * right + sine * down, cosine * down - sine * right, forward], axis=1)
    return make_transform(rotation, -(rotation @ eye[..., None])[..., 0])


def orbit(n_frames: int, target: Float[Array, "3"], extent: float, rng: np.random.Generator) -> Float64[Array, "f 4 4"]:
    """``Ts_camera_world`` along a smooth arc round ``target`` from which a pile of radius ``extent`` fits the image.

    Args:
        n_frames: poses along the arc.
        target: what the camera looks at, world frame, metres.
        extent: radius of a sphere about the target that holds the objects, metres.
        rng: chooses height, arc and sway.
    """
    s = np.linspace(0.0, 1.0, n_frames)
    azimuth = rng.uniform(0.0, 2.0 * np.pi) + rng.uniform(0.5 * np.pi, 0.9 * np.pi) * s * rng.choice([-1.0, 1.0])
    elevation = np.radians(rng.uniform(32.0, 46.0) + rng.uniform(4.0, 8.0) * np.sin(2.0 * np.pi * (s + rng.uniform())))
    # half the width of the image, 320 of 1067 pixels, must hold the sphere; a pile is flat, so its height then fits
    distance = max(0.65, extent / np.sin(np.arctan(260.0 / 1067.0))) * (1.0 + 0.06 * np.sin(2.0 * np.pi * s + 1.0))
    roll = np.radians(2.5) * np.sin(2.0 * np.pi * (1.5 * s + rng.uniform()))
    direction = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=1
    )
    return look_at(target + distance[:, None] * direction, target, roll)
