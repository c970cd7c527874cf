"""What the commands share: reading their options, and printing a table for a person or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from inspect import cleandoc
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def parse(cls: type[T], arguments: Sequence[str], command: str, *, usage: str, default: T | None = None) -> T:
    """The options ``cls`` of ``yaff COMMAND``, from the words of the command line.

    ``usage`` are example lines shown in the help. Leaves the process with status 2 on words it does not understand,
    and with 0 after ``--help``.
    """
    import tyro

    examples = "\n".join(f"    {line}" for line in cleandoc(usage).splitlines())
    settings: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        cls,
        args=list(arguments),
        prog=f"yaff {command}",
        description=f"{cleandoc(cls.__doc__ or '')}\n\nUsage:\n{examples}",
        config=(tyro.conf.FlagCreatePairsOff,),
        **settings,
    )


def with_absolute_paths(options: T) -> T:
    """Options whose paths, those of sections within included, hold in any folder: for commands that give work away.

    A worker process need not be in the folder of the process that gives it work: a Dask worker never is.
    """
    if not is_dataclass(options) or isinstance(options, type):
        return options
    settled: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        after = value.absolute() if isinstance(value, Path) else with_absolute_paths(value)
        if after is not value:
            settled[field.name] = after
    return replace(options, **settled) if settled else options


def parse_duration(text: str, option: str) -> float:
    """Seconds of a duration such as ``90s``, ``20m``, ``1h30m`` or ``45`` (seconds).

    Raises:
        ConfigError: not a duration, or none at all.
    """
    import re

    from yaff.errors import ConfigError

    found = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    if found is None or not text.strip():
        raise ConfigError(f"{option} {text!r} is not a duration", remedy="such as 90s, 20m or 1h30m")
    hours, minutes, seconds = (float(part or 0.0) for part in found.groups())
    total = 3600.0 * hours + 60.0 * minutes + seconds
    if not total > 0.0:
        raise ConfigError(f"{option} {text!r} leaves no time at all", remedy="more than zero, or leave it out")
    return total


def write_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, as_json: bool = False) -> None:
    """Rows on standard output: aligned columns, or a JSON list of objects."""
    if as_json:
        write_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    # A file or a pipe has no edge to wrap at.
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 250)
    console.print(table)


def write_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """A JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def cell(value: object) -> str:
    """A value as a table shows it: numbers short, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)


def say(message: str) -> None:
    """A line on standard output."""
    sys.stdout.write(message + "\n")


def option_of(arguments: Sequence[str], name: str) -> str | None:
    """The word that follows an option such as ``--config`` (or stands behind its ``=``), before anything is parsed."""
    for k, word in enumerate(arguments):
        if word == name and k + 1 < len(arguments):
            return arguments[k + 1]
        if word.startswith(f"{name}="):
            return word[len(name) + 1 :]
    return None
