"""What a person sees while files come over the network: a bar on a terminal, a line each in a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from pipelines.progress import LineProgress


class Transfers(Protocol):
    """Told of each file's progress."""

    def seen(self, name: str, done: int, total: int | None) -> None:
        """So many bytes of a file are there."""
        ...

    def say(self, name: str, message: str) -> None:
        """An object is done, or refused."""
        ...


class _Lines:
    def __init__(self, count: int) -> None:
        self._progress, self._count, self._done, self._named = LineProgress(), count, 0, ""

    def seen(self, name: str, done: int, total: int | None) -> None:
        if name != self._named:
            self._named = name
            size = "" if total is None else f", {total / 1e6:.1f} MB"
            self._progress.say(f"downloading {name}{size}{f', from {done / 1e6:.1f} MB on' if done > 1 << 17 else ''}")

    def say(self, name: str, message: str) -> None:
        self._done += 1
        self._progress.say(f"{self._done}/{self._count}  {name}  {message}")


class _Bars:
    def __init__(self, count: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description:22}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.bars = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
        self._tasks: dict[str, int] = {}

    def seen(self, name: str, done: int, total: int | None) -> None:
        from rich.progress import TaskID

        if name not in self._tasks:
            self._tasks[name] = self.bars.add_task(name, total=total)
        self.bars.update(TaskID(self._tasks[name]), completed=done, total=total)

    def say(self, name: str, message: str) -> None:
        self.bars.console.print(f"{name}  {message}", markup=False, highlight=False)


@contextmanager
def transfers(count: int) -> Iterator[Transfers]:
    """For ``count`` objects: bars where standard error is a terminal, else lines."""
    if not sys.stderr.isatty():
        yield _Lines(count)
        return
    shown = _Bars(count)
    with shown.bars:
        yield shown
