"""How a benchmark of its own ends: with a status, and with what to do where the input is at fault."""

from __future__ import annotations

import sys
from collections.abc import Callable

from yaff.errors import YaffError


def status_of(main: Callable[[list[str]], int]) -> int:
    """What ``main`` returns for the arguments of the command line; 2 and a line on what is wrong, where it raises."""
    try:
        return main(sys.argv[1:])
    except YaffError as error:
        sys.stderr.write(f"{error}\n")
        return 2
