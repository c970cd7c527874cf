"""The pages: their code runs, their links lead somewhere, and what they list is what there is."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from pipelines.cli import COMMANDS, DONE, main

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
TUTORIALS = [*sorted((DOCS / "tutorials").glob("*.md")), DOCS / "extending.md"]
"""Their ``sh`` and ``python`` blocks run, in order, in one folder; ``console`` and ``text`` blocks are to be read."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of the fenced blocks of a page."""
    return re.findall(r"```(\w*)[^\n]*\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of a shell, of the few kinds that the pages have: ``yaff ...``, perhaps into a file."""
    words = shlex.split(line, comments=True)
    target = None
    if ">" in words:
        target = Path(words[words.index(">") + 1])
        words = words[: words.index(">")]
    assert words[0] == "yaff", line
    capsys.readouterr()
    status = main(words[1:])
    said = capsys.readouterr()
    assert status == DONE, f"{line}\n{said.out}{said.err}"
    if target is not None:
        target.write_text(said.out, "utf-8")


@pytest.mark.parametrize("page", TUTORIALS, ids=name)
def test_the_code_of_a_tutorial_runs(
    page: Path, here: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, object] = {"__name__": "tutorial", "cache": cache_dir}
    ran = 0
    for language, text in blocks(page):
        if language == "sh":
            for line in text.splitlines():
                run_line(line, capsys)
        elif language == "python":
            exec(compile(text, name(page), "exec"), names)
        else:
            continue
        ran += 1
    assert ran


def test_the_commands_on_the_page_of_commands_are_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = DOCS / "commands.md"
    rows = re.findall(r"^\| `yaff (\w+)", page.read_text("utf-8"), re.MULTILINE)
    assert set(rows) == set(COMMANDS), "docs/commands.md has a row for each command"
    monkeypatch.chdir(tmp_path)
    for language, text in blocks(page):
        if language == "sh":
            for line in text.splitlines():
                run_line(line, capsys)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them of plain words."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), f"{name(page)}: {target}"
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name(page)} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{name(page)} links to {target}"


def test_every_page_can_be_found() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    for page in DOCS.rglob("*.md"):
        assert page.relative_to(DOCS).as_posix() in navigation, f"{name(page)} is not in mkdocs.yml"


def test_every_public_name_is_documented() -> None:
    import yaff

    page = (DOCS / "api.md").read_text("utf-8")
    for public in set(yaff.__all__) - {"__version__", "YaffError"}:
        assert re.search(rf"\b{public}\b", page), f"yaff.{public} is not in docs/api.md"


def test_every_schema_has_a_page_with_every_dataset() -> None:
    sys.path.append(str(DOCS / "site"))
    from schema_pages import schema_pages  # type: ignore[import-not-found]

    pages = schema_pages(ROOT / "schemas")
    for path in (ROOT / "schemas").glob("*.json"):
        text = pages[f"{path.name.split('.')[0]}-schema"]
        schema = json.loads(path.read_text("utf-8"))
        for key in named_things(schema):
            assert f"{key}`" in text, f"{path.name}: {key}"


def named_things(node: object) -> set[str]:
    """Names of every dataset of an HDF5 schema, every key of a JSON one."""
    found: set[str] = set()
    if isinstance(node, dict):
        properties = node.get("properties", {})
        if not {"datasets", "dtype", "unit"} & set(properties):
            found |= set(properties)
        if "datasets" in properties:
            datasets = properties["datasets"].get("properties", {})
            groups = properties.get("groups", {})
            below = [*groups.get("properties", {}).values(), groups.get("additionalProperties")]
            return set(datasets).union(*map(named_things, below))
        for value in node.values():
            found |= named_things(value)
    elif isinstance(node, list):
        for value in node:
            found |= named_things(value)
    return found
