"""Installing meshes into the user's data folder: each object whole or not at all, one process at a time."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from yaff.errors import FormatError, InputError, YaffError
from yaff.objects.catalogue import FIRST_OWN_INDEX, Catalogue, CatalogueEntry
from yaff.objects.collections import FoundMesh, found_archive, recognise
from yaff.objects.conversion import convert
from yaff.objects.installation import (
    OWN,
    RECORD_FILE,
    YCB,
    ArchiveRecord,
    FileRecord,
    InstalledMesh,
    OwnRecord,
    folder_of,
    own_objects,
    problems_with,
    read_record,
)
from yaff.objects.own import OwnObject
from yaff.store.atomic import TEMPORARY_SUFFIX, build_lock, storage_errors, write_bytes

REPLACED_SUFFIX = ".replaced"
DOWNLOADS = "downloads"
INDICES_FILE = "indices.json"
"""Which index each own object has or had, so that files that speak of it never come to mean another."""
LAST_INDEX = 255


@dataclass(frozen=True)
class AssetsConfig:
    """What ``$XDG_CONFIG_HOME/yaff/assets.toml`` may say."""

    mirrors: tuple[str, ...] = ()
    """Addresses that are tried before the published ones: with {name}, or folders of NNN_name_google_16k.tgz."""
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksums of the archives by object, for whom trust on first use is not enough."""


@dataclass
class Outcome:
    """What an installation did."""

    installed: list[InstalledMesh] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    """Names that were there already."""
    failed: list[tuple[str, YaffError]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Names that the source does not have."""


Report = Callable[[str, str], None]
"""Called with an object's name and what was done."""


def install_folder(
    data: Path, source: Path, names: Sequence[str], catalogue: Catalogue, *, force: bool, report: Report
) -> Outcome:
    """Install the meshes of a folder or archive.

    Raises:
        MissingFileError: no known mesh is there.
        StorageError: the data folder cannot be written, or another process writes it.
    """
    found, outcome = recognise(source.resolve(), catalogue), Outcome()
    with _settled(data):
        for name in names:
            if name not in found:
                outcome.missing.append(name)
            elif not force and _is_whole(data, name):
                outcome.kept.append(name)
            else:
                _attempt(outcome, name, report, lambda mesh=found[name]: _put_mesh(data, mesh, catalogue[mesh.name]))
    return outcome


Fetch = Callable[[str, Path, Callable[[Path, str, int, str], None]], None]
"""Brings the archive of a name to a path from the first place whose (path, sha256, bytes, url) is accepted."""


def install_downloads(
    data: Path,
    names: Sequence[str],
    catalogue: Catalogue,
    fetch: Fetch,
    config: AssetsConfig,
    *,
    force: bool,
    trust_new: bool,
    report: Report,
) -> Outcome:
    """Install meshes from archives that ``fetch`` brings.

    Raises:
        StorageError: the data folder cannot be written, or another process writes it.
    """
    outcome = Outcome()
    with _settled(data):
        for name in names:
            if not force and _is_whole(data, name):
                outcome.kept.append(name)
                continue
            known = config.sha256.get(name) or catalogue[name].archive_sha256
            first = None if trust_new else _first_archive(data, name)
            _attempt(outcome, name, report, lambda n=name, k=known, f=first: _download(data, n, catalogue, fetch, k, f))
    return outcome


def _download(
    data: Path, name: str, catalogue: Catalogue, fetch: Fetch, known: str | None, first: str | None
) -> InstalledMesh:
    target = data / DOWNLOADS / f"{name}_google_16k.tgz"
    installed: list[InstalledMesh] = []

    def accept(path: Path, sha256: str, size: int, url: str) -> None:
        _check_archive(path, sha256, known, first)
        archive = ArchiveRecord(sha256, size, known is not None)
        installed.append(_put_mesh(data, found_archive(name, path), catalogue[name], url, archive))

    fetch(name, target, accept)
    with storage_errors(target):
        target.unlink(missing_ok=True)
    return installed[0]


def _check_archive(path: Path, sha256: str, known: str | None, first: str | None) -> None:
    if known is not None and sha256 != known.lower():
        raise FormatError(
            f"wrong checksum: sha256 {sha256}, expected {known}", where=path, remedy="get it from another place"
        )
    if known is None and first is not None and sha256 != first:
        raise FormatError(
            f"not the archive that was installed first: sha256 {sha256}, then {first}",
            where=path,
            remedy="if the publisher has replaced it, add --trust-new",
        )


def _first_archive(data: Path, name: str) -> str | None:
    record = read_record(data / YCB / name)
    return record.archive.sha256 if record is not None and record.archive is not None else None


def _attempt(outcome: Outcome, name: str, report: Report, work: Callable[[], InstalledMesh]) -> None:
    try:
        record = work()
    except (InputError, FormatError) as error:
        outcome.failed.append((name, error))
        report(name, f"refused: {error.what.splitlines()[0]}")
        return
    outcome.installed.append(record)
    report(name, "; ".join(("installed", *record.notes)))


def _is_whole(data: Path, name: str) -> bool:
    try:
        record = read_record(data / YCB / name)
    except FormatError:
        return False
    return record is not None and not problems_with(data, record)


def _put_mesh(
    data: Path, mesh: FoundMesh, entry: CatalogueEntry, url: str | None = None, archive: ArchiveRecord | None = None
) -> InstalledMesh:
    converted = convert(mesh, entry)
    record = InstalledMesh(
        name=mesh.name,
        layout=mesh.layout,
        origin=url or str(mesh.origin),
        licence=entry.licence,
        frame=converted.frame,
        scale=converted.scale,
        offset=converted.offset,
        files={name: FileRecord.of(content) for name, content in converted.files.items()},
        notes=converted.notes,
        archive=archive,
    )
    _put(data, record, converted.files)
    return record


def add_own(data: Path, name: str, mass: float, licence: str, origin: Path, made: OwnObject) -> InstalledMesh:
    """Install a user's own object under a free index.

    Raises:
        InputError: the name is taken, or there is no index left.
        StorageError: the data folder cannot be written.
    """
    with _settled(data):
        if name in own_objects(data):
            raise InputError(
                f"there is an object {name!r} already", remedy=f"another --name, or first: yaff objects remove {name}"
            )
        record = InstalledMesh(
            name=name,
            layout="own",
            origin=str(origin.resolve()),
            licence=licence,
            frame="of the file",
            scale=made.scale,
            offset=(0.0, 0.0, 0.0),
            files={file: FileRecord.of(content) for file, content in made.files.items()},
            notes=made.notes,
            object=OwnRecord(_free_index(data, name), mass, made.dimensions, made.symmetry),
        )
        _put(data, record, made.files)
    return record


def remove_own(data: Path, name: str) -> None:
    """Remove a user's own object. Its index stays reserved for that name.

    Raises:
        InputError: there is none of that name.
        StorageError: the data folder cannot be written.
    """
    with _settled(data):
        known = own_objects(data)
        if name not in known:
            raise InputError(
                f"no object of your own is called {name!r}",
                remedy=f"yours are: {', '.join(known) or 'none'}; the 21 of the catalogue stay",
            )
        folder = folder_of(data, known[name])
        with storage_errors(folder):
            gone = folder.with_name(f".{name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
            folder.rename(gone)
            shutil.rmtree(gone)


def _free_index(data: Path, name: str) -> int:
    import json

    path = data / OWN / INDICES_FILE
    try:
        taken: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        taken = {}
    except ValueError as error:
        raise FormatError(f"not JSON: {error}", where=path, remedy="remove the file") from error
    taken.update({other: record.object.index for other, record in own_objects(data).items() if record.object})
    if name not in taken:
        free = set(range(FIRST_OWN_INDEX, LAST_INDEX + 1)) - set(taken.values())
        if not free:
            raise InputError(
                f"all {LAST_INDEX - FIRST_OWN_INDEX + 1} indices for own objects have been given out",
                where=path,
                remedy="remove names from that file that no library or shard of yours speaks of",
            )
        taken[name] = min(free)
        write_bytes(path, (json.dumps(taken, indent=1) + "\n").encode())
    return taken[name]


def _put(data: Path, record: InstalledMesh, files: Mapping[str, bytes]) -> None:
    """Write the folder of an object beside its place and rename it there."""
    folder = folder_of(data, record)
    fresh = folder.with_name(f".{record.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    with storage_errors(folder):
        try:
            fresh.mkdir(parents=True)
            for name, content in (*files.items(), (RECORD_FILE, record.to_json())):
                write_bytes(fresh / name, content)
            replaced = folder.with_name(f".{record.name}{REPLACED_SUFFIX}")
            if folder.exists():
                folder.rename(replaced)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _settled(data: Path) -> Iterator[None]:
    """The data folder for one process, cleared of what a killed one left."""
    with build_lock(data):
        for folder in (data / YCB, data / OWN):
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
                for path in sorted(folder.glob(f".*{TEMPORARY_SUFFIX}")):
                    shutil.rmtree(path, ignore_errors=True)
                for path in sorted(folder.glob(f".*{REPLACED_SUFFIX}")):
                    place = folder / path.name[1 : -len(REPLACED_SUFFIX)]
                    if place.exists():
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.rename(place)
        yield
    with storage_errors(data):
        downloads = data / DOWNLOADS
        if downloads.is_dir() and not any(downloads.iterdir()):
            downloads.rmdir()
