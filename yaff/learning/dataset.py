"""The annotations of a dataset as a map-style PyTorch dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.utils.data import Dataset, default_collate

from yaff.errors import InputError
from yaff.hand.model import HandModel
from yaff.store.grouping import KINDS, By, group_starts, grouped_samples
from yaff.store.reading import ShardSet
from yaff.store.selection import Filters

Array = np.ndarray


class Samples(Sequence[dict[str, Any]]):
    """Samples that were read together: a sequence of dicts over one dict of stacked values."""

    def __init__(self, stacked: Mapping[str, Any]) -> None:
        self.stacked = stacked
        """Tensors with a leading dimension, and a list of names."""
        self._rows = [_rows(values) for values in stacked.values()]

    def __len__(self) -> int:
        return len(self._rows[0])

    @overload
    def __getitem__(self, row: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, row: int | slice) -> dict[str, Any] | Sequence[dict[str, Any]]:
        if isinstance(row, slice):
            return [self[k] for k in range(len(self))[row]]
        return {name: values[row] for name, values in zip(self.stacked, self._rows, strict=True)}


class Batch(dict[str, Any]):
    """Stacked values by name. It crosses from a worker process as plain bytes, ten times as fast as tensors do, each of
    which would be a piece of shared memory of its own."""

    def __reduce__(self) -> tuple[object, ...]:
        plain = {name: v.numpy() if isinstance(v, torch.Tensor) else v for name, v in self.items()}
        return _batch_of, (plain,)


def _batch_of(plain: Mapping[str, Any]) -> Batch:
    return Batch({name: torch.from_numpy(v) if isinstance(v, Array) else v for name, v in plain.items()})


class GraspDataset(Dataset[dict[str, Any]]):
    """Annotations of shards in any layout, one sample each.

    A sample is a dict; everything geometric is in the camera frame (OpenCV axes) in float32 tensors, SI units:

    - ``scene``, ``frame``, ``object_index`` (1..21), ``grasp_type`` (1..33), ``library_row``: int; ``object``: its name
    - ``intrinsics`` (3, 3), pixels
    - ``T_camera_object`` (4, 4), ``T_camera_hand`` (4, 4): the hand frame is at the root joint
    - ``wrist_rotation`` (3,), ``pose`` (45,), ``translation`` (3,), ``shape`` (10,): MANO

    With ``by="instance"`` a sample is one object in one frame with all its ``n`` hands: what describes a hand has a
    leading dimension ``n``, the rest is there once. With ``by="frame"`` a sample is a frame: what describes an object
    has a leading dimension ``m`` (``object`` is a list), and ``instance`` (n,) says of which object each hand is.
    Instances and frames without a selected annotation are left out.

    Files are opened in the process that reads them, so that workers of a ``DataLoader`` may be forked or spawned.
    ``DataLoader`` asks for whole batches at once (``__getitems__``), which is much faster than sample by sample; with
    ``collate_fn=GraspDataset.collate`` it takes them as they were read, which is faster again.
    """

    def __init__(
        self,
        folder: Path | str,
        split: str | None = None,
        types: Sequence[int] | None = None,
        objects: Sequence[str] | None = None,
        *,
        by: By | str = "annotation",
        scenes: Sequence[int] | None = None,
        min_epsilon: float | None = None,
        max_penetration: float | None = None,
        states: Sequence[int] | None = None,
        min_visibility: float | None = None,
    ) -> None:
        """Open a dataset; only small tables are read, and no shard is opened.

        Args:
            folder: the dataset: shards, ``manifest.json``, ``index.h5``.
            split: a split of the source dataset: ``train``, ``val`` or ``keyframe``; None for all frames.
            types: grasp types (Feix numbers); None for all.
            objects: names of objects; None for all.
            by: what one sample is: an annotation, an instance or a frame.
            scenes: numbers of scenes; None for all.
            min_epsilon: least Ferrari-Canny epsilon.
            max_penetration: largest depth of skin inside the object, metres.
            states: review states (:class:`yaff.grasp.batch.ReviewState`).
            min_visibility: least share of the object that is seen, of datasets projected with visibility.

        Raises:
            MissingFileError: there is no dataset, or its build has not ended.
            FormatError: a file of it is truncated, of another schema version, or not as its schema says.
            InputError: an unknown split, type, object, scene, state or kind of sample; visibility that is not stored.
        """
        if by not in KINDS:
            raise InputError(f"samples by {by!r}", remedy=f"one of {', '.join(KINDS)}")
        self.shards = ShardSet.open(folder)
        self.by: By = KINDS[by]
        self.selection = self.shards.select(
            Filters(split, types, objects, scenes, min_epsilon, max_penetration, states, min_visibility)
        )
        self._start = None if self.by == "annotation" else group_starts(self.shards, self.selection, self.by)

    def __len__(self) -> int:
        return len(self.selection) if self._start is None else len(self._start) - 1

    def __getitem__(self, position: int) -> dict[str, Any]:
        if position < 0:
            position += len(self)
        if not 0 <= position < len(self):
            raise IndexError(f"{self.by} {position} of {len(self)}")
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: Sequence[int]) -> Sequence[dict[str, Any]]:
        """Samples of several positions, read together."""
        if self._start is None:
            return Samples(self.batch(positions))
        samples = grouped_samples(self.shards, self.selection, self._start, positions, self.by)
        return [{name: _tensor(v) if isinstance(v, Array) else v for name, v in one.items()} for one in samples]

    @staticmethod
    def collate(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What PyTorch's own collation makes of annotations; for those read together it is already there."""
        return Batch(samples.stacked) if isinstance(samples, Samples) else default_collate(list(samples))

    @staticmethod
    def collate_groups(samples: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
        """Samples by instance or frame, which differ in size: for each name the list of what they hold."""
        return {name: [sample[name] for sample in samples] for name in samples[0]}

    def batch(self, positions: Sequence[int] | Int[Array, "k"]) -> dict[str, Any]:
        """Annotations at several positions of the selection stacked: tensors with a leading dimension, ``object`` a
        list of names."""
        rows = self.shards.rows(self.selection, np.asarray(positions, np.int64).reshape(-1))
        return {name: _tensor(values) for name, values in self.shards.batch(rows).items()}

    def vertices(self, hand: HandModel, sample: Mapping[str, Any]) -> Float[Array, "n 778 3"]:
        """Vertices (n, 778, 3) of the hand of a sample (n = 1) or of a batch, camera frame, metres.

        Raises:
            InputError: ``hand`` is not the hand the annotations were made with.
        """
        made_with = self.shards.index.hand
        if made_with["digest"] != hand.digest:
            raise InputError(
                f"the annotations are of hand {made_with['name']!r} ({made_with['digest'][:12]}), "
                f"not of {hand.name!r} ({hand.digest[:12]})",
                where=self.shards.folder,
                remedy="load the hand that the dataset was built with",
            )
        return hand.vertices(
            *(
                np.atleast_2d(np.asarray(sample[name], np.float64))
                for name in ("pose", "wrist_rotation", "translation", "shape")
            )
        )


def _tensor(values: Array) -> torch.Tensor | list[str]:
    if values.dtype.kind == "U":
        return values.tolist()
    if values.dtype.kind == "f":
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))
    return torch.from_numpy(values.astype(np.int64))


def _rows(values: torch.Tensor | list[str]) -> torch.Tensor | list[Any]:
    """A stacked value whose rows are tensors for arrays, Python's numbers and strings for scalars."""
    return values.tolist() if isinstance(values, torch.Tensor) and values.ndim == 1 else values
