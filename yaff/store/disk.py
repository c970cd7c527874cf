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
        """Write all of a buffer here, or nothing more once the disk has refused; says always that all was written."""
        view = memoryview(data).cast("B")
        written = 0
        try:
            while self._error is None and written < len(view):
                written += self._file.write(view[written:]) or 0
        except OSError as error:
            self._error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend the file to so many bytes; a failure is kept for :meth:`check`."""
        try:
            if self._error is None:
                self._file.truncate(size)
        except OSError as error:
            self._error = error
        return size or 0

    def readinto(self, buffer: Any) -> int:
        """Fill a whole buffer from here, with zeros where the file has ended: HDF5 may ask for what was passed over.

        Raises:
            OSError: the disk could not be read.
        """
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        view[count:] = bytes(len(view) - count)  # what was passed over was never written
        return len(view)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte, which may be beyond the end; the new place from the start."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The place from the start, bytes."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file; what was kept is still there for :meth:`check`.

        Raises:
            OSError: the system refused, as some file systems first do here.
        """
        self._file.close()
        super().close()
