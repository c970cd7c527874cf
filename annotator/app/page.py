"""The page: queue, scene, tools. It shows a :class:`annotator.desk.Desk` and hands what people do to it."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import app, background_tasks, run, ui

from annotator.app.components import JointPanel, PosedHand, TexturedObject, WristGizmo
from annotator.app.dialogs import ask_name, ask_reason
from annotator.app.frame_panel import FramePanel
from annotator.app.keys import bind_keys, cheat_sheet
from annotator.app.queue_panel import QueuePanel
from annotator.app.routes import PREFIX
from annotator.app.scene_data import grasp_json
from annotator.app.style import STYLE
from annotator.desk import Desk, Row
from annotator.editing import THUMB_PRESETS
from annotator.proving.prover import SNAPS
from annotator.service import ReviewService
from annotator.store import Action, GraspState
from yaff.errors import YaffError
from yaff.taxonomy import GRASP_TYPES

FINGERS = ("index", "middle", "ring", "pinky")

VIEWS: dict[str, tuple[float, float, float]] = {
    "palm": (0.0, -1.0, 0.0),
    "back": (0.0, 1.0, 0.0),
    "thumb side": (0.0, -0.25, 1.0),
    "top": (-1.0, -0.2, 0.2),
}
"""From where the hand is looked at, in its own axes."""

DISTANCE = 0.21
"""From how far, metres."""

RENEW_EVERY = 120.0
"""Seconds between two renewals of the lease."""


class Page:
    """One browser's page."""

    def __init__(self, service: ReviewService) -> None:
        self.service = service
        self.desk: Desk | None = None
        self._busy: Callable[[], None] | None = None
        ui.add_css(STYLE)
        self._dark = ui.dark_mode(value=app.storage.user.get("dark", True))
        with ui.row().classes("yaff-page no-wrap w-full"):
            with ui.column().classes("yaff-queue"):
                self.queue = QueuePanel(service, self._pick, self._filtered)
            with ui.column().classes("yaff-scene"):
                self._make_scene()
            with ui.column().classes("yaff-tools"):
                self._make_tools()
        bind_keys(self)
        ui.timer(RENEW_EVERY, self._renew)
        ui.context.client.on_disconnect(self._leave)
        name = app.storage.user.get("annotator")
        if name:
            self.begin(name)
        else:
            ask_name(self.begin)

    def begin(self, name: str) -> None:
        """Somebody sits down."""
        app.storage.user["annotator"] = name
        self.desk = Desk(self.service, name, self.show)
        self._who.set_text(name)
        self.attempt(lambda: self._desk().take())

    # ------------------------------------------------------------------ making

    def _make_scene(self) -> None:
        with ui.row().classes("items-center w-full no-wrap"):
            self._title = ui.label("").classes("text-lg yaff-title").mark("title")
            ui.space()
            self._who = ui.label("").classes("text-sm opacity-70")
            ui.button(icon="dark_mode", on_click=self.toggle_dark).props("flat dense").tooltip("dark or light (d)")
            ui.button(icon="help_outline", on_click=cheat_sheet).props("flat dense").tooltip("keys (?)")
        self._subtitle = ui.label("").classes("text-sm opacity-80 yaff-reason")
        with ui.scene(width=640, height=480, grid=False, background_color="#20242b").classes("yaff-canvas") as scene:
            self.scene = scene
            self.object = TexturedObject()
            self.hand = PosedHand(f"{PREFIX}/hand.json")
            self.gizmo = WristGizmo()
        scene.on("init", self._scene_again)
        with ui.row().classes("items-center gap-2"):
            for view in VIEWS:
                ui.button(view, on_click=partial(self._turn_to, view)).props("flat dense no-caps")
            ui.label("object").classes("text-xs opacity-70")
            opacity = ui.slider(min=0.1, max=1.0, step=0.05, value=0.85).classes("w-24")
            opacity.on_value_change(lambda e: self.object.opacity_of(float(e.value or 0.0)))
            ui.switch("gizmo", value=True).props("dense").on_value_change(lambda e: self.gizmo.visible(bool(e.value)))
        with ui.row().classes("w-full no-wrap"):
            with ui.column().classes("yaff-reference gap-0"):
                ui.label("the type's own posture").classes("text-xs opacity-70")
                with ui.scene(width=250, height=270, grid=False, background_color="#20242b", fps=5) as reference:
                    self.reference = PosedHand(f"{PREFIX}/hand.json")
                self._reference_scene = reference
                reference.on("init", lambda: (self.reference.again(), self._look_at_reference()))
            self.frames = None if self.service.frames is None else FramePanel(self.service.frames, self.service.editor)

    def _make_tools(self) -> None:
        freedoms = self.service.editor.anatomy.degrees_of_freedom
        groups = {f: [d for d in freedoms if d.name.startswith(f + ".")] for f in ("thumb", *FINGERS)}
        self.panels: list[JointPanel] = []
        also = () if self.frames is None else (self.frames.hand,)
        with ui.card().classes("yaff-card").props("flat bordered"):
            ui.label("Thumb").classes("text-base")
            with ui.row().classes("gap-1"):
                for preset in THUMB_PRESETS:
                    self._tool(preset, lambda p=preset: self._desk().preset_thumb(p))
            self.panels.append(JointPanel(groups["thumb"], self.hand, self.gizmo, self._joint, self._wrist, also))
            with ui.row().classes("gap-1 items-center"):
                self._tool("close", lambda: self._desk().close("thumb"))
                self._copy_from = (
                    ui.number(placeholder="grasp no.", format="%d").props("dense outlined").classes("w-24")
                )
                self._tool("copy thumb", lambda: self._desk().copy_thumb(int(self._copy_from.value or 0)))
        for finger in FINGERS:
            with ui.expansion(finger).classes("w-full yaff-finger").props("dense"):
                self.panels.append(JointPanel(groups[finger], self.hand, self.gizmo, self._joint, also=also))
                self._tool("close until touch", lambda f=finger: self._desk().close(f))
        with ui.row().classes("gap-1 items-center"):
            self._undo = self._tool("undo", lambda: self._desk().undo())
            self._redo = self._tool("redo", lambda: self._desk().redo())
            self._tool("reset", lambda: self._desk().reset())
        self._type = (
            ui.select(
                {number: f"{number} {kind.name}" for number, kind in GRASP_TYPES.items()},
                label="type",
                on_change=lambda e: self._set_type(e.value),
            )
            .props("dense outlined options-dense")
            .classes("w-full")
        )
        with ui.row().classes("gap-1 items-center"):
            self._snap_what = (
                ui.select(
                    ["wrist", *SNAPS],
                    value=["thumb"],
                    multiple=True,
                )
                .props("dense outlined options-dense")
                .classes("w-40")
                .mark("snap what")
            )
            ui.button("Snap (s)", on_click=self.snap).props("dense no-caps color=secondary").mark("snap")
            ui.button("Verify (v)", on_click=self.verify).props("dense no-caps color=primary").mark("verify")
        with ui.row().classes("gap-2 items-center") as self._working:
            ui.spinner(size="sm")
            self._stage = ui.label("")
            ui.button("cancel", on_click=self.cancel).props("flat dense no-caps")
        self._working.set_visibility(False)
        self._verdict = ui.label("").classes("yaff-verdict").mark("verdict")
        self._measures = ui.html("", sanitize=False).classes("yaff-measures")
        self._note = ui.textarea("note").props("dense outlined autogrow maxlength=4000").classes("w-full")
        with ui.row().classes("gap-1"):
            ui.button("Accept (a)", on_click=self.accept).props("dense no-caps color=positive").mark("accept")
            ui.button("Reject (r)", on_click=self.reject).props("dense no-caps color=negative").mark("reject")
            ui.button("Skip (n)", on_click=self.skip).props("dense no-caps flat").mark("skip")
            ui.button("Flag (f)", on_click=self.flag).props("dense no-caps flat").mark("flag")
            ui.button("Take back (b)", on_click=self.take_back).props("dense no-caps flat").mark("take back")

    def _tool(self, words: str, act: Callable[[], Any]) -> ui.button:
        return ui.button(words, on_click=lambda: self.attempt(act)).props("outline dense no-caps size=sm")

    # ------------------------------------------------------------------ showing

    def show(self) -> None:
        """Bring the page up to the desk."""
        desk = self._desk()
        held = desk.lease is not None
        if held:
            item, state = desk.item, desk.state
            shown = grasp_json(self.service.editor, state)
            if self.queue.held != item.number:
                self.object.show(f"{PREFIX}/objects/{item.object_name}.glb")
                self.hand.field(f"{PREFIX}/objects/{item.object_name}.field")
                self._frame(state)
                if self.frames is not None:
                    background_tasks.create(self.frames.show(item.object_name, state), name="frames")
            self.hand.load(shown)
            if self.frames is not None:
                self.frames.pose(shown)
            self.gizmo.place(shown["wrist"])  # type: ignore[arg-type]
            for panel in self.panels:
                panel.show(shown["angles"], True)  # type: ignore[arg-type]
            self._title.set_text(f"{item.object_name} · {GRASP_TYPES[state.grasp_type].name}")
            self._subtitle.set_text(f"no. {item.number}: {item.reason}")
            if self._type.value != state.grasp_type:
                self._type.set_value(state.grasp_type)
            self._show_reference(state)
            self._show_measures()
        else:
            self._title.set_text("nothing is waiting here")
            self._subtitle.set_text("another filter may let more through")
            self._verdict.set_text("")
            self._measures.set_content("")
            for panel in self.panels:
                panel.show({}, False)
        history = desk.history
        self._undo.set_enabled(history is not None and history.can_undo)
        self._redo.set_enabled(history is not None and history.can_redo)
        self.queue.show(desk.item.number if held else None)

    def _show_measures(self) -> None:
        desk = self._desk()
        verdict = desk.verdict
        rows = "".join(map(_measure_row, desk.measures()))
        head = "<tr><th></th><th>before</th><th>now</th><th>limit</th><th></th></tr>"
        self._measures.set_content(f"<table>{head}{rows}</table>")
        if verdict is None:
            self._verdict.set_text("not verified" if not desk.history or desk.history.edited else "as proposed")
        elif verdict.held:
            self._verdict.set_text("holds" + ("" if verdict.conforms else ", but its label is doubtful"))
        else:
            self._verdict.set_text(f"does not hold: {verdict.reason}")
        self._verdict.classes(remove="good bad", add="good" if verdict and verdict.held else "bad")

    def _show_reference(self, state: GraspState) -> None:
        editor, kind = self.service.editor, GRASP_TYPES[state.grasp_type]
        angles = {name: 0.5 * (a + b) for name, (a, b) in kind.preshape.items()}
        flat = state.changed(pose=state.pose * 0, wrist_rotation=state.pose[:3] * 0, shape=state.shape * 0)
        posed = editor.with_dof(flat.changed(translation=-editor.model.root()), angles)
        self.reference.load(grasp_json(editor, posed))

    def _look_at_reference(self) -> None:
        self._reference_scene.move_camera(-0.08, -0.17, 0.09, -0.08, 0.0, 0.0, -1.0, 0.0, 0.0, duration=0)

    def _frame(self, state: GraspState) -> None:
        """Look at the thumb's side of the hand, from near."""
        self.look("thumb side", state)

    def _turn_to(self, view: str) -> None:
        self.attempt(lambda: self.look(view))

    def look(self, view: str, state: GraspState | None = None) -> None:
        """Turn the camera."""
        desk = self._desk()
        if state is None and desk.lease is None:
            return
        T = self.service.editor.wrist(state or desk.state)
        centre = 0.5 * T[:3, 3] + 0.5 * (T[:3, :3] @ [-0.09, 0.0, 0.0] + T[:3, 3])
        eye = centre + T[:3, :3] @ VIEWS[view] * DISTANCE
        up = T[:3, :3] @ ([-1.0, 0.0, 0.0] if view != "top" else [0.0, 1.0, 0.0])
        self.scene.move_camera(*eye, *centre, *up, duration=0)

    def _scene_again(self) -> None:
        self.hand.again()
        self.object.opacity_of(0.85)
        if self.desk is not None and self.desk.lease is not None:
            self._frame(self.desk.state)

    # ------------------------------------------------------------------ doing

    def attempt(self, act: Callable[[], Any]) -> None:
        """Do something; what goes wrong on purpose is said, not thrown."""
        try:
            act()
        except YaffError as error:
            ui.notify(error.what + (f" – {error.remedy}" if error.remedy else ""), type="warning", close_button=True)

    def _joint(self, name: str, angle: float) -> None:
        self.attempt(lambda: self._desk().move_joints({name: angle}))

    def _wrist(self, T_object_hand: Any) -> None:
        self.attempt(lambda: self._desk().move_wrist(_matrix(T_object_hand)))

    def _set_type(self, number: int) -> None:
        if self.desk is not None and self.desk.lease is not None and number != self.desk.state.grasp_type:
            self.attempt(lambda: self._desk().set_type(number))

    def _pick(self, number: int) -> None:
        self.attempt(lambda: self._desk().take(number))

    def _filtered(self) -> None:
        if self.desk is not None:
            self.desk.filter = self.queue.filter

    async def snap(self) -> None:
        """Refine what is chosen."""
        await self._physics(lambda: self._desk().start_snap(tuple(self._snap_what.value)))

    async def verify(self) -> None:
        """Ask physics."""
        await self._physics(lambda: self._desk().start_verify())

    async def _physics(self, start: Callable[[], Any]) -> None:
        desk = self._desk()
        try:
            work = start()
        except YaffError as error:
            ui.notify(error.what, type="warning")
            return
        self._working.set_visibility(True)
        timer = ui.timer(0.2, lambda: self._stage.set_text(work.job.progress()))
        try:
            await run.io_bound(desk.finish, work)
        except YaffError as error:
            ui.notify(error.what, type="warning")
        except BaseException as error:
            if not work.job.future.cancelled():
                raise error
        finally:
            timer.deactivate()
            self._working.set_visibility(False)

    def cancel(self) -> None:
        """Stop what is under way."""
        self._desk().stop()
        self._working.set_visibility(False)

    def accept(self) -> None:
        """Accept what is shown; unverified only with a reason."""
        desk = self._desk()
        verdict = desk.verdict
        if desk.lease is not None and (verdict is None or not verdict.held):
            if verdict is None:
                ui.notify("verify it first (v)", type="warning")
            else:
                ask_reason("Accept although it does not hold?", lambda why: self._decide(Action.ACCEPT, overruled=why))
            return
        self._decide(Action.ACCEPT)

    def reject(self) -> None:
        """Reject, with a reason."""
        ask_reason("Why is it rejected?", lambda why: self._decide(Action.REJECT, reason=why))

    def skip(self) -> None:
        """Leave it to somebody else."""
        self._decide(Action.SKIP)

    def flag(self) -> None:
        """Ask for somebody who can settle it."""
        ask_reason("What is the question?", lambda why: self._decide(Action.FLAG, reason=why))

    def take_back(self) -> None:
        """Undo the last decision."""
        self.attempt(lambda: self._desk().take_back())

    def _decide(self, action: Action, reason: str = "", overruled: str = "") -> None:
        def act() -> None:
            self._desk().decide(action, reason=reason, overruled=overruled, note=str(self._note.value or ""))
            self._note.set_value("")
            self._desk().take()

        self.attempt(act)

    def toggle_dark(self) -> None:
        """Dark or light."""
        self._dark.toggle()
        app.storage.user["dark"] = bool(self._dark.value)

    # ------------------------------------------------------------------ leases

    def _renew(self) -> None:
        if self.desk is not None:
            self.attempt(self.desk.renew)

    def _leave(self) -> None:
        if self.desk is not None:
            self.desk.leave()

    def _desk(self) -> Desk:
        if self.desk is None:
            raise RuntimeError("nobody sits at this desk")
        return self.desk


def _measure_row(row: Row) -> str:
    values = "".join(f"<td>{_number(value)}</td>" for value in (row.before, row.after, row.limit))
    mark = " class='broken'" if row.broken else ""
    return f"<tr{mark}><td>{html.escape(row.name)}</td>{values}<td>{html.escape(row.unit)}</td></tr>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _matrix(numbers: Any) -> list[list[float]]:
    return [list(numbers[4 * k : 4 * k + 4]) for k in range(4)]
