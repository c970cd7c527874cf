"""The user's folders (XDG Base Directory Specification). Only the command line asks for them."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Where the licensed hand and the meshes are installed: ``$XDG_DATA_HOME/yaff``."""
    return _base("XDG_DATA_HOME", ".local/share") / "yaff"


def objects_folder() -> Path:
    """Where scanned meshes and a user's own objects are installed."""
    return data_folder() / "objects"


def assets_config() -> Path:
    """Where mirrors and checksums may be written down."""
    return _base("XDG_CONFIG_HOME", ".config") / "yaff" / "assets.toml"


def _base(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else Path.home() / otherwise
