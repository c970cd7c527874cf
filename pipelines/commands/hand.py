"""``yaff hand show|export``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from pipelines.commands.parsing import parse, say, write_table
from pipelines.config import HandSection
from yaff.errors import ConfigError, StorageError

USAGE = """
yaff hand show --out hand.png
yaff hand show --hand.side left --sheet types --out types.png
yaff hand show --json
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
    """Draw the hand into this PNG."""
    sheet: Literal["turntable", "poses", "types"] = "turntable"
    """What is drawn: the flat hand all round; postures from flat to fist; the preshapes of the 33 grasp types."""
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
        from pipelines.hand_sheets import draw_sheet
        from pipelines.pictures import write_png

        write_png(options.out, draw_sheet(model, options.sheet))
    return 0


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
