"""What is wrong with refined hands, as far as geometry tells: the tests that a grasp of a library has to pass.

No physics: a network is not allowed to try out what it will be judged by.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from yaff.geometry.transforms import make_transform
from yaff.grasp.contacts import contacts_of_samples
from yaff.grasp.measures import wrench_measures
from yaff.grasp.penetration import intersection_volume, max_penetration
from yaff.grasp.skin import sample_skin
from yaff.learning.refining import Hands
from yaff.objects import ObjectModel
from yaff.search.config import SelectionConfig
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES, conforms

Array = np.ndarray

NOT_OF_TYPE, EXCESS, HOLD = 10.0, 5.0, 3.0
"""What it costs not to be of the claimed type, to be beyond a limit by as much again, and not to close force."""
GOOD_EPSILON = 0.2
"""More than this is not asked for."""


def demerits(
    rig: HandRig, models: Sequence[ObjectModel], hands: Hands, limits: SelectionConfig | None = None
) -> Float64[Array, "n"]:
    """How far hands are from what a library keeps, beside their loss: 0 for nothing wrong, more is worse.

    Args:
        rig: the hand.
        models: the objects, by slot.
        hands: in the frames of their objects.
        limits: of what a library keeps.
    """
    limits = limits or SelectionConfig()
    result = np.zeros(len(hands.slot))
    slots, kinds = hands.slot.cpu().numpy(), hands.grasp_type.cpu().numpy() + 1
    rotation, origin, dof = (v.detach().double().cpu().numpy() for v in (hands.rotation, hands.origin, hands.dof))
    pose = rig.anatomy.pose_from_dof(dof)
    wrist, translation = rig.model.wrist_parameters(make_transform(rotation, origin))
    for slot in np.unique(slots):
        rows, obj = np.flatnonzero(slots == slot), models[int(slot)]
        skin = rig.model.vertices(pose[rows], wrist[rows], translation[rows])
        bones = rig.model.bone_transforms(pose[rows], wrist[rows], translation[rows])
        samples = sample_skin(skin, rig.model.faces, obj.sdf, reach=limits.contact_distance)
        contacts = contacts_of_samples(samples, rig.patches, obj, limits.contact_distance)
        abducted = rig.anatomy.thumb_is_abducted(pose[rows])
        of_type = np.zeros(len(rows), bool)
        for kind in np.unique(kinds[rows]):
            mine = kinds[rows] == kind
            verdict = conforms(GRASP_TYPES[int(kind)], rig.patches.names, contacts.touching[mine], abducted[mine])
            of_type[mine] = verdict.conforms
        shared = intersection_volume(samples, skin, rig.model.faces, obj.sdf)
        beyond = [
            max_penetration(samples) / limits.most_penetration,
            shared / limits.most_intersection,
            rig.self_collision.depth(skin, bones) / limits.most_self_penetration,
        ]
        excess = sum(np.maximum(share - 1.0, 0.0) for share in beyond)
        epsilon = wrench_measures(contacts, obj)[:, 0]
        weak = 1.0 - np.minimum(epsilon / GOOD_EPSILON, 1.0)
        result[rows] = NOT_OF_TYPE * ~of_type + EXCESS * excess + HOLD * weak
    return result
