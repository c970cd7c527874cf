"""One correction, tried on its siblings: what a person did to one grasp may mend others of the same object and type.

A correction is what changed between before and after: the degrees of freedom, and the motion of the wrist in the hand's
own frame. It is applied to the other doubtful grasps of the pair; and because a symmetric object looks the same from
its other side, the mended grasp itself is carried there. What verifies is proposed; a person still decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from annotator.editing import Editor
from annotator.store import Decision, Entry, GraspState, Item, ItemState, Verification
from yaff.geometry.transforms import invert

Array = np.ndarray

MOST = 12
"""Siblings that are tried after one decision: each costs a second or two of physics."""

SAME_PLACE, SAME_TURN = 0.005, 0.1
"""A symmetric copy nearer than this to the grasp itself (metres, radians) is no other grasp."""


@dataclass(frozen=True)
class Sibling:
    """A grasp that the correction was carried to, not yet tried."""

    key: str
    """What it will be in the queue."""
    source: str
    """The grasp it came from, in words."""
    state: GraspState


def siblings_of(
    editor: Editor,
    decision: Decision,
    others: Iterable[tuple[Item, GraspState]],
    symmetries: Float[Array, "k 4 4"],
    most: int = MOST,
) -> list[Sibling]:
    """What an accepted correction suggests, symmetric copies first.

    Args:
        editor: of the hand.
        decision: the accepted edit.
        others: the doubtful grasps of the same object and type.
        symmetries: of the object, identity included.
        most: at most so many.
    """
    before, after = decision.before, decision.after
    delta_dof = editor.dof(after) - editor.dof(before)
    delta_wrist = invert(editor.wrist(before)) @ editor.wrist(after)
    T_after = editor.wrist(after)
    name = f"sibling/{after.digest[:16]}"  # the same correction, accepted again, proposes nothing twice
    found: list[Sibling] = []
    for k, S in enumerate(_others(symmetries, T_after)):
        turned = editor.with_wrist(after, S @ T_after)
        found.append(Sibling(f"{name}/turned/{k}", f"{decision.item_key}, turned", turned))
    for item, state in others:
        if item.key == decision.item_key:
            continue
        bent = editor.all_dof(state, editor.dof(state) + delta_dof)
        moved = editor.with_wrist(bent, editor.wrist(state) @ delta_wrist).changed(grasp_type=after.grasp_type)
        found.append(Sibling(f"{name}/{item.key}", item.key, moved))
    return found[:most]


def proposal(item: Item, sibling: Sibling, verdict: Verification, decision: Decision) -> Entry:
    """What goes into the queue for a sibling that verified: before everything else, because it costs one glance."""
    worst = {name: _worst(verdict.measures.get(name)) for name in ("epsilon", "max_penetration", "shake_translation")}
    return Entry(
        replace(
            item,
            number=0,
            key=sibling.key,
            row=None,
            grasp_type=sibling.state.grasp_type,
            state=ItemState.OPEN,
            shortfall=0.0,
            reason=f"proposed: as {decision.annotator} mended {decision.item_key}, on {sibling.source}",
            priority=-1,
            judgements=0,
            wanted=1,
            annotator=None,
            leased_by=None,
            leased_until=None,
            epsilon=worst["epsilon"],
            penetration=worst["max_penetration"],
            shake_translation=worst["shake_translation"],
            shake_rotation=_worst(verdict.measures.get("shake_rotation")),
        ),
        verdict.settled,
        dict(verdict.measures),
        decision.uid,
    )


def _others(symmetries: Float[Array, "k 4 4"], T: Float[Array, "4 4"]) -> Sequence[Array]:
    """The symmetries that carry this wrist elsewhere."""
    kept = []
    for S in symmetries:
        moved = S @ T
        turn = np.arccos(np.clip(0.5 * (np.trace(moved[:3, :3] @ T[:3, :3].T) - 1.0), -1.0, 1.0))
        if np.linalg.norm(moved[:3, 3] - T[:3, 3]) > SAME_PLACE or turn > SAME_TURN:
            kept.append(S)
    # of a body of revolution there are many: a few that lie apart are enough
    stride = max(1, len(kept) // 4)
    return kept[::stride][:4]


def _worst(value: object) -> float | None:
    values = [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, float)]
    return max(values) if values else None
