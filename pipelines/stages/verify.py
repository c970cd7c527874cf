"""Stage "verify": the same check as ``yaff verify``, over everything a build has written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.progress import Progress

if TYPE_CHECKING:
    from yaff.store.validation import Against


def check(paths: Sequence[Path], progress: Progress) -> list[str]:
    """What is wrong with these libraries and folders of shards; empty when all is well."""
    problems = []
    with progress.stage("verify", len(paths)) as stage:
        for path in paths:
            found = problems_of(path)
            problems += [f"{path}: {problem}" for problem in found]
            stage.done(str(path), f"{len(found)} problems" if found else "good")
    return problems


def problems_of(path: Path, against: Against | None = None) -> list[str]:
    """What is wrong with a library, a shard or a folder of shards, one line each."""
    from yaff.store.validation import verify_path

    return [str(problem) for problem in verify_path(path, against).problems]
