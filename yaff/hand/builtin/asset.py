"""The file of the built-in hand: reading it, and writing it the same to the byte."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from yaff.errors import FormatError, MissingFileError
from yaff.hand.model import ARRAYS

ASSET = Path(__file__).with_name("right.npz")


def build() -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of the right hand from the tables (metres, MANO's numbering): see :data:`yaff.hand.model.ARRAYS`."""
    from yaff.hand.builtin.assembly import assemble  # SciPy's trees are not needed to load

    return assemble()


def load(path: Path = ASSET) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of the right hand from the asset: floats as float64, indices as int64.

    Raises:
        MissingFileError: if the file is not there.
        FormatError: if an array is missing.
    """
    if not path.is_file():
        raise MissingFileError(
            "the built-in hand is missing", where=path, remedy="reinstall, or run `python -m yaff.hand.builtin`"
        )
    with np.load(path, allow_pickle=False) as file:
        absent = [name for name in ARRAYS if name not in file.files]
        if absent:
            raise FormatError(f"the built-in hand lacks {', '.join(absent)}", where=path, remedy="reinstall")
        arrays = {name: file[name] for name in ARRAYS}
    return {name: array.astype(np.float64 if array.dtype.kind == "f" else np.int64) for name, array in arrays.items()}


def write(path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> None:
    """Write an ``.npz`` whose bytes depend on the arrays only: fixed order, no time stamps."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in ARRAYS:
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[name]), version=(1, 0))
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, buffer.getvalue(), compresslevel=9)


def digest(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> str:
    """sha256 over names, types, shapes and contents of the arrays."""
    total = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name} {array.dtype.str} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()
