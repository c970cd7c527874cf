"""The queue as a table: filtered, sorted and paged by the server, so that 20,000 rows are as quick as twenty."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from annotator.service import ReviewService
from annotator.store import Item, ItemState, QueueFilter
from yaff.taxonomy import GRASP_TYPES

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("priority", "#", "priority"),
    ("object", "object", "object_name"),
    ("type", "type", "grasp_type"),
    ("reason", "reason", "reason"),
    ("state", "state", "state"),
    ("annotator", "by", "annotator"),
    ("penetration", "deep mm", "penetration"),
    ("motion", "slip mm", "shake_translation"),
)
"""Name, heading, and what the store sorts by."""

SORT_KEYS = {name: key for name, _, key in COLUMNS}


class QueuePanel:
    """Filters and table of the queue.

    Args:
        service: the review.
        pick: called with the number of the row that was clicked.
        filtered: called when the filter has changed.
    """

    def __init__(self, service: ReviewService, pick: Callable[[int], Any], filtered: Callable[[], Any]) -> None:
        self._service, self._filtered_then = service, filtered
        self.filter = QueueFilter(state=None)
        self.held: int | None = None
        choices = service.store.choices()
        self._counts = ui.label("").classes("text-sm opacity-80").mark("counts")
        with ui.row().classes("gap-2 w-full no-wrap"):
            self._object = self._choice("object", choices["object_name"])
            types = {n: f"{n} {GRASP_TYPES[n].name}" for n in choices["grasp_type"]}
            self._type = self._choice("type", types)
            self._state = self._choice("state", {s.value: s.value for s in ItemState})
        with ui.row().classes("gap-2 w-full no-wrap items-center"):
            self._reason = ui.input("reason", on_change=self._changed).props("dense outlined clearable debounce=100")
            self._reason.classes("grow").mark("reason filter")
            self._thumb = ui.checkbox("thumb abducted", on_change=self._changed).props("dense")
        columns = [
            {"name": name, "label": label, "field": name, "sortable": True, "align": "left"}
            for name, label, _ in COLUMNS
        ]
        self._table = ui.table(columns=columns, rows=[], row_key="number", pagination={"rowsPerPage": 25})
        self._table.props("dense flat virtual-scroll=false").classes("w-full yaff-table").mark("queue")
        self._table.on("request", self._request)
        self._table.on("rowClick", lambda e: pick(int(e.args[1]["number"])), [[], ["number"], None])
        self._pagination: dict[str, Any] = {"page": 1, "rowsPerPage": 25, "sortBy": "priority", "descending": False}
        self._load()

    def show(self, held: int | None) -> None:
        """Bring the table up to date; the grasp that is held is marked."""
        self.held = held
        self._load()

    def _choice(self, label: str, options: Any) -> ui.select:
        chosen = ui.select(options, label=label, clearable=True, on_change=self._changed)
        return chosen.props("dense outlined options-dense").classes("grow").mark(f"filter {label}")

    def _changed(self) -> None:
        self.filter = QueueFilter(
            object_name=self._object.value,
            grasp_type=self._type.value,
            state=None if self._state.value is None else ItemState(self._state.value),
            reason=self._reason.value or None,
            thumb_abducted=True if self._thumb.value else None,
        )
        self._pagination["page"] = 1
        self._load()
        self._filtered_then()

    def _request(self, event: Any) -> None:
        wanted = event.args["pagination"]
        self._pagination |= {
            "page": max(int(wanted.get("page") or 1), 1),
            "rowsPerPage": min(max(int(wanted.get("rowsPerPage") or 25), 5), 100),
            "sortBy": wanted.get("sortBy") if wanted.get("sortBy") in SORT_KEYS else "priority",
            "descending": bool(wanted.get("descending")),
        }
        self._load()

    def _load(self) -> None:
        p = self._pagination
        page = self._service.store.page(
            self.filter,
            sort=SORT_KEYS[p["sortBy"]],
            descending=p["descending"],
            offset=(p["page"] - 1) * p["rowsPerPage"],
            limit=p["rowsPerPage"],
        )
        self._table.rows = [_row(item, self.held) for item in page.items]
        self._table.pagination = p | {"rowsNumber": page.total}
        self._table.update()
        counts = self._service.store.counts()
        self._counts.set_text(_words(counts))


def _row(item: Item, held: int | None) -> dict[str, Any]:
    state = f"with {item.leased_by}" if item.leased_by and item.number != held else item.state.value
    return {
        "number": item.number,
        "priority": item.priority + 1,
        "object": item.object_name,
        "type": f"{item.grasp_type} {item.type_name}",
        "reason": item.reason[:60],
        "state": "here" if item.number == held else state,
        "annotator": item.annotator or "",
        "penetration": "" if item.penetration is None else f"{1e3 * item.penetration:.1f}",
        "motion": "" if item.shake_translation is None else f"{1e3 * item.shake_translation:.1f}",
    }


def _words(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{count} {state}" for state, count in counts.items() if count)
