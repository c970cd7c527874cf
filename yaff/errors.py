"""The one family of exceptions that YAFF raises on purpose.

Every message says *what* is wrong, *where* it is (file, frame, row) and *what to do* about it;
the command line prints it as it stands and exits with status 2.
"""

from __future__ import annotations

from pathlib import Path


class YaffError(Exception):
    """Base of all errors that YAFF raises on purpose.

    Args:
        what: what is wrong, with the offending value.
        where: the file, frame, row or key where it was found.
        remedy: what the user can do about it.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, remedy: str | None = None) -> None:
        self.what = what
        self.where = str(where) if where is not None else None
        self.remedy = remedy
        parts = [what]
        if self.where:
            parts.append(f"  where:  {self.where}")
        if remedy:
            parts.append(f"  remedy: {remedy}")
        super().__init__("\n".join(parts))

    def __reduce__(self) -> tuple[object, ...]:  # so that it crosses process boundaries with its parts
        return _rebuild, (type(self), self.what, self.where, self.remedy)


def _rebuild(cls: type[YaffError], what: str, where: str | None, remedy: str | None) -> YaffError:
    return cls(what, where=where, remedy=remedy)


class InputError(YaffError, ValueError):
    """A value that cannot be used: wrong shape, NaN, out of range, unknown name."""


class MissingFileError(YaffError, FileNotFoundError):
    """A file or folder that should be there and is not."""


class MeshError(InputError):
    """A mesh that cannot be repaired into a solid: empty, no faces, NaN, open beyond repair."""


class PoseError(InputError):
    """A pose that is not a rigid transform: NaN, or a rotation that is not orthonormal."""


class FrameError(InputError):
    """A dataset frame that cannot be read: missing or truncated file, unknown class index, bad pose."""


class FormatError(InputError):
    """A file that is not what it claims to be: schema version, missing dataset, checksum, invariant."""


class ConfigError(InputError):
    """A configuration that does not make sense: unknown key, impossible value."""


class StorageError(YaffError, OSError):
    """Writing failed: no space, no permission, or another build holds the folder."""


class ConflictError(YaffError, RuntimeError):
    """What was asked contradicts what somebody did meanwhile: a lease has ended, a grasp was taken or not verified."""


class UnknownItemError(InputError, LookupError):
    """Nothing has the number or name that was asked for."""


class PhysicsError(YaffError, RuntimeError):
    """The physics engine could not do what was asked (bodies failed to load, a worker died)."""
