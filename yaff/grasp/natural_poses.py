"""What hands commonly look like: natural poses made from the anatomy, and their principal components.

MANO's components come from scans of people. The built-in hand has no scans; its components come from poses that stand
for what hands do, made from data and a stated prior:

- the preshapes of the 33 grasp types, from open to closed and a little beyond (:data:`CLOSURES`);
- the way from the flat hand to a fist and to a hook, thumb beside and across;
- the thumb against each finger, the other fingers open or curled;
- counting: every subset of the fingers curled;
- as many again from a Gaussian prior with the synergies of grasping hands (Santello, Flanders, Soechting 1998: two
  components hold over 80 % of the variance; the first closes all fingers, the second trades knuckles against middle
  joints), fingers that follow each other, and end joints at two thirds of the middle joints (Rijpkema, Girard 1991).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
from jaxtyping import Float

from yaff.hand import Anatomy, HandModel
from yaff.hand.components import PoseComponents, principal_components
from yaff.taxonomy import GRASP_TYPES
from yaff.taxonomy.table import FINGERS

Array = np.ndarray

CLOSURES: Float[Array, "k"] = np.linspace(0.0, 1.2, 13)
"""How far preshapes are closed: 0 open, 1 closed, and beyond, as on something small."""
SAMPLES = 600
"""Poses drawn from the prior."""

_CURL = {"mcp.flexion": 1.4, "pip.flexion": 1.7, "dip.flexion": 1.0}
_HOOK = {"mcp.flexion": 0.1, "pip.flexion": 1.7, "dip.flexion": 1.0}
_BESIDE = {"thumb.cmc.abduction": 0.1, "thumb.mcp.flexion": 0.1}
_ACROSS = {
    "thumb.cmc.abduction": 0.5,
    "thumb.cmc.flexion": 0.6,
    "thumb.cmc.rotation": 0.5,
    "thumb.mcp.flexion": 0.5,
    "thumb.ip.flexion": 0.7,
}
_OPPOSED = {  # how far the thumb reaches for each finger
    "index": {"thumb.cmc.flexion": 0.15, "thumb.cmc.rotation": 0.5, "thumb.mcp.flexion": 0.2},
    "middle": {"thumb.cmc.flexion": 0.35, "thumb.cmc.rotation": 0.6, "thumb.mcp.flexion": 0.3},
    "ring": {"thumb.cmc.flexion": 0.55, "thumb.cmc.rotation": 0.75, "thumb.mcp.flexion": 0.4},
    "pinky": {"thumb.cmc.flexion": 0.75, "thumb.cmc.rotation": 0.9, "thumb.mcp.flexion": 0.5},
}
_PINCH = {"mcp.flexion": 0.75, "pip.flexion": 0.85, "dip.flexion": 0.4}


def preshape_angles(anatomy: Anatomy, closures: Float[Array, "k"] = CLOSURES) -> Float[Array, "n d"]:
    """Angles (33 k, d), radians, of the preshapes of all grasp types at closures from 0 (open) to 1 (closed)."""
    rows = []
    for grasp_type in GRASP_TYPES.values():
        opened, closed = (anatomy.angles({n: v[i] for n, v in grasp_type.preshape.items()}) for i in (0, 1))
        rows.append(opened + np.asarray(closures)[:, None] * (closed - opened))
    return np.concatenate(rows)


def natural_angles(anatomy: Anatomy, generator: np.random.Generator) -> Float[Array, "n d"]:
    """Angles (n, d), radians, of natural poses, all within the anatomical limits."""
    made = np.stack([anatomy.angles(values) for values in (*_closing(), *_opposing(), *_counting())])
    return anatomy.clip(np.concatenate([preshape_angles(anatomy), made, _drawn(anatomy, generator)]))


def natural_components(model: HandModel) -> PoseComponents:
    """The components a hand's file brought; for a hand without, those of natural poses: the same each time.

    A left hand's are the mirror image of the right hand's, so that equal coefficients mean mirror-image poses.
    """
    if model.components is not None:
        return model.components
    if model.side == "left":
        return natural_components(model.mirrored()).mirrored()
    anatomy = Anatomy(model)
    return principal_components(anatomy.pose_from_dof(natural_angles(anatomy, np.random.default_rng(0))))


def with_natural_components(model: HandModel) -> HandModel:
    """The hand with components, as it is written for others."""
    return model if model.components is not None else replace(model, components=natural_components(model))


def _fingers(motion: Mapping[str, float], share: float, fingers: tuple[str, ...] = FINGERS) -> dict[str, float]:
    return {f"{finger}.{joint}": share * angle for finger in fingers for joint, angle in motion.items()}


def _closing() -> list[dict[str, float]]:
    """From the flat hand to fist and hook."""
    return [
        {**_fingers(curl, share), **{name: share * angle for name, angle in thumb.items()}}
        for curl, thumb, share in product((_CURL, _HOOK), (_BESIDE, _ACROSS), np.linspace(0.0, 1.0, 11))
    ]


def _opposing() -> list[dict[str, float]]:
    """The thumb against one finger after the other."""
    poses = []
    for (finger, thumb), others, share in product(_OPPOSED.items(), (0.1, 0.6), np.linspace(0.2, 1.0, 9)):
        rest = tuple(other for other in FINGERS if other != finger)
        reach = {"thumb.cmc.abduction": 0.85, "thumb.ip.flexion": 0.3, **thumb}
        moved = {name: share * angle for name, angle in reach.items()}
        poses.append({**_fingers(_CURL, others * share, rest), **_fingers(_PINCH, share, (finger,)), **moved})
    return poses


def _counting() -> list[dict[str, float]]:
    """Every subset of the fingers curled, the thumb across them or not."""
    poses = []
    for curled, thumb in product(product((False, True), repeat=len(FINGERS)), (_BESIDE, _ACROSS)):
        chosen = tuple(finger for finger, is_curled in zip(FINGERS, curled, strict=True) if is_curled)
        poses.append({**_fingers(_CURL, 0.9, chosen), **thumb})
    return poses


def _drawn(anatomy: Anatomy, generator: np.random.Generator) -> Float[Array, "n d"]:
    """Poses from the prior: mean, two synergies, a third for the thumb, and what each finger does alone."""
    closing, trade, reach = generator.normal(size=(3, SAMPLES))
    rows = np.zeros((SAMPLES, len(anatomy)))

    def put(name: str, values: Array, alone: float) -> Array:
        rows[:, anatomy.index(name)] = values + alone * generator.normal(size=SAMPLES)
        return rows[:, anatomy.index(name)]

    for finger, spread in zip(FINGERS, (0.06, 0.0, 0.05, 0.12), strict=True):
        put(f"{finger}.mcp.abduction", spread - 0.5 * spread * closing, 0.05)
        put(f"{finger}.mcp.flexion", 0.50 + 0.35 * closing + 0.20 * trade, 0.12)
        middle = put(f"{finger}.pip.flexion", 0.70 + 0.45 * closing - 0.25 * trade, 0.15)
        put(f"{finger}.dip.flexion", 2.0 / 3.0 * middle, 0.05)
    put("thumb.cmc.abduction", 0.55 + 0.25 * reach, 0.10)
    put("thumb.cmc.flexion", 0.15 + 0.15 * closing + 0.15 * reach, 0.10)
    put("thumb.cmc.rotation", 0.35 + 0.20 * reach, 0.08)
    put("thumb.mcp.flexion", 0.20 + 0.15 * closing, 0.10)
    put("thumb.ip.flexion", 0.30 + 0.20 * closing, 0.12)
    return rows
