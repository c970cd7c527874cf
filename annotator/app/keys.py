"""The keyboard: one table of what each key does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nicegui import ui
from nicegui.events import KeyEventArguments

if TYPE_CHECKING:
    from annotator.app.page import Page


@dataclass(frozen=True)
class Key:
    """A key, its meaning, and what it does to a page. Shift makes a nudge five times as large."""

    name: str
    shown: str
    meaning: str
    act: Callable[[Page, float], Any]
    control: bool = False


def _nudge(axis: str, millimetres: float = 0.0, degrees: float = 0.0) -> Callable[[Page, float], Any]:
    return lambda page, size: page.attempt(lambda: page._desk().nudge(axis, millimetres * size, degrees * size))


def _thumb(preset: str) -> Callable[[Page, float], Any]:
    return lambda page, _: page.attempt(lambda: page._desk().preset_thumb(preset))


KEYS: tuple[Key, ...] = (
    Key("a", "a", "accept", lambda p, _: p.accept()),
    Key("r", "r", "reject", lambda p, _: p.reject()),
    Key("n", "n", "skip: leave it to somebody else", lambda p, _: p.skip()),
    Key("f", "f", "flag: ask somebody who can settle it", lambda p, _: p.flag()),
    Key("b", "b", "take the last decision back", lambda p, _: p.take_back()),
    Key("s", "s", "snap what is chosen", lambda p, _: p.snap()),
    Key("v", "v", "verify", lambda p, _: p.verify()),
    Key("escape", "Esc", "cancel what is under way", lambda p, _: p.cancel()),
    Key("z", "Ctrl Z", "undo", lambda p, size: p.attempt(p._desk().redo if size > 1.0 else p._desk().undo), True),
    Key("y", "Ctrl Y, Ctrl Shift Z", "redo", lambda p, _: p.attempt(p._desk().redo), True),
    Key("0", "0", "reset to the proposal", lambda p, _: p.attempt(p._desk().reset)),
    Key("1", "1", "thumb: abduct", _thumb("abduct")),
    Key("2", "2", "thumb: adduct", _thumb("adduct")),
    Key("3", "3", "thumb: oppose to index", _thumb("oppose to index")),
    Key("4", "4", "thumb: oppose to middle", _thumb("oppose to middle")),
    Key("arrowleft", "←", "wrist 1 mm towards the little finger (Shift: 5)", _nudge("z", -1.0)),
    Key("arrowright", "→", "wrist 1 mm towards the thumb", _nudge("z", 1.0)),
    Key("arrowup", "↑", "wrist 1 mm along the fingers", _nudge("x", -1.0)),
    Key("arrowdown", "↓", "wrist 1 mm back", _nudge("x", 1.0)),
    Key("pageup", "PgUp", "wrist 1 mm away from the palm's side", _nudge("y", 1.0)),
    Key("pagedown", "PgDn", "wrist 1 mm towards the palm's side", _nudge("y", -1.0)),
    Key("u", "u", "wrist rolls 1° (Shift: 5)", _nudge("x", degrees=1.0)),
    Key("o", "o", "wrist rolls 1° back", _nudge("x", degrees=-1.0)),
    Key("i", "i", "wrist flexes 1°", _nudge("z", degrees=1.0)),
    Key("k", "k", "wrist flexes 1° back", _nudge("z", degrees=-1.0)),
    Key("j", "j", "wrist swings 1°", _nudge("y", degrees=1.0)),
    Key("l", "l", "wrist swings 1° back", _nudge("y", degrees=-1.0)),
    Key("d", "d", "dark or light", lambda p, _: p.toggle_dark()),
    Key("?", "?", "this sheet", lambda _p, _: cheat_sheet()),
)
"""Letters do nothing while a text is written or a dialog is open."""


def cheat_sheet() -> None:
    """Every key."""
    with ui.dialog(value=True), ui.card():
        ui.label("Keys").classes("text-lg")
        with ui.grid(columns=2).classes("gap-x-6 gap-y-1 text-sm"):
            for key in KEYS:
                ui.label(key.shown).classes("font-mono")
                ui.label(key.meaning)


def bind_keys(page: Page) -> None:
    """Listen to the keyboard; not in texts, not behind dialogs."""

    async def pressed(event: KeyEventArguments) -> None:
        if not event.action.keydown or page.desk is None or _dialog_open():
            return
        control = event.modifiers.ctrl or event.modifiers.meta
        for key in KEYS:
            if key.name == str(event.key.name).lower() and key.control == control:
                done = key.act(page, 5.0 if event.modifiers.shift else 1.0)
                if isinstance(done, Awaitable):
                    await done
                return

    ui.keyboard(on_key=pressed, repeating=True)


def _dialog_open() -> bool:
    return any(isinstance(e, ui.dialog) and e.value for e in ui.context.client.elements.values())
