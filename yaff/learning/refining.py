"""The last stage: hands moved by gradient until the right skin touches the object and none is inside it or the table.

Hands of many objects and types at once, each with the contact groups of its type. The loss is that of the search's own
refinement (:mod:`yaff.search.refine`: contact, facing normals, balanced forces, penetration, posture, the hand with
itself, the thumb on its side; lengths in centimetres), with the support plane in it, and with the posture that the
network predicted in place of a preshape.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from yaff.errors import ConfigError
from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.geometry.torch_rotations import rotation_from_axis_angle
from yaff.hand.anatomy import THUMB_ABDUCTED
from yaff.hand.model import FINGER_JOINTS
from yaff.learning.hand_space import rotation_from_columns
from yaff.objects import ObjectModel
from yaff.search.cavities import field_of
from yaff.search.config import RefinementConfig
from yaff.search.refine import CENTIMETRE, PAD_CONTACTS, PALM_CONTACTS, THUMB_MARGIN, force_shares
from yaff.search.rig import GROUP_SAMPLE, HandRig, TypeSkin
from yaff.taxonomy import GRASP_TYPES

FAR = 1.0
"""Metres: the distance of what is not there."""


@dataclass(frozen=True)
class LastStageConfig:
    """How predicted hands are refined."""

    iterations: int = 60
    """Steps of Adam; 0 leaves hands as they are predicted."""
    plane_weight: float = 30.0
    posture_weight: float = 0.05
    clearance: float = 0.001
    """How far skin stays above the support plane, metres."""
    weights: RefinementConfig = field(default_factory=RefinementConfig)
    """The rest is told as the search's refinement is."""

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise ConfigError(f"refinement.iterations is {self.iterations}", remedy="0 or more")


class Hands(NamedTuple):
    """Hands on objects, in the frames of their objects, metres and radians."""

    slot: Int[Tensor, "n"]
    """The object."""
    grasp_type: Int[Tensor, "n"]
    """0 for type 1."""
    rotation: Float[Tensor, "n 3 3"]
    origin: Float[Tensor, "n 3"]
    dof: Float[Tensor, "n d"]
    plane: Float[Tensor, "n 4"]
    """Support plane: normal and offset; zeros where there is none."""

    def rows(self, rows: Int[Tensor, "m"]) -> Hands:
        """Some of them."""
        return Hands(*(values[rows] for values in self))


class TypeTable(NamedTuple):
    """The skin that each type speaks of, as rows of the vertices that are posed, padded to one size."""

    groups: Int[Tensor, "33 g s"]
    member: Bool[Tensor, "33 g s"]
    """Whether an entry of ``groups`` is one, and not there to fill the row."""
    there: Bool[Tensor, "33 g"]
    touching: Float[Tensor, "33 g k"]
    """How much the nearest, second nearest, ... vertex of each group counts; they add to one."""
    force: Float[Tensor, "33 o g"]
    """For each opposition of a type, the share of the group in the force of its side; 0 for groups of neither."""
    avoid: Int[Tensor, "33 a"]
    avoided: Bool[Tensor, "33 a"]
    may_miss: Int[Tensor, "33"]
    thumb: Float[Tensor, "33"]
    """1 where the thumb has to be abducted, -1 where adducted, 0 where it may be either."""
    filled: Int[Tensor, "33"]
    """1 where the object's cavities are filled."""


def type_table(rig: HandRig) -> tuple[TypeTable, Int[np.ndarray, "v"]]:
    """The table of all types, and the vertices that its rows count."""
    skins = [TypeSkin.of(rig, kind) for kind in GRASP_TYPES.values()]
    parts = [part for skin in skins for part in (*skin.groups, skin.avoid)]
    vertices = np.unique(np.concatenate([rig.skin_sample, *parts]))
    most = max(len(skin.groups) for skin in skins)
    groups = np.zeros((len(skins), most, GROUP_SAMPLE), np.int64)
    member = np.zeros(groups.shape, bool)
    there = np.zeros((len(skins), most), bool)
    force = np.zeros((len(skins), max(len(kind.oppositions) for kind in GRASP_TYPES.values()), most), np.float32)
    touching = np.zeros((len(skins), most, PALM_CONTACTS), np.float32)
    widest = max(len(skin.avoid) for skin in skins)
    avoid, avoided = np.zeros((len(skins), max(widest, 1)), np.int64), np.zeros((len(skins), max(widest, 1)), bool)
    for t, (skin, kind) in enumerate(zip(skins, GRASP_TYPES.values(), strict=True)):
        shares = force_shares(kind).numpy()
        force[t, :, : shares.shape[1]] = shares[np.arange(force.shape[1]) % len(shares)]  # the one there is, repeated
        for g, (rows, group) in enumerate(zip(skin.groups, kind.groups, strict=True)):
            groups[t, g, : len(rows)], member[t, g, : len(rows)] = np.searchsorted(vertices, rows), True
            there[t, g] = True
            count = min(PALM_CONTACTS if group.name == "palm" else PAD_CONTACTS, len(rows))
            touching[t, g, :count] = 1.0 / count
        avoid[t, : len(skin.avoid)], avoided[t, : len(skin.avoid)] = np.searchsorted(vertices, skin.avoid), True
    kinds = list(GRASP_TYPES.values())
    table = TypeTable(
        torch.tensor(groups),
        torch.tensor(member),
        torch.tensor(there),
        torch.tensor(touching),
        torch.tensor(force),
        torch.tensor(avoid),
        torch.tensor(avoided),
        torch.tensor([kind.may_miss for kind in kinds]),
        torch.tensor([float(kind.thumb_side) for kind in kinds]),
        torch.tensor([int(kind.interior == "filled") for kind in kinds]),
    )
    return table, vertices


class LastStage:
    """Refines hands on some objects.

    Args:
        rig: the hand.
        models: the objects, by slot.
        config: how.
        device: where it is computed.
    """

    def __init__(
        self,
        rig: HandRig,
        models: Sequence[ObjectModel],
        config: LastStageConfig,
        device: torch.device | str = "cpu",
    ) -> None:
        self.config, self.rig, self.models, self._device = config, rig, tuple(models), torch.device(device)
        fields = [model.sdf for model in models] + [field_of(model, "filled") for model in models]
        self._distance = TorchSignedDistance(fields, device=device)
        self._objects = len(models)
        table, vertices = type_table(rig)
        self._table = TypeTable(*(values.to(device) for values in table))
        self._layer = rig.layer.to(device)

        def tensor(values: object) -> Tensor:
            return torch.as_tensor(np.asarray(values), dtype=torch.float32, device=device)

        self._vertices = torch.as_tensor(vertices, device=device)
        self._bones = torch.as_tensor(rig.vertex_bones[vertices], device=device)
        self._normals, self._root = tensor(rig.rest_normals[vertices]), tensor(rig.model.root())
        self._limits = tensor(np.stack([rig.anatomy.lower, rig.anatomy.upper]))
        self._centres = tensor(np.stack([model.centre_of_mass for model in models]))
        self._radii = tensor([model.radius for model in models])
        metacarpal, palmar = rig.anatomy.thumb_metacarpal
        self._thumb = FINGER_JOINTS["thumb"][0] - 1
        self._metacarpal, self._palmar = tensor(metacarpal), tensor(palmar)
        bones, centres, radii = rig.spheres
        first, second = rig.sphere_pairs
        self._sphere_bones, self._sphere_centres = torch.as_tensor(bones, device=device), tensor(centres)
        self._pairs = torch.as_tensor(first, device=device), torch.as_tensor(second, device=device)
        self._sphere_reach = tensor(radii[first] + radii[second])

    def unrefined(self) -> LastStage:
        """The same judge of hands, but they stay as they are."""
        other = copy(self)
        other.config = replace(self.config, iterations=0)
        return other

    def score(self, hands: Hands) -> Float[Tensor, "n"]:
        """The loss of hands as they are; small is good."""
        with torch.no_grad():
            return self.loss(hands, hands.dof)

    def refine(self, hands: Hands) -> tuple[Hands, Float[Tensor, "n"]]:
        """The hands after the descent, in their order, and their losses."""
        config, weights = self.config, self.config.weights
        if not config.iterations or not len(hands.slot):
            return hands, self.score(hands)
        # one unit of each variable moves skin by about the same distance
        move = torch.zeros_like(hands.origin, requires_grad=True)
        turn = torch.zeros_like(hands.origin, requires_grad=True)
        bend = torch.zeros_like(hands.dof, requires_grad=True)
        variables = (move, turn, bend)
        optimiser = torch.optim.Adam(variables, lr=weights.step)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, config.iterations, eta_min=0.05 * weights.step)
        per_finger, per_wrist = 1.0 / weights.finger_lever, 1.0 / weights.wrist_lever

        def state() -> Hands:
            rotation = hands.rotation @ rotation_from_axis_angle(turn * per_wrist)
            return hands._replace(rotation=rotation, origin=hands.origin + move, dof=hands.dof + bend * per_finger)

        best = torch.full((len(hands.slot),), torch.inf, device=self._device)
        kept = [variable.detach().clone() for variable in variables]
        for iteration in range(config.iterations + 1):
            optimiser.zero_grad()
            loss = self.loss(state(), hands.dof)
            with torch.no_grad():
                # what touches changes on the way, so that a step may also lead up: the best state is kept
                better = loss < best
                best = torch.where(better, loss, best)
                for place, variable in zip(kept, variables, strict=True):
                    place[better] = variable[better]
            if iteration == config.iterations:
                break
            loss.sum().backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                allowed = torch.clip(hands.dof + bend * per_finger, self._limits[0], self._limits[1])
                bend.copy_((allowed - hands.dof) / per_finger)
        with torch.no_grad():
            for place, variable in zip(kept, variables, strict=True):
                variable.copy_(place)
            final = state()
        columns = final.rotation[..., :2].transpose(-1, -2).flatten(-2)
        return final._replace(rotation=rotation_from_columns(columns)), best

    def loss(self, hands: Hands, posture: Float[Tensor, "n d"]) -> Float[Tensor, "n"]:
        """The loss of hands that were predicted with this posture."""
        weights, table, kind = self.config.weights, self._table, hands.grasp_type
        rotations = self.rig.anatomy.rotations_from_dof_torch(hands.dof)
        translation = hands.origin - self._root
        points, _ = self._layer.forward_rotations(rotations, hands.rotation, translation, vertex_indices=self._vertices)
        turns, joints = self._layer.bone_transforms(rotations, hands.rotation, translation)
        distance, outward = self._field(points, hands.slot + self._objects * table.filled[kind])
        skin_normals = (turns[:, self._bones] @ self._normals[None, :, :, None])[..., 0]
        facing = 1.0 + (skin_normals * outward).sum(-1)

        n, g, s = len(kind), table.groups.shape[1], table.groups.shape[2]
        rows = table.groups[kind].view(n, g * s)
        share, there = table.touching[kind], table.there[kind]
        candidates = distance.gather(1, rows).view(n, g, s).masked_fill(~table.member[kind], FAR)
        near, which = candidates.topk(PALM_CONTACTS, dim=2, largest=False)
        rows = rows.view(n, g, s).gather(2, which).view(n, -1)
        gap = (near + weights.skin_depth) / CENTIMETRE
        contact = torch.nn.functional.smooth_l1_loss(gap, torch.zeros_like(gap), beta=0.5, reduction="none")
        contact = (contact * share).sum(2)
        # the groups that may stay off and are worst off only lean towards the object
        ranked = contact.masked_fill(~there, -1.0).topk(g, dim=1).values
        missed = torch.arange(g, device=self._device) < table.may_miss[kind][:, None]
        total = weights.contact_weight * (contact.sum(1) - 0.7 * (ranked * missed).sum(1))
        turned = (facing.gather(1, rows).view(n, g, -1) * share).sum((1, 2))
        total = total + weights.normal_weight * turned

        index = rows[..., None].expand(-1, -1, 3)
        inward = -outward.gather(1, index)
        lever = points.gather(1, index) - self._centres[hands.slot][:, None]
        moment = torch.linalg.cross(lever, inward, dim=-1) / self._radii[hands.slot][:, None, None]
        wrench = (share.view(n, -1, 1) * torch.cat([inward, moment], -1)).view(*share.shape, 6).sum(2)
        unbalanced = (torch.einsum("nog,ngw->now", table.force[kind], wrench) ** 2).sum(-1)
        total = total + weights.balance_weight * unbalanced.amin(1)

        inside = torch.relu(-distance - weights.skin_depth) / CENTIMETRE
        total = total + weights.penetration_weight * (inside**2).sum(1) / 10.0
        height = (points * hands.plane[:, None, :3]).sum(-1) + hands.plane[:, None, 3]
        known = (hands.plane[:, :3].abs().sum(1) > 0.5).float()
        below = torch.relu(self.config.clearance - height) / CENTIMETRE
        total = total + self.config.plane_weight * known * (below**2).sum(1) / 10.0
        total = total + self.config.posture_weight * ((hands.dof - posture) ** 2).sum(1)
        close = torch.relu(weights.avoid_distance - distance.gather(1, table.avoid[kind])) / CENTIMETRE
        total = total + weights.avoid_weight * (close**2 * table.avoided[kind]).sum(1) / 10.0

        centres = (turns[:, self._sphere_bones] @ self._sphere_centres[None, :, :, None])[..., 0]
        centres = centres + joints[:, self._sphere_bones]
        apart = (centres[:, self._pairs[0]] - centres[:, self._pairs[1]]).norm(dim=-1)
        overlap = torch.relu(self._sphere_reach - apart) / CENTIMETRE
        total = total + weights.self_weight * (overlap**2).sum(1)
        # the sine of the angle by which the thumb's metacarpal stands out of the palm
        raised = ((rotations[:, self._thumb] @ self._metacarpal) * self._palmar).sum(-1)
        side = table.thumb[kind]
        astray = torch.relu(side * (float(np.sin(THUMB_ABDUCTED)) - raised) + THUMB_MARGIN * side.abs())
        return total + weights.thumb_weight * astray**2

    def _field(
        self, points: Float[Tensor, "n v 3"], which: Int[Tensor, "n"]
    ) -> tuple[Float[Tensor, "n v"], Float[Tensor, "n v 3"]]:
        """Distance (to first order in the points: all that a step needs) and the direction outward."""
        place = points.detach().requires_grad_()
        with torch.enable_grad():
            value = self._distance(place, which[:, None])
            (slope,) = torch.autograd.grad(value.sum(), place)
        distance = value.detach() + (slope * (points - place.detach())).sum(-1)
        return distance, torch.nn.functional.normalize(slope, dim=-1)
