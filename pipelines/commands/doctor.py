"""``yaff doctor``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir

from pipelines.commands.parsing import parse, say, write_json
from pipelines.config import HandSection
from pipelines.folders import data_folder
from yaff.errors import YaffError

USAGE = """
yaff doctor
yaff doctor --models YCB_Video_Dataset/models
yaff doctor --json
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
    """Print JSON instead of lines."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    found: str
    remedy: str = ""
    needed: bool = True
    """Whether nothing works without it."""

    @property
    def status(self) -> str:
        """In one word: "good", "BAD", or "missing" for what is not needed."""
        return "good" if self.good else ("BAD" if self.needed else "missing")

    def row(self) -> dict[str, object]:
        """As JSON tells it."""
        remedy = "" if self.good else self.remedy
        return {"what": self.what, "status": self.status, "found": self.found, "remedy": remedy, "needed": self.needed}


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Doctor, arguments, "doctor", usage=USAGE)
    findings = []
    for finding in examine(options):
        findings.append(finding)
        if not options.json:
            say(f"{finding.status:8} {finding.what:18} {finding.found}")
            if not finding.good:
                say(f"{'':27} remedy: {finding.remedy}")
    bad = [finding.what for finding in findings if finding.needed and not finding.good]
    if options.json:
        write_json([finding.row() for finding in findings])
    else:
        say(f"this machine lacks: {', '.join(bad)}" if bad else "everything that is needed is there")
    return 1 if bad else 0


def examine(options: Doctor) -> Iterator[Finding]:
    """Every finding, the cheap ones first. Nothing here raises."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 10), version, "install Python 3.10 or newer")
    yield from packages()
    yield _try("assets", _shipped, "install YAFF again from its wheel or a full checkout")
    yield _try("physics", _physics, "pip install --force-reinstall pybullet; without a wheel it needs a C++ compiler")
    yield _try("pictures", _pictures, "apt-get install libegl1 libgl1-mesa-dri (or libosmesa6)", needed=False)
    yield Finding("processors", True, f"{_cores()} usable")
    yield _memory()
    yield _try("hand", lambda: _hand(options.hand), "leave hand.folder out to use the built-in hand")
    yield _licensed_hand(options.hand)
    yield _try("cache folder", _cache, "make it writable, or set XDG_CACHE_HOME")
    yield _try("data folder", lambda: _writable(data_folder()), "make it writable, or set XDG_DATA_HOME")
    yield _try("temporary folder", lambda: _writable(Path(gettempdir())), "make it writable, or set TMPDIR")
    yield _try("output folder", lambda: _writable(options.out), "choose another with --out")
    yield _try("stand-ins", _standins, "install YAFF again from its wheel or a full checkout")
    yield _installed()
    if options.models is not None:
        yield _try("models", lambda: _meshes(options.models), "copy models/ of YCB-Video there")


EXTRAS = {"annotate": "the review in the browser", "cluster": "--backend dask"}
"""Extras of the package that a user may want, and for what."""

IMPORTED_AS = {"pillow": "PIL", "fast-simplification": "fast_simplification", "dask": "dask.distributed"}
"""Packages whose module has another name."""

LOOKED_AT_LATER = ("pybullet", "pyrender")
"""Packages that are tried by what they do."""


def packages() -> Iterator[Finding]:
    """What the installed YAFF says that it requires: is it there, new enough, and does it load?"""
    from importlib.metadata import PackageNotFoundError, requires

    from yaff._version import __version__

    try:
        requirements = requires("yaff") or []
    except PackageNotFoundError:
        yield Finding("yaff", False, f"{__version__}, not installed", "pip install yaff, or make setup in a checkout")
        return
    yield Finding("yaff", True, f"{__version__}, in {Path(__file__).resolve().parents[2]}")
    for requirement in requirements:
        said, _, marker = requirement.partition(";")
        extra = re.search(r"extra == ['\"](\w+)", marker)
        if (extra is None and not marker) or (extra is not None and extra[1] in EXTRAS):
            yield _package(said.strip(), extra[1] if extra else "")


def _package(requirement: str, extra: str) -> Finding:
    from importlib import import_module
    from importlib.metadata import PackageNotFoundError, version

    found = re.match(r"([\w.-]+)", requirement)
    assert found is not None
    name = found[1].lower()
    least = re.search(r">=([\d.]+)", requirement)
    remedy = f"pip install 'yaff[{extra}]', for {EXTRAS[extra]}" if extra else f"pip install '{requirement}'"
    try:
        there = version(name)
        if name not in LOOKED_AT_LATER:
            import_module(IMPORTED_AS.get(name, name))
    except PackageNotFoundError:
        return Finding(name, False, "not installed", remedy, needed=not extra)
    except Exception as error:  # a wheel for another machine shows itself as anything
        return Finding(name, False, f"does not load: {error}", f"pip install --force-reinstall {name}", not extra)
    if least and _numbers(there) < _numbers(least[1]):
        return Finding(name, False, f"{there} is too old", remedy, needed=not extra)
    return Finding(name, True, there)


def _numbers(version: str) -> tuple[int, ...]:
    """``2.13.0+cpu`` as (2, 13, 0), so that versions compare."""
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])


def _shipped() -> str:
    from yaff.resources import asset, configurations, schema

    asset("ycb", "catalogue.toml")
    names = ("catalogue", "index", "installed", "library", "manifest", "shard")
    return f"catalogue, {len([schema(name) for name in names])} schemas, configurations {', '.join(configurations())}"


def _memory() -> Finding:
    """What a build of the whole pose set needs is said in docs/scaling-out.md; a worker of the search takes 1 GB."""
    remedy = "fewer processes (--workers 1), or swap"
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (AttributeError, OSError, ValueError):
        return Finding("memory", False, "cannot tell", remedy, needed=False)
    return Finding("memory", pages > 1.0 * _cores(), f"{pages:.0f} GB", remedy, needed=False)


def _try(what: str, look: Callable[[], str], remedy: str, *, needed: bool = True) -> Finding:
    try:
        return Finding(what, True, look(), needed=needed)
    except YaffError as error:
        return Finding(what, False, error.what, error.remedy or remedy, needed)
    except Exception as error:  # a broken driver or wheel shows itself as anything
        return Finding(what, False, f"{type(error).__name__}: {error}", remedy, needed)


def _physics() -> str:
    import pybullet

    client = pybullet.connect(pybullet.DIRECT)
    try:
        pybullet.stepSimulation(physicsClientId=client)
        return f"PyBullet, API {pybullet.getAPIVersion(physicsClientId=client)}"
    finally:
        pybullet.disconnect(physicsClientId=client)


def _pictures() -> str:
    from yaff.scene.renderers import make_renderer

    renderer = make_renderer()
    if renderer.note:
        raise YaffError(f"ray casting, which is slower; {renderer.note}")
    return f"{renderer.name}, offscreen OpenGL by {os.environ.get('PYOPENGL_PLATFORM', 'the display')}"


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
        return Finding("meshes", False, error.what, error.remedy or "remove the folder that it names", needed=False)
    there = set(installed_names(data)) & set(known.names)
    own = [name for name in known.names if known[name].own]
    total = len(known) - len(own)
    found = f"{data}: {len(there)} of {total} scanned meshes, stand-ins for {total - len(there)}, {len(own)} own"
    remedy = "yaff assets install (downloads them), or yaff assets install DIR"
    return Finding("meshes", len(there) == total, found, remedy, needed=False)


def _meshes(models: Path | None) -> str:
    from pipelines.loading import catalogue

    assert models is not None
    names = catalogue().names
    missing = [name for name in names if not (models / name / "textured_simple.obj").is_file()]
    if missing:
        raise FileNotFoundError(f"{models}: {len(names) - len(missing)} of {len(names)}; no {', '.join(missing[:3])}")
    return f"{models}: all {len(names)}"
