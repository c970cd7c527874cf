"""The instances of a dataset and the set of grasps that each affords, as arrays from which batches are cut.

All instances of a placement afford the same grasps in the object frame, so that targets are kept once for each
placement: for a dataset of millions of annotations these tables take megabytes, and a batch is a few look-ups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from yaff.errors import InputError
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.grasp.batch import Grasps
from yaff.hand import HandModel
from yaff.store.columns import TYPES
from yaff.store.reading import ShardSet

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class GraspTable:
    """The distinct grasps of a dataset, in the frames of their objects."""

    object_index: Int64[Array, "g"]
    library_row: Int64[Array, "g"]
    """Row in the library's group of the object."""
    grasp_type: Int64[Array, "g"]
    """Feix number."""
    pose: Float64[Array, "g 45"]
    """Radians, from the flat hand."""
    T_object_hand: Float64[Array, "g 4 4"]
    """Origin at the wrist joint."""
    shape: Float32[Array, "g 10"]
    pregrasp_pose: Float64[Array, "g 45"]
    """Of the hand before it closes; with what follows, the start of its approach."""
    T_object_pregrasp: Float64[Array, "g 4 4"]

    def __len__(self) -> int:
        return len(self.pose)

    def of_hand(self, hand: HandModel, object_name: str, rows: Int64[Array, "n"]) -> Grasps:
        """Some rows, which must be of this object, as grasps of the hand that took them."""
        shape = self.shape[rows]
        rotation, translation = hand.wrist_parameters(self.T_object_hand[rows], shape.astype(np.float64))
        before = hand.wrist_parameters(self.T_object_pregrasp[rows], shape.astype(np.float64))
        return Grasps.make(
            object_name,
            self.pose[rows],
            rotation,
            translation,
            self.grasp_type[rows],
            shape=shape,
            pregrasp_pose=self.pregrasp_pose[rows].astype(np.float32),
            pregrasp_wrist_rotation=before[0].astype(np.float32),
            pregrasp_translation=before[1].astype(np.float32),
        )


@dataclass(frozen=True, eq=False)
class InstanceTable:
    """Every instance of a dataset, and the rows of those that were asked for."""

    hand_digest: str
    objects: dict[str, int]
    """Number of each object by name."""
    rows: Int64[Array, "m"]
    """The instances that were asked for: those of the split, with a grasp at least."""
    object_index: Int64[Array, "i"]
    T_camera_object: Float64[Array, "i 4 4"]
    placement: Int64[Array, "i"]
    frame: Int64[Array, "i"]
    """Row of the frame tables."""
    instance_start: Int64[Array, "f1"]
    scene: Int64[Array, "f"]
    frame_number: Int64[Array, "f"]
    intrinsics: Float64[Array, "f 3 3"]
    plane: Float64[Array, "p 4"]
    """Support plane of each placement in the frame of its object: normal (up) and offset, metres."""
    plane_known: Bool[Array, "p"]
    feasible_start: Int64[Array, "p1"]
    feasible: Int64[Array, "q"]
    """Rows of ``grasps`` that are feasible in each placement."""
    type_counts: Int64[Array, "p 33"]
    """Feasible grasps of each type; column t - 1 is type t."""
    grasps: GraspTable

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def read(
        cls,
        shards: ShardSet,
        split: str | None = None,
        *,
        types: Sequence[int] | None = None,
        objects: Sequence[str] | None = None,
        min_visibility: float | None = None,
    ) -> InstanceTable:
        """The instances of a split.

        Raises:
            InputError: an unknown split, type or object; visibility that the dataset does not hold; or no instance
                has a grasp of what was asked.
            FormatError: a shard that is missing, truncated or of another build.
        """
        index = shards.index
        selection = shards.select(split=split, types=types, objects=objects, min_visibility=min_visibility)
        if not len(selection.instances):
            asked = "the dataset" if split is None else f"the split {split!r}"
            raise InputError(
                f"{asked} has no instance with a grasp of what was asked",
                where=shards.folder,
                remedy="see yaff stats; ask for another split, other types or other objects, or project more frames",
            )
        grasps, unique_of_row = _distinct_grasps(shards)
        keep = index["candidates/code"] == 0
        if types is not None:
            keep &= np.isin(index["grasps/grasp_type"], list(types))[index["candidates/grasp"]]
        counted = np.concatenate([[0], np.cumsum(keep)])
        start = counted[index["placements/candidate_start"]].astype(np.int64)
        feasible = unique_of_row[index["candidates/grasp"][keep].astype(np.int64)]
        placements = len(start) - 1
        owner = np.repeat(np.arange(placements), np.diff(start))
        counts = np.zeros((placements, TYPES), np.int64)
        np.add.at(counts, (owner, grasps.grasp_type[feasible] - 1), 1)

        instance_start = index["frames/instance_start"].astype(np.int64)
        frame = np.repeat(np.arange(len(instance_start) - 1), np.diff(instance_start))
        poses = index["instances/T_camera_object"].astype(np.float64)
        placement = index["instances/placement"].astype(np.int64)
        plane, known = _object_planes(shards, poses, placement, frame)
        return cls(
            hand_digest=index.hand["digest"],
            objects=dict(shards.objects),
            rows=selection.instances.astype(np.int64),
            object_index=index["instances/object_index"].astype(np.int64),
            T_camera_object=poses,
            placement=placement,
            frame=frame.astype(np.int64),
            instance_start=instance_start,
            scene=index["frames/scene"].astype(np.int64),
            frame_number=index["frames/frame"].astype(np.int64),
            intrinsics=index["frames/intrinsics"].astype(np.float64),
            plane=plane,
            plane_known=known,
            feasible_start=start,
            feasible=feasible,
            type_counts=counts,
            grasps=grasps,
        )

    def where(self, keep: Bool[Array, "m"]) -> InstanceTable:
        """The same tables with fewer of the rows asked for."""
        return replace(self, rows=self.rows[keep])

    def without(self, objects: Sequence[str]) -> InstanceTable:
        """Without instances of these objects: they still stand beside others, but nothing is learnt from them.

        Raises:
            InputError: an unknown object.
        """
        return self.where(~np.isin(self.object_index[self.rows], self._indices(objects)))

    def only(self, objects: Sequence[str]) -> InstanceTable:
        """Only instances of these objects.

        Raises:
            InputError: an unknown object.
        """
        return self.where(np.isin(self.object_index[self.rows], self._indices(objects)))

    def divided(self, share: float) -> tuple[InstanceTable, InstanceTable]:
        """Two tables by whole scenes, the second with about this share of them: frames of a video are too alike to
        be on both sides. With a single scene, its last frames are the second."""
        scenes = self.scene[self.frame[self.rows]]
        present = np.unique(scenes)
        if len(present) > 1:
            count = min(max(1, round(share * len(present))), len(present) - 1)
            # spread over the numbers: neighbouring videos were often taken in one place
            places = np.unique(((np.arange(count) + 0.5) / count * len(present)).astype(np.int64))
            second = np.isin(scenes, present[places])
        else:
            second = np.arange(len(self.rows)) >= (1.0 - share) * len(self.rows)
        return self.where(~second), self.where(second)

    def _indices(self, objects: Sequence[str]) -> list[int]:
        if unknown := [name for name in objects if name not in self.objects]:
            raise InputError(f"no objects {unknown} in this dataset", remedy=f"it has {', '.join(self.objects)}")
        return [self.objects[name] for name in objects]

    def name(self, row: int) -> str:
        """Name of the object of an instance."""
        number = int(self.object_index[row])
        return next(name for name, index in self.objects.items() if index == number)

    def feasible_of(self, row: int) -> Int64[Array, "n"]:
        """Rows of :attr:`grasps` that are feasible for an instance."""
        placement = self.placement[row]
        return self.feasible[self.feasible_start[placement] : self.feasible_start[placement + 1]]

    def feasible_types(self, rows: Int64[Array, "n"]) -> Bool[Array, "n 33"]:
        """Which types are feasible for each of these instances."""
        return self.type_counts[self.placement[rows]] > 0

    def camera_plane(self, row: int) -> Float64[Array, "4"] | None:
        """Support plane of an instance in the camera frame; None where it is not known."""
        placement = self.placement[row]
        if not self.plane_known[placement]:
            return None
        T, plane = self.T_camera_object[row], self.plane[placement]
        normal = T[:3, :3] @ plane[:3]
        return np.append(normal, plane[3] - normal @ T[:3, 3])


def _distinct_grasps(shards: ShardSet) -> tuple[GraspTable, Int64[Array, "r"]]:
    """The grasps of all shards without repetition, and which of them each row of ``/grasps`` is."""
    index = shards.index
    number = index["grasps/object_index"].astype(np.int64)
    row = index["grasps/library_row"].astype(np.int64)
    _, first, unique_of_row = np.unique(number << 32 | row, return_index=True, return_inverse=True)

    def chosen(name: str) -> UInt8[Array, "..."] | Array:
        return index[f"grasps/{name}"][first]

    def wrist(prefix: str) -> Float64[Array, "g 4 4"]:
        rotation = rotation_from_axis_angle(chosen(f"{prefix}wrist_rotation").astype(np.float64))
        origin = chosen("root").astype(np.float64) + chosen(f"{prefix}translation").astype(np.float64)
        return make_transform(rotation, origin)

    table = GraspTable(
        object_index=number[first],
        library_row=row[first],
        grasp_type=chosen("grasp_type").astype(np.int64),
        pose=chosen("pose").astype(np.float64),
        T_object_hand=wrist(""),
        shape=chosen("shape").astype(np.float32),
        pregrasp_pose=chosen("pregrasp_pose").astype(np.float64),
        T_object_pregrasp=wrist("pregrasp_"),
    )
    return table, unique_of_row.reshape(-1).astype(np.int64)


def _object_planes(
    shards: ShardSet, poses: Float64[Array, "i 4 4"], placement: Int64[Array, "i"], frame: Int64[Array, "i"]
) -> tuple[Float64[Array, "p 4"], Bool[Array, "p"]]:
    """Planes of the placements, carried from the camera of the representative frame to the object."""
    index = shards.index
    arrangement = index["placements/arrangement"].astype(np.int64)
    planes = index["arrangements/plane"].astype(np.float64)[arrangement]
    known = index["arrangements/plane_known"].astype(bool)[arrangement]
    decided_in = index["arrangements/representative"].astype(np.int64)[arrangement]
    there = np.flatnonzero(frame == decided_in[placement])
    result = np.zeros((len(arrangement), 4))
    found = np.zeros(len(arrangement), bool)
    T = poses[there]
    normal = planes[placement[there], :3]
    result[placement[there], :3] = np.einsum("nij,ni->nj", T[:, :3, :3], normal)
    result[placement[there], 3] = planes[placement[there], 3] + (normal * T[:, :3, 3]).sum(1)
    found[placement[there]] = True
    return result, known & found
