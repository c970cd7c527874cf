"""One given grasp put to the same test as what the search finds: closed in physics, measured, shaken every way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from yaff.errors import InputError
from yaff.grasp import Grasps, ReviewState
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.judge import Judge
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES

Array = np.ndarray


@dataclass(frozen=True)
class Proof:
    """What physics made of a grasp."""

    grasps: Grasps
    """The grasp as it settled, a batch of one with every measure; ``VERIFIED``, or what is wrong as its reason."""
    held: bool
    """Whether the object stayed in the hand in every direction in which the type is tested."""
    conforms: bool
    """Whether contacts and posture agree with the type."""


def prove_grasp(
    rig: HandRig,
    obj: ObjectModel,
    grasp_type: int,
    T_object_hand: Float[Array, "4 4"],
    dof: Float[Array, "dof"],
    config: SearchConfig,
    report: Callable[[str], None] | None = None,
) -> Proof:
    """Close the hand on the object from this posture, measure what it settles into, and shake it.

    Args:
        rig: the hand.
        obj: the object.
        grasp_type: Feix number, which decides what closes and what must touch.
        T_object_hand: the wrist.
        dof: degrees of freedom, radians; brought within their limits.
        config: the whole configuration of the search.
        report: told what is being done; may raise to stop.

    Raises:
        InputError: no such type.
        PhysicsError: PyBullet could not make hand or object.
    """
    if grasp_type not in GRASP_TYPES:
        raise InputError(f"unknown grasp type {grasp_type}", remedy="a Feix number, 1 to 33")
    say = report or (lambda stage: None)
    judge = Judge(rig, GRASP_TYPES[grasp_type], obj, config)
    candidate = Candidates(T_object_hand[None], rig.anatomy.clip(dof)[None], dof[None], np.zeros(1))
    say("closing")
    with judge.world() as world:
        (attempt,) = judge.close(world, candidate)
        say("shaking")
        tested = judge.shake(world, attempt, every_direction=True)
    say("measuring")
    grasps = judge.grasps([tested], [f"contact/{grasp_type}/0"])
    held = tested.shaken is not None and tested.shaken.held
    return Proof(grasps, held and bool(grasps.review_state[0] == ReviewState.VERIFIED), tested.conforms)


def first_that_holds(
    rig: HandRig,
    obj: ObjectModel,
    grasp_type: int,
    candidates: Candidates,
    config: SearchConfig,
    report: Callable[[str], None] | None = None,
) -> int | None:
    """The first of some candidates that would be verified, and ``None`` where none is; the rest is not tried.

    Args:
        rig: the hand.
        obj: the object.
        grasp_type: Feix number.
        candidates: in the order in which they are tried.
        config: the whole configuration of the search.
        report: told what is being done; may raise to stop.

    Raises:
        PhysicsError: PyBullet could not make hand or object.
    """
    say = report or (lambda stage: None)
    judge = Judge(rig, GRASP_TYPES[grasp_type], obj, config)
    with judge.world() as world:
        for k in range(len(candidates.dof)):
            say(f"trying {k + 1} of {len(candidates.dof)}")
            (attempt,) = judge.close(world, candidates.rows(np.array([k])))
            if attempt.fault:
                world.forget(attempt.settled)
            elif judge.shake(world, attempt).held:
                return k
    return None
