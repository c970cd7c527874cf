"""Checkpoints: everything that a training needs to go on as if it had never stopped, in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.toml import from_table, to_table
from pipelines.training.config import DECIDES, TrainConfig
from yaff.errors import ConfigError, FormatError, InputError, MissingFileError
from yaff.store.atomic import atomic_file

FORMAT, VERSION = "yaff-checkpoint", 2
LAST, BEST = "last.pt", "best.pt"
"""The newest checkpoint of a run, and the one whose hands were best in validation."""


@dataclass
class Checkpoint:
    """The state of a training after ``step`` batches."""

    config: TrainConfig
    hand: Mapping[str, str]
    """Name, side and digest."""
    objects: tuple[str, ...]
    """What was learnt from, held-out objects included."""
    step: int
    weights: Mapping[str, Any]
    average: Mapping[str, Any]
    """Running mean of the weights: what places hands."""
    naming: Mapping[str, Any]
    """The running mean when the types were best in validation: what names them."""
    optimiser: Mapping[str, Any]
    best: float
    """Least validation loss of the hands so far."""
    best_naming: float
    """The same of the types."""
    waited: int
    """Validations since either was least."""
    history: dict[str, list[list[float]]] = field(default_factory=dict)
    """Rows (step, value) of every curve."""

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            StorageError: the disk refused.
        """
        import torch

        document = {"format": FORMAT, "version": VERSION, **vars(self), "config": to_table(self.config)}
        document |= {"hand": dict(self.hand), "objects": list(self.objects)}
        with atomic_file(path) as temporary:
            torch.save(document, temporary)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """A checkpoint on disk; nothing in it is executed.

        Raises:
            MissingFileError: there is none.
            FormatError: it is no checkpoint, truncated, or of another version.
        """
        import pickle

        import torch

        if path.is_dir():
            path = path / BEST if (path / BEST).is_file() else path / LAST
        if not path.is_file():
            raise MissingFileError("no checkpoint", where=path, remedy="train first: yaff train SHARDS --out FOLDER")
        try:
            document = torch.load(path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError) as error:
            raise FormatError(
                f"not a checkpoint, or truncated: {(str(error) or repr(error)).splitlines()[0][:120]}",
                where=path,
                remedy="give the checkpoint that yaff train wrote, or train again",
            ) from None
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise FormatError("not a checkpoint of yaff train", where=path, remedy=f"give a run's {BEST} or {LAST}")
        if document.get("version") != VERSION:
            raise FormatError(
                f"checkpoint version {document.get('version')}, this program reads {VERSION}",
                where=path,
                remedy="train again, or use the version of yaff that wrote it",
            )
        config = from_table(TrainConfig, _without_none(document["config"]), where=path)
        rest = {key: value for key, value in document.items() if key not in ("format", "version", "config")}
        return cls(config=config, **{**rest, "objects": tuple(rest["objects"])})

    def check_continues(self, config: TrainConfig, where: Path) -> None:
        """Refuse to go on under another configuration than the one that decided the weights.

        Raises:
            ConfigError: naming what differs, with both values.
        """
        mine, other = to_table(self.config), to_table(config)
        differing = [
            f"{section}.{key} was {value!r}, is {other[section].get(key)!r}"
            for section in DECIDES
            for key, value in mine[section].items()
            if value != other[section].get(key)
        ]
        if differing:
            raise ConfigError(
                "the checkpoint there is of another configuration: " + "; ".join(differing),
                where=where,
                remedy="train with that configuration, or into another folder with --out",
            )

    def check_hand(self, hand: Mapping[str, str], where: Path) -> None:
        """Refuse another hand than the one whose grasps were learnt.

        Raises:
            InputError: naming both.
        """
        if self.hand["digest"] != hand["digest"]:
            raise InputError(
                f"the checkpoint is of hand {self.hand['name']!r} ({self.hand['digest'][:12]}), the shards are of "
                f"{hand['name']!r} ({hand['digest'][:12]})",
                where=where,
                remedy="use shards of that hand, or train on these",
            )


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """What a TOML file says: missing values left out."""
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }
