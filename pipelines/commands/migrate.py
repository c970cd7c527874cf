"""``yaff migrate PATH``."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from yaff.errors import MissingFileError

USAGE = """
yaff migrate library.h5
yaff migrate out/demo/shards
"""


@dataclass(frozen=True)
class Migrate:
    """Bring a grasp library, a dataset or a single shard that an earlier yaff wrote to the schema versions of this one.

    Each file takes the place of the old one, whole or not at all; a migration that was interrupted goes on when it is
    started again. Nothing happens to files that are of this version already. What earlier versions did not measure is
    said in docs/file-formats.md.
    """

    path: Positional[Path]
    """A library, a shard, or a folder with a manifest.json."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Migrate, arguments, "migrate", usage=USAGE)
    path: Path = options.path
    if not path.exists():
        raise MissingFileError(
            "there is nothing here", where=path, remedy="a library, or a folder with a manifest.json"
        )

    from pipelines.progress import LineProgress
    from yaff.store.atomic import build_lock, remove_temporaries
    from yaff.store.migration import migrate_path

    with ExitStack() as stack:
        if path.is_dir():
            stack.enter_context(build_lock(path))
            remove_temporaries(path)
        done = migrate_path(path, LineProgress().say)
    for migration in done:
        say(f"{migration.file}: version {migration.before}, now {migration.after}")
    if not done:
        say(f"{path}: nothing to do")
    return 0
