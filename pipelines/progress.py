"""What a person sees while units of work go by: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Stage(Protocol):
    """One stage under way."""

    def done(self, name: str, note: str = "") -> None:
        """A unit of work is finished; ``note`` is what to say of it."""
        ...

    def say(self, message: str) -> None:
        """A line for the person or the log, for example that a unit failed."""
        ...


class Progress(Protocol):
    """Opens stages and speaks between them."""

    def say(self, message: str) -> None:
        """A line for the person or the log."""
        ...

    def stage(self, title: str, total: int) -> AbstractContextManager[Stage]:
        """Yields the :class:`Stage` of ``total`` units."""
        ...


class _LineStage:
    def __init__(self, owner: LineProgress, title: str, total: int) -> None:
        self._owner, self._title, self._total, self._count = owner, title, total, 0

    def done(self, name: str, note: str = "") -> None:
        self._count += 1
        self._owner.say(f"{self._title} {self._count}/{self._total}  {name}{f'  {note}' if note else ''}")

    def say(self, message: str) -> None:
        self._owner.say(message)


class LineProgress:
    """One line for each finished unit, with the time of day."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def say(self, message: str) -> None:
        self._stream.write(f"[{time.strftime('%H:%M:%S')}] {message}\n")
        self._stream.flush()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[_LineStage]:
        yield _LineStage(self, title, total)


TOLD = frozenset({"search", "import"})
"""Stages of which a person wants to read every unit, not only the last: what was found, and why not more."""


class _BarStage:
    def __init__(self, bars: Bars, task: TaskID, told: bool) -> None:
        self._bars, self._task, self._told = bars, task, told

    def done(self, name: str, note: str = "") -> None:
        if self._told:
            self.say(f"{name}  {note}".rstrip())
        self._bars.update(self._task, advance=1, unit=f"{name} {note}".strip())

    def say(self, message: str) -> None:
        self._bars.console.print(message, markup=False, highlight=False)


class BarProgress:
    """A bar for each stage, with the last finished unit beside it."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    def say(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[_BarStage]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[unit]}", style="dim"),
        )
        with Bars(*columns, console=self._console) as bars:
            yield _BarStage(bars, bars.add_task(title, total=total, unit=""), title in TOLD)


class QuietProgress:
    """Says nothing."""

    def say(self, message: str) -> None:
        pass

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[QuietProgress]:
        yield self

    def done(self, name: str, note: str = "") -> None:
        pass


def default_progress() -> Progress:
    """Bars where standard error is a terminal, else lines."""
    return BarProgress() if sys.stderr.isatty() else LineProgress()
