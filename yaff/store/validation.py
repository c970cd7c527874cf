"""``verify_path``: whether a library, a shard or a whole dataset is what it claims to be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from yaff.errors import FormatError, MissingFileError, YaffError
from yaff.grasp.batch import Grasps
from yaff.scene.frames import SceneReader
from yaff.store.columns import INDEX_FORMAT, LIBRARY_FORMAT, SHARD_FORMAT, SHARD_GROUPS, is_virtual
from yaff.store.hashing import digest_file
from yaff.store.hdf5 import dataset_of, open_file, plain
from yaff.store.index import INDEX_NAME, counted_over_all, row_offsets
from yaff.store.invariants import INVARIANTS, TRANSLATION_TOLERANCE, check_sample
from yaff.store.layouts import annotation_columns
from yaff.store.library import GraspLibrary, library_values
from yaff.store.manifest import MANIFEST_NAME, Manifest
from yaff.store.shards import ShardReader, ShardRecord

Array = np.ndarray


@dataclass(frozen=True)
class Check:
    """One thing that was checked."""

    name: str
    """What: ``size``, ``sha256``, ``schema``, one of the invariants, ``sample``, ``library``, ``source``, ..."""
    where: str
    """Name of the file, and of the object where there is one."""
    problem: str = ""
    """What is wrong; empty if nothing is."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and what of it failed."""

    path: str
    kind: str
    """``library``, ``shard`` or ``dataset``."""
    checks: tuple[Check, ...]
    counts: Mapping[str, int]
    """What was found: shards, frames, annotations, grasps."""

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that did not pass, in the order in which they were made."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def problems(self) -> tuple[str, ...]:
        """What failed, one line each: file, check, what is wrong."""
        return tuple(f"{check.where}: {check.name}: {check.problem}" for check in self.failures)

    def document(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        numbers = ", ".join(f"{value:,} {name}" for name, value in self.counts.items())
        head = f"{self.kind} {self.path}: {numbers}; {len(self.checks)} checks, {len(self.failures)} failed"
        return "\n".join([head, *(f"  {problem}" for problem in self.problems)])


@dataclass(frozen=True)
class Against:
    """What a dataset may be checked against, and how much of it."""

    sample: int = 1000
    """Annotations of each shard that are composed again."""
    library: Mapping[str, Grasps] | None = None
    """The library the shards were made from."""
    source: SceneReader | None = None
    """The dataset the frames were read from."""
    frames: int = 20
    """Frames of each shard that are read again from the source."""
    seed: int = 0
    """Of the choice of annotations and frames."""


def verify_path(
    path: Path | str, against: Against | None = None, progress: Callable[[str], None] | None = None
) -> VerifyReport:
    """Check a grasp library, one shard, or a dataset (its folder, manifest or index).

    Checked are sizes and SHA-256 (against the manifest), the schema, the invariants of the content, and a random
    sample of annotations composed again from poses and grasps; and, where they are given, grasps against the library
    and poses against the source. Failures are in the report, not raised.

    Args:
        path: what to check.
        against: library, source and size of the samples.
        progress: called with the name of each file before it is checked.

    Raises:
        MissingFileError: there is nothing at ``path``, or a folder without a manifest.
        FormatError: a file that is nothing this program writes, or a manifest that cannot be used.
    """
    path, against = Path(path), against or Against()
    announce = progress or (lambda name: None)
    if path.name in (INDEX_NAME, MANIFEST_NAME) or path.is_dir():
        return _verify_dataset(Manifest.open(path if path.is_dir() else path.parent), against, announce)
    announce(path.name)
    kind = _kind(path)
    if kind == LIBRARY_FORMAT:
        return _verify_library(path)
    checks, reader = _verify_shard(path, against)
    counts = {} if reader is None else {"frames": len(reader["frames/frame"]), "annotations": len(reader)}
    return VerifyReport(str(path), "shard", tuple(checks), counts)


def _kind(path: Path) -> str:
    if not path.exists():
        raise MissingFileError("there is nothing here", where=path, remedy="check the path")
    try:
        with h5py.File(path, "r") as file:
            kind = plain(file.attrs.get("format", ""))
    except OSError:
        # truncated: say so with the words of the reader, as a shard unless its name says otherwise
        return SHARD_FORMAT if path.name.startswith("shard-") else LIBRARY_FORMAT
    if kind not in (LIBRARY_FORMAT, SHARD_FORMAT, INDEX_FORMAT):
        raise FormatError(
            "no file of this program",
            where=path,
            remedy="give a grasp library, a shard, or the folder of a dataset",
        )
    return kind


def _verify_library(path: Path) -> VerifyReport:
    try:
        library = GraspLibrary.open(path)
    except YaffError as error:
        return VerifyReport(str(path), "library", (_failed("schema", path.name, error),), {})
    checks = [Check("schema", path.name)]
    checks += [
        Check("values", f"{path.name}:/objects/{name}", _library_problem(library[name]) or "")
        for name in library.objects
    ]
    counts = {"objects": len(library), "grasps": sum(library.counts.values())}
    return VerifyReport(str(path), "library", tuple(checks), counts)


def _library_problem(grasps: Grasps) -> str | None:
    for name, values in library_values(grasps).items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
            if not finite.all():
                return f"{name}, row {int(np.flatnonzero(~finite)[0])}: NaN or infinity"
    for name, low, high in (("grasp_type", 1, 33), ("review_state", 0, 3)):
        values = getattr(grasps, name)
        bad = (values < low) | (values > high)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            return f"{name}, row {row}: {values[row]} is not one of {low} to {high}"
    return None


def _verify_shard(path: Path, against: Against) -> tuple[list[Check], ShardReader | None]:
    try:
        reader = ShardReader.open(path)
    except YaffError as error:
        return [_failed("schema", path.name, error)], None
    checks = [Check("schema", path.name)]
    for name, function in INVARIANTS.items():
        checks.append(Check(name, path.name, function(reader) or ""))
        if not checks[-1].passed:
            return checks, reader  # the later ones rely on it
    rng = np.random.default_rng([against.seed, reader.scene])
    rows = np.sort(rng.choice(len(reader), min(against.sample, len(reader)), replace=False))
    checks.append(Check("sample", path.name, check_sample(reader, rows) or ""))
    if against.library is not None:
        checks.append(Check("library", path.name, _library_difference(reader, against.library) or ""))
    if against.source is not None:
        checks.append(Check("source", path.name, _source_difference(reader, against, rng) or ""))
    return checks, reader


def _failed(name: str, where: str, error: YaffError) -> Check:
    words = error.what if error.where is None else f"{error.what} ({error.where})"
    return Check(name, where, f"{words}; {error.remedy}" if (error.remedy or "").startswith("yaff ") else words)


def _library_difference(reader: ShardReader, library: Mapping[str, Grasps]) -> str | None:
    index, rows = reader["grasps/object_index"], reader["grasps/library_row"]
    for name, number in reader.objects.items():
        here = index == number
        if not here.any():
            continue
        if name not in library or rows[here].max() >= len(library[name]):
            return f"/grasps: the library has no grasp {int(rows[here].max())} of {name}"
        chosen = library[name][rows[here]]
        for column, values in library_values(chosen).items():
            if f"grasps/{column}" in reader:
                different = (reader[f"grasps/{column}"][here] != values).reshape(len(values), -1).any(axis=1)
                if different.any():
                    row = int(np.flatnonzero(here)[np.flatnonzero(different)[0]])
                    return f"/grasps/{column}, row {row}: differs from the library's {name}, row {int(rows[row])}"
    return None


def _source_difference(reader: ShardReader, against: Against, rng: np.random.Generator) -> str | None:
    assert against.source is not None
    numbers, start = reader["frames/frame"], reader["frames/instance_start"]
    chosen = np.sort(rng.choice(len(numbers), min(against.frames, len(numbers)), replace=False))
    try:
        table, _ = against.source.read(reader.scene, [int(n) for n in numbers[chosen]])
    except YaffError as error:
        return f"the source cannot be read: {error.what} ({error.where})"
    for row, frame in enumerate(chosen.tolist()):
        here, there = slice(int(start[frame]), int(start[frame + 1])), table.instances(row)
        where = f"frame {int(numbers[frame])}"
        if not np.array_equal(reader["instances/object_index"][here], table.object_index[there]):
            return f"/instances, {where}: other objects than the source has"
        difference = np.abs(reader["instances/T_camera_object"][here] - table.Ts_camera_object[there])
        if difference.max(initial=0.0) > TRANSLATION_TOLERANCE:
            return f"/instances/T_camera_object, {where}: differs from the source by {difference.max():.3g}"
        if np.abs(reader["frames/intrinsics"][frame] - table.intrinsics[row]).max() > 1e-6:
            return f"/frames/intrinsics, {where}: differs from the source"
    return None


def _verify_dataset(manifest: Manifest, against: Against, announce: Callable[[str], None]) -> VerifyReport:
    checks = [Check("schema", MANIFEST_NAME)]
    checks += _verify_listing(manifest)
    readers: list[ShardReader] = []
    for record in manifest.shards:
        announce(record.file)
        path = manifest.folder / record.file
        checks += (found := list(_verify_bytes(path, record.bytes, record.sha256)))
        if not path.is_file():
            continue
        more, reader = _verify_shard(path, against)
        checks += more
        if reader is not None:
            if all(check.passed for check in (*found, *more)):
                checks.append(Check("manifest", record.file, _record_difference(record, reader) or ""))
            reader.release()
            readers.append(reader)
    announce(INDEX_NAME)
    entry = manifest.document["index"]
    checks += _verify_bytes(manifest.folder / entry["file"], entry["bytes"], entry["sha256"])
    if len(readers) == len(manifest.shards) and (manifest.folder / entry["file"]).is_file():
        checks.append(Check("content", entry["file"], _index_problem(manifest.folder / entry["file"], readers) or ""))
    counts = {name: value for name, value in manifest.totals.items() if isinstance(value, int)}
    return VerifyReport(str(manifest.folder), "dataset", tuple(checks), counts)


def _verify_listing(manifest: Manifest) -> Iterator[Check]:
    listed = [record.file for record in manifest.shards]
    twice = sorted({name for name in listed if listed.count(name) > 1})
    yield Check("files", MANIFEST_NAME, f"lists {', '.join(twice)} twice" if twice else "")
    others = sorted({p.name for p in manifest.folder.glob("shard-*.h5")} - set(listed))
    yield Check("files", MANIFEST_NAME, f"does not list {', '.join(others)}, which is in the folder" if others else "")
    for name, total in manifest.totals.items():
        if isinstance(total, int) and name != "shards":
            added = sum(getattr(record, name) for record in manifest.shards)
            yield Check("totals", MANIFEST_NAME, "" if added == total else f"{total} {name}, the shards have {added}")


def _verify_bytes(path: Path, size: int, sha256: str) -> Iterator[Check]:
    if not path.is_file():
        yield Check("files", path.name, "the manifest lists this file, but it is missing: copy it again or rebuild")
        return
    actual = path.stat().st_size
    word = "truncated" if actual < size else "too long"
    yield Check("size", path.name, "" if actual == size else f"{word}: {actual} bytes, the manifest says {size}")
    if actual == size:
        digest = digest_file(path)
        changed = f"its bytes are not those written: sha256 {digest}, the manifest says {sha256}"
        yield Check("sha256", path.name, "" if digest == sha256 else changed)


def _record_difference(record: ShardRecord, reader: ShardReader) -> str | None:
    found = ShardRecord.describe(reader, sha256=record.sha256).document()  # the digest was checked before
    for name, value in record.document().items():
        if found[name] != value:
            return f"the manifest says {name} {value}, the file {found[name]}"
    return None


def _index_problem(path: Path, readers: list[ShardReader]) -> str | None:
    """Whether the index shows what the shards hold; virtual columns by shape and their first and last row."""
    try:
        with open_file(path, INDEX_FORMAT) as file:
            groups = {**SHARD_GROUPS, "annotations": annotation_columns(readers[0].layout.name)}
            starts = row_offsets(readers)
            for group, columns in groups.items():
                for column in columns:
                    name = f"{group}/{column.name}"
                    if not all(name in reader for reader in readers):
                        continue
                    data = dataset_of(file, name)
                    if is_virtual(group, column):
                        parts = [reader[name] for reader in readers if len(reader[name])]
                        same = len(data) == sum(map(len, parts)) and (
                            not parts
                            or (np.array_equal(data[0], parts[0][0]) and np.array_equal(data[-1], parts[-1][-1]))
                        )
                    else:
                        same = np.array_equal(data[...], counted_over_all(column, group, readers, starts))
                    if not same:
                        return f"/{name} is not what the shards hold: build the index again"
    except (YaffError, KeyError, OSError) as error:
        return error.what if isinstance(error, YaffError) else str(error)
    return None
