"""WebDataset: tar files that a trainer streams. One sample for each frame.

=========================  ===================================================================================
member                     content
=========================  ===================================================================================
``SSSS_FFFFFF.json``       scene, frame, splits, intrinsics, plane, and of each instance: object, object_index,
                           T_camera_object, visibility, annotations (how many of the rows below are its own)
``SSSS_FFFFFF.hand.npy``   (n, 51) float32: wrist rotation, pose, translation; camera frame
``SSSS_FFFFFF.type.npy``   (n,) int16: grasp type, 1 to 33
``SSSS_FFFFFF.instance.npy``  (n,) int32: which instance of the frame
``SSSS_FFFFFF.shape.npy``  (n, 10) float32: MANO shape
``SSSS_FFFFFF.color.png``  the image file as the dataset has it, where one is given
=========================  ===================================================================================

Equal datasets make equal bytes: members carry no time, no owner.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yaff.store.atomic import atomic_file
from yaff.store.exporters.frames import AnnotatedFrame, frames_of
from yaff.store.exporters.ycb_affordance import array_bytes
from yaff.store.hashing import canonical_json
from yaff.store.reading import ShardSet
from yaff.store.shards import ShardReader

Array = np.ndarray

ImageOf = Callable[[int, int], Path | None]
"""(scene, frame) -> an image file, or None."""


@dataclass(frozen=True)
class Exported:
    """What was written."""

    frames: int
    annotations: int
    files: tuple[str, ...]


def export_webdataset(
    shards: ShardSet,
    folder: Path,
    *,
    split: str | None = None,
    frames_per_file: int = 1000,
    image: ImageOf | None = None,
) -> Exported:
    """Write a dataset as ``frames-000000.tar``, ``frames-000001.tar``, ... (``SPLIT-...`` for one split).

    Args:
        shards: the dataset.
        folder: where.
        split: only the frames of this split.
        frames_per_file: samples in a tar file.
        image: the colour images to go with them.

    Raises:
        InputError: there is no such split.
        StorageError: the disk refused.
    """
    names: list[str] = []
    frames = annotations = 0
    objects = {index: name for name, index in shards.objects.items()}
    with ExitStack() as stack:
        tar: tarfile.TarFile | None = None
        for reader, frame in frames_of(shards, split):
            if tar is None or frames % frames_per_file == 0:
                stack.close()
                names.append(f"{split or 'frames'}-{len(names):06d}.tar")
                temporary = stack.enter_context(atomic_file(folder / names[-1]))
                tar = stack.enter_context(tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT))
            key = f"{frame.scene:04d}_{frame.frame:06d}"
            for kind, data in _members(frame, reader, objects, image):
                entry = tarfile.TarInfo(f"{key}.{kind}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            frames += 1
            annotations += len(frame.grasp)
    return Exported(frames, annotations, tuple(names))


def _members(
    frame: AnnotatedFrame, reader: ShardReader, objects: dict[int, str], image: ImageOf | None
) -> list[tuple[str, bytes]]:
    counts = np.diff(frame.start)
    instances = [
        {
            "object": objects[int(index)],
            "object_index": int(index),
            "T_camera_object": frame.Ts_camera_object[k].tolist(),
            "visibility": None if frame.visibility is None else float(frame.visibility[k]),
            "annotations": int(counts[k]),
        }
        for k, index in enumerate(frame.object_index)
    ]
    document = {
        "scene": frame.scene,
        "frame": frame.frame,
        "splits": list(frame.splits),
        "intrinsics": frame.intrinsics.tolist(),
        "plane": None if frame.plane is None else frame.plane.tolist(),
        "instances": instances,
    }
    members = [
        ("json", canonical_json(document).encode()),
        ("hand.npy", array_bytes(np.ascontiguousarray(frame.parameters))),
        ("type.npy", array_bytes(reader["grasps/grasp_type"][frame.grasp])),
        ("instance.npy", array_bytes(np.repeat(np.arange(len(counts), dtype=np.int32), counts))),
        ("shape.npy", array_bytes(reader["grasps/shape"][frame.grasp])),
    ]
    picture = None if image is None else image(frame.scene, frame.frame)
    return members if picture is None else [*members, (f"color{picture.suffix}", picture.read_bytes())]
