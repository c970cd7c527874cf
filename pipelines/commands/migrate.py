"""``yaff migrate PATH``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from yaff.errors import MissingFileError

USAGE = """
yaff migrate out/demo/shards
"""


@dataclass(frozen=True)
class Migrate:
    """Bring a dataset that an earlier yaff wrote to the schema versions of this one.

    Shards stay as they are; the index and the manifest are written anew, from the shards. Nothing happens to a dataset
    that is of this version already.
    """

    path: Positional[Path]
    """A folder with a manifest.json."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Migrate, arguments, "migrate", usage=USAGE)
    if not options.path.is_dir():
        raise MissingFileError("no folder of shards there", where=options.path, remedy="a folder with a manifest.json")

    from yaff.store.atomic import build_lock, remove_temporaries
    from yaff.store.manifest import migrate_dataset

    with build_lock(options.path):
        remove_temporaries(options.path)
        before, after = migrate_dataset(options.path)
    say(f"{options.path}: {'nothing to do' if before == after else f'index of version {before}, now {after}'}")
    return 0
