"""TOML tables to frozen dataclasses and back, refusing every key and value that the dataclass does not know."""

from __future__ import annotations

import dataclasses
import difflib
import sys
import types
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from yaff.errors import ConfigError, MissingFileError, YaffError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib  # type: ignore[import-not-found]

T = TypeVar("T")


def read_toml(path: Path, cls: type[T]) -> T:
    """The dataclass ``cls`` with the values of a TOML file; what the file does not say keeps its default.

    Raises:
        MissingFileError: there is no such file.
        ConfigError: not TOML, an unknown key, or a value of the wrong type or range.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(
            "configuration not found", where=path, remedy="two come with YAFF: yaff build demo, yaff build ycb_video"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the configuration: {error}", where=path) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=path, remedy="mend the line that it names") from None
    return from_table(cls, table, where=path)


def from_table(cls: type[T], table: Mapping[str, Any], *, where: str | Path, prefix: str = "") -> T:
    """The dataclass ``cls`` with the values of a parsed table (nested tables for nested dataclasses)."""
    assert dataclasses.is_dataclass(cls)
    hints = get_type_hints(cls)
    valid = [field.name for field in dataclasses.fields(cls) if field.init]
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in valid:
            close = difflib.get_close_matches(name, valid, n=1)
            raise ConfigError(
                f"unknown key {prefix + key!r}",
                where=where,
                remedy=(f"did you mean {prefix + close[0]!r}? " if close else "")
                + f"valid keys{f' of [{prefix[:-1]}]' if prefix else ''}: {', '.join(valid)}",
            )
        values[name] = _convert(value, hints[name], where=where, key=prefix + name)
    try:
        return cls(**values)
    except YaffError as error:
        if error.where is not None:
            raise
        raise ConfigError(error.what, where=where, remedy=error.remedy) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{prefix[:-1] or 'configuration'}: {error}", where=where) from None


def to_table(value: object) -> Any:
    """A dataclass as nested dictionaries of plain JSON values: paths as text, tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_table(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_table(entry) for key, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_table(entry) for entry in value]
    return value


def _convert(value: Any, hint: Any, *, where: str | Path, key: str) -> Any:
    """``value`` as the type ``hint``, or a ConfigError that names ``key`` and what it may be."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise _wrong(value, f"a table [{key}]", where, key)
        return from_table(hint, value, where=where, prefix=f"{key}.")
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments, where=where, key=key)
    if origin is Literal:
        if value not in arguments:
            raise _wrong(value, f"one of {', '.join(map(repr, arguments))}", where, key)
        return value
    if origin in (tuple, list):
        return _convert_sequence(value, origin, arguments, where=where, key=key)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(value, "a table", where, key)
        return {k: _convert(v, arguments[1], where=where, key=f"{key}.{k}") for k, v in value.items()}
    return _convert_scalar(value, hint, where=where, key=key)


def _convert_union(value: Any, choices: tuple[Any, ...], *, where: str | Path, key: str) -> Any:
    """The first of the choices that takes the value."""
    problem: ConfigError | None = None
    for choice in choices:
        if choice is type(None):
            continue
        try:
            return _convert(value, choice, where=where, key=key)
        except ConfigError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _convert_sequence(value: Any, origin: Any, arguments: tuple[Any, ...], *, where: str | Path, key: str) -> Any:
    if not isinstance(value, list):
        raise _wrong(value, "a list", where, key)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        if len(value) != len(arguments):
            raise _wrong(value, f"a list of {len(arguments)}", where, key)
        kinds = list(arguments)
    else:
        kinds = [arguments[0]] * len(value)
    entries = zip(value, kinds, strict=True)
    return origin(_convert(entry, kind, where=where, key=f"{key}[{i}]") for i, (entry, kind) in enumerate(entries))


def _convert_scalar(value: Any, hint: Any, *, where: str | Path, key: str) -> Any:
    if isinstance(hint, type) and issubclass(hint, Enum):
        for member in hint:
            if value in (member.name, member.value):
                return member
        raise _wrong(value, f"one of {', '.join(member.name for member in hint)}", where, key)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint in (str, bool) and isinstance(value, hint):
        return value
    names = {Path: "a path (text)", float: "a number", int: "an integer", str: "text", bool: "true or false"}
    raise _wrong(value, names.get(hint, str(hint)), where, key)


def _wrong(value: Any, expected: str, where: str | Path, key: str) -> ConfigError:
    return ConfigError(f"{key} is {value!r}", where=where, remedy=f"{key} must be {expected}")
