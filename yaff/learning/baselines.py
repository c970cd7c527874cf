"""Predictions that need no learning, for comparison. Like the network, they are not told which object it is.

* *type prior and mean pose*: the types that are feasible most often, each with the mean hand of its training grasps;
* *nearest neighbour*: grasps of the training instance whose object pose (orientation against gravity and view, height
  over the plane) is nearest;
* *random*: any grasp of the library, on whatever object.

All carry hands over in the net frame (gravity and view) but the last, which carries them in the object frame. The
*look-up* is told the object, and takes any of its grasps: what a library can do for an object that is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from yaff.geometry.transforms import invert, make_transform
from yaff.hand import Anatomy
from yaff.learning.batches import Batch, BatchMaker
from yaff.learning.predicting import Predictions
from yaff.store.columns import TYPES

Array = np.ndarray

SAMPLE = 4096
"""Training instances that are looked at."""
_CHUNK = 256


@dataclass(frozen=True)
class Answer:
    """What a baseline says of a batch."""

    predictions: Predictions
    types: Float64[Array, "b 33"]
    """Score of each type."""


class Baselines:
    """The baselines of a training set.

    Args:
        maker: of the training instances.
        anatomy: of the hand.
        grasps: predictions for each instance.
        seed: decides what is drawn.
    """

    def __init__(self, maker: BatchMaker, anatomy: Anatomy, grasps: int, seed: int) -> None:
        self._maker, self._anatomy, self._grasps, self._seed = maker, anatomy, grasps, seed
        rng = np.random.default_rng((seed, 11))
        rows = maker.table.rows
        self._rows = np.sort(rng.choice(rows, min(SAMPLE, len(rows)), replace=False))

    @property
    def methods(self) -> dict[str, Callable[[Batch], Answer]]:
        """Each by its name."""
        return {
            "type prior, mean pose": self.prior,
            "nearest object pose": self.nearest,
            "random library grasp": self.random,
        }

    @cached_property
    def _training(self) -> dict[str, Array]:
        """Of each instance looked at: object pose and height, and one feasible grasp in the net frame."""
        parts: list[dict[str, Array]] = []
        for start in range(0, len(self._rows), _CHUNK):
            batch = self._maker.make(self._rows[start : start + _CHUNK], (self._seed, 12, start))
            T = batch.T_net_object.double().numpy()
            parts.append(
                {
                    "T_net_object": T,
                    "height": batch.height.double().numpy(),
                    "T_net_hand": make_transform(
                        batch.rotation[:, 0].double().numpy(), batch.origin[:, 0].double().numpy()
                    ),
                    "dof": batch.dof[:, 0].double().numpy(),
                    "grasp": batch.grasp[:, 0].numpy(),
                    "type": batch.grasp_type[:, 0].numpy() + 1,
                    "row": batch.rows.numpy(),
                }
            )
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @cached_property
    def _prior(self) -> Float64[Array, "33"]:
        """How often each type is feasible."""
        return self._maker.table.feasible_types(self._maker.table.rows).mean(0)

    def prior(self, batch: Batch) -> Answer:
        """Types by prior, with their mean hands."""
        training = self._training
        order = np.argsort(-self._prior, kind="stable")
        kinds = [int(t) + 1 for t in order if (training["type"] == t + 1).any()][: self._grasps]
        means = []
        for kind in kinds:
            mine = training["type"] == kind
            u, _, vt = np.linalg.svd(training["T_net_hand"][mine, :3, :3].mean(0))
            rotation = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt  # the mean in the chordal sense
            origin = training["T_net_hand"][mine, :3, 3].mean(0)
            means.append((make_transform(rotation, origin), training["dof"][mine].mean(0)))
        n, k = len(batch), len(kinds)
        T_net_hand = np.tile(np.stack([T for T, _ in means]), (n, 1, 1))
        pose = np.tile(self._anatomy.pose_from_dof(np.stack([d for _, d in means])), (n, 1))
        types = np.tile(np.array(kinds, np.int64), n)
        return Answer(self._carried(batch, k, T_net_hand, pose, types), np.tile(self._prior, (n, 1)))

    def nearest(self, batch: Batch) -> Answer:
        """Grasps of the training instances with the nearest object poses, each of another placement."""
        training, table = self._training, self._maker.table
        T = batch.T_net_object.double().numpy()
        # the cosine of the angle between two rotations is (trace - 1) / 2; 10 cm of height count as one radian
        trace = np.einsum("aij,bij->ab", T[:, :3, :3], training["T_net_object"][:, :3, :3])
        apart = np.arccos(np.clip((trace - 1.0) / 2.0, -1.0, 1.0))
        apart = apart + np.abs(batch.height.double().numpy()[:, None] - training["height"]) / 0.1
        order = np.argsort(apart, axis=1, kind="stable")
        scores = table.feasible_types(training["row"][order[:, 0]]).astype(np.float64) + 0.5 * self._prior
        k = min(self._grasps, order.shape[1])
        placement = table.placement[training["row"]]
        chosen = np.stack([_first_distinct(placement[line], line, k) for line in order]).reshape(-1)
        T_net_hand, pose = training["T_net_hand"][chosen], table.grasps.pose[training["grasp"][chosen]]
        return Answer(self._carried(batch, k, T_net_hand, pose, training["type"][chosen]), scores)

    def random(self, batch: Batch) -> Answer:
        """Any grasps of the library, about the middle of the object."""
        rng = np.random.default_rng((self._seed, 13, int(batch.rows[0])))
        table, clouds = self._maker.table, self._maker.clouds
        n, k = len(batch), self._grasps
        known = np.unique(table.feasible)
        mine = np.isin(table.grasps.object_index[known], np.unique(table.object_index[table.rows]))
        drawn = rng.choice(known[mine], n * k)
        T = table.grasps.T_object_hand[drawn].copy()
        middle = clouds.points.mean(1).astype(np.float64)
        T[:, :3, 3] += np.repeat(middle[batch.slot.numpy()], k, 0)
        T[:, :3, 3] -= middle[clouds.slot_of_index[table.grasps.object_index[drawn]]]
        scores = np.zeros((n, TYPES))
        types = table.grasps.grasp_type[drawn]
        np.maximum.at(scores, (np.repeat(np.arange(n), k), types - 1), np.tile(np.arange(k, 0.0, -1.0), n))
        predictions = _predictions(batch, k, T, table.grasps.pose[drawn], types)
        return Answer(predictions, scores)

    def _carried(
        self, batch: Batch, k: int, T_net_hand: Array, pose: Float64[Array, "n 45"], types: Int64[Array, "n"]
    ) -> Predictions:
        T_object_net = np.repeat(invert(batch.T_net_object.double().numpy()), k, 0)
        return _predictions(batch, k, T_object_net @ T_net_hand, pose, types)


def look_up(maker: BatchMaker, batch: Batch, grasps: int, seed: int) -> Answer:
    """Any grasps of the very object, whether or not they are feasible here."""
    rng = np.random.default_rng((seed, 14, int(batch.rows[0])))
    table = maker.table
    chosen = []
    for row in batch.rows.numpy():
        mine = np.flatnonzero(table.grasps.object_index == table.object_index[row])
        chosen.append(rng.choice(mine, grasps, replace=len(mine) < grasps))
    drawn = np.concatenate(chosen)
    types = table.grasps.grasp_type[drawn]
    scores = np.zeros((len(batch), TYPES))
    at = np.repeat(np.arange(len(batch)), grasps)
    np.maximum.at(scores, (at, types - 1), np.tile(np.arange(grasps, 0.0, -1.0), len(batch)))
    pose = table.grasps.pose[drawn]
    return Answer(_predictions(batch, grasps, table.grasps.T_object_hand[drawn], pose, types), scores)


def ground_truth(maker: BatchMaker, batch: Batch, grasps: int, seed: int) -> Answer:
    """Feasible grasps of the instances themselves, each at most once."""
    rng = np.random.default_rng((seed, 15, int(batch.rows[0])))
    table, chosen, rows, ranks = maker.table, [], [], []
    for row in batch.rows.numpy():
        feasible = np.unique(table.feasible_of(int(row)))
        some = rng.choice(feasible, min(grasps, len(feasible)), replace=False)
        chosen.append(some)
        rows.append(np.full(len(some), row))
        ranks.append(np.arange(len(some)))
    drawn = np.concatenate(chosen)
    predictions = Predictions(
        row=np.concatenate(rows),
        rank=np.concatenate(ranks),
        grasp_type=table.grasps.grasp_type[drawn],
        T_object_hand=table.grasps.T_object_hand[drawn],
        pose=table.grasps.pose[drawn],
        score=np.zeros(len(drawn)),
    )
    return Answer(predictions, table.feasible_types(batch.rows.numpy()).astype(np.float64))


def _predictions(batch: Batch, k: int, T: Array, pose: Float64[Array, "n 45"], types: Int64[Array, "n"]) -> Predictions:
    return Predictions(
        row=np.repeat(batch.rows.numpy(), k),
        rank=np.tile(np.arange(k), len(batch)),
        grasp_type=types.astype(np.int64),
        T_object_hand=T,
        pose=pose,
        score=np.zeros(len(types)),
    )


def _first_distinct(groups: Int64[Array, "m"], order: Int64[Array, "m"], count: int) -> Int64[Array, "k"]:
    """Of rows in an order, the first ``count`` of different groups; any, where there are fewer groups."""
    # ``groups`` is in the order of ``order`` already
    _, first = np.unique(groups, return_index=True)
    some = order[np.sort(first)[:count]]
    return np.resize(some, count)
