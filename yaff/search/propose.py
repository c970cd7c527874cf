"""Wrist poses and preshapes that bring the two sides of a type's opposition onto opposing surface of the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.transforms import make_transform
from yaff.hand.forearm import FOREARM_LENGTH, FOREARM_RADIUS, WRIST_BEND
from yaff.objects import ObjectModel
from yaff.search.cavities import field_of
from yaff.search.config import SearchConfig
from yaff.search.grip import most_side_force
from yaff.search.opposition import OppositionPairs
from yaff.search.rig import HandRig, TypeSkin
from yaff.taxonomy import GraspType

Array = np.ndarray

WITHIN = 0.0025
"""Metres inside the filled object from which a surface point is no longer on its outside."""
INSIDE_COST = 2.0
"""What all skin inside the object would cost a placement, metres: a finger through a wall rules a placement out."""
MOST_BELOW = 0.01
"""Metres that a placement may be below its table: refinement moves hands by about as much."""


@dataclass(frozen=True)
class Candidates:
    """``n`` hands about to grasp: where the wrist is and how the fingers stand."""

    T_object_hand: Float[Array, "n 4 4"]
    dof: Float[Array, "n dof"]
    """Degrees of freedom, radians."""
    posture: Float[Array, "n dof"]
    """The preshape that each candidate started from, radians."""
    score: Float[Array, "n"]
    """Less is better; what it counts is the maker's business."""
    table: Float[Array, "n 4"] | None = None
    """What each has to stay above: normal and offset of the table that the object rests on, object frame, metres;
    zeros, or None for all, where the hand may come from anywhere."""

    def __len__(self) -> int:
        return len(self.score)

    def rows(self, index: Int[Array, "k"]) -> Candidates:
        """The candidates of these rows, in this order."""
        table = None if self.table is None else self.table[index]
        return Candidates(self.T_object_hand[index], self.dof[index], self.posture[index], self.score[index], table)


@dataclass(frozen=True)
class PreshapeTable:
    """A type's preshape at several closures, in the hand frame."""

    dof: Float[Array, "closures dof"]
    first: Float[Array, "oppositions closures 3"]
    """Centre of the first side of each opposition, metres."""
    second: Float[Array, "oppositions closures 3"]
    skin: Float[Array, "closures _ 3"]
    """Sampled skin for collision, metres."""
    groups: tuple[Float[Array, "closures _ 3"], ...]
    """Skin of each contact group, metres."""

    @property
    def aperture(self) -> Float[Array, "oppositions closures"]:
        """Distance between the two sides, metres."""
        return np.linalg.norm(self.second - self.first, axis=2)

    @classmethod
    def of(cls, rig: HandRig, kind: GraspType, steps: int) -> PreshapeTable:
        """Pose the hand at ``steps`` closures from open to closed."""
        dof = rig.posture(kind, np.linspace(0.0, 1.0, steps))
        zero = np.zeros((steps, 3))
        vertices = rig.model.vertices(rig.anatomy.pose_from_dof(dof), zero, zero) - rig.model.root()
        skin = TypeSkin.of(rig, kind)

        def centre(side: tuple[int, ...]) -> Array:
            return np.mean([vertices[:, skin.groups[g]].mean(axis=1) for g in side], axis=0)

        return cls(
            dof=dof,
            first=np.stack([centre(first) for first, _ in kind.oppositions]),
            second=np.stack([centre(second) for _, second in kind.oppositions]),
            skin=vertices[:, rig.skin_sample],
            groups=tuple(vertices[:, g] for g in skin.groups),
        )


def propose(
    rig: HandRig,
    kind: GraspType,
    obj: ObjectModel,
    pairs: OppositionPairs,
    config: SearchConfig,
    keep: int,
    rng: np.random.Generator,
    tables: Float[Array, "p 4"] | None = None,
) -> Candidates:
    """The least colliding of many placements of the type's opposition on pairs of opposing surface points.

    Args:
        rig: the hand.
        kind: the type.
        obj: the object.
        pairs: opposing points of its surface.
        config: how many, how open, and how near the centre of mass: off it, the weight turns the object in the hand.
        keep: how many are returned at the most.
        rng: what is drawn.
        tables: on which the object can rest (:attr:`yaff.objects.ObjectModel.tables`), object frame: each hand
            has to stay above one of them. None: hands may come from anywhere.

    Returns:
        At most ``keep`` candidates, best first; none if the object has no extent that suits the type.
    """
    draw, weight = config.propose, obj.mass * config.physics.gravity
    table = PreshapeTable.of(rig, kind, draw.aperture_steps)
    least, most = kind.size
    field = field_of(obj, kind.interior)
    suits = (pairs.thickness >= least) & (pairs.thickness <= most)
    if kind.interior == "filled":  # the inside of a wall is out of reach
        suits &= np.minimum(field.distance(pairs.first), field.distance(pairs.second)) > -WITHIN
    usable = np.flatnonzero(suits)
    if not len(usable):
        empty = np.zeros((0, table.dof.shape[1]))
        return Candidates(np.zeros((0, 4, 4)), empty, empty, np.zeros(0))
    off = np.linalg.norm(0.5 * (pairs.first + pairs.second)[usable] - np.asarray(obj.centre_of_mass), axis=1)
    arm = draw.moment_arm * most_side_force(kind, config) / weight
    near = np.exp(-0.5 * ((off - off.min()) / arm) ** 2)
    # half of them anywhere: where an object is thin enough for the hand may be far from its middle
    likely = near / near.sum() + 1.0 / len(usable)
    row = rng.choice(usable, size=draw.candidates, p=likely / likely.sum())
    flip = rng.random(draw.candidates) < 0.5
    start = np.where(flip[:, None], pairs.second[row], pairs.first[row])
    end = np.where(flip[:, None], pairs.first[row], pairs.second[row])
    wanted = pairs.thickness[row] + draw.clearance
    many = len(kind.oppositions)
    which = rng.integers(many, size=draw.candidates) if many > 1 else np.zeros(draw.candidates, np.intp)
    closure = np.abs(table.aperture[which] - wanted[:, None]).argmin(axis=1)

    # the hand's opposition frame: axis from first to second side, then the direction of the fingers across it
    first, second = table.first[which, closure], table.second[which, closure]
    hand_frame = _frames(second - first, np.array([-1.0, 0.0, 0.0]) + np.zeros_like(first))
    object_frame = _frames(end - start, rng.normal(size=start.shape))
    rotation = object_frame @ np.swapaxes(hand_frame, 1, 2)
    hand_middle = 0.5 * (first + second)
    middle = 0.5 * (start + end)
    translation = middle - (rotation @ hand_middle[..., None])[..., 0]

    on, table_of = np.zeros(draw.candidates, np.intp), np.zeros((draw.candidates, 4))
    if tables is not None and len(tables):
        on = rng.integers(len(tables), size=draw.candidates)
        table_of = tables[on]
    below, score = _forearm_below(rig, rotation, translation, table_of), np.zeros(draw.candidates)
    for part in np.array_split(np.arange(draw.candidates), max(1, draw.candidates // 256)):
        skin = table.skin[closure[part]] @ np.swapaxes(rotation[part], 1, 2) + translation[part, None]
        distance = field.distance(skin)
        depth = np.maximum(-distance - 0.003, 0.0)
        # skin inside a thin wall is never deep, so it is counted as well as measured
        inside = (distance < -0.0005).mean(axis=1)
        score[part] = 4.0 * depth.mean(axis=1) + 0.2 * depth.max(axis=1) + INSIDE_COST * inside
        height = np.einsum("nvi,ni->nv", skin, table_of[part, :3]) + table_of[part, 3:]
        below[part] = np.maximum(below[part], -height.min(axis=1))
        for group in table.groups:
            points = group[closure[part]] @ np.swapaxes(rotation[part], 1, 2) + translation[part, None]
            score[part] += np.abs(field.distance(points)).min(axis=1) / len(table.groups)
    above = np.flatnonzero(below < MOST_BELOW)
    order = _in_turn(above[np.argsort((score + np.maximum(below, 0.0))[above], kind="stable")], on)
    # half of the places go to the best, half to any of the better third, for variety
    best = order[: keep // 2]
    others = order[keep // 2 : max(keep, len(order) // 3)]
    rest = rng.choice(others, size=min(len(others), keep - len(best)), replace=False)
    chosen = np.concatenate([best, np.sort(rest)])
    chosen = chosen[np.argsort(score[chosen], kind="stable")]
    dof = table.dof[closure[chosen]]
    T = make_transform(rotation[chosen], translation[chosen])
    return Candidates(T, dof, dof.copy(), score[chosen], table_of[chosen])


def _in_turn(order: Int[Array, "m"], of: Int[Array, "n"]) -> Int[Array, "m"]:
    """The best of each kind, then the second of each, and so on: hands fit above some tables far more often."""
    turn = np.zeros(len(order), np.intp)
    for kind in np.unique(of[order]):
        mine = of[order] == kind
        turn[mine] = np.arange(mine.sum())
    return order[np.argsort(turn, kind="stable")]


def _forearm_below(
    rig: HandRig, rotation: Float[Array, "n 3 3"], origin: Float[Array, "n 3"], table: Float[Array, "n 4"]
) -> Float[Array, "n"]:
    """Metres by which the forearm is below its table, the wrist bent upwards as far as it goes; negative above."""
    elevation = np.arcsin(np.clip(np.sum((rotation @ rig.forearm) * table[:, :3], axis=1), -1.0, 1.0))
    raised = np.sin(np.minimum(elevation + WRIST_BEND, 0.5 * np.pi))
    height = np.sum(origin * table[:, :3], axis=1) + table[:, 3] + FOREARM_LENGTH * raised
    return np.where(table.any(axis=1), FOREARM_RADIUS - height, 0.0)


def _frames(axis: Float[Array, "n 3"], hint: Float[Array, "n 3"]) -> Float[Array, "n 3 3"]:
    """Right-handed frames whose first column is ``axis`` and whose second is ``hint`` made orthogonal to it."""
    first = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    second = hint - np.sum(hint * first, axis=1, keepdims=True) * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    return np.stack([first, second, np.cross(first, second)], axis=2)
