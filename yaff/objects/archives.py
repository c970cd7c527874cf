"""Archives that came over a network, read into memory: nothing in them can name a place on the disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from yaff.errors import FormatError, MissingFileError

SUFFIXES = (".tgz", ".tar.gz", ".tar", ".zip")
MOST_BYTES = 1 << 29
"""Unpacked size above which an archive is refused unread (512 MiB; an object of the YCB set has 30)."""
MOST_MEMBERS = 10_000


def is_archive(path: Path) -> bool:
    """Whether a file is an archive by its name."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def read_archive(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The contents of the members whose path ``wanted`` accepts.

    Every member is looked at first: one that would leave the folder it is unpacked in, a link, a device, or a declared
    size that is too large condemns the whole archive.

    Raises:
        MissingFileError: there is no such file.
        FormatError: not an archive, damaged or cut short, or not safe.
    """
    if not path.is_file():
        raise MissingFileError("archive not found", where=path, remedy="give the path of a .tgz or .zip file")
    with _damage(path):
        if zipfile.is_zipfile(path):
            return _read_zip(path, wanted)
        return _read_tar(path, wanted)


def _read_tar(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    found, total = {}, 0
    with tarfile.open(path, "r:*") as archive:
        for count, member in enumerate(archive):
            total += max(member.size, 0)
            _check(path, member.name, count, total)
            if not (member.isfile() or member.isdir()):
                raise _unsafe(path, f"{member.name!r} is a link or a device")
            stream = archive.extractfile(member) if member.isfile() and wanted(member.name) else None
            if stream is not None:
                found[member.name] = stream.read()
        _read_to_the_end(archive)
    return found


def _read_to_the_end(archive: tarfile.TarFile) -> None:
    """Past the last member, so that the compressor's own checksum of everything is looked at."""
    stream = archive.fileobj
    if stream is not None:
        for _ in range(MOST_BYTES >> 16):
            if not stream.read(1 << 16):
                return


def _read_zip(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    found, total = {}, 0
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for count, member in enumerate(members):
            total += member.file_size
            _check(path, member.filename, count, total)
            if (member.external_attr >> 16) & 0o170000 == 0o120000:
                raise _unsafe(path, f"{member.filename!r} is a link")
        for member in members:
            if not member.is_dir() and wanted(member.filename):
                found[member.filename] = archive.read(member)
    return found


def _check(path: Path, name: str, count: int, total: int) -> None:
    outside = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or PureWindowsPath(name).root
    if outside or ".." in name.replace("\\", "/").split("/") or "\0" in name:
        raise _unsafe(path, f"{name!r} would be written outside the folder it is unpacked in")
    if count >= MOST_MEMBERS:
        raise _unsafe(path, f"more than {MOST_MEMBERS} members")
    if total > MOST_BYTES:
        raise _unsafe(path, f"it unpacks to more than {MOST_BYTES >> 20} MiB")


def _unsafe(path: Path, why: str) -> FormatError:
    return FormatError(f"the archive is not safe to unpack: {why}", where=path, remedy="get it from another place")


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _damaged(path, error) from error
    except OSError as error:  # gzip's own checksum fails with BadGzipFile
        if isinstance(error, MissingFileError) or error.errno is not None:
            raise
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> FormatError:
    return FormatError(
        f"the archive is damaged or cut short: {error or type(error).__name__}",
        where=path,
        remedy="remove it and download it again",
    )
