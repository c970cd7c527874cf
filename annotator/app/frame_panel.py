"""The real frame with the grasp drawn over it, where the dataset has images."""

from __future__ import annotations

from typing import Any

from nicegui import run, ui

from annotator.app.components import CameraFrame, PosedHand
from annotator.app.routes import PREFIX
from annotator.editing import Editor
from annotator.frames import FrameView, FrameViews
from annotator.store import GraspState

WIDTH, HEIGHT = 360, 270


class FramePanel:
    """Shows the frames of one object, one at a time, with the hand in them; the hand follows the sliders.

    Args:
        frames: finds the frames.
        editor: of the hand.
    """

    def __init__(self, frames: FrameViews, editor: Editor) -> None:
        self._frames, self._editor = frames, editor
        self._views: tuple[FrameView, ...] = ()
        self._at = 0
        with ui.column().classes("yaff-frame gap-0"):
            with ui.row().classes("items-center gap-1"):
                self._label = ui.label("").classes("text-xs opacity-70").mark("frame")
                ui.space()
                ui.button(icon="chevron_left", on_click=lambda: self.turn(-1)).props("flat dense size=sm")
                ui.button(icon="chevron_right", on_click=lambda: self.turn(1)).props("flat dense size=sm")
            with ui.scene(WIDTH, HEIGHT, grid=False, background_color="#20242b", fps=10).classes("yaff-image") as scene:
                self._backdrop = CameraFrame()
                with scene.group() as self._object:
                    self.hand = PosedHand(f"{PREFIX}/hand.json")
            scene.on("init", self._again)
            self._scene = scene

    async def show(self, object_name: str, state: GraspState) -> None:
        """Frames of another object."""
        self._views = await run.io_bound(self._frames.of, object_name, self._editor.wrist(state)) or ()
        self._at = 0
        self._show()

    def pose(self, grasp: dict[str, Any]) -> None:
        """The grasp as it is now."""
        self.hand.load(grasp)

    def turn(self, by: int) -> None:
        """The next frame, or the one before."""
        if self._views:
            self._at = (self._at + by) % len(self._views)
            self._show()

    def _show(self) -> None:
        if not self._views:
            self._label.set_text("no image shows this object")
            self._backdrop.show(None)
            return
        view, size = self._views[self._at], self._frames.size
        self._label.set_text(f"scene {view.scene}, frame {view.frame} ({self._at + 1} of {len(self._views)})")
        T, K = view.T_camera_object, view.intrinsics
        self._object.move(*T[:3, 3].tolist()).rotate_R(T[:3, :3].tolist())
        self._backdrop.show(
            {
                "image": f"{PREFIX}/frames/{view.scene}/{view.frame}",
                "size": list(size),
                "focal": float(K[1, 1]),
                "centre": [float(K[0, 2]), float(K[1, 2])],
                "crop": list(view.crop(size)),
                "hiders": [
                    {"url": f"{PREFIX}/objects/{name}.glb", "T": pose.ravel().tolist()} for name, pose in view.others
                ],
            }
        )

    def _again(self) -> None:
        # the camera at the origin, looking along z with y down, as images are taken
        self._scene.move_camera(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, duration=0)
        self.hand.again()
        self._backdrop.again()
