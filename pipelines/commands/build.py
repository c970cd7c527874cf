"""``yaff build CONFIG.toml``."""

from __future__ import annotations

from pathlib import Path

from pipelines.commands.parsing import parse, say, with_absolute_paths
from pipelines.config import BuildConfig, load_config
from yaff.resources import configurations

USAGE = """
yaff build demo
yaff build my.toml --out out/mine
yaff build ycb_video --dataset.root DIR --workers 8
yaff build demo --out out/try --search.types 9 14 --project.layout full
"""


def configuration_file(word: str) -> Path:
    """The file that the first word names: a path, or else a configuration that comes with YAFF, by its name."""
    path = Path(word)
    return path if path.suffix or path.exists() else configurations().get(word, path)


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    named = bool(arguments) and not arguments[0].startswith("-")
    default = load_config(configuration_file(arguments[0])) if named else BuildConfig()
    config = parse(
        BuildConfig, arguments[1:] if named else arguments, "build [CONFIG.toml]", usage=USAGE, default=default
    )

    from pipelines.build import build
    from pipelines.progress import default_progress

    result = build(with_absolute_paths(config), default_progress())
    for stage, seconds in result.log.seconds.items():
        say(f"{stage:10} {seconds:8.1f} s")
    say(f"{'total':10} {sum(result.log.seconds.values()):8.1f} s")
    for note in result.log.notes:
        say(f"note: {note}")
    for problem in result.log.problems:
        say(f"problem: {problem}")
    say("")
    say(f"grasp library  {result.library}")
    say(f"shards         {result.shards}")
    say(f"report         {result.report}")
    return 1 if result.log.problems else 0
