"""A cache of arrays on disk, by content: safe for many processes, and rebuilt where it is damaged.

An entry is one ``.npz`` file (uncompressed; zip carries a checksum of every array). It is written under a temporary
name, fsynced and renamed, so that a reader sees a whole entry or none. A lock file beside it lets one process compute
while others wait for the result; the operating system drops the lock when its holder dies.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from yaff.errors import StorageError

try:
    import fcntl
except ImportError:  # Windows: two processes may compute the same entry, the later rename wins
    fcntl = None

Array = np.ndarray
Arrays = Mapping[str, Shaped[Array, "..."]]


def default_cache_dir() -> Path:
    """The user's cache folder for YAFF (XDG Base Directory Specification). Only the command line asks for it."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "yaff"


def content_key(*parts: object) -> str:
    """A file name for content: the start of the sha256 of the parts (arrays by dtype, shape and bytes)."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"array {part.dtype.str} {part.shape};".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(f"{type(part).__name__} {part!r};".encode())
    return digest.hexdigest()


def cached_arrays(folder: Path, kind: str, key: str, compute: Callable[[], Arrays]) -> dict[str, Shaped[Array, "..."]]:
    """The arrays of an entry, computed on first use.

    Args:
        folder: the cache folder; made where it does not exist.
        kind: what the entry is (``sdf``, ``pieces``); a folder below ``folder``.
        key: from :func:`content_key`, over everything that the result depends on.
        compute: makes the arrays (no object dtypes). Called with the entry's lock held.

    Raises:
        StorageError: if the entry cannot be written. Whatever ``compute`` raises leaves nothing behind.
    """
    path = folder / kind / f"{key[:40]}.npz"
    found = _read(path)
    if found is not None:
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path.parent, error) from error
    with _locked(path.with_suffix(".lock")):
        found = _read(path)
        if found is None:
            found = {name: np.asarray(value) for name, value in compute().items()}
            _write(path, found)
    return found


def _read(path: Path) -> dict[str, Array] | None:
    """The arrays of a whole entry; None when it is absent or damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        return None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError):
        return None


def _write(path: Path, arrays: Arrays) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    try:
        try:
            with temporary.open("wb") as stream:
                stream.write(buffer.getbuffer())
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"the cache cannot be written: {error.strerror or error}",
        where=path,
        remedy="make space or give another cache folder (--objects.cache DIR)",
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    try:
        stream = path.open("ab")
    except OSError as error:
        raise _refused(path, error) from error
    with stream:
        # Some network file systems know no locks: then the worst is double work.
        with contextlib.suppress(OSError):
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX)
        yield
