"""``yaff assets``: the scanned meshes, installed, verified and listed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json, write_table
from yaff.errors import FormatError

if TYPE_CHECKING:
    from pipelines.installing import AssetsConfig, Outcome
    from yaff.objects import Catalogue

OVERVIEW = """usage: yaff assets install [SOURCE] | list | verify

The scanned meshes of the 21 objects, in your data folder. Without them parametric stand-ins are used.

Usage:
    yaff assets install                                 # download them (CC BY 4.0)
    yaff assets install YCB_Video_Dataset/models        # take them from a folder
    yaff assets list
    yaff assets verify

yaff assets install --help tells more.
"""

INSTALL_USAGE = """
yaff assets install
yaff assets install YCB_Video_Dataset/models
yaff assets install ycbv/models --objects 025_mug 024_bowl
yaff assets install --mirror https://example.org/ycb/{name}_google_16k.tgz
"""
LIST_USAGE = "yaff assets list --json"
VERIFY_USAGE = "yaff assets verify"


@dataclass(frozen=True)
class Install:
    """Install the scanned meshes: from a folder that you have, or from where they are published.

    A folder may be YCB-Video's models, a download of the YCB set (unpacked, or the .tgz archives), or BOP's models in
    millimetres; which it is, and in which frame its meshes are, is recognised. A download that breaks off goes on where
    it was. The publisher gives no checksums: the first download of an archive is checked against its own checksum and
    the catalogue's dimensions, and its sha256 is kept, so that a later one must be the same. Mirrors and checksums may
    be written down in ~/.config/yaff/assets.toml (mirrors = [...], [sha256]).
    """

    source: Positional[Path | None] = None
    """Folder or archive; downloads without it."""
    objects: tuple[str, ...] = ()
    """YCB names; all 21 when none is given."""
    force: bool = False
    """Install again what is there."""
    mirror: tuple[str, ...] = ()
    """Addresses to try first: with {name}, or folders that hold 025_mug_google_16k.tgz and so on."""
    trust_new: bool = False
    """Take an archive although it is not the one that was installed first."""
    json: bool = False
    """Print what was done as JSON."""


@dataclass(frozen=True)
class List:
    """Say of each object what is installed, from where, under which licence, and what is a stand-in."""

    json: bool = False
    """Print JSON instead of a table."""


@dataclass(frozen=True)
class Verify:
    """Compute the checksums of all installed files again. Exit status 1 when one is not what was installed."""

    json: bool = False
    """Print JSON instead of a table."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    actions = {"install": _install, "list": _list, "verify": _verify}
    if not arguments or arguments[0] not in actions:
        asked = bool(arguments) and arguments[0] in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(OVERVIEW)
        raise SystemExit(0 if asked else 2)
    return actions[arguments[0]](arguments[1:])


def _install(arguments: list[str]) -> int:
    options = parse(Install, arguments, "assets install", usage=INSTALL_USAGE)

    from pipelines.folders import objects_folder
    from pipelines.installing import install_folder
    from pipelines.transfers import transfers
    from yaff.objects import Catalogue

    catalogue, data = Catalogue.load(), objects_folder()
    for name in options.objects:
        catalogue[name]
    names = tuple(name for name in catalogue.names if not options.objects or name in options.objects)
    with transfers(len(names)) as shown:
        if options.source is not None:
            outcome = install_folder(data, options.source, names, catalogue, force=options.force, report=shown.say)
        else:
            outcome = _download(options, data, names, catalogue, shown)
    _report(outcome, data, catalogue, options)
    if outcome.failed and not outcome.installed and not outcome.kept:
        return 2
    return 1 if outcome.failed or (options.objects and outcome.missing) else 0


def _download(options: Install, data: Path, names: tuple[str, ...], catalogue: Catalogue, shown) -> Outcome:
    from pipelines.downloads import client, fetch
    from pipelines.installing import install_downloads

    config = _config()
    assert catalogue.download is not None
    places = (*options.mirror, *config.mirrors, *catalogue.download.urls)
    unreachable: set[str] = set()
    with client() as http:

        def bring(name: str, target: Path, accept) -> None:
            urls = tuple(_address(place, name) for place in places)
            fetch(
                http,
                urls,
                target,
                lambda found: accept(found.path, found.sha256, found.bytes, found.url),
                lambda done, total: shown.seen(name, done, total),
                unreachable=unreachable,
            )

        return install_downloads(
            data,
            names,
            catalogue,
            bring,
            config,
            force=options.force,
            trust_new=options.trust_new,
            report=shown.say,
        )


def _address(place: str, name: str) -> str:
    """``place`` with the object's name put in, or a folder's address with the archive's name put behind."""
    return place.replace("{name}", name) if "{name}" in place else f"{place.rstrip('/')}/{name}_google_16k.tgz"


def _config() -> AssetsConfig:
    from pipelines.folders import assets_config
    from pipelines.installing import AssetsConfig
    from pipelines.toml import read_toml

    path = assets_config()
    return read_toml(path, AssetsConfig) if path.is_file() else AssetsConfig()


def _report(outcome: Outcome, data: Path, catalogue: Catalogue, options: Install) -> None:
    trusted = [r.name for r in outcome.installed if r.archive is not None and not r.archive.known]
    if options.json:
        write_json(
            {
                "folder": str(data),
                "installed": [record.name for record in outcome.installed],
                "kept": outcome.kept,
                "missing": outcome.missing,
                "refused": {name: str(error) for name, error in outcome.failed},
                "trusted_on_first_use": trusted,
            }
        )
        return
    for name, error in outcome.failed:
        sys.stderr.write(f"{name}: {error}\n")
    counts = [f"{len(outcome.installed)} installed"]
    counts += [f"{len(outcome.kept)} there already"] if outcome.kept else []
    counts += [f"{len(outcome.failed)} refused"] if outcome.failed else []
    counts += [f"{len(outcome.missing)} not in the source: {', '.join(outcome.missing)}"] if outcome.missing else []
    say(f"{', '.join(counts)}; in {data}")
    if trusted:
        say(
            f"checksums of {len(trusted)} archives were not known before: they are taken on trust this time, kept, and "
            "asked for from now on"
        )
    if outcome.installed and catalogue.download is not None:
        say(f"licence  {catalogue.download.licence}\ncite     {catalogue.download.credit}")


def _list(arguments: list[str]) -> int:
    options = parse(List, arguments, "assets list", usage=LIST_USAGE)

    from pipelines.folders import objects_folder
    from yaff.objects import Catalogue
    from yaff.objects.installation import YCB, own_objects, read_record

    catalogue, data, rows = Catalogue.load(), objects_folder(), []
    for name in catalogue.names:
        try:
            record = read_record(data / YCB / name)
        except FormatError as error:
            rows.append([catalogue[name].index, name, "damaged", error.what, "", ""])
            continue
        if record is None:
            rows.append([catalogue[name].index, name, "stand-in", "made by YAFF", "Apache-2.0", ""])
        else:
            rows.append([catalogue[name].index, name, record.layout, record.origin, record.licence, record.digest])
    for record in own_objects(data).values():
        index = record.object.index if record.object else 0
        rows.append([index, record.name, "own", record.origin, record.licence, record.digest])
    if not options.json:
        rows = [[*row[:-1], row[-1][:12]] for row in rows]
    write_table("assets", ["index", "object", "mesh", "from", "licence", "sha256"], rows, as_json=options.json)
    if not options.json:
        standins = sum(row[2] == "stand-in" for row in rows)
        hint = "; yaff assets install brings the scanned meshes" if standins else ""
        say(f"{standins} of {len(catalogue)} are stand-ins{hint}; in {data}")
    return 0


def _verify(arguments: list[str]) -> int:
    options = parse(Verify, arguments, "assets verify", usage=VERIFY_USAGE)

    from pipelines.folders import objects_folder
    from yaff.objects import Catalogue
    from yaff.objects.installation import OWN, YCB, problems_with, read_record

    catalogue, data, rows = Catalogue.load(), objects_folder(), []
    folders = [data / YCB / name for name in catalogue.names]
    folders += sorted(path for path in (data / OWN).glob("[!.]*") if path.is_dir())
    for folder in folders:
        try:
            record = read_record(folder)
            found = ([] if not folder.exists() else ["no record"]) if record is None else problems_with(data, record)
        except FormatError as error:
            record, found = None, [error.what]
        if record is not None or found:
            rows.append([folder.name, "BAD" if found else "good", "; ".join(found)])
    bad = [row[0] for row in rows if row[1] == "BAD"]
    write_table("verify", ["object", "state", "found"], rows, as_json=options.json)
    if not options.json:
        say(f"{len(rows) - len(bad)} of {len(rows)} installed objects are as they were installed; in {data}")
        ours = [name for name in bad if name in catalogue]
        if ours:
            say(f"remedy: yaff assets install [SOURCE] --objects {' '.join(ours)}")
        if set(bad) - set(ours):
            say("remedy for your own objects: yaff objects remove NAME, and add them again")
    return 1 if bad else 0
