"""The real frame with the grasp drawn over it, where the dataset has images."""

from __future__ import annotations

from typing import Any

from nicegui import run, ui

from annotator.app.camera_scene import CameraScene
from annotator.app.components import PosedHand
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
            self._camera = CameraScene(WIDTH, HEIGHT)
            with self._camera.element, self._camera.group:
                self.hand = PosedHand(f"{PREFIX}/hand.json")
            self._camera.element.on("init", self._again)

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
            self._camera.clear()
            return
        view, size = self._views[self._at], self._frames.size
        self._label.set_text(f"scene {view.scene}, frame {view.frame} ({self._at + 1} of {len(self._views)})")
        T = view.T_camera_object
        self._camera.group.move(*T[:3, 3].tolist()).rotate_R(T[:3, :3].tolist())
        self._camera.show((view.scene, view.frame), size, view.intrinsics, view.others, view.crop(size))

    def _again(self) -> None:
        self._camera.again()
        self.hand.again()
