"""Does a grasp deserve its label? Contacts and posture are held against the definition of the type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from jaxtyping import Bool, Float

from yaff.taxonomy.table import GraspType

Array = np.ndarray


@dataclass(frozen=True)
class Conformity:
    """The verdict on ``n`` grasps of one type."""

    conforms: Bool[Array, "n"]
    """Whether each grasp is of the type, by the rule of :func:`conforms`."""
    score: Float[Array, "n"]
    """Share of the definition that is met: contact groups, avoided patches and thumb, 0 to 1."""
    reasons: tuple[str, ...]
    """What is wrong, empty where the grasp conforms."""


def patch_mask(names: Sequence[str], patterns: Sequence[str]) -> Bool[Array, "patch"]:
    """Which patch names match any of the patterns (``fnmatch``)."""
    return np.array([any(fnmatchcase(name, pattern) for pattern in patterns) for name in names], dtype=bool)


def conforms(
    kind: GraspType,
    patch_names: Sequence[str],
    touching: Bool[Array, "n patch"],
    thumb_abducted: Bool[Array, "n"],
) -> Conformity:
    """Hold the contacts and the thumb of ``n`` grasps against their type.

    A grasp is of the type when at most ``kind.may_miss`` of its contact groups stay off the object (never a whole
    side of the opposition), no avoided patch touches, and the thumb is where the type has it.

    Args:
        kind: the type that the grasps claim to be of.
        patch_names: the patches, in the order of ``touching``'s columns.
        touching: which patches touch the object.
        thumb_abducted: from :meth:`yaff.hand.Anatomy.thumb_is_abducted`.
    """
    n = len(touching)
    touched = np.stack([touching[:, patch_mask(patch_names, g.patches)].any(axis=1) for g in kind.groups], axis=1)
    first, second = len(kind.first), len(kind.first) + len(kind.second)
    missing: Array = np.sum(~touched, axis=1)
    one_sided: Array = ~np.logical_and(touched[:, :first].any(axis=1), touched[:, first:second].any(axis=1))
    avoid = patch_mask(patch_names, kind.avoid)
    forbidden: Array = touching & avoid
    thumb_wrong: Array = np.where(thumb_abducted, kind.thumb_side < 0, kind.thumb_side > 0)

    parts = np.column_stack([touched, ~forbidden.any(axis=1), ~thumb_wrong]).astype(np.float64)
    reasons = []
    for i in range(n):
        wrong = []
        if missing[i] > kind.may_miss or one_sided[i]:
            wrong.append(
                "not touching: " + ", ".join(g.name for g, t in zip(kind.groups, touched[i], strict=True) if not t)
            )
        if forbidden[i].any():
            wrong.append("must not touch: " + ", ".join(patch_names[int(k)] for k in np.flatnonzero(forbidden[i])))
        if thumb_wrong[i]:
            wrong.append(f"thumb not {kind.thumb}")
        reasons.append("; ".join(wrong))
    return Conformity(
        conforms=(missing <= kind.may_miss) & ~one_sided & ~forbidden.any(axis=1) & ~thumb_wrong,
        score=parts.mean(axis=1),
        reasons=tuple(reasons),
    )
