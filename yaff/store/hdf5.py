"""HDF5 written so that equal content makes equal bytes, and opened so that a wrong file is refused with a reason.

Equal bytes: a fixed format version, no timestamps, fixed-length strings, a fixed order of creation, and contiguous,
uncompressed datasets on aligned offsets (which also lets readers map them into memory).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.store.columns import LIBRARY_FORMAT, SCHEMA_VERSIONS, SHARD_FORMAT, Column
from yaff.store.disk import Disk

Array = np.ndarray

_ALIGNMENT = 64  # bytes: a cache line, and enough for any dtype
_KINDS = {
    "yaff-grasp-library": "grasp library",
    "yaff-shard": "shard",
    "yaff-index": "dataset index",
    "yaff-dataset": "dataset manifest",
}


@dataclass(frozen=True)
class NewFile:
    """A file being written."""

    root: h5py.File
    check: Callable[[], None]
    """Raises the OSError with which the disk refused something written before; call it now and then."""


@contextmanager
def create_file(path: Path | str, file_format: str, attributes: Mapping[str, str | int]) -> Iterator[NewFile]:
    """A new HDF5 file that says what it is; bytes depend on the content only.

    Raises:
        OSError: the disk refused; at the end of the block at the latest.
    """
    disk = Disk(path)
    try:
        with h5py.File(
            disk,
            "w",
            libver=("v110", "v110"),
            alignment_threshold=1,
            alignment_interval=_ALIGNMENT,
            track_order=False,
        ) as file:
            write_attributes(
                file, {"format": file_format, "schema_version": SCHEMA_VERSIONS[file_format], **attributes}
            )
            yield NewFile(file, disk.check)
        disk.check()
    finally:
        disk.close()


def write_attributes(node: h5py.Group | h5py.Dataset, attributes: Mapping[str, str | int]) -> None:
    """Attributes as int64 and fixed-length UTF-8, in the order given."""
    for name, value in attributes.items():
        if isinstance(value, str):
            encoded = value.encode()
            kind, data = _text_type(max(1, len(encoded))), np.frombuffer(encoded or b"\0", np.uint8)
        else:
            kind, data = h5py.h5t.STD_I64LE, np.array(value, "<i8")
        # h5py's own way takes five times as long, and a shard has hundreds of attributes
        h5py.h5a.create(node.id, name.encode(), kind, _SCALAR).write(data, mtype=kind)


_SCALAR = h5py.h5s.create(h5py.h5s.SCALAR)


@cache
def _text_type(length: int) -> h5py.h5t.TypeStringID:
    """Text of a fixed number of bytes in UTF-8."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(length)
    kind.set_strpad(h5py.h5t.STR_NULLPAD)
    kind.set_cset(h5py.h5t.CSET_UTF8)
    return kind


def column_attributes(column: Column) -> dict[str, str | int]:
    """The attributes every dataset carries."""
    attributes: dict[str, str | int] = {
        "unit": column.unit,
        "frame": column.frame,
        "description": column.description,
    }
    return attributes | ({"points_to": column.points_to} if column.points_to else {})


def create_column(group: h5py.Group, column: Column, rows: int) -> h5py.Dataset:
    """An empty dataset of numbers for ``rows`` rows, to be written in pieces; every row must be written."""
    parent, _, name = column.name.rpartition("/")
    where = group.require_group(parent) if parent else group
    space = h5py.h5s.create_simple((rows, *column.shape))
    kind = _number_type(column.dtype)
    dataset = h5py.Dataset(h5py.h5d.create(where.id, name.encode(), kind, space, _unfilled()))
    write_attributes(dataset, column_attributes(column))
    return dataset


@cache
def _number_type(dtype: str) -> h5py.h5t.TypeID:
    return h5py.h5t.py_create(np.dtype(dtype).newbyteorder("<"), logical=True)


@cache
def _unfilled() -> h5py.h5p.PropDCID:
    """Contiguous, without the time of day, and not filled before it is written: that would write the file twice."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    properties.set_obj_track_times(False)
    return properties


def write_column(group: h5py.Group, column: Column, values: Shaped[Array, "rows *shape"] | Sequence[str]) -> None:
    """A whole dataset: numbers, or texts where the column is of texts.

    Raises:
        InputError: values of another shape, NaN or infinity, numbers that do not fit, a text with a NUL.
    """
    where = f"{group.name}/{column.name}"
    if column.text:
        _write_texts(group, column, [str(v) for v in values], where)
        return
    array = checked_values(column, np.asarray(values), where)
    dataset = create_column(group, column, len(array))
    if array.size:
        array = np.ascontiguousarray(array)
        dataset.id.write(h5py.h5s.ALL, h5py.h5s.ALL, array, mtype=h5py.h5t.py_create(array.dtype))


def checked_values(column: Column, values: Shaped[Array, "*rows"], where: str) -> Shaped[Array, "*rows"]:
    """``values`` as the column's dtype.

    Raises:
        InputError: values of another shape, NaN or infinity, numbers that do not fit.
    """
    if values.ndim != 1 + len(column.shape) or values.shape[1:] != column.shape:
        raise InputError(f"shape {values.shape}, expected (rows, {', '.join(map(str, column.shape))})", where=where)
    dtype = np.dtype(column.dtype)
    if dtype.kind == "f":
        result = values.astype(dtype, copy=False)
        if not np.isfinite(result).all():
            row = int(np.flatnonzero(~np.isfinite(result.reshape(len(result), -1)).all(axis=1))[0])
            raise InputError(
                "NaN or infinity, which no file may hold",
                where=f"{where}, row {row}",
                remedy="drop the grasp or frame before it is written",
            )
        return result
    if values.size and (values.min() < np.iinfo(dtype).min or values.max() > np.iinfo(dtype).max):
        raise InputError(f"values {values.min()} to {values.max()} do not fit into {dtype}", where=where)
    return values.astype(dtype, copy=False)


def _write_texts(group: h5py.Group, column: Column, texts: list[str], where: str) -> None:
    encoded = [text.encode() for text in texts]
    for row, text in enumerate(encoded):
        if b"\0" in text:
            raise InputError("a text with a NUL character", where=f"{where}, row {row}")
    dtype = h5py.string_dtype("utf-8", max([1, *map(len, encoded)]))
    dataset = group.create_dataset(column.name, (len(texts),), dtype, track_times=False, fill_time="never")
    write_attributes(dataset, column_attributes(column))
    if encoded:
        dataset[...] = np.array(encoded, dtype=dtype)


def write_scalar_text(group: h5py.Group, column: Column, text: str) -> None:
    """One text of any length (an attribute holds 64 kB at most)."""
    encoded = text.encode()
    dtype = h5py.string_dtype("utf-8", max(1, len(encoded)))
    dataset = group.create_dataset(column.name, (), dtype, data=np.array(encoded, dtype), track_times=False)
    write_attributes(dataset, column_attributes(column))


def write_table(
    group: h5py.Group, columns: Sequence[Column], values: Mapping[str, Shaped[Array, "_ ..."] | Sequence[str]]
) -> None:
    """The columns of one group, in their order; an optional column without values is left out.

    Raises:
        InputError: a column is missing or wrong, or columns of one dimension differ in length.
    """
    lengths: dict[str, tuple[str, int]] = {}
    for column in columns:
        if column.name not in values:
            if column.optional:
                continue
            raise InputError(f"no values for {column.name}", where=group.name)
        rows = len(values[column.name]) - column.dimension.endswith("+1")
        first, expected = lengths.setdefault(column.dimension.removesuffix("+1"), (column.name, rows))
        if rows != expected:
            raise InputError(f"{column.name} has {rows} rows where {first} has {expected}", where=group.name)
        write_column(group, column, values[column.name])


def read_texts(dataset: h5py.Dataset) -> tuple[str, ...]:
    """The strings of a dataset."""
    return tuple(text.decode() for text in np.asarray(dataset[...]).tolist())


@contextmanager
def open_file(path: Path | str, file_format: str) -> Iterator[h5py.File]:
    """An HDF5 file of ours, of the version this program reads.

    Raises:
        MissingFileError: there is no such file.
        FormatError: it is truncated, no HDF5, of another kind, or of another schema version.
    """
    with _opened(path, file_format) as file:
        check_header(_header(file), file_format, path)
        yield file


@contextmanager
def open_any_version(path: Path | str, file_format: str) -> Iterator[tuple[h5py.File, int]]:
    """An HDF5 file of ours of this version or an earlier one, and its version.

    Raises:
        MissingFileError: there is no such file.
        FormatError: it is truncated, no HDF5, of another kind, or of a version that this program does not know.
    """
    with _opened(path, file_format) as file:
        header = _header(file)
        version = header.get("schema_version")
        current = SCHEMA_VERSIONS[file_format]
        known = isinstance(version, int) and 1 <= version <= current
        check_header(header | ({"schema_version": current} if known else {}), file_format, path)
        yield file, int(version or 0)


def _header(file: h5py.File) -> dict[str, Any]:
    return {name: plain(file.attrs[name]) for name in ("format", "schema_version") if name in file.attrs}


@contextmanager
def _opened(path: Path | str, file_format: str) -> Iterator[h5py.File]:
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(
            f"no {_KINDS.get(file_format, file_format)} here", where=path, remedy="check the path, or build it again"
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(
            f"not a complete HDF5 file: {_reason(error)}",
            where=path,
            remedy="copy it again or build it again; `yaff verify` on its folder checks the others",
        ) from error
    with file:
        yield file


def check_header(header: Mapping[str, Any], file_format: str, path: Path | str) -> None:
    """Refuse a file of another kind or schema version.

    Raises:
        FormatError: saying which it is and what to do.
    """
    found, version = header.get("format"), header.get("schema_version")
    kind = _KINDS.get(file_format, file_format)
    if found != file_format:
        what = f"a {_KINDS[found]}" if found in _KINDS else "no file of this program"
        raise FormatError(f"this is {what}, expected a {kind}", where=path, remedy=f"give the path of a {kind}")
    reads = SCHEMA_VERSIONS[file_format]
    if version != reads:
        raise FormatError(
            f"{kind} of schema version {version}; this program reads version {reads}",
            where=path,
            remedy=_remedy(version, reads, file_format, Path(path)),
        )


def _remedy(version: Any, reads: int, file_format: str, path: Path) -> str:
    if isinstance(version, int) and version > reads:
        return "install a newer yaff"
    if not isinstance(version, int) or version < 1:
        return "build it again with this version of yaff"
    if file_format == SHARD_FORMAT and not (path.parent / "manifest.json").exists():  # on its own
        return f"yaff migrate {path}"
    return f"yaff migrate {path if file_format == LIBRARY_FORMAT else path.parent}"


def _reason(error: OSError) -> str:
    text = str(error)
    return text[text.find("(") + 1 : -1] if text.endswith(")") else text


def plain(value: Any) -> Any:
    """An attribute as JSON can hold it."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic):
        return plain(value.item())
    return value.tolist() if isinstance(value, np.ndarray) else value


def dataset_of(node: h5py.Group, name: str) -> h5py.Dataset:
    """A dataset that the schema has promised."""
    found = node[name]
    assert isinstance(found, h5py.Dataset)
    return found


def group_of(node: h5py.Group, name: str) -> h5py.Group:
    """A group that the schema has promised."""
    found = node[name]
    assert isinstance(found, h5py.Group)
    return found


def column_document(column: Column) -> dict[str, Any]:
    """What :func:`describe` says of an empty dataset of this column."""
    shape = [*([0] if column.dimension else []), *column.shape]
    return {"dtype": column.dtype, "shape": shape, "attributes": column_attributes(column)}


def describe(node: h5py.File | h5py.Group) -> dict[str, Any]:
    """The structure of a file as a JSON document: attributes, groups, and datasets with dtype, shape, attributes."""
    groups, datasets = {}, {}
    for name, child in node.items():
        if isinstance(child, h5py.Dataset):
            datasets[name] = {
                "dtype": _dtype_name(child.dtype),
                "shape": list(child.shape),
                "attributes": {key: plain(value) for key, value in child.attrs.items()},
            }
        elif isinstance(child, h5py.Group):
            groups[name] = describe(child)
    return {
        "attributes": {key: plain(value) for key, value in node.attrs.items()},
        "groups": groups,
        "datasets": datasets,
    }


def _dtype_name(dtype: np.dtype) -> str:
    text = h5py.check_string_dtype(dtype)
    if text is not None:
        return "utf8" if text.length is not None else "variable-length string"
    return dtype.name if dtype.byteorder != ">" else f"big-endian {dtype.name}"
