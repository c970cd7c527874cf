"""The objects of the 3-D scene. Whatever the page is told is kept, because a page that comes back is told again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui.elements.scene import Scene
from nicegui.elements.scene.scene_object3d import Object3D


class _Calls:
    """For objects whose component has methods."""

    id: str
    scene: Scene

    def call(self, method: str, *arguments: Any) -> None:
        """Run a method of the component in the page."""
        self.scene.run_method("run_method_on_component", self.id, method, *arguments)


class PosedHand(_Calls, Object3D, component="posed_hand.js"):
    """A hand that the page poses by itself."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._shown: Mapping[str, Any] | None = None
        self._field: str | None = None
        self._skin: str | None = None
        self._opacity = 1.0

    def load(self, grasp: Mapping[str, Any]) -> None:
        """Show a grasp; see :func:`annotator.app.scene_data.grasp_json`."""
        self._shown = grasp
        self.call("load", grasp)

    def field(self, url: str | None) -> None:
        """Colour contact and penetration by this distance field."""
        self._field = url
        self.call("set_field", url)

    def skin(self, colour: str) -> None:
        """Another colour of skin (``#rrggbb``), to tell hands apart."""
        self._skin = colour
        self.call("set_skin", colour)

    def opacity_of(self, opacity: float) -> None:
        """How much of it can be seen."""
        self._opacity = opacity
        self.call("set_opacity", opacity)

    def _resend(self) -> None:
        super()._resend()
        self.again()

    def again(self) -> None:
        """Tell the page everything once more, after its scene was made anew."""
        if self._shown is not None:
            self.load(self._shown)
        if self._field is not None:
            self.field(self._field)
        if self._skin is not None:
            self.skin(self._skin)
        self.opacity_of(self._opacity)


class TexturedObject(_Calls, Object3D, component="textured_object.js"):
    """An object with its texture."""

    def __init__(self) -> None:
        super().__init__(None)
        self._opacity = 1.0

    def show(self, url: str | None) -> None:
        """Show another object."""
        self.args[0] = url
        self.call("set_url", url)

    def opacity_of(self, opacity: float) -> None:
        """How much of it can be seen."""
        self._opacity = opacity
        self.call("set_opacity", opacity)

    def _resend(self) -> None:
        super()._resend()
        self.opacity_of(self._opacity)


class WristGizmo(_Calls, Object3D, component="wrist_gizmo.js"):
    """Arrows and rings at the wrist."""

    def __init__(self) -> None:
        super().__init__()
        self._wrist: Sequence[float] | None = None

    def place(self, T_object_hand: Sequence[float]) -> None:
        """Move it to a wrist, 16 numbers row by row."""
        self._wrist = T_object_hand
        self.call("set_wrist", T_object_hand)

    def _resend(self) -> None:
        super()._resend()
        if self._wrist is not None:
            self.place(self._wrist)


class CameraFrame(_Calls, Object3D, component="camera_frame.js"):
    """A camera image behind the scene, and its objects as what hides the hand."""

    def __init__(self) -> None:
        super().__init__()
        self._frame: Mapping[str, Any] | None = None

    def show(self, frame: Mapping[str, Any] | None) -> None:
        """Show another frame: image, size, focal, centre, crop, hiders; see the component."""
        self._frame = frame
        self.call("set_frame", frame)

    def again(self) -> None:
        """Tell the page everything once more, after its scene was made anew."""
        if self._frame is not None:
            self.show(self._frame)

    def _resend(self) -> None:
        super()._resend()
        self.again()
