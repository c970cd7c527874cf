"""What predicted grasps are worth: the measures of GanHand's table (Corona et al., CVPR 2020) and a few more.

Each is defined here, where it is computed; ``docs/learning.md`` has them in words. Everything is computed by the same
judges as the grasps of a library: :func:`yaff.grasp.measure_grasps`, :func:`yaff.search.given.conforming_types`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64

from yaff.geometry.transforms import apply
from yaff.grasp import measure_grasps
from yaff.grasp.contacts import contacts_of_samples
from yaff.grasp.penetration import closing_faces
from yaff.grasp.skin import sample_skin
from yaff.hand.model import FINGERTIP_VERTICES
from yaff.learning.instances import InstanceTable
from yaff.learning.predicting import Predictions
from yaff.objects import ObjectModel
from yaff.search.rig import HandRig
from yaff.store.columns import TYPES
from yaff.taxonomy import GRASP_TYPES, conforms

Array = np.ndarray

DIGITS = ("thumb", "index", "middle", "ring", "pinky", "palm")


@dataclass(frozen=True)
class GraspableLimits:
    """When a hand grasps an object, as far as geometry tells."""

    contacts: int = 2
    """Digits that touch at the least, the palm counting as one."""
    intersection: float = 2.0e-6
    """Volume shared with the object at the most, cubic metres."""
    penetration: float = 0.006
    """Depth of the deepest skin inside the object, metres."""
    plane: float = 2.0e-6
    """Volume below the support plane at the most, cubic metres."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Every measure of ``n`` predictions, in their order."""

    predictions: Predictions
    graspable: Bool[Array, "n"]
    contacts: Int64[Array, "n"]
    """Digits that touch, the palm counting as one."""
    intersection: Float64[Array, "n"]
    """Cubic metres shared with the object."""
    penetration: Float64[Array, "n"]
    """Metres."""
    below_plane: Float64[Array, "n"]
    """Cubic metres below the support plane; 0 where none is known."""
    epsilon: Float64[Array, "n"]
    conforms: Bool[Array, "n"]
    """Whether contacts and thumb are those of the claimed type."""
    to_truth: Float64[Array, "n"]
    """Mean distance of 21 keypoints to those of the nearest feasible grasp, metres; up to the object's symmetries."""


def judge(
    predictions: Predictions,
    table: InstanceTable,
    rig: HandRig,
    models: Sequence[ObjectModel],
    limits: GraspableLimits | None = None,
) -> Judged:
    """Measure predictions on instances of a table.

    Raises:
        InputError: skin that is not finite.
    """
    limits = limits or GraspableLimits()
    n = len(predictions)
    floats = {name: np.zeros(n) for name in ("intersection", "penetration", "below_plane", "epsilon", "to_truth")}
    contacts, conform = np.zeros(n, np.int64), np.zeros(n, bool)
    indices = table.object_index[predictions.row]
    for model in models:
        rows = np.flatnonzero(indices == model.index)
        if not len(rows):
            continue
        some = predictions.only(rows)
        grasps = some.grasps(rig.model, model.name)
        measures = measure_grasps(rig.model, rig.patches, model, grasps)
        floats["intersection"][rows] = measures["intersection_volume"]
        floats["penetration"][rows] = measures["max_penetration"]
        floats["epsilon"][rows] = measures["epsilon"]
        skin = rig.model.vertices(grasps)
        touch = contacts_of_samples(sample_skin(skin, rig.model.faces, model.sdf, reach=0.003), rig.patches, model)
        contacts[rows] = digits_touching(touch.touching, rig.patches.names).sum(1)
        conform[rows] = _conform(rig, some.grasp_type, touch.touching, np.asarray(grasps.pose, np.float64))
        floats["below_plane"][rows] = _below_planes(table, some.row, skin, rig.model.faces)
        floats["to_truth"][rows] = _to_truth(table, some.row, rig, skin, np.asarray(model.symmetries))
    graspable = (
        (contacts >= limits.contacts)
        & (floats["intersection"] <= limits.intersection)
        & (floats["penetration"] <= limits.penetration)
        & (floats["below_plane"] <= limits.plane)
    )
    return Judged(predictions, graspable, contacts, conforms=conform, **floats)


def digits_touching(touching: Bool[Array, "n p"], names: Sequence[str]) -> Bool[Array, "n 6"]:
    """Which of :data:`DIGITS` touch, of touching patches."""
    owner = np.array([name.split(".")[0] for name in names])
    return np.stack([touching[:, owner == digit].any(axis=1) for digit in DIGITS], axis=1)


def volume_below(
    vertices: Float[Array, "n v 3"], faces: Int[Array, "f 3"], heights: Float[Array, "n v"], normal: Float[Array, "3"]
) -> Float64[Array, "n"]:
    """Volume (cubic metres) of closed meshes below a plane, from the heights (metres) of their vertices over it.

    The divergence theorem with the field (height) x normal, which vanishes on the cut: the flux through the part of
    the surface that is below. A triangle's part below is a triangle, or the triangle less one; over a triangle the
    integral of a linear function is its area times the mean of its corners.
    """
    corners = vertices[:, faces]
    area = 0.5 * np.cross(corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]) @ normal
    h = np.sort(heights[:, faces], axis=2)
    below = (h < 0.0).sum(2)
    lowest, middle, highest = h[..., 0], h[..., 1], h[..., 2]
    tiny = 1e-12
    # one corner below: similar triangles along both edges that leave it
    share = lowest**2 / np.maximum((lowest - middle) * (lowest - highest), tiny)
    one = share * lowest / 3.0
    # two below: all of it, less the corner above
    above = highest**2 / np.maximum((highest - lowest) * (highest - middle), tiny)
    two = h.mean(2) - above * highest / 3.0
    mean = np.select([below == 1, below == 2, below == 3], [one, two, h.mean(2)], 0.0)
    return np.maximum((area * mean).sum(1), 0.0)


def _below_planes(
    table: InstanceTable, rows: Int64[Array, "n"], skin: Float[Array, "n v 3"], faces: Int[Array, "f 3"]
) -> Float64[Array, "n"]:
    closed = np.concatenate([faces, closing_faces(np.asarray(faces, np.int64).tobytes())])
    placement = table.placement[rows]
    result = np.zeros(len(rows))
    for one in np.unique(placement):
        if table.plane_known[one]:
            mine, plane = np.flatnonzero(placement == one), table.plane[one]
            heights = skin[mine] @ plane[:3] + plane[3]
            result[mine] = volume_below(skin[mine], closed, heights, plane[:3])
    return result


def _conform(
    rig: HandRig, kinds: Int64[Array, "n"], touching: Bool[Array, "n p"], pose: Float[Array, "n 45"]
) -> Bool[Array, "n"]:
    abducted = rig.anatomy.thumb_is_abducted(pose)
    result = np.zeros(len(kinds), bool)
    for number in np.unique(kinds):
        rows = np.flatnonzero(kinds == number)
        verdict = conforms(GRASP_TYPES[int(number)], rig.patches.names, touching[rows], abducted[rows])
        result[rows] = verdict.conforms
    return result


def keypoint_rows() -> Int64[Array, "5"]:
    """The vertices at the fingertips."""
    return np.array(list(FINGERTIP_VERTICES.values()), np.int64)


def _keypoints(rig: HandRig, skin: Float[Array, "n v 3"]) -> Float64[Array, "n k 3"]:
    """Points that say how a hand is held: joints, as means of the skin they carry, and fingertips."""
    weights = rig.model.weights / rig.model.weights.sum(0)
    joints = np.einsum("vj,nvc->njc", weights, skin)
    return np.concatenate([joints, skin[:, keypoint_rows()]], axis=1)


def _to_truth(
    table: InstanceTable,
    rows: Int64[Array, "n"],
    rig: HandRig,
    skin: Float[Array, "n v 3"],
    symmetries: Float[Array, "s 4 4"],
) -> Float64[Array, "n"]:
    points = _keypoints(rig, skin)
    result = np.zeros(len(rows))
    placement = table.placement[rows]
    for one in np.unique(placement):
        mine = np.flatnonzero(placement == one)
        true = _true_keypoints(table, rig, table.feasible_of(int(rows[mine[0]])))
        flat = true.reshape(len(true), -1)
        best = np.full(len(mine), np.inf)
        for motion in symmetries:
            moved = apply(motion, points[mine])
            # mean over keypoints of their distance, to each true grasp
            apart = np.linalg.norm(moved[:, None] - flat.reshape(1, len(true), -1, 3), axis=-1).mean(-1)
            best = np.minimum(best, apart.min(1))
        result[mine] = best
    return result


def _true_keypoints(table: InstanceTable, rig: HandRig, grasps: Int64[Array, "g"]) -> Float64[Array, "g k 3"]:
    some = table.grasps
    shape = some.shape[grasps].astype(np.float64)
    zero = np.zeros((len(grasps), 3))
    rest = rig.model.vertices(some.pose[grasps], zero, zero, shape) - rig.model.root(shape)[:, None]
    return _keypoints(rig, apply(some.T_object_hand[grasps], rest))


def diversity(judged: Judged, rig: HandRig) -> float:
    """Mean distance (metres) of the keypoints of two predictions of the same instance; 0 with one for each."""
    predictions = judged.predictions
    wrist, translation = rig.model.wrist_parameters(predictions.T_object_hand)
    points = _keypoints(rig, rig.model.vertices(predictions.pose, wrist, translation))
    apart = []
    for row in np.unique(predictions.row):
        mine = points[predictions.row == row]
        if len(mine) > 1:
            first, second = np.triu_indices(len(mine), k=1)
            apart.append(np.linalg.norm(mine[first] - mine[second], axis=-1).mean())
    return float(np.mean(apart)) if apart else 0.0


def type_accuracy(scores: Float[Array, "n 33"], feasible: Bool[Array, "n 33"], among: int) -> float:
    """Share of instances of which one of the ``among`` types with the highest scores is feasible."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :among]
    return float(np.take_along_axis(feasible, best, 1).any(1).mean())


def confusion(scores: Float[Array, "n 33"], feasible: Bool[Array, "n 33"]) -> Float64[Array, "33 33"]:
    """Row: the likeliest type of an instance; column: where it should have been. A feasible type is where it should be;
    the others are spread over the types that were feasible."""
    result = np.zeros((TYPES, TYPES))
    for best, allowed in zip(scores.argmax(1), feasible, strict=True):
        if allowed[best]:
            result[best, best] += 1.0
        else:
            result[best, allowed] += 1.0 / allowed.sum()
    return result
