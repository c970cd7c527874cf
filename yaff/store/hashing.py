"""Digests (SHA-256, hexadecimal) of files, documents and arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

Array = np.ndarray

BLOCK = 1 << 20


def digest_file(path: Path | str) -> str:
    """SHA-256 of the bytes of a file, read in blocks."""
    digest = hashlib.sha256()
    with Path(path).open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_document(document: Any) -> str:
    """SHA-256 of a JSON document in canonical form: the order of keys does not matter."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def digest_arrays(arrays: Mapping[str, Shaped[Array, "..."]]) -> str:
    """SHA-256 of named arrays: names, dtypes, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        values = values.astype(values.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}|{values.dtype.str}|{values.shape}|".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def canonical_json(document: Any, *, indent: int | None = None) -> str:
    """JSON with sorted keys, the same text for equal documents; NaN and infinity are refused.

    Raises:
        ValueError: the document holds NaN or infinity, which JSON cannot say.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        document, sort_keys=True, indent=indent, separators=separators, ensure_ascii=False, allow_nan=False
    )
