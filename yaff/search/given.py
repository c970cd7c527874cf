"""Grasps that somebody else made, tested like our own: closed and shaken in the same world, held to the same limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from yaff.errors import InputError
from yaff.grasp import Grasps, measure_grasps
from yaff.grasp.batch import ReviewState
from yaff.grasp.contacts import find_contacts
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.judge import Attempt, Judge, make_rig
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES, conforms

Array = np.ndarray


def verify_given(hand: HandModel | HandRig, obj: ObjectModel, grasps: Grasps, config: SearchConfig) -> Grasps:
    """The same grasps, row by row, with every measure and a verdict.

    The hand is put where the grasp has it and closes from there. Where the object then holds through the shakes and
    everything else is in order, the row is VERIFIED and its pose is the one that physics settled into, as with any
    grasp of the search. Where not, the row keeps its pose, is measured there, and needs review for the reason given.

    Args:
        hand: the hand, or what was already derived from it.
        obj: the object.
        grasps: of this object, any types; measures are not needed. Provenance is kept.
        config: the physics, the limits and the approach.

    Raises:
        InputError: grasps of another object.
    """
    if grasps.object_name != obj.name:
        raise InputError(f"grasps of {grasps.object_name} on {obj.name}")
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    rows: dict[int, Grasps] = {}
    for number in np.unique(grasps.grasp_type):
        index = np.flatnonzero(grasps.grasp_type == number)
        batch = _verdict(Judge(rig, GRASP_TYPES[int(number)], obj, config), grasps[index])
        rows |= {int(row): batch[k : k + 1] for k, row in enumerate(index)}
    return Grasps.concatenate([rows[row] for row in range(len(grasps))]) if rows else Grasps.empty(obj.name)


def conforming_types(
    hand: HandModel | HandRig, obj: ObjectModel, grasps: Grasps, config: SearchConfig
) -> tuple[Bool[Array, "n 33"], Float[Array, "n 33"]]:
    """Which of the 33 types each grasp is of, whatever its label, and how much of each definition is met (0 to 1).

    The judge is the one of the search, at the very poses, which need not be ones that the degrees of freedom can take.
    """
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    conform, score = np.zeros((len(grasps), 33), bool), np.zeros((len(grasps), 33))
    contacts = find_contacts(rig.model, rig.patches, rig.model.vertices(grasps), obj, config.select.contact_distance)
    abducted = rig.anatomy.thumb_is_abducted(np.asarray(grasps.pose, np.float64))
    for number, kind in GRASP_TYPES.items():
        verdict = conforms(kind, rig.patches.names, contacts.touching, abducted)
        conform[:, number - 1], score[:, number - 1] = verdict.conforms, verdict.score
    return conform, score


def _verdict(judge: Judge, grasps: Grasps) -> Grasps:
    """Grasps of one type, tested."""
    T, dof = _states(judge.rig, grasps)
    dof = judge.rig.anatomy.clip(dof)
    attempts: list[Attempt] = []
    with judge.world() as world:
        # one by one: a saved state is consumed before the next is made
        for row in range(len(grasps)):
            (attempt,) = judge.close(world, Candidates(T[[row]], dof[[row]], dof[[row]], np.zeros(1)))
            attempts.append(judge.shake(world, attempt, every_direction=True))
    settled = judge.grasps(attempts, list(grasps.provenance))
    held = np.array([attempt.held for attempt in attempts])
    both = Grasps.concatenate([settled, _as_given(judge, grasps, settled)])
    chosen = both[np.where(held, np.arange(len(grasps)), np.arange(len(grasps)) + len(grasps))]
    return replace(chosen, provenance=grasps.provenance)


def _states(rig: HandRig, grasps: Grasps) -> tuple[Float[Array, "n 4 4"], Float[Array, "n dof"]]:
    """Wrists, and degrees of freedom (radians), which may lie beyond the limits of the anatomy."""
    dof, _ = rig.anatomy.dof_from_pose(np.asarray(grasps.pose, np.float64))
    return rig.model.wrist_transform(grasps.wrist_rotation, grasps.translation, grasps.shape), dof


def _as_given(judge: Judge, grasps: Grasps, settled: Grasps) -> Grasps:
    """The poses as they came, measured there; shakes and reasons are those of the hand that was tested."""
    batch = Grasps.make(
        grasps.object_name,
        grasps.pose,
        np.asarray(grasps.wrist_rotation),
        np.asarray(grasps.translation),
        grasps.grasp_type,
        shape=np.asarray(grasps.shape, np.float32),
        review_state=np.full(len(grasps), ReviewState.NEEDS_REVIEW, np.uint8),
        reason=settled.reason,
        provenance=grasps.provenance,
    )
    measures = {**settled.measures, **measure_grasps(judge.rig.model, judge.rig.patches, judge.obj, batch)}
    return replace(batch, measures={name: np.asarray(values, np.float32) for name, values in measures.items()})
