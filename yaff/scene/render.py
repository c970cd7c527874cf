"""Pictures, depth and masks of meshes seen by a pinhole camera: what every renderer takes and gives.

:mod:`yaff.scene.renderers` chooses one of the two.

Camera axes are OpenCV's (x right, y down, z forward) and the centre of the first pixel is (0, 0), for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import trimesh
from jaxtyping import Float, Float32, Float64, Int32, UInt8

from yaff.errors import InputError

Array = np.ndarray

BACKGROUND: tuple[int, int, int] = (232, 236, 240)
"""Colour of pixels that see nothing."""


@dataclass(frozen=True, eq=False)
class RenderMesh:
    """A mesh to draw."""

    mesh: trimesh.Trimesh
    """Metres; drawn with its texture, its vertex or its face colours where ``colour`` is None."""
    T_camera_mesh: Float[Array, "4 4"]
    """Pose in the OpenCV camera frame."""
    colour: tuple[int, int, int] | None = None
    """One colour for the whole mesh, 0 to 255."""


@dataclass(frozen=True, eq=False)
class RenderResult:
    """What the camera sees."""

    colour: UInt8[Array, "h w 3"]
    depth: Float32[Array, "h w"]
    """Metres along the optical axis; infinite where nothing is seen, so that nearer is always smaller."""
    index: Int32[Array, "h w"]
    """Place in the list of meshes of the one seen; -1 where nothing is seen."""


@runtime_checkable
class Renderer(Protocol):
    """Draws meshes; keep one and use it for many frames."""

    @property
    def name(self) -> str:
        """``pyrender`` or ``raycast``."""
        ...

    @property
    def note(self) -> str:
        """Why this renderer was chosen, for a report; empty when it was asked for."""
        ...

    def render(
        self,
        meshes: Sequence[RenderMesh],
        intrinsics: Float[Array, "3 3"],
        size: tuple[int, int],
        background: tuple[int, int, int] = BACKGROUND,
    ) -> RenderResult:
        """Draw meshes.

        Args:
            meshes: what to draw; may be empty.
            intrinsics: pinhole matrix without skew, pixels.
            size: width and height, pixels.
            background: colour of pixels that see nothing.
        """
        ...

    def close(self) -> None:
        """Give graphics memory back."""
        ...


def split_intrinsics(intrinsics: Float[Array, "3 3"]) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy of a pinhole matrix.

    Raises:
        InputError: not finite, skewed, or a focal length that is not positive.
    """
    matrix: Float64[Array, "3 3"] = np.asarray(intrinsics, np.float64)
    fx, fy, cx, cy = (float(matrix[i]) for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
    if not np.isfinite(matrix).all() or fx <= 0 or fy <= 0 or abs(matrix[0, 1]) > 1e-6 * fx:
        raise InputError(f"cannot render with intrinsics {matrix.tolist()}")
    return fx, fy, cx, cy
