"""A digest of the program's own source, so that work done by other code is not taken for this code's."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

import yaff

SEARCHING = ("geometry", "hand", "objects", "taxonomy", "grasp", "search")
"""Rooms of ``yaff`` that decide what a search finds."""
PROJECTING = (*SEARCHING[:-1], "scene", "store")
"""Rooms of ``yaff`` that decide what a shard holds."""


@lru_cache(maxsize=8)
def code_digest(rooms: tuple[str, ...]) -> str:
    """sha256 over every source and data file of these rooms of ``yaff``.

    What Python and Numba keep beside them does not count: the first run of a new checkout makes it, and could not be
    continued otherwise.
    """
    root = Path(yaff.__file__).parent
    digest = hashlib.sha256()
    for room in rooms:
        for path in sorted((root / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.relative_to(root).parts:
                digest.update(f"{path.relative_to(root)};".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()
