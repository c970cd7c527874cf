"""``yaff annotate LIBRARY``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from pipelines.config import BuildConfig, HandSection, ObjectsSection
from yaff.errors import ConfigError, StorageError
from yaff.search.config import SearchConfig

if TYPE_CHECKING:
    from annotator.frames import FrameViews
    from annotator.proving import Prover
    from pipelines.loading import Recipes
    from yaff.store import GraspLibrary

USAGE = """
yaff annotate library.h5
yaff annotate library.h5 --dataset YCB_Video_Dataset
yaff annotate library.h5 --host 0.0.0.0 --port 8080 --names lab7.example.org
"""


@dataclass(frozen=True)
class Annotate:
    """Serve the review of a library to browsers: the queue of doubtful grasps, a scene to mend them in, physics.

    Decisions are kept beside the library (NAME.review.sqlite), which itself is never changed: `yaff review export`
    writes a new one.
    """

    library: Positional[Path]
    """The grasp library (.h5)."""
    host: str = "127.0.0.1"
    """Address to listen at. Anything but this machine itself needs a token; one is made and printed."""
    port: int = 8642
    """Port to listen at."""
    token: str | None = None
    """The token that browsers and scripts must show; made up where one is needed and none is given."""
    names: tuple[str, ...] = ()
    """Host names under which browsers reach the server, when it listens beyond this machine."""
    database: str | None = None
    """Database of the review, as SQLAlchemy writes addresses; a file beside the library when not set."""
    judged_twice: float = 0.05
    """Share of the grasps that two people judge, so that their agreement is known."""
    workers: int = 1
    """Processes that snap and verify."""
    dataset: Path | None = None
    """A dataset with images (YCB-Video or BOP), to see a grasp in real frames."""
    objects: ObjectsSection = field(default_factory=ObjectsSection)
    hand: HandSection = field(default_factory=HandSection)
    search: SearchConfig = field(default_factory=SearchConfig)
    """Limits and physics by which grasps are verified."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Annotate, arguments, "annotate", usage=USAGE)
    if not 0.0 <= options.judged_twice <= 1.0 or options.workers < 1 or not 0 < options.port < 65536:
        raise ConfigError("judged_twice is a share, workers at least 1, port 1 to 65535")
    from pipelines.folders import data_folder

    # where the page remembers a browser's name and colours; without this, in the folder one happens to be in
    storage = Path(os.environ.setdefault("NICEGUI_STORAGE_PATH", str(data_folder() / "annotator")))
    try:
        storage.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"no folder: {error}", where=storage, remedy="set NICEGUI_STORAGE_PATH") from error
    try:
        import nicegui  # noqa: F401
    except ImportError as error:
        remedy = "pip install 'yaff[annotate]'"
        raise ConfigError("the review needs packages that are not there", remedy=remedy) from error

    from annotator.app.access import is_local, new_token
    from annotator.app.server import serve
    from annotator.editing import Editor
    from annotator.proving import ProvingPool
    from annotator.review import open_review
    from annotator.service import ReviewService
    from pipelines.loading import hand_of, mesh_of, object_of, recipes_of
    from yaff.store import GraspLibrary

    library = GraspLibrary.open(options.library)
    recipes = recipes_of(BuildConfig(objects=_objects(options, library), hand=options.hand))
    store = open_review(library, options.database, judged_twice=options.judged_twice)
    token = options.token or (None if is_local(options.host) else new_token())
    versions = _versions(recipes, options.search)
    needs = {"recipes": recipes, "config": options.search, "versions": versions}
    pool = ProvingPool(make_prover, needs, options.workers)
    service = ReviewService(
        store,
        Editor(hand_of(recipes.hand)),
        pool,
        load=lambda name: object_of(name, recipes.objects),
        mesh=lambda name: mesh_of(name, recipes.objects),
        versions=versions,
        frames=None if options.dataset is None else _frames(options.dataset),
    )
    names = ("localhost", "127.0.0.1", "::1") if is_local(options.host) else options.names
    shown = "127.0.0.1" if is_local(options.host) else options.host
    say(f"review   {sum(store.counts().values())} grasps in the queue of {options.library}")
    say(f"open     http://{shown}:{options.port}/" + (f"?token={token}" if token else ""))
    say("stop     Ctrl-C; nothing that was decided is lost")
    serve(service, options.host, options.port, token, names, storage)
    return 0


def make_prover(recipes: Recipes, config: SearchConfig, versions: dict[str, str]) -> Prover:
    """What a worker process keeps; runs there."""
    from annotator.proving import Prover
    from pipelines.loading import hand_of, object_of

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return Prover(hand_of(recipes.hand), lambda name: object_of(name, recipes.objects), config, versions)


def _objects(options: Annotate, library: GraspLibrary) -> ObjectsSection:
    """The shapes on which the grasps were found, as far as the library tells; those of the dataset if it has some."""
    section = options.objects
    if section.source != "auto" or section.models is not None:
        return section
    if library.metadata.get("standins"):
        return replace(section, source="stand-in")
    if options.dataset is not None and (options.dataset / "models").is_dir():
        return replace(section, source="folder", models=options.dataset / "models")
    return section


def _frames(dataset: Path) -> FrameViews:
    from annotator.frames import FrameViews
    from pipelines.loading import catalogue
    from yaff.scene.recognise import open_scenes

    known = catalogue()
    # without an index: a few frames of each scene are read, not all
    return FrameViews(open_scenes(dataset, None, known.indices), {known[name].index: name for name in known.names})


def _versions(recipes: Recipes, config: SearchConfig) -> dict[str, Any]:
    from dataclasses import asdict

    from pipelines.loading import hand_of
    from yaff._version import __version__
    from yaff.store.hashing import digest_document

    return {"yaff": __version__, "hand": hand_of(recipes.hand).digest, "search": digest_document(asdict(config))}
