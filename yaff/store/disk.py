"""The file that HDF5 writes to, which keeps what the disk refused until it can be said."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any


class Disk(io.RawIOBase):
    """The file under HDF5, which never tells HDF5 of a failure.

    HDF5 cannot close a file that it could not write: it leaves it open and may bring the process down at its exit. So
    the first failure is kept here, all that follows is passed over, and :meth:`check` raises what was kept.
    """

    def __init__(self, path: Path | str) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  closed in close()
        self._error: OSError | None = None

    def check(self) -> None:
        """Raise the failure that was kept, if there was one."""
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while self._error is None and written < len(view):
                written += self._file.write(view[written:]) or 0
        except OSError as error:
            self._error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            if self._error is None:
                self._file.truncate(size)
        except OSError as error:
            self._error = error
        return size or 0

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        view[count:] = bytes(len(view) - count)  # what was passed over was never written
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()
