"""``yaff review export|stats|import``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json, write_table
from yaff.errors import ConfigError, MissingFileError, StorageError

if TYPE_CHECKING:
    from annotator.store import ReviewStore
    from yaff.store import GraspLibrary

USAGE = """
yaff review export library.h5 --out reviewed.h5
yaff review stats library.h5 --json
yaff review import library.h5 --other colleague.review.sqlite
"""


@dataclass(frozen=True)
class Review:
    """What people decided on a library: write it into a new one, count it, or bring a colleague's decisions in."""

    action: Positional[Literal["export", "stats", "import"]]
    """export: a library with what was decided; stats: who did how much, and whether they agree; import: another review
    of the same library into this one."""
    library: Positional[Path]
    """The grasp library (.h5) that is reviewed."""
    out: Path | None = None
    """Where export writes."""
    other: str | None = None
    """The database that import brings in: a file, or an address as SQLAlchemy writes it."""
    database: str | None = None
    """Database of the review; a file beside the library when not set."""
    json: bool = False
    """Print JSON instead of tables."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Review, arguments, "review", usage=USAGE)

    from annotator.review import review_url
    from annotator.store import ReviewStore, open_database
    from yaff.store import GraspLibrary

    library = GraspLibrary.open(options.library)
    url = options.database or review_url(library.path)
    store = ReviewStore(open_database(_there(url)))
    try:
        if options.action == "export":
            return _export(options, store, library)
        if options.action == "stats":
            return _stats(options, store)
        return _import(options, store)
    finally:
        store.close()


def _export(options: Review, store: ReviewStore, library: GraspLibrary) -> int:
    from annotator.review import export_review

    if options.out is None:
        raise ConfigError("nowhere to export to", remedy="--out reviewed.h5")
    if options.out.exists():
        raise StorageError("there is a file already", where=options.out, remedy="choose another name")
    done = export_review(store, library, options.out)
    if options.json:
        counts = {"accepted": done.accepted, "rejected": done.rejected, "added": done.added}
        write_json({"library": str(options.out)} | counts)
    else:
        say(f"{options.out}: {done.accepted} accepted ({done.added} of them new), {done.rejected} rejected")
    return 0


def _stats(options: Review, store: ReviewStore) -> int:
    from annotator.review import review_statistics

    found = review_statistics(store)
    people = [
        [name, p.decisions, p.accepted, p.edited, p.rejected, p.skipped, p.flagged, p.median_seconds, p.per_hour]
        for name, p in found.annotators.items()
    ]
    columns = ["annotator", "decisions", "accepted", "edited", "rejected", "skipped", "flagged", "median s", "per hour"]
    kappa = [{"annotators": list(pair), "kappa": value} for pair, value in found.kappa.items()]
    if options.json:
        write_json(
            {
                "states": dict(found.states),
                "annotators": [dict(zip(columns, row, strict=True)) for row in people],
                "judged_twice": found.judged_twice,
                "agreement": found.agreement,
                "kappa": kappa,
            }
        )
        return 0
    write_table("queue", list(found.states), [list(found.states.values())])
    write_table("people", columns, people)
    if found.agreement is not None:
        say(f"{found.judged_twice} grasps judged by several people; {100.0 * found.agreement:.0f} % of pairs agree")
    for entry in kappa:
        value = "not defined" if entry["kappa"] is None else f"{entry['kappa']:.2f}"
        say(f"Cohen's kappa of {' and '.join(entry['annotators'])}: {value}")
    return 0


def _import(options: Review, store: ReviewStore) -> int:
    from annotator.review import import_review
    from annotator.store import ReviewStore, open_database

    if options.other is None:
        raise ConfigError("nothing to import", remedy="--other colleague.review.sqlite")
    url = options.other if "://" in options.other else f"sqlite:///{options.other}"
    other = ReviewStore(open_database(_there(url)))
    try:
        new = import_review(store, other)
    finally:
        other.close()
    if options.json:
        write_json({"new": new})
    else:
        say(f"{new} new decisions")
    return 0


def _there(url: str) -> str:
    """The address, if the file it names exists: asking for statistics must not make a database.

    Raises:
        MissingFileError: it does not.
    """
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise MissingFileError(
            "there is no review", where=url.removeprefix("sqlite:///"), remedy="yaff annotate LIBRARY begins one"
        )
    return url
