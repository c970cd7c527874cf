"""Batches of instances: what is seen of each, in a frame of its own, and grasps from the set that it affords.

The *net* frame of an instance has its origin in the middle of the points that are seen, z against gravity (the support
plane's normal) and x along the view, levelled. Up is given; which way round is not, so that training turns every
instance by a random angle about z. A symmetry of an object that keeps its plane moves grasps and clutter round it
while the object stays: a scene that could as well have been. Lengths are metres here; the model rescales.

What is drawn depends on the seed and on the instance's place in the epoch, on nothing else: neither on how many
batches were made before nor by whom.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, Int64
from torch import Tensor

from yaff.errors import ConfigError
from yaff.geometry.transforms import apply, invert
from yaff.learning.clouds import ObjectClouds
from yaff.learning.config import ObservationConfig
from yaff.learning.images import ImageSource, colour_crops, hidden_by_depth
from yaff.learning.instances import InstanceTable
from yaff.learning.observing import observe
from yaff.learning.targets import GraspTargets

Array = np.ndarray

HIGH_UP = 0.5
"""Height above the plane (metres) that stands for every greater one, and for an unknown plane."""
FEATURES = 8
"""Of a point: place (3), normal (3), height above the plane, and 1 on the object, -1 beside it."""


@dataclass(frozen=True)
class Batch:
    """Instances side by side, as tensors; the frame is each one's net frame, lengths in metres."""

    rows: Int[Tensor, "b"]
    """Rows of the instance table."""
    slot: Int[Tensor, "b"]
    """The object, of the clouds."""
    points: Float[Tensor, "b n 8"]
    """See :data:`FEATURES`; the object's points first, in the order of its cloud."""
    image: Float[Tensor, "b 4 s s"]
    """Crop of the colour image (:func:`yaff.learning.images.colour_crops`); without pixels where none is asked for."""
    T_net_object: Float[Tensor, "b 4 4"]
    T_camera_net: Float[Tensor, "b 4 4"]
    height: Float[Tensor, "b"]
    """Of the frame's origin above the support plane."""
    types: Bool[Tensor, "b 33"]
    """Which types are feasible."""
    grasp: Int[Tensor, "b k"]
    """Rows of the grasp table, drawn from the feasible ones."""
    grasp_type: Int[Tensor, "b k"]
    """0 for type 1."""
    rotation: Float[Tensor, "b k 3 3"]
    origin: Float[Tensor, "b k 3"]
    dof: Float[Tensor, "b k d"]
    contact: Float[Tensor, "b k 3"]
    """Middle of where the hand touches the object."""

    def to(self, device: torch.device | str) -> Batch:
        """The batch on a device."""
        return Batch(**{entry.name: getattr(self, entry.name).to(device) for entry in fields(self)})

    def __len__(self) -> int:
        return len(self.rows)


class BatchMaker:
    """Cuts batches from an instance table.

    Args:
        table: the instances.
        clouds: the shapes of all objects of the dataset.
        targets: of the table's grasps.
        config: what is shown.
        grasps: how many grasps are drawn for each instance.
        images: the dataset's images, for configurations that look at them.

    Raises:
        ConfigError: images are to be looked at, and none are given.
        InputError: an object of the dataset has no shape here.
    """

    def __init__(
        self,
        table: InstanceTable,
        clouds: ObjectClouds,
        targets: GraspTargets,
        config: ObservationConfig,
        grasps: int = 8,
        images: ImageSource | None = None,
    ) -> None:
        if images is None and (config.depth or config.crop):
            raise ConfigError(
                "observation.depth or observation.crop asks for images, and none are given",
                remedy="give the dataset that the shards were made from: --dataset DIR",
            )
        self.images = images
        clouds.slots({name: index for name, index in table.objects.items() if index in set(table.object_index)})
        self.table, self.clouds, self.targets, self.config, self.grasps = table, clouds, targets, config, grasps
        self._size = np.array(config.image_size, np.int64)

    def make(self, rows: Int64[Array, "b"], seed: tuple[int, ...], *, augment: bool = False) -> Batch:
        """The batch of these rows of the table.

        Args:
            rows: instances.
            seed: decides what is drawn.
            augment: turn about gravity, move by symmetries, displace points.
        """
        table, config = self.table, self.config
        rng = np.random.default_rng(seed)
        n = len(rows)
        slot = self.clouds.slot_of_index[table.object_index[rows]]
        T_camera_object = table.T_camera_object[rows]
        # a picture does not move with what stands in it
        moves = augment and not (config.depth or config.crop)
        symmetry = self._symmetries(slot, rows, rng) if moves else np.tile(np.eye(4), (n, 1, 1))
        start, others = self._neighbours(rows)
        owner = np.repeat(np.arange(n), np.diff(start))
        moved = T_camera_object @ symmetry @ invert(T_camera_object)
        T_camera_neighbour = moved[owner] @ table.T_camera_object[others]

        seen = np.empty((n, config.points, 6), np.float32)
        clutter = np.zeros((n, config.clutter, 6), np.float32)
        met = np.zeros(n, np.int64)
        observe(
            self.clouds.points,
            self.clouds.normals,
            slot,
            T_camera_object,
            start,
            self.clouds.slot_of_index[table.object_index[others]],
            T_camera_neighbour,
            table.intrinsics[table.frame[rows]],
            self._size,
            config.occlusion,
            self._hidden(rows),
            config.reach,
            rng.integers(0, 2**62, n),
            seen,
            clutter,
            met,
        )
        up, offset, known = self._planes(rows, T_camera_object)
        turn = rng.uniform(0.0, 2.0 * np.pi, n) if augment else np.zeros(n)
        R_net_camera = _levelled(up, turn)
        centre = seen[..., :3].mean(1, dtype=np.float64)
        T_net_camera = np.tile(np.eye(4), (n, 1, 1))
        T_net_camera[:, :3, :3] = R_net_camera
        T_net_camera[:, :3, 3] = -np.einsum("nij,nj->ni", R_net_camera, centre)
        height = np.where(known, np.clip((up * centre).sum(1) + offset, -HIGH_UP, HIGH_UP), HIGH_UP)

        T_net_object = T_net_camera @ T_camera_object
        drawn = self._drawn(rows, rng)
        T_net_hand = (T_net_object @ symmetry)[:, None] @ table.grasps.T_object_hand[drawn]
        touched = self.targets.contact[drawn].astype(np.float64)[..., None, :]
        contact = apply((T_net_object @ symmetry)[:, None], touched)
        features = _features(seen, clutter, met, T_net_camera, height)
        if augment and config.noise:
            features[..., :3] += config.noise * rng.standard_normal((*features.shape[:2], 3), np.float32)

        image = self._crops(rows)
        if augment and config.crop:
            image[:, :3] = (image[:, :3] + rng.normal(0.0, 0.1, (n, 3, 1, 1)).astype(np.float32)) * image[:, 3:]

        def tensor(values: Array) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values, np.float32))

        return Batch(
            rows=torch.from_numpy(rows),
            slot=torch.from_numpy(slot),
            points=torch.from_numpy(features),
            image=torch.from_numpy(image),
            T_net_object=tensor(T_net_object),
            T_camera_net=tensor(invert(T_net_camera)),
            height=tensor(height),
            types=torch.from_numpy(table.feasible_types(rows)),
            grasp=torch.from_numpy(drawn),
            grasp_type=torch.from_numpy(table.grasps.grasp_type[drawn] - 1),
            rotation=tensor(T_net_hand[..., :3, :3]),
            origin=tensor(T_net_hand[..., :3, 3]),
            dof=tensor(self.targets.dof[drawn]),
            contact=tensor(contact[..., 0, :]),
        )

    def _hidden(self, rows: Int64[Array, "b"]) -> Bool[Array, "b p"]:
        if self.images is None or not self.config.depth:
            return np.zeros((len(rows), self.clouds.points.shape[1]), bool)
        return hidden_by_depth(self.images, self.table, self.clouds, rows)

    def _crops(self, rows: Int64[Array, "b"]) -> Float32[Array, "b 4 s s"]:
        if self.images is None or not self.config.crop:
            return np.zeros((len(rows), 4, 0, 0), np.float32)
        return colour_crops(self.images, self.table, self.clouds, rows, self.config.crop)

    def _drawn(self, rows: Int64[Array, "b"], rng: np.random.Generator) -> Int64[Array, "b k"]:
        placement = self.table.placement[rows]
        first = self.table.feasible_start[placement][:, None]
        count = self.table.feasible_start[placement + 1][:, None] - first
        drawn = first + (rng.random((len(rows), self.grasps)) * count).astype(np.int64)
        # an instance without a grasp (only predicted on, never learnt from) gets any
        return self.table.feasible[np.minimum(drawn, len(self.table.feasible) - 1)]

    def _neighbours(self, rows: Int64[Array, "b"]) -> tuple[Int64[Array, "b1"], Int64[Array, "n"]]:
        """The other instances of each one's frame."""
        frame = self.table.frame[rows]
        first, last = self.table.instance_start[frame], self.table.instance_start[frame + 1]
        counts = last - first
        ends = np.cumsum(counts)
        every = np.arange(ends[-1]) + np.repeat(first - ends + counts, counts)
        other = every != np.repeat(rows, counts)
        # what is not among the clouds (an object that the library does not hold) is not shown
        other &= self.clouds.slot_of_index[self.table.object_index[every]] >= 0
        owner = np.repeat(np.arange(len(rows)), counts)[other]
        start = np.searchsorted(owner, np.arange(len(rows) + 1)).astype(np.int64)
        return start, every[other]

    def _planes(
        self, rows: Int64[Array, "b"], T_camera_object: Float[Array, "b 4 4"]
    ) -> tuple[Float[Array, "b 3"], Float[Array, "b"], Bool[Array, "b"]]:
        """Up (camera frame), offset of the plane, and whether it is known; the image's up where it is not."""
        placement = self.table.placement[rows]
        plane, known = self.table.plane[placement], self.table.plane_known[placement]
        normal = np.einsum("nij,nj->ni", T_camera_object[:, :3, :3], plane[:, :3])
        offset = plane[:, 3] - (normal * T_camera_object[:, :3, 3]).sum(1)
        return np.where(known[:, None], normal, [0.0, -1.0, 0.0]), offset, known

    def _symmetries(
        self, slot: Int64[Array, "b"], rows: Int64[Array, "b"], rng: np.random.Generator
    ) -> Float[Array, "b 4 4"]:
        """A random one, for each instance, of its object's symmetries that leave its plane where it is."""
        placement = self.table.placement[rows]
        plane, known = self.table.plane[placement], self.table.plane_known[placement]
        motions = self.clouds.symmetries[slot].astype(np.float64)
        normal = np.einsum("bsij,bj->bsi", motions[..., :3, :3], plane[:, :3])
        offset = plane[:, None, 3] - (normal * motions[..., :3, 3]).sum(-1)
        keeps = (np.abs(normal - plane[:, None, :3]).max(-1) < 0.02) & (np.abs(offset - plane[:, None, 3]) < 0.003)
        keeps &= known[:, None] & (np.arange(motions.shape[1]) < self.clouds.symmetry_count[slot][:, None])
        keeps[:, 0] = True
        choice = np.where(keeps, rng.random(keeps.shape), -1.0).argmax(1)
        return motions[np.arange(len(rows)), choice]


def _levelled(up: Float[Array, "n 3"], turn: Float[Array, "n"]) -> Float[Array, "n 3 3"]:
    """R_net_camera with z along ``up`` and x along the view, turned about z."""
    forward = np.broadcast_to([0.0, 0.0, 1.0], up.shape)
    along = forward - (forward * up).sum(1, keepdims=True) * up
    short = np.linalg.norm(along, axis=1, keepdims=True) < 1e-3  # looking straight down: the image's up is ahead
    image_up = np.broadcast_to([0.0, -1.0, 0.0], up.shape)
    along = np.where(short, image_up - (image_up * up).sum(1, keepdims=True) * up, along)
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(up, along)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    return np.stack([c * along + s * side, -s * along + c * side, up], axis=1)


def _features(
    seen: Float32[Array, "b k 6"],
    clutter: Float32[Array, "b m 6"],
    met: Int64[Array, "b"],
    T_net_camera: Float[Array, "b 4 4"],
    height: Float[Array, "b"],
) -> Float32[Array, "b n 8"]:
    n, k = seen.shape[:2]
    both = np.concatenate([seen, clutter], axis=1)
    absent = np.zeros(both.shape[:2], bool)
    absent[:, k:] = np.arange(clutter.shape[1]) >= met[:, None]
    # what is not there is a point of the object again, which changes nothing
    both[absent] = np.broadcast_to(seen[:, :1], both.shape)[absent]
    R = T_net_camera[:, :3, :3].astype(np.float32).transpose(0, 2, 1)
    result = np.empty((n, both.shape[1], FEATURES), np.float32)
    result[..., :3] = both[..., :3] @ R + T_net_camera[:, None, :3, 3].astype(np.float32)
    result[..., 3:6] = both[..., 3:] @ R
    result[..., 6] = np.minimum(result[..., 2] + height[:, None].astype(np.float32), HIGH_UP)
    result[..., 7] = 1.0
    result[:, k:, 7] = np.where(absent[:, k:], 1.0, -1.0)
    return result


class Epochs:
    """The order in which instances are met: each once in an epoch, in an order that the seed decides.

    The position is a number of batches, all that a resumed training needs to know.
    """

    def __init__(self, rows: Int64[Array, "m"], batch: int, seed: int) -> None:
        if not len(rows):
            raise ConfigError("there is nothing to learn from", remedy="see yaff stats, and the splits it names")
        self._rows, self._batch, self._seed = rows, min(batch, len(rows)), seed
        self.batches = len(rows) // self._batch
        """In an epoch; the last few instances of each wait for another one."""
        self._order = -1, np.zeros(0, np.int64)

    def rows(self, position: int) -> Int64[Array, "b"]:
        """The rows of a batch, counted from the start of training."""
        epoch, place = divmod(position, self.batches)
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng((self._seed, 1, epoch)).permutation(len(self._rows))
        return self._rows[np.sort(self._order[1][place * self._batch : (place + 1) * self._batch])]


def training_batches(maker: BatchMaker, epochs: Epochs, seed: int, first: int, last: int) -> Generator[Batch]:
    """Batches ``first`` to ``last`` of a training, each made while the one before is learnt from."""
    with ThreadPoolExecutor(1, "batches") as thread:

        def ask(position: int):
            return thread.submit(maker.make, epochs.rows(position), (seed, 2, position), augment=True)

        coming = ask(first) if first < last else None
        for position in range(first, last):
            assert coming is not None
            ready = coming
            coming = ask(position + 1) if position + 1 < last else None
            yield ready.result()
