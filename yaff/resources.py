"""Where the files that come with YAFF are: assets, schemas and configurations.

In a checkout they lie beside the packages (``assets/``, ``schemas/``, ``configs/``); in an installed wheel inside this
one (``yaff/_assets``, ``yaff/_schemas``, ``yaff/_configs``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from yaff.errors import FormatError, MissingFileError

_PACKAGE = Path(__file__).resolve().parent


def asset(*parts: str) -> Path:
    """The path of a file or folder under ``assets/``, e.g. ``asset("ycb", "catalogue.toml")``.

    Raises:
        MissingFileError: if it is not there.
    """
    return _find("assets", *parts)


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema ``schemas/<name>.schema.json``.

    Raises:
        MissingFileError: if there is none of that name.
        FormatError: if it is not JSON.
    """
    path = _find("schemas", f"{name}.schema.json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error}", where=path, remedy="install YAFF again") from error


def configurations() -> dict[str, Path]:
    """The build configurations that come with YAFF, by name: ``demo`` for ``configs/demo.toml``.

    Raises:
        MissingFileError: if there are none.
    """
    return {path.stem: path for path in sorted(_find("configs").glob("*.toml"))}


def _find(folder: str, *parts: str) -> Path:
    installed = _PACKAGE.joinpath(f"_{folder}", *parts)
    checkout = _PACKAGE.parent.joinpath(folder, *parts)
    for path in (installed, checkout):
        if path.exists():
            return path
    raise MissingFileError(
        f"{'/'.join((folder, *parts))} is not part of this installation",
        where=checkout,
        remedy="install YAFF again from its wheel or a full checkout",
    )
