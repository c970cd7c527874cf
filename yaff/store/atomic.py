"""Files that are there complete or not at all, and folders that one build writes at a time.

A file is written beside its final name, fsynced, and renamed over it (POSIX ``rename`` is atomic); a process killed in
between leaves a temporary that :func:`remove_temporaries` clears, and nothing under the final name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from yaff.errors import StorageError

TEMPORARY_SUFFIX = ".partial"
LOCK_NAME = ".yaff-build.lock"

REMEDIES = {
    errno.ENOSPC: "free space on that disk or write elsewhere, then run again: finished files are kept",
    errno.EDQUOT: "your quota is used up: free space or write elsewhere, then run again",
    errno.EFBIG: "a file size limit was reached (ulimit -f, or the file system's): raise it or write elsewhere",
    errno.EACCES: "you may not write there: change the permissions or write elsewhere",
    errno.EPERM: "you may not write there: change the permissions or write elsewhere",
    errno.EROFS: "the file system is mounted read-only: write elsewhere",
    errno.EEXIST: "a file stands where a folder is needed: choose another output folder",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another output folder",
    errno.EIO: "the disk reports an error: check its health and write elsewhere",
}
"""What to do about each cause a write can fail for."""

_HDF5_ERRNO = re.compile(r"errno = (\d+)")  # HDF5 reports the cause only inside its message


@contextmanager
def atomic_file(path: Path | str) -> Iterator[Path]:
    """A temporary path in the folder of ``path`` that becomes ``path`` when the block ends without an exception.

    The folder is made when it is missing. When the block raises, the temporary is removed and what was under
    ``path`` before stays as it was.

    Raises:
        StorageError: no space, no permission or another failure of the disk, naming ``path`` and the remedy.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # made here, not by the writer, so that permissions follow the umask and a refusal comes first
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def write_bytes(path: Path | str, data: bytes) -> None:
    """``data`` under ``path``, whole or not at all.

    Raises:
        StorageError: as :func:`atomic_file`.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def storage_errors(path: Path | str) -> Iterator[None]:
    """Failures of the disk inside the block (also those that HDF5 reports) as :class:`StorageError`."""
    try:
        yield
    except StorageError:
        raise
    except (OSError, RuntimeError) as error:  # h5py raises RuntimeError when closing a file fails
        code = _cause(error)
        if code is None or not _concerns(error, Path(path)):
            raise
        raise StorageError(f"could not write: {os.strerror(code)}", where=path, remedy=REMEDIES.get(code)) from error


def _cause(error: OSError | RuntimeError) -> int | None:
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (found := _HDF5_ERRNO.search(str(error))):
        code = int(found[1])
    return code if code in REMEDIES else None


def _concerns(error: OSError | RuntimeError, path: Path) -> bool:
    """Whether the failure is about ``path``, not about an input that the block could not read."""
    named = getattr(error, "filename", None)
    if not isinstance(named, str | os.PathLike):
        return True
    return Path(named).parent == path.parent or Path(named) in path.parents


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path | str) -> tuple[Path, ...]:
    """Remove what killed writers left in ``folder``; call it only while holding :func:`build_lock`.

    Returns:
        the paths removed, sorted.
    """
    found = sorted(Path(folder).glob(f".*{TEMPORARY_SUFFIX}"))
    for path in found:
        path.unlink(missing_ok=True)
    return tuple(found)


@contextmanager
def build_lock(folder: Path | str) -> Iterator[None]:
    """Hold ``folder`` for one build: a second one is refused while the first lives.

    The lock is the kernel's (``flock``), so that a build that was killed, however rudely, does not hold it.

    Raises:
        StorageError: another process builds into ``folder`` (its host and process id are named), or the folder
            cannot be written.
    """
    folder = Path(folder)
    path = folder / LOCK_NAME
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path)
    try:
        with storage_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # still locked: who opens it now finds another inode and tries again
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise StorageError(
                f"another build writes into this folder: {holder}",
                where=path.parent,
                remedy="wait for it to end, or build into another folder",
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        with suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # the holder removed it between our open and our lock
