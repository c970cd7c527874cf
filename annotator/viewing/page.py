"""The viewer's page: the annotator's scene, read-only."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from nicegui import ui

from annotator.app.components import PosedHand, TexturedObject
from annotator.app.routes import PREFIX
from annotator.app.scene_data import grasp_json
from annotator.app.style import STYLE
from annotator.editing import Editor
from annotator.viewing.content import SCENE_CAMERA, FrameContent, GraspView, LibraryContent, ShardsContent
from yaff.taxonomy import GRASP_TYPES

DARK = "#20242b"


class _Viewer:
    """What both kinds of page have: a scene, what is known of a grasp, and its Python."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.shown: GraspView | None = None
        self._objects: dict[str, TexturedObject] = {}
        ui.add_css(STYLE)
        ui.dark_mode(value=True)
        with ui.row().classes("yaff-page no-wrap w-full"):
            with ui.column().classes("yaff-queue"):
                ui.label("YAFF").classes("text-lg")
                self._choose()
            with ui.column().classes("yaff-scene"):
                self._title = ui.label("").classes("text-lg").mark("title")
                with ui.scene(width=760, height=570, grid=False, background_color=DARK).classes("yaff-canvas") as scene:
                    self.scene = scene
                    self.hand = PosedHand(f"{PREFIX}/hand.json")
                scene.on("init", self._again)
            with ui.column().classes("yaff-tools"):
                self._facts = ui.html("", sanitize=False).classes("yaff-measures")
                ui.button("Copy as Python", icon="content_copy", on_click=self._copy).props("dense no-caps").mark(
                    "copy"
                )
                self._code = ui.code("", language="python").classes("w-full text-xs").mark("code")

    def _choose(self) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        raise NotImplementedError

    def _again(self) -> None:
        self.hand.again()
        self._look()

    def _copy(self) -> None:
        if self.shown is not None:
            ui.clipboard.write(self.shown.code)
            ui.notify("copied", type="positive")

    def _look_from(self, eye: np.ndarray, at: np.ndarray, up: tuple[float, float, float]) -> None:
        (x, y, z), (to_x, to_y, to_z) = eye.tolist(), at.tolist()
        self.scene.move_camera(x, y, z, to_x, to_y, to_z, *up, duration=0)

    def _place(self, name: str, T_scene_object: np.ndarray) -> None:
        """Show an object at a pose."""
        if name not in self._objects:
            with self.scene:
                self._objects[name] = TexturedObject()
            self._objects[name].show(f"{PREFIX}/objects/{name}.glb")
        thing = self._objects[name]
        x, y, z = T_scene_object[:3, 3].tolist()
        thing.move(x, y, z).rotate_R(T_scene_object[:3, :3].tolist())
        thing.visible(True)

    def _hide_others(self, names: Sequence[str]) -> None:
        for name, thing in self._objects.items():
            if name not in names:
                thing.visible(False)

    def _show(self, view: GraspView | None, T_scene_frame: np.ndarray) -> None:
        """Show a hand, in the frame of its numbers, and what is known of it."""
        self.shown = view
        self.hand.visible(view is not None)
        if view is None:
            self._title.set_text("no feasible grasp here")
            self._facts.set_content("")
            self._code.set_content("")
            return
        posed = grasp_json(self.editor, view.state)
        posed["wrist"] = (T_scene_frame @ self.editor.wrist(view.state)).ravel().tolist()
        self.hand.load(posed)
        self._title.set_text(view.title)
        rows = "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in view.facts)
        self._facts.set_content(f"<table>{rows}</table>")
        self._code.set_content(view.code)


class LibraryPage(_Viewer):
    """Grasps of a library, by object and type."""

    def __init__(self, content: LibraryContent, editor: Editor) -> None:
        self.content = content
        self.rows: tuple[int, ...] = ()
        super().__init__(editor)
        self._new_object()

    def _choose(self) -> None:
        names = list(self.content.objects)
        self._object = _select(names, names[0] if names else None, "object", self._new_object)
        self._type = _select({}, None, "type", self._new_type)
        self._count = ui.label("").classes("text-sm opacity-70")
        self._slider = ui.slider(min=0, max=0, step=1, value=0, on_change=self._new_row).mark("grasp")
        with ui.row():
            ui.button(icon="chevron_left", on_click=lambda: self._step(-1)).props("flat dense").mark("before")
            ui.button(icon="chevron_right", on_click=lambda: self._step(1)).props("flat dense").mark("next")

    def _new_object(self) -> None:
        if self._object.value is None:
            self._show(None, np.eye(4))
            return
        counts = self.content.types(self._name())
        named = {0: f"all types ({sum(counts.values())})"}
        named |= {number: f"{number} {GRASP_TYPES[number].name} ({count})" for number, count in counts.items()}
        self._type.set_options(named, value=0)
        self._place(self._name(), np.eye(4))
        self._hide_others([self._name()])
        self.hand.field(f"{PREFIX}/objects/{self._name()}.field")
        self._new_type()

    def _name(self) -> str:
        return str(self._object.value)

    def _new_type(self) -> None:
        self.rows = self.content.rows(self._name(), self._type.value or None)
        self._slider.props(f"max={max(0, len(self.rows) - 1)}")
        self._slider.set_value(0)
        self._new_row()

    def _step(self, by: int) -> None:
        self._slider.set_value((_at(self._slider) + by) % max(1, len(self.rows)))

    def _new_row(self) -> None:
        if not self.rows:
            return
        k = min(_at(self._slider), len(self.rows) - 1)
        self._count.set_text(f"grasp {k + 1} of {len(self.rows)}")
        self._show(self.content.grasp(self._name(), self.rows[k]), np.eye(4))
        self._look()

    def _look(self) -> None:
        if self.shown is None:
            return
        T = self.editor.wrist(self.shown.state)
        centre = 0.5 * (T[:3, :3] @ [-0.09, 0.0, 0.0] + T[:3, 3])
        away = centre + T[:3, :3] @ [0.0, -0.1, 0.26]
        self._look_from(away, centre, (0.0, 0.0, 1.0))


class ShardsPage(_Viewer):
    """Frames of a dataset, one after the other, with their hands."""

    def __init__(self, content: ShardsContent, editor: Editor) -> None:
        self.content = content
        self.rows: tuple[int, ...] = ()
        self.frame: FrameContent | None = None
        self._T_scene_camera = SCENE_CAMERA
        super().__init__(editor)
        self._new_scene()

    def _choose(self) -> None:
        scenes = {scene: f"scene {scene}" for scene in self.content.scenes}
        self._scene = _select(scenes, self.content.scenes[0] if scenes else None, "scene", self._new_scene)
        self._words = ui.label("").classes("text-sm opacity-70")
        self._slider = ui.slider(min=0, max=0, step=1, value=0, on_change=self._new_frame).mark("frame")
        self._playing = ui.switch("play").props("dense")
        ui.timer(0.2, self._play)
        self._object = _select([], None, "object", self._new_object)
        self._which = ui.slider(min=0, max=0, step=1, value=0, on_change=self._new_grasp).mark("grasp")
        self._count = ui.label("").classes("text-sm opacity-70")

    def _play(self) -> None:
        if self._playing.value and self.rows:
            self._slider.set_value((_at(self._slider) + 1) % len(self.rows))

    def _new_scene(self) -> None:
        if self._scene.value is None:
            self._show(None, SCENE_CAMERA)
            return
        self.rows = self.content.frames(self._scene.value)
        # the objects around the origin, about which the page turns and zooms
        places = [T_camera_object[:3, 3] for _, T_camera_object, _ in self.content.frame(self.rows[0]).objects]
        self._T_scene_camera = SCENE_CAMERA.copy()
        self._T_scene_camera[:3, 3] = -SCENE_CAMERA[:3, :3] @ (np.mean(places, axis=0) if places else np.zeros(3))
        self._slider.props(f"max={len(self.rows) - 1}")
        self._slider.set_value(0)
        self._new_frame()
        self._look()

    def _new_frame(self) -> None:
        self.frame = self.content.frame(self.rows[min(_at(self._slider), len(self.rows) - 1)])
        names = [name for name, _, _ in self.frame.objects]
        self._words.set_text(f"frame {self.frame.frame}, {sum(len(rows) for _, _, rows in self.frame.objects)} grasps")
        for name, T_camera_object, _ in self.frame.objects:
            self._place(name, self._T_scene_camera @ T_camera_object)
        self._hide_others(names)
        options = {name: f"{name} ({len(rows)})" for name, _, rows in self.frame.objects}
        kept = self._object.value if self._object.value in options else next(iter(options), None)
        self._object.set_options(options, value=kept)
        self._new_object()

    def _annotations(self) -> Sequence[int]:
        assert self.frame is not None
        return next((rows for name, _, rows in self.frame.objects if name == self._object.value), ())

    def _new_object(self) -> None:
        rows = self._annotations()
        self._which.props(f"max={max(0, len(rows) - 1)}")
        if _at(self._which) >= max(1, len(rows)):
            self._which.set_value(0)
        self._new_grasp()

    def _new_grasp(self) -> None:
        rows = self._annotations()
        k = min(_at(self._which), len(rows) - 1)
        self._count.set_text(f"grasp {k + 1} of {len(rows)}")
        self._show(self.content.grasp(rows[k]) if rows else None, self._T_scene_camera)

    def _look(self) -> None:
        """From half the way between the camera and the objects: the page's angle of view is wider."""
        self._look_from(0.5 * self._T_scene_camera[:3, 3], np.zeros(3), (0.0, 1.0, 0.0))


def _select(options: Any, value: Any, label: str, changed: Callable[[], None]) -> ui.select:
    chosen = ui.select(options, value=value, label=label, on_change=lambda: changed())
    return chosen.props("dense outlined options-dense").classes("w-full").mark(label)


def _at(slider: ui.slider) -> int:
    return int(slider.value or 0)
