"""Annotations taken together: all that were selected of one instance, or of one frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Int64

from yaff.store.selection import Selection

if TYPE_CHECKING:
    from yaff.store.reading import ShardSet

Array = np.ndarray

By = Literal["annotation", "instance", "frame"]
"""What one sample is."""

KINDS: Mapping[str, By] = {"annotation": "annotation", "instance": "instance", "frame": "frame"}

OF_FRAME = ("scene", "frame", "intrinsics")
"""What all annotations of a frame share."""
OF_INSTANCE = ("object", "object_index", "T_camera_object")
"""What all annotations of an instance share, beside what those of its frame do."""


def group_starts(shards: ShardSet, selection: Selection, by: By) -> Int64[Array, "g1"]:
    """First position, in the selection, of each sample, and their number at the end."""
    if by == "instance":
        return selection.start
    frames = np.searchsorted(shards.index["frames/instance_start"], selection.instances, side="right") - 1
    first = np.unique(frames, return_index=True)[1]
    return selection.start[np.append(first, len(frames))]


def grouped_samples(
    shards: ShardSet, selection: Selection, start: Int64[Array, "g1"], groups: Sequence[int], by: By
) -> list[dict[str, Any]]:
    """Samples of these groups, read together.

    A sample by instance has what describes frame and instance once, and ``n`` rows of what describes its hands. One by
    frame has what describes the frame once, ``m`` rows of what describes its instances, ``n`` rows of hands, and in
    ``instance`` (n,) the instance of each hand.
    """
    counts = [int(start[k + 1] - start[k]) for k in groups]
    positions = [np.arange(start[k], start[k + 1]) for k in groups]
    rows = shards.rows(selection, np.concatenate([np.zeros(0, np.int64), *positions]))
    batch = shards.batch(rows)
    instance = np.searchsorted(shards.index["instances/annotation_start"], rows, side="right") - 1
    ends = np.cumsum(counts)
    return [
        _sample({name: values[end - n : end] for name, values in batch.items()}, instance[end - n : end], by)
        for n, end in zip(counts, ends.tolist(), strict=True)
    ]


def _sample(part: Mapping[str, Array], instance: Int64[Array, "n"], by: By) -> dict[str, Any]:
    once = {name: part[name][0] for name in OF_FRAME}
    _, first, which = np.unique(instance, return_index=True, return_inverse=True)
    if by == "instance":
        once |= {name: part[name][0] for name in OF_INSTANCE}
    else:
        once |= {name: part[name][first] for name in OF_INSTANCE} | {"instance": which.reshape(-1)}
    hands = {name: values for name, values in part.items() if name not in (*OF_FRAME, *OF_INSTANCE)}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in (once | hands).items()}
