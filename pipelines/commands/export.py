"""``yaff export ycb-affordance|webdataset|croissant SHARDS DIR``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_json
from pipelines.config import HandSection

if TYPE_CHECKING:
    from yaff.store.reading import ShardSet

USAGE = """
yaff export ycb-affordance shards exported
yaff export webdataset shards tars --split train --dataset YCB_Video_Dataset
yaff export croissant shards shards
"""


@dataclass(frozen=True)
class Export:
    """Write a dataset in a format of others.

    "ycb-affordance" is the layout of the original dataset, three small files for each frame, as GanHand reads it;
    "webdataset" are tar files to stream, a sample for each frame; "croissant" describes the shards as they are, with
    tables of objects and instances.
    """

    format: Positional[Literal["ycb-affordance", "webdataset", "croissant"]]
    """What to write."""
    shards: Positional[Path]
    """Folder of shards."""
    folder: Positional[Path]
    """Where to write."""
    split: str | None = None
    """webdataset: only the frames of this split."""
    frames_per_file: int = 1000
    """webdataset: samples in a tar file."""
    dataset: Path | None = None
    """webdataset: where the colour images are, to put them into the samples; none are without it."""
    image_prefix: str = "data/"
    """ycb-affordance: what stands in imgnames.npy before SSSS/FFFFFF-color.png. GanHand's class of whole scenes looks
    below data/YCB_Video_Dataset/; its class of single objects takes names as they are and needs the whole path here."""
    name: str = "yaff-grasp-affordances"
    """croissant: name of the dataset."""
    license: str = ""
    """croissant: address of the licence under which you publish it, such as https://spdx.org/licenses/CC-BY-4.0."""
    url: str = ""
    """croissant: where you publish it."""
    cite: str = ""
    """croissant: BibTeX of what to cite."""
    published: str = ""
    """croissant: date of publication, YYYY-MM-DD."""
    hand: HandSection = field(default_factory=HandSection)
    """ycb-affordance: the hand whose pose components the coefficients are of. It must be the dataset's."""
    json: bool = False
    """Print what was written as JSON."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Export, arguments, "export", usage=USAGE)
    from yaff.store.reading import ShardSet

    facts = _WRITERS[options.format](ShardSet.open(options.shards), options)
    if options.json:
        write_json({"format": options.format, "folder": str(options.folder), **facts})
    else:
        for name, value in facts.items():
            say(f"{name.replace('_', ' ')}: {value:,}" if isinstance(value, int) else f"{name}: {value}")
        say(f"written to {options.folder}")
    return 0


def _ycb_affordance(shards: ShardSet, options: Export) -> dict[str, Any]:
    from dataclasses import asdict

    from pipelines.loading import hand_of, hand_recipe
    from yaff.grasp.natural_poses import with_natural_components
    from yaff.store.exporters.ycb_affordance import export_ycb_affordance

    hand = hand_of(hand_recipe(options.hand))
    components = hand.components or with_natural_components(hand).components
    assert components is not None
    return asdict(export_ycb_affordance(shards, options.folder, hand, components, options.image_prefix))


def _webdataset(shards: ShardSet, options: Export) -> dict[str, Any]:
    from yaff.scene.recognise import open_scenes
    from yaff.store.exporters.webdataset import export_webdataset

    image = None if options.dataset is None else open_scenes(options.dataset).colour_file
    done = export_webdataset(
        shards, options.folder, split=options.split, frames_per_file=options.frames_per_file, image=image
    )
    return {"frames": done.frames, "annotations": done.annotations, "files": len(done.files)}


def _croissant(shards: ShardSet, options: Export) -> dict[str, Any]:
    from yaff.store.exporters.croissant import Card, export_croissant

    card = Card(options.name, license=options.license, url=options.url, cite=options.cite, published=options.published)
    return {"instances": export_croissant(shards, options.folder, card).instances}


_WRITERS: Mapping[str, Callable[[ShardSet, Export], dict[str, Any]]] = {
    "ycb-affordance": _ycb_affordance,
    "webdataset": _webdataset,
    "croissant": _croissant,
}
