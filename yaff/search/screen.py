"""Which refined candidates physics may make a grasp of: cheap tests before the hand is closed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from yaff.grasp.penetration import intersection_volume
from yaff.grasp.skin import sample_skin
from yaff.objects import ObjectModel
from yaff.search.config import SearchConfig
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig, TypeSkin
from yaff.taxonomy import GraspType

Array = np.ndarray

THROUGH = 2.0
"""Candidates that share this many times the volume allowed to a kept grasp are not closed."""

CROSSED = 1.5
"""Nor those that overlap themselves by this many times the depth allowed."""


def hopeless(
    rig: HandRig, kind: GraspType, obj: ObjectModel, candidates: Candidates, config: SearchConfig
) -> Mapping[str, Bool[Array, "n"]]:
    """What is wrong with candidates, by reason: a candidate of which nothing is wrong is worth closing.

    Physics cannot pull a finger out of a wall, or the palm off an object that it must not touch, nor bring a finger
    that ended far off.
    """
    model, select = rig.model, config.select
    pose = rig.anatomy.pose_from_dof(candidates.dof)
    wrist, translation = model.wrist_parameters(candidates.T_object_hand)
    vertices = model.vertices(pose, wrist, translation)
    samples = sample_skin(vertices, model.faces, obj.sdf, reach=0.0)
    skin, distance = TypeSkin.of(rig, kind), samples.vertex_distance
    gap = np.stack([distance[:, group].min(axis=1) for group in skin.groups], axis=1)
    touches = distance[:, skin.avoid].min(axis=1, initial=np.inf) < -select.contact_distance
    shared = intersection_volume(samples, vertices, model.faces, obj.sdf)
    bones = model.bone_transforms(pose, wrist, translation)
    return {
        "goes through the object": shared > THROUGH * select.most_intersection,
        "out of reach": (gap > config.refine.reach).sum(axis=1) > kind.may_miss,
        "touches what it must not": touches,
        "crosses itself": rig.self_collision.depth(vertices, bones) > CROSSED * select.most_self_penetration,
    }
