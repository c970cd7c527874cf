"""The viewer's page: the annotator's scene, read-only."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import numpy as np
from nicegui import ui

from annotator.app.camera_scene import CameraScene
from annotator.app.components import PosedHand, TexturedObject
from annotator.app.routes import PREFIX
from annotator.app.scene_data import grasp_json
from annotator.app.style import STYLE
from annotator.editing import Editor
from annotator.viewing.content import SCENE_CAMERA, FrameContent, GraspView, LibraryContent, ShardsContent
from annotator.viewing.hands import HandChoice
from yaff.taxonomy import GRASP_TYPES

DARK = "#20242b"
WIDTH, HEIGHT = 760, 570
COLOURS = ("#c99a83", "#78aad6", "#8ac480", "#e8b860", "#ba92d2")
"""Of skin: hands of one frame are told apart by them."""


class _Hands:
    """Hands in a scene, as many as are needed.

    Args:
        places: the scene, and what in it they are put into.
    """

    def __init__(self, *places: AbstractContextManager[Any]) -> None:
        self._places = places
        self._hands: list[PosedHand] = []

    def show(self, hands: Sequence[tuple[dict[str, object], str]]) -> None:
        """Show these and no others, each with its colour."""
        with ExitStack() as inside:
            for place in self._places:
                inside.enter_context(place)
            while len(self._hands) < len(hands):
                self._hands.append(PosedHand(f"{PREFIX}/hand.json"))
        for hand, (posed, colour) in zip(self._hands, hands, strict=False):
            hand.load(posed)
            hand.skin(colour)
        for k, hand in enumerate(self._hands):
            hand.visible(k < len(hands))

    def field(self, url: str) -> None:
        """Colour what touches, by this distance field."""
        for hand in self._hands:
            hand.field(url)

    def again(self) -> None:
        """Tell the page everything once more, after its scene was made anew."""
        for hand in self._hands:
            hand.again()


class _Viewer:
    """What both kinds of page have: a scene that can be turned, what is known of a grasp, and its Python."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.shown: GraspView | None = None
        self._objects: dict[str, TexturedObject] = {}
        ui.add_css(STYLE)
        ui.dark_mode(value=True)
        with ui.row().classes("yaff-page no-wrap w-full"):
            with ui.column().classes("yaff-queue yaff-narrow"):
                ui.label("YAFF").classes("text-lg")
                self._choose()
            with ui.column().classes("yaff-scene"):
                self._title = ui.label("").classes("text-lg").mark("title")
                with ui.element("div").classes("yaff-stack w-full"):
                    with ui.scene(WIDTH, HEIGHT, grid=False, background_color=DARK).classes("yaff-canvas") as scene:
                        self.scene = scene
                    scene.on("init", self._again)
                    self._put_more()
                self.hands = _Hands(scene)
            with ui.column().classes("yaff-tools"):
                self._facts = ui.html("", sanitize=False).classes("yaff-measures")
                ui.button("Copy as Python", icon="content_copy", on_click=self._copy).props("dense no-caps").mark(
                    "copy"
                )
                self._code = ui.code("", language="python").classes("w-full text-xs").mark("code")

    def _put_more(self) -> None:
        """Other pictures in the scene's place."""

    def _choose(self) -> None:
        raise NotImplementedError

    def _look(self) -> None:
        raise NotImplementedError

    def _again(self) -> None:
        self.hands.again()
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

    def _posed(self, view: GraspView, T_scene_frame: np.ndarray | None = None) -> dict[str, object]:
        """A hand as the page takes it, moved from the frame of its numbers."""
        posed = grasp_json(self.editor, view.state)
        if T_scene_frame is not None:
            posed["wrist"] = (T_scene_frame @ self.editor.wrist(view.state)).ravel().tolist()
        return posed

    def _describe(self, view: GraspView | None) -> None:
        """Show what is known of a grasp, and its Python."""
        self.shown = view
        if view is None:
            self._title.set_text("no feasible grasp here")
            self._facts.set_content("")
            self._code.set_content("")
            return
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
            self._describe(None)
            return
        counts = self.content.types(self._name())
        named = {0: f"all types ({sum(counts.values())})"}
        named |= {number: f"{number} {GRASP_TYPES[number].name} ({count})" for number, count in counts.items()}
        self._type.set_options(named, value=0)
        self._place(self._name(), np.eye(4))
        self._hide_others([self._name()])
        self._new_type()
        self.hands.field(f"{PREFIX}/objects/{self._name()}.field")

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
        view = self.content.grasp(self._name(), self.rows[k])
        self.hands.show([(self._posed(view), COLOURS[0])])
        self._describe(view)
        self._look()

    def _look(self) -> None:
        if self.shown is None:
            return
        T = self.editor.wrist(self.shown.state)
        centre = 0.5 * (T[:3, :3] @ [-0.09, 0.0, 0.0] + T[:3, 3])
        away = centre + T[:3, :3] @ [0.0, -0.1, 0.26]
        self._look_from(away, centre, (0.0, 0.0, 1.0))


class ShardsPage(_Viewer):
    """Frames of a dataset, one after the other, with their hands: over the camera's image, or to be turned."""

    def __init__(self, content: ShardsContent, editor: Editor) -> None:
        self.content = content
        self.rows: tuple[int, ...] = ()
        self.frame: FrameContent | None = None
        self.choice = HandChoice(content)
        self.camera: CameraScene | None = None
        self._T_scene_camera = SCENE_CAMERA
        self._settling = False
        super().__init__(editor)
        self._new_scene()

    def _choose(self) -> None:
        scenes = {scene: f"scene {scene}" for scene in self.content.scenes}
        self._scene = _select(scenes, self.content.scenes[0] if scenes else None, "scene", self._new_scene)
        self._words = ui.label("").classes("text-sm opacity-70").mark("words")
        self._slider = ui.slider(min=0, max=0, step=1, value=0, on_change=self._new_frame).mark("frame")
        with ui.row().classes("items-center"):
            self._playing = ui.switch("play").props("dense")
            self._image = ui.switch("camera image", value=True, on_change=self._new_view).props("dense").mark("image")
            self._image.set_visibility(self.content.reader is not None)
        ui.timer(0.2, self._play)
        self._hands = ui.toggle({True: "all hands", False: "one hand"}, value=True, on_change=self._new_hands)
        self._hands.props("dense no-caps spread").classes("w-full").mark("hands")
        self._object = _select([], None, "object", self._new_object)
        self._which = ui.slider(min=0, max=0, step=1, value=0, on_change=self._new_grasp).mark("grasp")
        with ui.row().classes("items-center"):
            ui.button(icon="chevron_left", on_click=lambda: self._step(-1)).props("flat dense").mark("before")
            ui.button(icon="chevron_right", on_click=lambda: self._step(1)).props("flat dense").mark("next")
            self._count = ui.label("").classes("text-sm opacity-70").mark("count")

    def _put_more(self) -> None:
        if self.content.reader is None:
            return
        self._size = width, height = self.content.reader.image_size
        self.camera = CameraScene(WIDTH, round(WIDTH * height / width))
        self.camera.element.style(f"width: 100%; aspect-ratio: {width} / {height}")  # as wide as there is room
        self._over_image = _Hands(self.camera.element, self.camera.group)
        self.camera.element.on("init", self._camera_again)

    def _camera_again(self) -> None:
        assert self.camera is not None
        self.camera.again()
        self._over_image.again()

    def _play(self) -> None:
        if self._playing.value and self.rows:
            self._slider.set_value((_at(self._slider) + 1) % len(self.rows))

    def _new_scene(self) -> None:
        if self._scene.value is None:
            self._describe(None)
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
        self.choice.turn_to(self.frame)
        count = sum(len(rows) for _, _, rows in self.frame.objects)
        missing = ", no image" if self.camera is not None and self.frame.image is None else ""
        self._words.set_text(f"frame {self.frame.frame}, {count} grasps{missing}")
        for name, T_camera_object, _ in self.frame.objects:
            self._place(name, self._T_scene_camera @ T_camera_object)
        self._hide_others([name for name, _, _ in self.frame.objects])
        with self._quietly():
            options = {name: f"{name} ({len(rows)})" for name, _, rows in self.frame.objects}
            self._object.set_options(options, value=self.choice.name)
        self._new_view()
        self._show()

    def _new_view(self) -> None:
        """The camera's image, where it is wanted and there is one; else what can be turned."""
        frame = self.frame
        if self.camera is None or frame is None:
            return
        over_image = bool(self._image.value) and frame.image is not None
        if over_image:
            hiders = [(name, T) for name, T, _ in frame.objects]
            self.camera.show((frame.scene, frame.frame), self._size, frame.intrinsics, hiders)
        # out of sight, not out of the layout: a scene without a size could not be drawn later
        for element, seen in ((self.camera.element, over_image), (self.scene, not over_image)):
            element.classes(remove="invisible") if seen else element.classes("invisible")

    def _new_hands(self) -> None:
        self.choice.everybody = bool(self._hands.value)
        self._show()

    def _new_object(self) -> None:
        if not self._settling:
            self.choice.name = None if self._object.value is None else str(self._object.value)
            self._show()

    def _new_grasp(self) -> None:
        if not self._settling:
            self.choice.pick(_at(self._which))
            self._show()

    def _step(self, by: int) -> None:
        self.choice.step(by)
        self._show()

    def _show(self) -> None:
        """The hands that are chosen."""
        count = len(self.choice.grasps)
        with self._quietly():
            self._which.props(f"max={max(0, count - 1)}")
            self._which.set_value(self.choice.at)
        self._count.set_text(f"grasp {self.choice.at + 1} of {count}" if count else "no feasible grasp")
        names = [] if self.frame is None else [name for name, _, _ in self.frame.objects]
        views = [
            (self.content.grasp(row), COLOURS[names.index(name) % len(COLOURS)]) for name, row in self.choice.shown
        ]
        self.hands.show([(self._posed(view, self._T_scene_camera), colour) for view, colour in views])
        if self.camera is not None:
            self._over_image.show([(self._posed(view), colour) for view, colour in views])
        self._describe(next((view for view, _ in views if view.row == self.choice.chosen), None))

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """While the page's own doing changes a control, it is not taken for a person's."""
        self._settling = True
        try:
            yield
        finally:
            self._settling = False

    def _look(self) -> None:
        """From half the way between the camera and the objects: the page's angle of view is wider."""
        self._look_from(0.5 * self._T_scene_camera[:3, 3], np.zeros(3), (0.0, 1.0, 0.0))


def _select(options: Any, value: Any, label: str, changed: Callable[[], None]) -> ui.select:
    chosen = ui.select(options, value=value, label=label, on_change=lambda: changed())
    return chosen.props("dense outlined options-dense").classes("w-full").mark(label)


def _at(slider: ui.slider) -> int:
    return int(slider.value or 0)
