"""``yaff verify PATH``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json
from yaff.errors import MissingFileError

USAGE = """
yaff verify out/demo/shards
yaff verify out/demo/library.h5 --json
"""


@dataclass(frozen=True)
class Verify:
    """Check a grasp library, a shard or a folder of shards: schema, checksums, and what must be true of the content.

    Exit status 0 when everything holds, 1 when something does not, 2 when the path cannot be read.
    """

    path: Positional[Path]
    """A library or a shard (.h5), or a folder with a manifest.json."""
    json: bool = False
    """Print JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Verify, arguments, "verify", usage=USAGE)
    if not options.path.exists():
        raise MissingFileError("nothing there", where=options.path, remedy="a library (.h5) or a folder of shards")

    from pipelines.stages.verify import problems_of

    problems = problems_of(options.path)
    if options.json:
        write_json({"path": str(options.path), "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{options.path}: {f'{len(problems)} problems' if problems else 'good'}")
    return 1 if problems else 0
