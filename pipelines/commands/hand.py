"""``yaff hand show|export``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_table
from pipelines.config import HandSection
from yaff.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from yaff.hand import HandModel

USAGE = """
yaff hand show --out hand.png
yaff hand show --hand.side left --json
yaff hand export mano/
"""


@dataclass(frozen=True)
class Hand:
    """Show the hand that is used, or write the built-in one as MANO-format pickles that manopth and smplx load."""

    action: Positional[Literal["show", "export"]]
    """show: its degrees of freedom, and a picture; export: MANO_RIGHT.pkl and MANO_LEFT.pkl."""
    folder: Positional[Path | None] = None
    """Where export writes."""
    hand: HandSection = field(default_factory=HandSection)
    out: Path | None = None
    """Draw the hand into this PNG: flat and half closed, from the palm and from the back."""
    json: bool = False
    """Print JSON instead of a table."""


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status."""
    options = parse(Hand, arguments, "hand", usage=USAGE)
    if options.action == "export":
        return _export(options)

    import numpy as np

    from pipelines.loading import hand_of, hand_recipe
    from yaff.hand import Anatomy

    model = hand_of(hand_recipe(options.hand))
    rows = [
        [dof.name, float(np.degrees(dof.lower)), float(np.degrees(dof.upper)), dof.source]
        for dof in Anatomy(model).degrees_of_freedom
    ]
    title = f"{model.name} hand, {model.side}, {model.digest[:12]}"
    write_table(title, ["degree of freedom", "from °", "to °", "source"], rows, as_json=options.json)
    if options.out is not None:
        _draw(model, options.out)
    return 0


def _draw(model: HandModel, path: Path) -> None:
    import numpy as np

    from pipelines.pictures import draw_meshes, hand_mesh, sheet, write_png
    from yaff.hand import Anatomy

    anatomy = Anatomy(model)
    flat = np.zeros(len(anatomy))
    half = flat.copy()
    for dof, upper in zip(anatomy.degrees_of_freedom, anatomy.upper, strict=True):
        if dof.name.endswith("flexion"):
            half[anatomy.index(dof.name)] = 0.5 * upper
    pictures = []
    for name, angles in (("flat", flat), ("half closed", half)):
        vertices = model.vertices(anatomy.pose_from_dof(angles[None]), np.zeros((1, 3)), np.zeros((1, 3)))[0]
        for side, direction in (("palm", (0.0, -1.0, 0.2)), ("back", (-0.3, 1.0, 0.5))):
            pictures.append((draw_meshes([hand_mesh(model, vertices)], np.array(direction), 360), f"{name}, {side}"))
    write_png(path, sheet(pictures, 2))


def _export(options: Hand) -> int:
    if options.folder is None:
        raise ConfigError("no folder to export to", remedy="yaff hand export DIR")

    from yaff.grasp.natural_poses import with_natural_components
    from yaff.hand import load_hand
    from yaff.hand.mano_files import MANO_FILES, mano_pickle
    from yaff.store.atomic import write_bytes

    if any((options.folder / name).exists() for name in MANO_FILES.values()):
        raise StorageError("there is a hand already", where=options.folder, remedy="choose an empty folder")
    for side, name in MANO_FILES.items():
        write_bytes(options.folder / name, mano_pickle(with_natural_components(load_hand(side))))
        say(f"built-in hand, {side}  {options.folder / name}")
    return 0
