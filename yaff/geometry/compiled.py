"""Compiling the few loops that arrays are too slow for."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import TypeVar

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """The function as machine code, compiled on first use and kept on disk beside the module or in the user's cache.

    No fast-math and one thread: results do not depend on the machine or on who else runs. The lock of the interpreter
    is free meanwhile.
    """
    # type checks of tests wrap functions, which the compiler cannot see through
    return numba.njit(cache=True, nogil=True, error_model="numpy")(unwrap(function))  # type: ignore[return-value]


def inlined(function: F) -> F:
    """A function that compiled ones call, written out where it is called: passing arrays on is slow in a tight loop."""
    return numba.njit(inline="always", error_model="numpy")(unwrap(function))  # type: ignore[return-value]
