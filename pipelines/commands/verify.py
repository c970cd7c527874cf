"""``yaff verify PATH``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json
from yaff.errors import MissingFileError

if TYPE_CHECKING:
    from yaff.store.validation import Against

USAGE = """
yaff verify out/demo/shards
yaff verify out/demo/library.h5 --json
yaff verify shards --library library.h5 --source YCB_Video_Dataset
"""


@dataclass(frozen=True)
class Verify:
    """Check a grasp library, a shard or a folder of shards: schema, checksums, and what must be true of the content.

    Exit status 0 when everything holds, 1 when something does not, 2 when the path cannot be read.
    """

    path: Positional[Path]
    """A library or a shard (.h5), or a folder with a manifest.json."""
    library: Path | None = None
    """The library that the shards were made from: their grasps are compared with it."""
    source: Path | None = None
    """The dataset that the frames were read from: poses of some frames of each shard are read again."""
    sample: int = 1000
    """Annotations of each shard that are composed again from object pose and grasp."""
    frames: int = 20
    """Frames of each shard that are read again from the source."""
    json: bool = False
    """Print JSON."""


def against(options: Verify) -> Against:
    """What the files are compared with."""
    from pipelines.loading import catalogue
    from yaff.scene.recognise import open_scenes
    from yaff.store.library import GraspLibrary
    from yaff.store.validation import Against

    return Against(
        sample=options.sample,
        library=None if options.library is None else GraspLibrary.open(options.library),
        source=None if options.source is None else open_scenes(options.source, None, catalogue().indices),
        frames=options.frames,
    )


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Verify, arguments, "verify", usage=USAGE)
    if not options.path.exists():
        raise MissingFileError("nothing there", where=options.path, remedy="a library (.h5) or a folder of shards")

    from pipelines.stages.verify import problems_of

    problems = problems_of(options.path, against(options))
    if options.json:
        write_json({"path": str(options.path), "problems": problems})
    else:
        for problem in problems:
            say(problem)
        say(f"{options.path}: {f'{len(problems)} problems' if problems else 'good'}")
    return 1 if problems else 0
