"""The layout of the original YCB-Affordance dataset (Corona et al. 2020), as GanHand's dataset classes index it.

::

    DIR/data/imgnames.npy                                    (f,) text: one image name per frame, each ends in a newline
    DIR/data/plane_equations.npy                             (f, 4) support plane in the camera frame
    DIR/data/offsets.npy                                     (21, 3) original YCB mesh = YCB-Video model + offset
    DIR/data/YCB_Affordance_grasps/mano_representation_N.npy (k,) objects: (n, 48) wrist rotation 3, coefficients 45
    DIR/data/YCB_Affordance_grasps/mano_translation_N.npy    (k,) objects: (n, 3) metres
    DIR/data/YCB_Affordance_grasps/mano_taxonomy_N.npy       (k,) objects: (n,) grasp type, 1 to 33
    DIR/indexs_{train,val,test}_set.npy                      rows of imgnames in the official splits
    DIR/yaff-export.json                                     what this was made from, and the pose components

``N`` is the row in ``imgnames``; entry ``j`` of the three arrays is the ``j``-th object of the frame's ``meta.mat``.
The 45 numbers are coefficients ``c`` of the hand's pose components ``B`` without the mean pose, ``pose = c B``: manopth
with ``use_pca=True, ncomps=45, flat_hand_mean=True``, as the published code sets it. All 45 are kept, so nothing is
lost. There are three small files for each frame, too many to force to the disk one by one: the record is written last,
and a folder without it is an export that has not ended.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Shaped

from yaff.errors import InputError
from yaff.hand.components import PoseComponents
from yaff.hand.model import HandModel
from yaff.objects.catalogue import Catalogue
from yaff.store.atomic import storage_errors, write_bytes
from yaff.store.exporters.frames import frames_of
from yaff.store.hashing import canonical_json
from yaff.store.reading import ShardSet
from yaff.store.shards import ShardReader

Array = np.ndarray

GRASPS = "data/YCB_Affordance_grasps"
RECORD = "yaff-export.json"
SPLITS = {"train": "train", "val": "val", "keyframe": "test"}
"""Our split -> the word in the name of its index file."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    frames: int
    annotations: int
    without_plane: int
    """Frames whose support plane is unknown: zeros in ``plane_equations.npy``."""
    reshaped: int
    """Grasps that lost their hand shape, which the layout cannot hold: the mean hand, its wrist in the same place."""


def export_ycb_affordance(
    shards: ShardSet, folder: Path, hand: HandModel, components: PoseComponents, image_prefix: str = "data/"
) -> Exported:
    """Write a dataset in the original layout.

    Args:
        shards: the dataset.
        folder: where; files there are replaced.
        hand: the hand of the dataset.
        components: the pose components that the reader's hand layer has.
        image_prefix: what stands in ``imgnames`` before ``SSSS/FFFFFF-color.png``.

    Raises:
        InputError: the dataset's grasps are of another hand.
        StorageError: the disk refused.
    """
    made_by = shards.index.hand
    if made_by["digest"] != hand.digest:
        raise InputError(
            f"the dataset's grasps are of another hand ({made_by['name']}, {made_by['side']})"
            f" than {hand.name}, {hand.side}",
            where=shards.folder,
            remedy="choose that hand with --hand.side and --hand.folder",
        )
    (folder / RECORD).unlink(missing_ok=True)
    with storage_errors(folder / GRASPS):
        (folder / GRASPS).mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    planes: list[Array] = []
    members: dict[str, list[int]] = {word: [] for word in SPLITS.values()}
    annotations = reshaped = 0
    prepared: _Prepared | None = None
    for row, (reader, frame) in enumerate(frames_of(shards)):
        if prepared is None or prepared.reader is not reader:
            prepared = _Prepared(reader, hand, components)
            reshaped += prepared.reshaped
        representation = np.empty((len(frame.grasp), 48), np.float32)
        representation[:, :3] = frame.parameters[:, :3]
        representation[:, 3:] = prepared.coefficients[frame.grasp]
        translation = frame.parameters[:, 48:] + prepared.shift[frame.grasp]
        taxonomy = prepared.grasp_type[frame.grasp]
        for kind, values in (
            ("representation", representation),
            ("translation", translation.astype(np.float32)),
            ("taxonomy", taxonomy),
        ):
            pieces = [values[a:b] for a, b in zip(frame.start[:-1], frame.start[1:], strict=True)]
            path = folder / GRASPS / f"mano_{kind}_{row}.npy"
            with storage_errors(path):
                path.write_bytes(object_array_bytes(pieces))
        names.append(f"{image_prefix}{frame.scene:04d}/{frame.frame:06d}-color.png\n")
        planes.append(np.full(4, np.nan) if frame.plane is None else frame.plane)
        for split in frame.splits:
            if split in SPLITS:
                members[SPLITS[split]].append(row)
        annotations += len(frame.grasp)
    equations = np.array(planes, np.float64).reshape(-1, 4)
    unknown = np.isnan(equations).any(axis=1)
    equations[unknown] = 0.0
    write_bytes(folder / "data" / "imgnames.npy", array_bytes(np.array(names, np.str_)))
    write_bytes(folder / "data" / "plane_equations.npy", array_bytes(equations))
    known = Catalogue.load()
    offsets = np.stack([known[name].ycb_offset for name in sorted(known.names, key=lambda n: known[n].index)])
    write_bytes(folder / "data" / "offsets.npy", array_bytes(offsets.astype(np.float64)))
    for word, rows in members.items():
        write_bytes(folder / f"indexs_{word}_set.npy", array_bytes(np.array(rows, np.int64)))
    record = {
        "format": "ycb-affordance",
        "layout": shards.layout,
        "library": shards.manifest.document["library"],
        "hand": dict(made_by),
        "frames_without_plane": np.flatnonzero(unknown).tolist(),
        "components": components.components.tolist(),
        "mean_pose": components.mean.tolist(),
        "flat_hand_mean": True,
    }
    write_bytes(folder / RECORD, canonical_json(record).encode() + b"\n")
    return Exported(len(names), annotations, int(unknown.sum()), reshaped)


class _Prepared:
    """What is the same for all annotations of a grasp, once for each shard."""

    def __init__(self, reader: ShardReader, hand: HandModel, components: PoseComponents) -> None:
        self.reader = reader
        pose = np.asarray(reader["grasps/pose"], np.float64)
        self.coefficients = components.coefficients(pose, flat_hand_mean=True)[0].astype(np.float32)
        self.grasp_type = np.asarray(reader["grasps/grasp_type"], np.int64)
        # R (x - J0) + J0 + t with J0 of the grasp's shape: the mean hand's translation keeps the wrist joint in place
        self.shift: Float64[Array, "g 3"] = np.asarray(reader["grasps/root"], np.float64) - hand.root()
        self.reshaped = int((np.abs(reader["grasps/shape"]) > 1e-6).any(axis=1).sum())


def array_bytes(array: Shaped[Array, "..."]) -> bytes:
    """An ``.npy`` file of plain numbers or text.

    Raises:
        ValueError: an array of Python objects; see :func:`object_array_bytes`.
    """
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def object_array_bytes(entries: list[Shaped[Array, "..."]]) -> bytes:
    """An ``.npy`` file of an object array ``(len(entries),)`` of arrays that NumPy 1 reads too.

    NumPy 2 pickles arrays under the name of a module that NumPy 1 does not have; the old name is known to both.
    """
    array = np.empty(len(entries), object)
    for k, entry in enumerate(entries):
        array[k] = np.ascontiguousarray(entry)
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    # protocol 3 names a class or function once, as text before the first object, and refers to it by number after that
    content = pickle.dumps(array, protocol=3)
    head, old = content[:200].replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"), content[200:]
    return stream.getvalue() + head + old
