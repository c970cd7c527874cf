"""Which hand to use: the licensed MANO model where it is installed, the built-in one otherwise."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from yaff.errors import InputError
from yaff.hand.mano_files import MANO_FILES, read_mano_file
from yaff.hand.model import HandModel, Side

FOLDERS: tuple[str, ...] = (".", "mano", "models", "mano_v1_2/models", "models/mano")
"""Where below the given folder MANO's files are looked for, in this order."""


def load_hand(side: str = "right", folder: Path | str | None = None) -> HandModel:
    """The hand model of one side: MANO's file below ``folder`` if it is there, the built-in hand otherwise.

    ``.name`` of the result says which it is (``mano`` or ``builtin``). Where only the other side's MANO file is there,
    its mirror image is used.

    Args:
        side: ``right`` or ``left``.
        folder: where the licensed files were put, for example ``MANO_RIGHT.pkl``; none means the built-in hand.

    Raises:
        InputError: ``side`` is neither.
        FormatError: a MANO file is there, but is not one.
    """
    if side not in ("right", "left"):
        raise InputError(f"no hand has the side {side!r}", remedy="'right' or 'left'")
    other: Side = "left" if side == "right" else "right"
    if folder is not None:
        for wanted in (side, other):
            for place in FOLDERS:
                path = Path(folder) / place / MANO_FILES[wanted]
                if path.is_file():
                    model = read_mano_file(path, wanted)
                    return model if wanted == side else model.mirrored()
    return _builtin(side)


@lru_cache(maxsize=2)
def _builtin(side: Side) -> HandModel:
    from yaff.hand import builtin

    arrays: dict[str, np.ndarray] = builtin.load()
    right = HandModel(name="builtin", side="right", **arrays)  # pyright: ignore[reportArgumentType]
    return right if side == "right" else right.mirrored()
