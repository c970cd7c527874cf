"""``yaff doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.commands.parsing import parse, write_table
from pipelines.config import HandSection
from yaff.errors import YaffError

USAGE = """
yaff doctor
yaff doctor --models YCB_Video_Dataset/models --json
"""


@dataclass(frozen=True)
class Doctor:
    """Check this machine: versions, physics, pictures, folders, hand and meshes; and say how to mend what is missing.

    Exit status 0 when everything that is needed works, 1 when something does not.
    """

    models: Path | None = None
    """Folder of scanned meshes to look at."""
    hand: HandSection = field(default_factory=HandSection)
    out: Path = Path("out")
    """Folder where results would go."""
    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True
    """Whether nothing works without it."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Doctor, arguments, "doctor", usage=USAGE)
    findings = list(examine(options))
    rows = [
        [f.what, "good" if f.good else ("BAD" if f.needed else "missing"), f.found, "" if f.good else f.remedy]
        for f in findings
    ]
    write_table("yaff doctor", ["what", "", "found", "remedy"], rows, as_json=options.json)
    return 0 if all(finding.good for finding in findings if finding.needed) else 1


def examine(options: Doctor) -> Iterator[Finding]:
    """Every finding, the cheap ones first. Nothing here raises."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 10), version, "install Python 3.10 or newer")
    yield from (_package(name) for name in ("numpy", "torch", "h5py", "trimesh", "coacd", "joblib"))
    yield _try("physics", _physics, "pip install pybullet, or see its notes on compilers")
    yield _try("pictures", _pictures, "apt-get install libegl1 libgl1-mesa-dri (or libosmesa6)", needed=False)
    yield Finding("processors", True, f"{_cores()} usable")
    yield _try("hand", lambda: _hand(options.hand), "leave hand.folder out to use the built-in hand")
    yield _licensed_hand(options.hand)
    yield _try("cache folder", _cache, "make it writable, or set XDG_CACHE_HOME")
    yield _try("output folder", lambda: _writable(options.out), "choose another with --out")
    yield _try("stand-ins", _standins, "install again: make setup")
    yield _installed()
    if options.models is not None:
        yield _try("meshes", lambda: _meshes(options.models), "copy models/ of YCB-Video there")


def _try(what: str, look: Callable[[], str], remedy: str, *, needed: bool = True) -> Finding:
    try:
        return Finding(what, True, look(), needed=needed)
    except YaffError as error:
        return Finding(what, False, error.what, error.remedy or remedy, needed)
    except Exception as error:  # a broken driver or wheel shows itself as anything
        return Finding(what, False, f"{type(error).__name__}: {error}", remedy, needed)


def _package(name: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return Finding(name, True, version(name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _physics() -> str:
    import pybullet

    client = pybullet.connect(pybullet.DIRECT)
    try:
        pybullet.stepSimulation(physicsClientId=client)
        return f"PyBullet, API {pybullet.getAPIVersion(physicsClientId=client)}"
    finally:
        pybullet.disconnect(physicsClientId=client)


def _pictures() -> str:
    from yaff.scene.render import make_renderer

    renderer = make_renderer()
    return f"{renderer.name}{f': {renderer.note}' if renderer.note else ''}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _hand(section: HandSection) -> str:
    from pipelines.loading import hand_of, hand_recipe

    hand = hand_of(hand_recipe(section))
    return f"{hand.name}, {hand.side}, {hand.digest[:12]}"


def _licensed_hand(section: HandSection) -> Finding:
    from pipelines.loading import LICENSED_HANDS, default_hand_folder

    folder = section.folder or default_hand_folder()
    there = [name for name in LICENSED_HANDS if (folder / name).is_file()]
    remedy = f"register at mano.is.tue.mpg.de, accept the licence, put {' and '.join(LICENSED_HANDS)} into {folder}"
    return Finding("MANO", bool(there), f"{folder}: {', '.join(there) or 'not installed'}", remedy, needed=False)


def _cache() -> str:
    from yaff.objects.cache import default_cache_dir

    return _writable(default_cache_dir())


def _writable(folder: Path) -> str:
    """Say how much room there is. Makes nothing: the nearest folder that exists has to be writable."""
    import shutil

    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise PermissionError(f"{there} is not writable")
    return f"{folder} ({shutil.disk_usage(there).free / 1e9:.0f} GB free)"


def _standins() -> str:
    from pipelines.loading import catalogue
    from yaff.objects import StandInSource

    source = StandInSource()
    return f"{sum(len(source.mesh(name).faces) > 0 for name in catalogue().names)} objects"


def _installed() -> Finding:
    """Which meshes would be used. Only whether files are there: yaff assets verify looks into them."""
    from pipelines.folders import objects_folder
    from pipelines.loading import catalogue, installed_names

    data = objects_folder()
    try:
        known = catalogue()
    except YaffError as error:
        return Finding("assets", False, error.what, error.remedy or "remove the folder that it names", needed=False)
    there = set(installed_names(data)) & set(known.names)
    own = [name for name in known.names if known[name].own]
    total = len(known) - len(own)
    found = f"{data}: {len(there)} of {total} scanned meshes, stand-ins for {total - len(there)}, {len(own)} own"
    remedy = "yaff assets install (downloads them), or yaff assets install DIR"
    return Finding("assets", len(there) == total, found, remedy, needed=False)


def _meshes(models: Path | None) -> str:
    from pipelines.loading import catalogue

    assert models is not None
    names = catalogue().names
    missing = [name for name in names if not (models / name / "textured_simple.obj").is_file()]
    if missing:
        raise FileNotFoundError(f"{models}: {len(names) - len(missing)} of {len(names)}; no {', '.join(missing[:3])}")
    return f"{models}: all {len(names)}"
