"""Commands that give work to other processes settle their paths first: a worker need not be in the same folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import COULD_NOT, main
from pipelines.commands.parsing import with_absolute_paths
from pipelines.config import BuildConfig, HandSection, OutputSection, SearchSection
from yaff.errors import YaffError

STAND_INS = ("--source", "stand-in")


def paths_in(value: Any) -> Iterator[Path]:
    """Every path within arguments, dataclasses and containers."""
    if isinstance(value, Path):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from paths_in(getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from paths_in(entry)


def test_paths_of_sections_become_absolute_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = BuildConfig(
        hand=HandSection(folder=Path("mano")),
        search=SearchSection(library=Path("/there/library.h5"), types=(3, 9)),
        output=OutputSection(Path("out"), workers=3),
    )
    settled = with_absolute_paths(config)
    assert settled.hand.folder == tmp_path / "mano"
    assert settled.output == OutputSection(tmp_path / "out", workers=3)
    assert settled.search is config.search
    assert with_absolute_paths(settled) is settled


@pytest.mark.parametrize(
    ("words", "handed_over"),
    [
        (["build", "--out", "out", "--hand.folder", "mano", "--objects.cache", "cache"], "pipelines.build.build"),
        (
            ["search", "025_mug", "--out", "library.h5", "--cache", "cache", "--models", "meshes"],
            "pipelines.stages.objects.prepare_those_that_can",
        ),
        (
            ["project", "dataset", "--out", "shards", "--library", "library.h5", "--cache", "cache", *STAND_INS],
            "pipelines.stages.project.project",
        ),
        (
            ["import", "ycb-affordance", "grasps", "--out", "library.h5", "--cache", "cache", "--models", "meshes"],
            "pipelines.stages.objects.prepare_those_that_can",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_handed_over_holds_in_any_folder(
    words: list[str], handed_over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def look(*arguments: object, **_: object) -> None:
        seen.extend(paths_in(arguments))
        raise YaffError("seen enough")

    monkeypatch.chdir(tmp_path)
    for name in ("meshes", "grasps", "dataset", "mano"):
        Path(name).mkdir()
    monkeypatch.setattr(handed_over, look)
    monkeypatch.setattr("yaff.store.importers.registry.importer", lambda source: lambda folder, hand: {"025_mug": ()})
    assert main(words) == COULD_NOT
    assert len(seen) > 2
    assert all(path.is_absolute() for path in seen), seen
