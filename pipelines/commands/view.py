"""``yaff view PATH``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say
from pipelines.config import BuildConfig, HandSection, ObjectsSection
from yaff.errors import ConfigError, FormatError, MissingFileError

if TYPE_CHECKING:
    from yaff.scene.frames import SceneReader

USAGE = """
yaff view out/demo/library.h5
yaff view out/demo/shards
yaff view shards --dataset YCB_Video_Dataset --models YCB_Video_Dataset/models
"""


@dataclass(frozen=True)
class View:
    """Look at a library or a folder of shards in the browser: grasps by object and type, or frame after frame.

    Nothing is changed. A grasp can be copied as Python. Hands are shown over the images of the dataset that the shards
    were made of, where it has some.
    """

    path: Positional[Path]
    """A library (.h5), or a folder of shards."""
    host: str = "127.0.0.1"
    """Address to listen at. Anything but this machine itself needs a token; one is made and printed."""
    port: int = 8643
    """Port to listen at."""
    token: str | None = None
    """The token that browsers must show; made up where one is needed and none is given."""
    names: tuple[str, ...] = ()
    """Host names under which browsers reach the server, when it listens beyond this machine."""
    dataset: Path | None = None
    """The dataset with the images of the shards' frames; `dataset` beside the shards, where a build generated it."""
    source: Literal["auto", "installed", "stand-in", "folder"] = "auto"
    """Shapes of the objects; "auto": those that the grasps were found on, as far as the file tells."""
    models: Path | None = None
    """Folder of the scanned meshes."""
    hand: HandSection = field(default_factory=HandSection)


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(View, arguments, "view", usage=USAGE)
    if not options.path.exists():
        raise MissingFileError("nothing there", where=options.path, remedy="a library (.h5) or a folder of shards")
    if not 0 < options.port < 65536:
        raise ConfigError(f"--port is {options.port}", remedy="1 to 65535")
    from pipelines.folders import data_folder

    os.environ.setdefault("NICEGUI_STORAGE_PATH", str(data_folder() / "annotator"))
    try:
        import nicegui  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "the viewer needs packages that are not there", remedy="pip install 'yaff[annotate]'"
        ) from error

    from annotator.app.access import is_local, new_token
    from annotator.editing import Editor
    from annotator.viewing import LibraryContent, ShardsContent
    from annotator.viewing.server import serve
    from pipelines.loading import hand_of, mesh_of, object_of, recipes_of
    from yaff.store import GraspLibrary, ShardSet

    if options.path.is_dir():
        shards = ShardSet.open(options.path)
        content, made_with = ShardsContent(shards, _images(options)), shards.index.hand
        standins = bool(shards.manifest.document["configuration"].get("standins"))
    else:
        library = GraspLibrary.open(options.path)
        content, made_with = LibraryContent(library), library.metadata.get("hand", {})
        standins = bool(library.metadata.get("standins"))
    source = "stand-in" if options.source == "auto" and standins and options.models is None else options.source
    recipes = recipes_of(BuildConfig(hand=options.hand, objects=ObjectsSection(source=source, models=options.models)))
    hand = hand_of(recipes.hand)
    if made_with.get("digest", hand.digest) != hand.digest:
        say(f"note: made with another hand ({made_with.get('name')}) than is shown ({hand.name}): contacts will be off")
    token = options.token or (None if is_local(options.host) else new_token())
    names = ("localhost", "127.0.0.1", "::1") if is_local(options.host) else options.names
    shown = "127.0.0.1" if is_local(options.host) else options.host
    say(f"open     http://{shown}:{options.port}/" + (f"?token={token}" if token else ""))
    say("stop     Ctrl-C")
    serve(
        content,
        Editor(hand),
        lambda name: mesh_of(name, recipes.objects),
        lambda name: object_of(name, recipes.objects),
        options.host,
        options.port,
        token,
        names,
    )
    return 0


def _images(options: View) -> SceneReader | None:
    """The dataset that the shards were made of, if it is known."""
    from pipelines.loading import catalogue
    from yaff.scene.recognise import open_scenes

    if options.dataset is not None:
        return open_scenes(options.dataset, None, catalogue().indices)
    try:
        return open_scenes(options.path.resolve().parent / "dataset", None, catalogue().indices)
    except (MissingFileError, FormatError):  # nobody said that there is one
        return None
