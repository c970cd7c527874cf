"""The few numbers of a MAT-file that are wanted, without decoding the rest: a fast path beside ``scipy.io.loadmat``.

A version 5 MAT-file is a list of elements, each with its length in front, so that what is not wanted is skipped
unread (MathWorks, *MAT-File Format*, chapter 1). Only plain arrays of real numbers are understood; about anything else
:func:`read_numbers` says None, and scipy is asked.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Collection

import numpy as np
from jaxtyping import Shaped

Array = np.ndarray

_HEADER_BYTES = 128
_VERSION_5_LITTLE_ENDIAN = b"\x00\x01IM"
_MATRIX, _COMPRESSED = 14, 15
_COMPLEX, _LOGICAL = 0x0800, 0x0200
_ELEMENTS = {1: "<i1", 2: "<u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"}
"""How numbers are stored: miINT8 to miUINT64."""
_CLASSES = {
    6: "<f8", 7: "<f4", 8: "<i1", 9: "<u1", 10: "<i2", 11: "<u2", 12: "<i4", 13: "<u4", 14: "<i8", 15: "<u8"
}  # fmt: skip
"""What they stand for: mxDOUBLE_CLASS to mxUINT64_CLASS."""
_HEAD = 512
"""Compressed bytes in which the name of a variable is looked for."""


class _NotUnderstood(Exception):
    """A file that is left to scipy."""


def read_numbers(stream: io.BufferedIOBase, names: Collection[str]) -> dict[str, Shaped[Array, "..."]] | None:
    """Arrays of these variables, as ``scipy.io.loadmat(stream, variable_names=names)`` gives them; None to ask scipy.

    Args:
        stream: an open MAT-file at its start; seekable.
        names: the variables. Reading stops when all are found.

    Returns:
        By name, with the shape and type that MATLAB gave them (a scalar is (1, 1)); without those that the file does
        not hold.
    """
    try:
        return _read(stream, frozenset(names))
    except (_NotUnderstood, struct.error, zlib.error, ValueError, KeyError):
        return None


def _read(stream: io.BufferedIOBase, names: frozenset[str]) -> dict[str, Array]:
    header = stream.read(_HEADER_BYTES)
    if header[124:] != _VERSION_5_LITTLE_ENDIAN:
        raise _NotUnderstood
    found: dict[str, Array] = {}
    while len(found) < len(names):
        tag = stream.read(8)
        if not tag:
            return found
        kind, size = struct.unpack("<II", tag)
        after = stream.tell() + size
        if kind == _COMPRESSED:
            head = stream.read(min(size, _HEAD))
            name = _name_of(zlib.decompressobj().decompress(head, _HEAD)[8:])
            if name in names:
                content = zlib.decompress(head + stream.read(size - len(head)))
                found[name] = _array(content[8:])
        elif kind == _MATRIX:
            content = stream.read(min(size, _HEAD))
            name = _name_of(content)
            if name in names:
                content += stream.read(size - len(content))
                found[name] = _array(content)
        else:
            raise _NotUnderstood
        if name in found and stream.tell() != after:
            raise _NotUnderstood  # truncated
        stream.seek(after)
    return found


def _part(content: bytes, position: int) -> tuple[int, bytes, int]:
    """Type and bytes of the sub-element at a position, and where the next one begins."""
    (word,) = struct.unpack_from("<I", content, position)
    if word >> 16:  # a small element: its length beside its type, its bytes in place of the length
        return word & 0xFFFF, content[position + 4 : position + 4 + (word >> 16)], position + 8
    (size,) = struct.unpack_from("<I", content, position + 4)
    begin = position + 8
    if begin + size > len(content):
        raise _NotUnderstood
    return word, content[begin : begin + size], begin + size + -size % 8


def _name_of(content: bytes) -> str:
    _, _, position = _part(content, 0)
    _, _, position = _part(content, position)
    return _part(content, position)[1].decode("ascii")


def _array(content: bytes) -> Array:
    _, flags, position = _part(content, 0)
    _, dimensions, position = _part(content, position)
    _, _, position = _part(content, position)
    (flag,) = struct.unpack_from("<I", flags)
    if flag & (_COMPLEX | _LOGICAL):
        raise _NotUnderstood
    stored = _CLASSES[flag & 0xFF]
    shape = tuple(np.frombuffer(dimensions, "<i4").tolist())
    kind, data, _ = _part(content, position)
    values = np.frombuffer(data, _ELEMENTS[kind]).reshape(shape, order="F")
    return values.astype(stored)
