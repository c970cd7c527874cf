"""What is wrong with refined hands, as far as geometry tells: the tests that a grasp of a library has to pass.

No physics: a network is not allowed to try out what it will be judged by.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from yaff.geometry.transforms import make_transform
from yaff.grasp.contacts import contacts_of_samples
from yaff.grasp.penetration import intersection_volume, max_penetration
from yaff.grasp.skin import sample_skin
from yaff.learning.refining import Hands
from yaff.objects import ObjectModel
from yaff.search.config import SelectionConfig
from yaff.search.rig import HandRig
from yaff.taxonomy import GRASP_TYPES, conforms

Array = np.ndarray

NOT_OF_TYPE, SHARED, EXCESS = 1.0, 3.0, 5.0
"""What it costs not to be of the claimed type, to share as much volume with the object as is allowed, and to be beyond
another limit by as much again. Of 144 refined hands, those that physics verified differed from the others in the volume
above all: the area under the curve is 0.85 for it, 0.55 for conformity before closing, 0.67 for the loss."""


def demerits(
    rig: HandRig, models: Sequence[ObjectModel], hands: Hands, limits: SelectionConfig | None = None
) -> Float64[Array, "n"]:
    """How far hands are from what a library keeps, beside their loss: 0 for nothing wrong, more is worse.

    Epsilon is no part of it: fingers that are in the object close force on paper.

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
            rig.self_collision.depth(skin, bones) / limits.most_self_penetration,
        ]
        excess = sum(np.maximum(share - 1.0, 0.0) for share in beyond)
        result[rows] = NOT_OF_TYPE * ~of_type + SHARED * shared / limits.most_intersection + EXCESS * excess
    return result
