"""A scene seen through the camera of a dataset: its image behind, hands in it, hidden by the objects before them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from nicegui import ui

from annotator.app.components import CameraFrame
from annotator.app.routes import PREFIX

Array = np.ndarray


class CameraScene:
    """A camera image with room for hands; what is put into :attr:`group` is drawn over it.

    Nobody turns it: image and hands agree from one place only, that of the camera.

    Args:
        width: of the picture, pixels; its proportions are those of the part of the image that is shown.
        height: likewise.
        fps: how often it is drawn in a second.
    """

    def __init__(self, width: int, height: int, fps: int = 10) -> None:
        with ui.scene(width, height, grid=False, background_color="#20242b", fps=fps).classes("yaff-image") as scene:
            self._backdrop = CameraFrame()
            self.group = scene.group()
        self.element = scene

    def show(
        self,
        frame: tuple[int, int],
        size: tuple[int, int],
        intrinsics: Float[Array, "3 3"],
        hiders: Iterable[tuple[str, Float[Array, "4 4"]]],
        crop: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Show an image.

        Args:
            frame: scene and frame.
            size: width and height of the image, pixels.
            intrinsics: pinhole matrix, pixels.
            hiders: objects before which, as the camera sees them, a hand may be hidden, with ``T_camera_object``.
            crop: the part that is shown: left, top, width, height, pixels; all of it if not given.
        """
        scene, number = frame
        self._backdrop.show(
            {
                "image": f"{PREFIX}/frames/{scene}/{number}",
                "size": list(size),
                "focal": float(intrinsics[1, 1]),
                "centre": [float(intrinsics[0, 2]), float(intrinsics[1, 2])],
                "crop": list(crop or (0.0, 0.0, *map(float, size))),
                "hiders": [{"url": f"{PREFIX}/objects/{name}.glb", "T": T.ravel().tolist()} for name, T in hiders],
            }
        )

    def clear(self) -> None:
        """Show no image."""
        self._backdrop.show(None)

    def again(self) -> None:
        """Tell the page everything once more, after its scene was made anew."""
        # the camera at the origin, looking along z with y down, as images are taken
        self.element.move_camera(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, duration=0)
        self._backdrop.again()
