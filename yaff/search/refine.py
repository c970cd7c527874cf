"""Many candidates at once, by gradient through hand and signed distance, until the right skin lies on the object.

The loss adds, in squared centimetres or without unit:

* contact: the nearest skin of each group that must touch lies ``skin_depth`` inside the surface;
* normals: skin and surface face each other there;
* balance: unit forces of the two sides cancel, in force and in torque (differentiable force closure, Liu et al.,
  "Synthesizing diverse and physically stable grasps", RA-L 2022, eq. 4), in the best of the type's oppositions;
* penetration of the object by any skin, of the hand by itself, of the distance kept by skin that must not touch;
* posture: the preshape of the type, and the side of the palm on which it has the thumb.

A type that holds an object as if it were solid (``interior = "filled"``) meets the field of the object with its
cavities filled, so that no finger is drawn through a wall.

Joint limits hold exactly: degrees of freedom are clipped after each step.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.geometry.torch_rotations import rotation_from_axis_angle
from yaff.hand.anatomy import THUMB_ABDUCTED
from yaff.hand.model import FINGER_JOINTS
from yaff.objects import ObjectModel
from yaff.search.cavities import field_of
from yaff.search.config import RefinementConfig
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig, TypeSkin
from yaff.taxonomy import GraspType

CENTIMETRE = 0.01
THUMB_MARGIN = 0.05
"""How far on its own side of the limit between abducted and adducted the thumb is kept, as a sine."""
PALM_CONTACTS, PAD_CONTACTS = 8, 3
"""Vertices that count as touching: the palm is larger than a pad."""


class Refiner:
    """The loss of one object and one type, and the descent on it."""

    def __init__(self, rig: HandRig, kind: GraspType, obj: ObjectModel, config: RefinementConfig) -> None:
        self._config = config
        self._rig = rig
        self._distance = TorchSignedDistance(field_of(obj, kind.interior))
        self._centre = torch.tensor(obj.centre_of_mass, dtype=torch.float32)
        self._radius = float(obj.radius)
        self._may_miss = kind.may_miss
        self._root = torch.tensor(rig.model.root(), dtype=torch.float32)
        self._limits = torch.tensor(np.stack([rig.anatomy.lower, rig.anatomy.upper]), dtype=torch.float32)
        skin = TypeSkin.of(rig, kind)
        chosen = np.unique(np.concatenate([rig.skin_sample, skin.avoid, *skin.groups]))
        row_of = {int(v): k for k, v in enumerate(chosen)}
        self._vertices = torch.tensor(chosen)
        self._groups = [torch.tensor([row_of[int(v)] for v in group]) for group in skin.groups]
        self._avoid = torch.tensor([row_of[int(v)] for v in skin.avoid], dtype=torch.long)
        self._force = force_shares(kind)
        self._counts = [PALM_CONTACTS if group.name == "palm" else PAD_CONTACTS for group in kind.groups]
        self._bones = torch.tensor(rig.vertex_bones[chosen])
        self._normals = torch.tensor(rig.rest_normals[chosen], dtype=torch.float32)
        self._thumb = FINGER_JOINTS["thumb"][0] - 1
        metacarpal, palmar = rig.anatomy.thumb_metacarpal
        self._metacarpal = torch.tensor(metacarpal, dtype=torch.float32)
        self._palmar = torch.tensor(palmar, dtype=torch.float32)
        self._thumb_side, self._thumb_sine = float(kind.thumb_side), float(np.sin(THUMB_ABDUCTED))
        bones, centres, radii = rig.spheres
        first, second = rig.sphere_pairs
        self._sphere_bones = torch.tensor(bones)
        self._sphere_centres = torch.tensor(centres, dtype=torch.float32)
        self._pairs = torch.tensor(first), torch.tensor(second)
        self._sphere_reach = torch.tensor(radii[first] + radii[second], dtype=torch.float32)

    def refine(
        self, candidates: Candidates, *, free_dof: Bool[np.ndarray, "dof"] | None = None, free_wrist: bool = True
    ) -> Candidates:
        """Descend from these candidates; the score of the result is its loss, and the order is kept.

        Args:
            candidates: where to start.
            free_dof: which degrees of freedom may move; all of them if not given.
            free_wrist: whether the wrist may move.
        """
        config = self._config
        rotation = torch.tensor(candidates.T_object_hand[:, :3, :3], dtype=torch.float32)
        origin = torch.tensor(candidates.T_object_hand[:, :3, 3], dtype=torch.float32)
        posture = torch.tensor(candidates.posture, dtype=torch.float32)
        # one unit of each variable moves skin by about the same distance
        move = torch.zeros_like(origin, requires_grad=True)
        turn = torch.zeros_like(origin, requires_grad=True)
        bend = torch.zeros_like(posture, requires_grad=True)
        start = torch.tensor(candidates.dof, dtype=torch.float32)
        table = None if candidates.table is None else torch.tensor(candidates.table, dtype=torch.float32)
        optimiser = torch.optim.Adam([move, turn, bend], lr=config.step)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.iterations, eta_min=0.05 * config.step)
        per_finger, per_wrist = 1.0 / config.finger_lever, 1.0 / config.wrist_lever

        def state() -> tuple[Tensor, Tensor, Tensor]:
            return rotation @ rotation_from_axis_angle(turn * per_wrist), origin + move, start + bend * per_finger

        # contact points and normals change hands on the way, so that a step may also lead up: the best state is kept
        may_bend = None if free_dof is None else torch.tensor(free_dof, dtype=torch.float32)
        best = torch.full((len(origin),), torch.inf)
        kept = [tensor.detach().clone() for tensor in (move, turn, bend)]
        for iteration in range(config.iterations + 1):
            optimiser.zero_grad()
            loss = self.loss(*state(), posture, table)
            with torch.no_grad():
                better = loss < best
                best = torch.where(better, loss, best)
                for place, tensor in zip(kept, (move, turn, bend), strict=True):
                    place[better] = tensor[better]
            if iteration == config.iterations:
                break
            loss.sum().backward()
            if not free_wrist:
                move.grad = turn.grad = None  # Adam leaves alone what has no gradient
            if may_bend is not None and bend.grad is not None:
                bend.grad *= may_bend
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                allowed = torch.clip(start + bend * per_finger, self._limits[0], self._limits[1])
                if may_bend is not None:  # what may not move stays, even beyond its limits
                    allowed = torch.where(may_bend > 0.0, allowed, start)
                bend.copy_((allowed - start) / per_finger)
        with torch.no_grad():
            for place, tensor in zip(kept, (move, turn, bend), strict=True):
                tensor.copy_(place)
            turned, moved, dof = state()
        final = best.detach()
        T = np.zeros((len(final), 4, 4))
        T[:, :3, :3] = _orthonormal(turned.numpy().astype(np.float64))
        T[:, :3, 3] = moved.numpy()
        T[:, 3, 3] = 1.0
        score = final.numpy().astype(np.float64)
        return Candidates(T, dof.numpy().astype(np.float64), candidates.posture, score, candidates.table)

    def loss(
        self,
        rotation: Float[Tensor, "n 3 3"],
        origin: Float[Tensor, "n 3"],
        dof: Float[Tensor, "n dof"],
        posture: Float[Tensor, "n dof"],
        table: Float[Tensor, "n 4"] | None = None,
    ) -> Float[Tensor, "n"]:
        """The loss of hands, as the module describes it; differentiable in all but the posture.

        Args:
            rotation: of the wrists in the object frame.
            origin: of the wrists there, metres.
            dof: anatomical degrees of freedom, radians.
            posture: the preshapes that they are pulled to, radians.
            table: what each stays above, as :attr:`Candidates.table` has it.
        """
        config = self._config
        rotations = self._rig.anatomy.rotations_from_dof_torch(dof)
        translation = origin - self._root
        layer = self._rig.layer
        points, _ = layer.forward_rotations(rotations, rotation, translation, vertex_indices=self._vertices)
        turns, joints = layer.bone_transforms(rotations, rotation, translation)
        # the field is looked up once: to first order the distance follows from its slope, which is all a step needs
        place = points.detach().requires_grad_()
        with torch.enable_grad():
            value = self._distance(place)
            (slope,) = torch.autograd.grad(value.sum(), place)
        distance = value.detach() + (slope * (points - place.detach())).sum(-1)
        outward = torch.nn.functional.normalize(slope, dim=-1)
        skin_normals = (turns[:, self._bones] @ self._normals[None, :, :, None])[..., 0]
        facing = 1.0 + (skin_normals * outward).sum(-1)

        contact, normal, force, torque = [], [], [], []
        for k, group in enumerate(self._groups):
            near, which = torch.topk(distance[:, group], min(self._counts[k], len(group)), dim=1, largest=False)
            rows = group[which]
            gap = (near + config.skin_depth) / CENTIMETRE
            contact.append(
                torch.nn.functional.smooth_l1_loss(gap, torch.zeros_like(gap), beta=0.5, reduction="none").mean(1)
            )
            normal.append(facing.gather(1, rows).mean(1))
            inward = -outward.gather(1, rows[..., None].expand(-1, -1, 3))
            lever = points.gather(1, rows[..., None].expand(-1, -1, 3)) - self._centre
            force.append(inward.mean(1))
            torque.append(torch.cross(lever, inward, dim=-1).mean(1) / self._radius)
        groups = torch.stack(contact, 1)
        if self._may_miss:
            # the groups that are worst off may stay off: they only lean towards the object
            worst = torch.topk(groups, self._may_miss, dim=1).values
            groups_loss = groups.sum(1) - 0.7 * worst.sum(1)
        else:
            groups_loss = groups.sum(1)
        inside = torch.relu(-distance - config.skin_depth) / CENTIMETRE
        total = config.contact_weight * groups_loss + config.penetration_weight * (inside**2).sum(1) / 10.0
        total = total + config.normal_weight * torch.stack(normal, 1).sum(1)
        wrench = torch.cat([torch.stack(force, 1), torch.stack(torque, 1)], -1)
        unbalanced = (torch.einsum("og,ngw->now", self._force, wrench) ** 2).sum(-1)
        total = total + config.balance_weight * unbalanced.amin(1)
        total = total + config.posture_weight * ((dof - posture) ** 2).sum(1)
        if table is not None:
            height = (points * table[:, None, :3]).sum(-1) + table[:, 3:]
            known = (table != 0.0).any(1)[:, None]
            below = known * torch.relu(config.table_clearance - height) / CENTIMETRE
            total = total + config.table_weight * (below**2).sum(1) / 10.0
        if len(self._avoid):
            near = torch.relu(config.avoid_distance - distance[:, self._avoid]) / CENTIMETRE
            total = total + config.avoid_weight * (near**2).sum(1) / 10.0
        centres = (turns[:, self._sphere_bones] @ self._sphere_centres[None, :, :, None])[..., 0]
        centres = centres + joints[:, self._sphere_bones]
        apart = (centres[:, self._pairs[0]] - centres[:, self._pairs[1]]).norm(dim=-1)
        overlap = torch.relu(self._sphere_reach - apart) / CENTIMETRE
        total = total + config.self_weight * (overlap**2).sum(1)
        # the sine of the angle by which the thumb's metacarpal stands out of the palm
        raised = ((rotations[:, self._thumb] @ self._metacarpal) * self._palmar).sum(-1)
        astray = torch.relu(self._thumb_side * (self._thumb_sine - raised) + THUMB_MARGIN * abs(self._thumb_side))
        return total + config.thumb_weight * astray**2


def force_shares(kind: GraspType) -> Float[Tensor, "oppositions groups"]:
    """Share of each group of a type in the force of its side; 0 for groups of neither."""
    shares = torch.zeros(len(kind.oppositions), len(kind.groups))
    for row, sides in zip(shares, kind.oppositions, strict=True):
        for side in sides:
            row[list(side)] = 1.0 / len(side)
    return shares


def _orthonormal(rotation: np.ndarray) -> np.ndarray:
    """The nearest rotation matrices: what float32 products lost is put back."""
    u, _, vt = np.linalg.svd(rotation)
    return u @ vt
