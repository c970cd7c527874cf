"""Questions that the page asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nicegui import ui

from annotator.store.checks import LONGEST_TEXT, checked_name
from yaff.errors import InputError

REASONS = ("thumb is wrong", "unnatural", "slips", "penetrates", "wrong type", "hand would not fit there")


def ask_name(then: Callable[[str], None]) -> None:
    """Who is it?"""
    with ui.dialog(value=True).props("persistent") as dialog, ui.card():
        ui.label("Who are you?").classes("text-lg")
        name = ui.input("name").props("autofocus maxlength=100").mark("annotator")
        problem = ui.label("").classes("text-negative text-sm")

        def done() -> None:
            try:
                known = checked_name(str(name.value or ""))
            except InputError as error:
                problem.set_text(error.what)
                return
            dialog.close()
            then(known)

        name.on("keydown.enter", done)
        ui.button("begin", on_click=done).mark("begin")


def ask_reason(title: str, then: Callable[[str], None]) -> None:
    """Why?"""
    with ui.dialog(value=True) as dialog, ui.card().classes("w-96"):
        ui.label(title).classes("text-lg")
        reason = ui.input("reason").props(f"autofocus maxlength={LONGEST_TEXT}").classes("w-full").mark("reason")

        def done() -> None:
            said = str(reason.value or "").strip()
            if said:
                dialog.close()
                then(said)

        with ui.row().classes("gap-1"):
            for ready in REASONS:
                ui.chip(ready, on_click=partial(_choose, reason, ready)).props("clickable dense outline")
        reason.on("keydown.enter", done)
        with ui.row():
            ui.button("ok", on_click=done).mark("ok")
            ui.button("cancel", on_click=dialog.close).props("flat")


def _choose(field: ui.input, text: str) -> None:
    field.set_value(text)
