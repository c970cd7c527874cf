"""Where the joint axes of a hand lie, from its rest joints alone, so that they hold for any MANO-like hand.

All directions are unit vectors in the axes of the template. The construction uses cross products throughout,
so that the axes of a mirrored hand are the mirror images (as axial vectors) of those of the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from yaff.hand.model import FINGER_JOINTS, HandModel, Side

Array = np.ndarray
Direction = Float[Array, "3"]

THUMB_PAD_ROLL = np.deg2rad(50.0)
"""How far the thumb's pad is turned from the palmar towards the ulnar direction when the hand lies flat.

The trapezium holds the thumb pronated by about 80 degrees against the third metacarpal (Cooney, Lucca, Chao,
Linscheid 1981); lying flat, the column supinates by about 30 of them.
"""


@dataclass(frozen=True)
class PalmFrame:
    """Directions of the palm at rest."""

    palmar: Direction
    """Out of the palm, the way it faces."""
    distal: Direction
    """From the wrist towards the middle finger."""
    radial: Direction
    """Towards the thumb."""
    handedness: float
    """+1 for a right hand, -1 for a left one: ``radial = handedness * cross(distal, palmar)``."""


def palm_frame(rest_joints: Float[Array, "16 3"], side: Side) -> PalmFrame:
    """The plane through wrist, index knuckle and little-finger knuckle, and the directions within it."""
    handedness = 1.0 if side == "right" else -1.0
    wrist, index, pinky = (rest_joints[j] for j in (0, FINGER_JOINTS["index"][0], FINGER_JOINTS["pinky"][0]))
    palmar = unit(handedness * np.cross(index - wrist, pinky - wrist))
    distal = unit(across(rest_joints[FINGER_JOINTS["middle"][0]] - wrist, palmar))
    return PalmFrame(palmar, distal, handedness * np.cross(distal, palmar), handedness)


def joint_axes(model: HandModel) -> dict[str, Direction]:
    """The axis of every anatomical degree of freedom, by name; positive turns follow the right-hand rule.

    Fingers (Kapandji 1982): flexion about the transverse axis of the knuckle, perpendicular to the finger.
    The knuckles stand on the transverse arch of the palm, whose slope rolls each finger's plane, so that the
    flexed fingers converge. Abduction about the axis perpendicular to flexion and finger; positive leads
    away from the middle finger, and for the middle finger itself towards the thumb.

    Thumb: palmar abduction turns the metacarpal out of the plane of the palm, the way the palm faces;
        flexion sweeps
    it across, towards the fingers; rotation about the metacarpal, positive in pronation, turns the pad to the
    fingertips. The three are perpendicular to each other. MCP and IP flex towards the pad, which is rolled by
    :data:`THUMB_PAD_ROLL`.
    """
    joints = model.rest_joints
    palm = palm_frame(joints, model.side)
    return {**_finger_axes(joints, palm), **_thumb_axes(joints, palm)}


def finger_flexion_axis(finger: str, joints: Float[Array, "16 3"], palm: PalmFrame) -> Direction:
    """The common flexion axis of a finger's three joints, half-way between the flat palm's and the knuckles'
    arch.
    """
    order = ["index", "middle", "ring", "pinky"]
    place = order.index(finger)
    radial_neighbour, ulnar_neighbour = order[max(place - 1, 0)], order[min(place + 1, 3)]
    arch = unit(joints[FINGER_JOINTS[radial_neighbour][0]] - joints[FINGER_JOINTS[ulnar_neighbour][0]])
    along = finger_direction(finger, joints)
    flat, arched = unit(across(palm.radial, along)), unit(across(arch, along))
    return palm.handedness * unit(flat + arched)


def finger_direction(finger: str, joints: Float[Array, "16 3"]) -> Direction:
    """From a finger's first joint to its third; for the thumb along its proximal phalanx."""
    chain = FINGER_JOINTS[finger]
    return unit(joints[chain[2]] - joints[chain[1 if finger == "thumb" else 0]])


def pad_direction(finger: str, joints: Float[Array, "16 3"], palm: PalmFrame) -> Direction:
    """The way the finger's pad faces at rest: where its flexion leads."""
    along = finger_direction(finger, joints)
    if finger != "thumb":
        return np.cross(finger_flexion_axis(finger, joints, palm), along)
    palmar = unit(across(palm.palmar, along))
    ulnar = palm.handedness * np.cross(palmar, along)
    return np.cos(THUMB_PAD_ROLL) * palmar + np.sin(THUMB_PAD_ROLL) * ulnar


def unit(vector: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3"]:
    """The vector at length one."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def across(vector: Float[Array, "3"], along: Direction) -> Float[Array, "3"]:
    """The part of a vector perpendicular to a direction."""
    return vector - (vector @ along) * along


def _finger_axes(joints: Array, palm: PalmFrame) -> Mapping[str, Array]:
    axes: dict[str, Array] = {}
    for finger in ("index", "middle", "ring", "pinky"):
        flexion = finger_flexion_axis(finger, joints, palm)
        radial = palm.handedness * flexion
        away = radial if finger in ("index", "middle") else -radial
        axes[f"{finger}.mcp.abduction"] = np.cross(finger_direction(finger, joints), away)
        for joint in ("mcp", "pip", "dip"):
            axes[f"{finger}.{joint}.flexion"] = flexion
    return axes


def _thumb_axes(joints: Array, palm: PalmFrame) -> Mapping[str, Array]:
    carpal, knuckle, _ = FINGER_JOINTS["thumb"]
    metacarpal = unit(joints[knuckle] - joints[carpal])
    palmar = unit(across(palm.palmar, metacarpal))
    towards_fingers = palm.handedness * np.cross(palmar, metacarpal)
    hinge = np.cross(finger_direction("thumb", joints), pad_direction("thumb", joints, palm))
    return {
        "thumb.cmc.abduction": np.cross(metacarpal, palmar),
        "thumb.cmc.flexion": np.cross(metacarpal, towards_fingers),
        "thumb.cmc.rotation": -palm.handedness * metacarpal,
        "thumb.mcp.flexion": hinge,
        "thumb.ip.flexion": hinge,
    }
