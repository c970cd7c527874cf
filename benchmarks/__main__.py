"""Run the benchmarks and print their tables.

Usage:
    python -m benchmarks [NAME ...]
    python -m benchmarks search-real real-scale     # on the real data of YAFF_DATA
"""

from __future__ import annotations

import os
import platform
import sys

from benchmarks import cases, real
from pipelines.commands.parsing import write_table
from yaff.errors import MissingFileError


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all that need nothing from outside."""
    known = {**cases.CASES, **real.REAL_CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.stderr.write(f"no benchmark {unknown[0]!r}; there are {', '.join(known)}\n")
        return 2
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    rows = []
    for name in names or cases.CASES:
        try:
            for what, value, unit in known[name]():
                rows.append([name, what, value, unit])
                sys.stderr.write(f"{name}: {what}: {value:.4g} {unit}\n")
        except MissingFileError as error:
            sys.stderr.write(f"{name}: left out: {error}\n")
    write_table(machine, ["benchmark", "what", "value", "unit"], rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
