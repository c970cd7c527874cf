"""``README.md`` and ``croissant.json`` beside the shards: what a dataset is, for people and for machines.

Nothing here says when, where or how fast: the same dataset has the same card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.report.scenes import objects_in_scenes
from yaff.store.atomic import write_bytes
from yaff.store.exporters.croissant import Card, export_croissant
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    from yaff.store.library import GraspLibrary
    from yaff.store.reading import ShardSet

NAME = "README.md"

SIGNATURE = "\n<!-- a page that is changed stays as it is when the dataset is built again: "
"""Begins the last line of a card."""

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""The size categories that dataset hosts know, by what they are below; then in steps of ten."""


def write_card(shards: ShardSet, library: GraspLibrary, *, generated: bool) -> Path:
    """Write the card and the Croissant description into the folder of the shards; returns the card's path.

    A card that somebody has changed, to say under which licence the dataset is, stays as it is.

    Args:
        shards: the dataset.
        library: the grasps that it was made from.
        generated: whether the scenes were generated, not recorded.
    """
    path = shards.folder / NAME
    if not (path.is_file() and changed_by_hand(path)):
        write_bytes(path, _signed(card_text(shards, library, generated=generated)).encode())
    export_croissant(shards, shards.folder, Card())
    return path


def changed_by_hand(path: Path) -> bool:
    """Whether a card is not what was written: its last line holds the digest of the rest."""
    text, mark, _ = path.read_text(encoding="utf-8", errors="replace").rpartition(SIGNATURE)
    return not mark or _signed(text).encode() != path.read_bytes()


def _signed(text: str) -> str:
    return f"{text}{SIGNATURE}{hashlib.sha256(text.encode()).hexdigest()} -->\n"


def card_text(shards: ShardSet, library: GraspLibrary, *, generated: bool) -> str:
    """The card, in Markdown with the head that dataset hosts read."""
    document = shards.manifest.document
    totals, hand = document["totals"], document["hand"]
    standins = set(library.metadata.get("standins", ()))
    objects = objects_in_scenes(shards)
    types = sorted({int(number) for name in library for number in library[name].grasp_type[library[name].verified]})
    names = [entry.name for entry in objects]
    parts = [
        _head(totals["annotations"]),
        "# Human grasp affordances\n",
        f"{totals['annotations']:,} feasible hand poses of {len(types)} grasp types on {len(objects)} objects, in "
        f"{totals['frames']:,} frames of {totals['shards']} {'generated' if generated else 'recorded'} scenes. Each is "
        "a whole hand in MANO's parameters (wrist, 15 finger joints, translation) in the camera frame, with the object "
        "it holds and its type in the Feix taxonomy. Made by YAFF.\n",
        "## What is in it\n",
        _table(
            ("object", "in frames", "grasps feasible", "neighbour", "table", "unreachable", "annotations"),
            [(o.name, o.instances, *o.decided, o.annotations) for o in objects],
        ),
        "A grasp is decided once for each arrangement of objects, and holds in all of its frames. Grasp types: "
        + ", ".join(f"{number} {GRASP_TYPES[number].name}" for number in types)
        + ".\n",
        "## How to read it\n",
        "```python\nimport yaff\n\n"
        'dataset = yaff.GraspDataset(".")\n'
        "sample = dataset[0]  # T_camera_object, T_camera_hand, pose, grasp_type, object, frame, ...\n```\n",
        f"Layout `{document['layout']}`; without YAFF the files are plain HDF5. Metres, radians, OpenCV camera axes; "
        "poses are axis-angle relative to the flat hand, no mean pose and no principal components. `croissant.json` "
        "describes the files, `manifest.json` has their checksums.\n",
        "## How it was made\n",
        "Grasps were searched, closed in a physics simulation, kept when the object stayed in the hand under the loads "
        "that their type is made to bear, and checked to be of the type that they are labelled with. Whether hand and "
        "approach are free of neighbours and of the table was decided in each scene.\n",
        "## What to know before using it\n",
        _limits(standins, names, hand, generated),
        "## Licences of what went in\n",
        _licences(standins, names, hand, generated),
        "The licence of the dataset is for whoever publishes it to choose within these, and to write into the head of "
        "this page.\n",
        "## Provenance\n",
        _table(("", "sha256"), _digests(document, library)),
        "Versions: " + ", ".join(f"{name} {version}" for name, version in document["versions"].items()) + ".\n",
        "## Citation\n",
        "The kind of dataset is that of Corona et al., *GanHand: Predicting Human Grasp Affordances in Multi-Object "
        "Scenes*, CVPR 2020; the taxonomy that of Feix et al., *The GRASP Taxonomy of Human Grasp Types*, 2016.\n",
    ]
    return "\n".join(parts)


def _head(annotations: int) -> str:
    size = next((word for most, word in SIZES if annotations < most), None)
    if size is None:
        size = "1M<n<10M" if annotations < 10_000_000 else "10M<n<100M" if annotations < 100_000_000 else "n>100M"
    return (
        "---\npretty_name: Human grasp affordances\ntask_categories:\n- robotics\n"
        f"tags:\n- grasping\n- hand-pose\n- MANO\n- YCB\nsize_categories:\n- {size}\n---\n"
    )


def _limits(standins: set[str], names: Sequence[str], hand: Mapping[str, Any], generated: bool) -> str:
    said = [
        "The grasps were verified by a simulation with rigid objects, not by people, unless their review state says so "
        "(2: a person accepted it).",
        "Annotations of one scene share their grasps: split by scene, never by frame.",
    ]
    if standins & set(names):
        said.append(f"Parametric stand-ins, not scans, of: {', '.join(sorted(standins & set(names)))}.")
    if generated:
        said.append("The scenes are generated: objects dropped on a table in a simulation, drawn without realism.")
    if hand["name"] == "builtin":
        said.append("The hand is YAFF's own, with MANO's interface: on MANO's hand the same numbers touch elsewhere.")
    return "".join(f"- {line}\n" for line in said)


def _licences(standins: set[str], names: Sequence[str], hand: Mapping[str, Any], generated: bool) -> str:
    rows = [
        (
            f"hand ({hand['name']}, {hand['side']})",
            "Apache-2.0" if hand["name"] == "builtin" else "MANO's licence: research, no commercial use",
        )
    ]
    if standins & set(names):
        rows.append(("stand-in objects", "Apache-2.0"))
    if set(names) - standins:
        rows.append(("scanned meshes of the YCB set", "CC BY 4.0; objects of your own: as you added them"))
    rows.append(("scenes", "Apache-2.0" if generated else "that of the dataset they come from (YCB-Video: MIT)"))
    return _table(("what", "licence"), rows)


def _digests(document: Mapping[str, Any], library: GraspLibrary) -> list[tuple[str, str]]:
    rows = [("library", library.identity), ("hand", str(document["hand"]["digest"]))]
    rows += [(f"mesh {name}", str(digest)) for name, digest in document["meshes"].items()]
    return [(name, f"`{digest}`") for name, digest in rows]


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")

    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(map(cell, row)) + " |" for row in rows)]) + "\n"
