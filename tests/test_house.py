"""House rules that a machine can hold: who may import whom, names that exist, one version, documented commands."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.toml import tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("yaff", "annotator", "pipelines")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

FLOORS: dict[str, int] = {
    "geometry": 0,
    "hand": 1,
    "objects": 1,
    "taxonomy": 1,
    "grasp": 2,
    "search": 3,
    "scene": 3,
    "store": 4,
    "learning": 4,
}
"""Rooms of yaff by floor: a room may import rooms of lower floors, and itself."""

SAME_FLOOR: set[tuple[str, str]] = {("learning", "store")}
"""Neighbours that may import each other's work, one way."""


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in a file, those inside functions included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            module = node.module or ""
            yield node.lineno, module
            if module in PACKAGES:  # `from yaff import scene`
                yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "yaff" and len(parts) > 1 and parts[1] in FLOORS else None


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down(path: Path) -> None:
    here = module_name(path)
    package = here.split(".")[0]
    wrong = []
    for line, module in imports(path):
        target = module.split(".")[0]
        if target in PACKAGES and PACKAGES.index(target) > PACKAGES.index(package):
            wrong.append(f"{path}:{line} imports {module}")
        inside, other = room(here), room(module)
        if inside and other and other != inside:
            lower = FLOORS[other] < FLOORS[inside]
            if not lower and (inside, other) not in SAME_FLOOR:
                wrong.append(f"{path}:{line} imports {module}")
    assert not wrong


def test_every_room_has_a_floor() -> None:
    rooms = {path.parent.name for path in (ROOT / "yaff").glob("*/__init__.py")}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_stay_rooms(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_modules_say_what_they_are_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name == "_version.py" or not text.strip():
        return
    assert ast.get_docstring(ast.parse(text)), f"{path} has no docstring"


@pytest.mark.parametrize("path", [p for p in MODULES if "__all__" in p.read_text(encoding="utf-8")], ids=module_name)
def test_every_exported_name_exists(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_no_print() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            assert not (called and node.func.id == "print"), f"{path}:{node.lineno} prints"  # type: ignore[attr-defined]


def test_version_is_in_one_place() -> None:
    from yaff._version import __version__

    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "yaff/_version.py"
    citation = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert citation is not None
    assert citation[1] == __version__
    assigned = [p for p in MODULES if re.search(r"^__version__ *=", p.read_text(encoding="utf-8"), re.MULTILINE)]
    assert [path.name for path in assigned] == ["_version.py"]


def test_every_command_is_in_the_docs() -> None:
    from pipelines.cli import COMMANDS

    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    missing = [name for name in COMMANDS if f"yaff {name}" not in text]
    assert not missing


def test_documented_commands_exist() -> None:
    from pipelines.cli import COMMANDS

    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```(?:sh|bash|console)?\n(.*?)```", text, re.DOTALL):
            for name in re.findall(r"^\s*(?:\$ )?yaff (\w+)", block, re.MULTILINE):
                assert name in COMMANDS, f"{page.name} shows 'yaff {name}'"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pictures_are_small() -> None:
    for picture in (ROOT / "docs").rglob("*.png"):
        assert picture.stat().st_size < 300_000, picture
