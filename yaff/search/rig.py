"""The hand made ready for the search: kinematics, skin groups and closing motion of a grasp type, built once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from yaff.grasp.measures import self_collision_of
from yaff.grasp.self_collision import SelfCollision
from yaff.hand import Anatomy, BonePiece, HandLayer, HandModel, Patches, collision_pieces
from yaff.hand.forearm import forearm_direction
from yaff.hand.model import FINGER_JOINTS, FINGERTIP_VERTICES
from yaff.taxonomy import GraspType

Array = np.ndarray

GROUP_SAMPLE = 36
"""Vertices that stand for a contact group: the palm has some 200, and its neighbours say the same."""


class HandRig:
    """Everything derived from a hand model that the stages of the search share.

    Args:
        model: the hand.
        skin_margin: how much thinner than the skin the collision pieces are, metres.
    """

    def __init__(self, model: HandModel, skin_margin: float) -> None:
        self.model = model
        self.anatomy = Anatomy(model)
        self.patches = Patches.of(model)
        self.layer = HandLayer(model, dtype=torch.float32)
        self._skin_margin = skin_margin

    @cached_property
    def pieces(self) -> Sequence[BonePiece]:
        """Convex collision pieces per bone, thinner than the skin by the margin."""
        return collision_pieces(self.model, shrink=self._skin_margin)

    @cached_property
    def self_collision(self) -> SelfCollision:
        """The same judge of overlap with itself as the stored measure."""
        return self_collision_of(self.model)

    @cached_property
    def rest_normals(self) -> Float[Array, "778 3"]:
        """Outward unit normals of the skin in the rest pose, template frame."""
        corners = self.model.template[self.model.faces]
        face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = np.zeros_like(self.model.template)
        for k in range(3):
            np.add.at(normals, self.model.faces[:, k], face_normals)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    @cached_property
    def vertex_bones(self) -> Int[Array, "778"]:
        """The bone with the largest skinning weight at each vertex."""
        return self.model.weights.argmax(axis=1)

    @cached_property
    def skin_sample(self) -> Int[Array, "_"]:
        """180 vertices spread over the skin by farthest-point sampling, for penetration."""
        return farthest_points(self.model.template, 180)

    @cached_property
    def levers(self) -> Float[Array, "dof"]:
        """Distance from each joint to the tip of its finger with the finger stretched, metres."""
        joints = self.model.rest_joints
        reach = np.zeros(16)
        for finger, chain in FINGER_JOINTS.items():
            tip = self.model.template[FINGERTIP_VERTICES[finger]]
            points = np.vstack([joints[list(chain)], tip])
            lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
            reach[list(chain)] = lengths[::-1].cumsum()[::-1]
        return np.array([reach[freedom.joint] for freedom in self.anatomy.degrees_of_freedom])

    @cached_property
    def digit_of_dof(self) -> tuple[str, ...]:
        """The finger that each degree of freedom belongs to."""
        return tuple(name.split(".")[0] for name in self.anatomy.names)

    @cached_property
    def spheres(self) -> tuple[Int[Array, "s"], Float[Array, "s 3"], Float[Array, "s"]]:
        """Spheres inside the hand for self-collision: bone, centre in the bone's frame, radius, metres."""
        bones, centres, radii = [], [], []
        joints = self.model.rest_joints
        for finger, chain in FINGER_JOINTS.items():
            ends = np.vstack([joints[list(chain)], self.model.template[FINGERTIP_VERTICES[finger]]])
            for k, bone in enumerate(chain):
                skin = self.model.template[self.vertex_bones == bone]
                for share in (0.3, 0.8) if k < 2 else (0.2, 0.65):
                    centre = ends[k] + share * (ends[k + 1] - ends[k])
                    distance = np.linalg.norm(skin - centre, axis=1)
                    bones.append(bone)
                    centres.append(centre - joints[bone])
                    radii.append(0.9 * float(np.sort(distance)[: max(4, len(distance) // 4)].mean()))
            if finger != "thumb":
                for share in (0.45, 0.8):
                    centre = joints[0] + share * (joints[chain[0]] - joints[0])
                    bones.append(0)
                    centres.append(centre - joints[0])
                    radii.append(0.009)
        return np.array(bones), np.array(centres), np.array(radii)

    @cached_property
    def sphere_pairs(self) -> tuple[Int[Array, "p"], Int[Array, "p"]]:
        """Pairs of spheres that must not overlap: of bones that are not neighbours, and apart in the rest pose."""
        bones, centres, radii = self.spheres
        rest = centres + self.model.rest_joints[bones]
        first, second = np.triu_indices(len(bones), k=1)
        a, b = bones[first], bones[second]
        parents = np.asarray(self.model.parents)
        near = (a == b) | (parents[a] == b) | (parents[b] == a)
        gap = np.linalg.norm(rest[first] - rest[second], axis=1) - radii[first] - radii[second]
        keep = ~near & (gap > 0.0)
        return first[keep], second[keep]

    @cached_property
    def forearm(self) -> Float[Array, "3"]:
        """From the wrist to the elbow, the wrist held straight: a unit vector of the hand frame."""
        return forearm_direction(self.model)

    def posture(self, kind: GraspType, closure: Float[Array, "*n"]) -> Float[Array, "*n dof"]:
        """Degrees of freedom of a type's preshape; ``closure`` 0 is open, 1 is closed."""
        opened, closed = self._ends(kind)
        share = np.asarray(closure, np.float64)[..., None]
        return np.clip(opened + share * (closed - opened), self.anatomy.lower, self.anatomy.upper)

    def closing_direction(self, kind: GraspType) -> Float[Array, "dof"]:
        """What closes when the type closes: change of each degree of freedom, the largest being 1 (or -1)."""
        opened, closed = self._ends(kind)
        change = closed - opened
        return change / max(np.abs(change).max(), 1e-9)

    def _ends(self, kind: GraspType) -> tuple[Array, Array]:
        ends = np.array([kind.preshape.get(name, (0.0, 0.0)) for name in self.anatomy.names])
        return ends[:, 0], ends[:, 1]


@dataclass(frozen=True)
class TypeSkin:
    """The skin that a grasp type speaks of, as vertex indices."""

    first: tuple[Int[Array, "_"], ...]
    second: tuple[Int[Array, "_"], ...]
    also: tuple[Int[Array, "_"], ...]
    avoid: Int[Array, "_"]

    @classmethod
    def of(cls, rig: HandRig, kind: GraspType) -> TypeSkin:
        """The vertices of each contact group and of the patches to avoid."""

        def vertices(patterns: tuple[str, ...]) -> Array:
            every = np.asarray(rig.patches.select(*patterns), dtype=np.intp)
            return np.sort(every[farthest_points(rig.model.template[every], GROUP_SAMPLE)])

        return cls(
            first=tuple(vertices(g.patches) for g in kind.first),
            second=tuple(vertices(g.patches) for g in kind.second),
            also=tuple(vertices(g.patches) for g in kind.also),
            avoid=vertices(kind.avoid) if kind.avoid else np.zeros(0, np.intp),
        )

    @property
    def groups(self) -> tuple[Int[Array, "_"], ...]:
        """Every group, in the order of :attr:`yaff.taxonomy.GraspType.groups`."""
        return self.first + self.second + self.also


def farthest_points(points: Float[Array, "n 3"], count: int) -> Int[Array, "count"]:
    """Indices of ``count`` points, each the farthest from those before it; starts at index 0."""
    chosen = np.zeros(min(count, len(points)), np.intp)
    distance = np.linalg.norm(points - points[0], axis=1)
    for k in range(1, len(chosen)):
        chosen[k] = distance.argmax()
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[k]], axis=1))
    return chosen
