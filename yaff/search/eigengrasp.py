"""GraspIt's planner: simulated annealing over wrist and eigengrasp amplitudes, contact energy of virtual contacts.

After Ciocarlie and Allen, "Hand posture subspaces for dexterous robotic grasping", IJRR 28(7), 2009, sections 3 and 4,
with the schedule and the neighbour distribution of the released GraspIt (very fast annealing: Ingber, "Very fast
simulated re-annealing", 1989). A state is the palm's position (3), the wrist's axis-angle as two angles of the axis and
one about it (3), and the amplitudes of a few eigengrasps. A neighbour moves every variable by ``y`` of its largest
jump, with ``y = sign (T ((1 + 1/T)^v - 1))``, ``v`` uniform in [0, 1]; states in collision are not visited. The energy
is the mean over the virtual contacts of distance (mm) and of 50 times (1 - cosine) between the contact's normal and the
way to the surface. At the end the fingers close until they touch (auto-grasp), and the result is tested by the same
physics, by the same measures and for the same type as any other candidate.

Two things are ours, both in favour of the method: many chains run side by side on one thread (the same annealing,
evaluated together), and it is told the type: virtual contacts lie on the patches that the type asks for, and the origin
of the eigengrasp space is the type's preshape, without which two amplitudes hardly ever meet a given type.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from yaff.geometry.signed_distance import TorchSignedDistance
from yaff.geometry.transforms import make_transform, rotation_from_axis_angle
from yaff.objects import ObjectModel
from yaff.search.eigengrasp_config import EigengraspConfig
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig, TypeSkin, farthest_points
from yaff.taxonomy import GRASP_TYPES, GraspType

Array = np.ndarray

MILLI = 1e3
CLOSURES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Closures of each type's preshape that the eigengrasps are computed from."""
AUTO_STEPS, AUTO_ANGLE = 40, 1.6
"""Auto-grasp: postures looked at, and how far a finger closes at most, radians."""


@dataclass(frozen=True)
class Eigengrasps:
    """A low-dimensional space of postures: ``dof = origin + amplitudes @ directions``."""

    directions: Float[Array, "e dof"]
    """Principal directions scaled to one standard deviation, radians."""
    limits: Float[Array, "e 2"]
    """Least and most amplitude met in the postures that the space was made from."""
    explained: float
    """Share of the variance of those postures."""

    @classmethod
    def of(cls, rig: HandRig, count: int) -> Eigengrasps:
        """The first ``count`` principal components of the preshapes of all 33 types, open to closed."""
        closures = np.array(CLOSURES)
        postures = np.concatenate([rig.posture(kind, closures) for kind in GRASP_TYPES.values()])
        centred = postures - postures.mean(axis=0)
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        scale = singular[:count] / np.sqrt(len(postures))
        directions = directions[:count] * scale[:, None]
        amplitudes = centred @ directions.T / scale**2
        limits = np.stack([amplitudes.min(axis=0), amplitudes.max(axis=0)], axis=1)
        return cls(directions, limits, float((singular[:count] ** 2).sum() / (singular**2).sum()))


class Annealer:
    """Simulated annealing of one type on one object.

    Args:
        rig: the hand.
        kind: the type, for the virtual contacts and the origin of the posture space.
        obj: the object.
        config: the schedule.
    """

    def __init__(self, rig: HandRig, kind: GraspType, obj: ObjectModel, config: EigengraspConfig) -> None:
        self._config, self._rig, self._kind, self._object = config, rig, kind, obj
        self._distance = TorchSignedDistance(obj.sdf)
        self._space = Eigengrasps.of(rig, config.eigengrasps)
        self._origin = rig.posture(kind, np.array(0.5))
        contacts = _virtual_contacts(rig, kind, config.contacts)
        skin = rig.skin_sample
        vertices = np.concatenate([contacts, skin])
        self._contact_count = len(contacts)
        bones = rig.vertex_bones[vertices]
        self._bones = torch.tensor(bones)
        self._points = _floats(rig.model.template[vertices] - rig.model.rest_joints[bones])
        self._normals = _floats(rig.rest_normals[contacts])
        sphere_bones, centres, radii = rig.spheres
        first, second = rig.sphere_pairs
        self._sphere_bones, self._sphere_centres = torch.tensor(sphere_bones), _floats(centres)
        self._pairs = torch.tensor(first), torch.tensor(second)
        self._sphere_reach = _floats(radii[first] + radii[second])
        palm = rig.patches.select("palm.centre")
        self._palm = rig.model.template[np.asarray(palm, np.intp)].mean(axis=0) - rig.model.root()
        reach = float(obj.radius) + config.reach
        centre = np.asarray(obj.centre_of_mass, np.float64)
        self._low = np.concatenate([centre - reach, [0.0, -np.pi, 0.0], self._space.limits[:, 0]])
        self._high = np.concatenate([centre + reach, [np.pi, np.pi, np.pi], self._space.limits[:, 1]])
        # largest jumps: 150 of +-250 mm, pi/5, pi/2, pi/2, a quarter of each amplitude's range
        self._jump = np.concatenate(
            [
                np.full(3, 0.6 * reach),
                [np.pi / 5, np.pi / 2, np.pi / 2],
                0.25 * (self._space.limits[:, 1] - self._space.limits[:, 0]),
            ]
        )

    # ------------------------------------------------------------------ annealing

    def anneal(self, rng: np.random.Generator) -> Candidates:
        """The best state of each chain, fingers closed until they touch, lowest energy first.

        Returns:
            At most ``chains`` candidates; the score is the energy before closing.
        """
        config, chains = self._config, self._config.chains
        state = self._start(rng)
        energy, legal = self.energy(state)
        energy = np.where(legal, energy, np.inf)
        best, best_energy = state.copy(), energy.copy()
        stride = (config.last_step - config.first_step) / config.steps
        step = np.full(chains, config.first_step)
        for _ in range(config.steps):
            temperature = self.temperature(step)
            fresh = self.neighbour(state, config.neighbour_scale * temperature, rng)
            fresh_energy, legal = self.energy(fresh)
            with np.errstate(over="ignore", invalid="ignore"):
                chance = np.exp(np.minimum(config.energy_scale * (energy - fresh_energy) / temperature, 0.0))
            jump = legal & (np.isinf(energy) | (chance > rng.random(chains)))
            state[jump], energy[jump] = fresh[jump], fresh_energy[jump]
            better = energy < best_energy
            best[better], best_energy[better] = state[better], energy[better]
            # a chain that met no legal neighbour draws another one at the same temperature
            step += np.where(legal, stride, 0.0)
        order = np.argsort(best_energy, kind="stable")
        order = order[np.isfinite(best_energy[order])]
        T, dof = self.decode(best[order])
        closed = self.auto_grasp(T, dof)
        return Candidates(T, closed, np.broadcast_to(self._origin, dof.shape).copy(), best_energy[order])

    def temperature(self, step: Float[Array, "c"]) -> Float[Array, "c"]:
        """Ingber's schedule, ``T0 exp(-c k^(1/d))``."""
        config = self._config
        return config.start_temperature * np.exp(-config.cooling * step ** (1.0 / config.dimensions))

    def neighbour(
        self, state: Float[Array, "c v"], temperature: Float[Array, "c"], rng: np.random.Generator
    ) -> Float[Array, "c v"]:
        """Every variable moved by Ingber's distribution at this temperature; drawn again where it leaves its range."""
        fresh = state.copy()
        open_ = np.ones(state.shape, bool)
        T = np.broadcast_to(temperature[:, None], state.shape)
        for _ in range(100):
            u = 2.0 * rng.random(state.shape) - 1.0
            y = np.sign(u) * T * np.expm1(np.abs(u) * np.log1p(1.0 / T))
            trial = state + y * self._jump
            trial[:, 4] = (trial[:, 4] + np.pi) % (2.0 * np.pi) - np.pi  # the axis goes round
            inside = (trial >= self._low) & (trial <= self._high)
            fresh = np.where(open_ & inside, trial, fresh)
            open_ &= ~inside
            if not open_.any():
                break
        return fresh

    def energy(self, state: Float[Array, "c v"]) -> tuple[Float[Array, "c"], Bool[Array, "c"]]:
        """Contact energy (millimetres) of states, and which of them collide with nothing."""
        T, dof = self.decode(state)
        rotations = self._rig.anatomy.rotations_from_dof_torch(_floats(dof))
        wrist = _floats(T[:, :3, :3])
        origin = _floats(T[:, :3, 3] - self._rig.model.root())
        with torch.no_grad():
            turns, joints = self._rig.layer.bone_transforms(rotations, wrist, origin)
            points = (turns[:, self._bones] @ self._points[None, :, :, None])[..., 0] + joints[:, self._bones]
            centres = (turns[:, self._sphere_bones] @ self._sphere_centres[None, :, :, None])[..., 0]
            centres = centres + joints[:, self._sphere_bones]
            apart = (centres[:, self._pairs[0]] - centres[:, self._pairs[1]]).norm(dim=-1)
            normals = (turns[:, self._bones[: self._contact_count]] @ self._normals[None, :, :, None])[..., 0]
            deepest = -self._distance(points).min(dim=1).values
            legal = (deepest <= self._config.tolerance) & (apart >= self._sphere_reach).all(dim=1)
        # who collides is not visited, so its energy is not asked for
        rows = torch.nonzero(legal)[:, 0]
        energy = np.full(len(state), np.inf)
        if len(rows):
            contacts = points[rows, : self._contact_count].requires_grad_()
            distance = self._distance(contacts)
            (outward,) = torch.autograd.grad(distance.sum(), contacts)
            facing = 1.0 + (normals[rows] * torch.nn.functional.normalize(outward, dim=-1)).sum(-1)
            each = MILLI * distance.detach().abs() + self._config.normal_weight * facing
            energy[rows.numpy()] = each.mean(dim=1).double().numpy()
        return energy, legal.numpy()

    # ------------------------------------------------------------------ states

    def decode(self, state: Float[Array, "c v"]) -> tuple[Float[Array, "c 4 4"], Float[Array, "c dof"]]:
        """``T_object_hand`` and degrees of freedom (radians, within limits) of states."""
        theta, phi, angle = state[:, 3], state[:, 4], state[:, 5]
        axis = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=1)
        rotation = _about(axis, angle)
        T = make_transform(rotation, state[:, :3] - rotation @ self._palm)
        dof = self._origin + state[:, 6:] @ self._space.directions
        return T, self._rig.anatomy.clip(dof)

    def _start(self, rng: np.random.Generator) -> Float[Array, "c v"]:
        """Uniform in the range of every variable; where the hand collides it is drawn again, a few times."""
        chains = self._config.chains
        state = rng.uniform(self._low, self._high, (chains, len(self._low)))
        for _ in range(20):
            _, legal = self.energy(state)
            if legal.all():
                break
            fresh = rng.uniform(self._low, self._high, state.shape)
            state = np.where(legal[:, None], state, fresh)
        return state

    # ------------------------------------------------------------------ auto-grasp

    def auto_grasp(self, T_object_hand: Float[Array, "n 4 4"], dof: Float[Array, "n dof"]) -> Float[Array, "n dof"]:
        """Each finger closes along the type's closing motion until its skin meets the object."""
        rig, closing = self._rig, self._rig.closing_direction(self._kind)
        way = np.linspace(0.0, AUTO_ANGLE, AUTO_STEPS)
        postures = rig.anatomy.clip(dof[:, None] + way[None, :, None] * closing)
        bones = rig.vertex_bones[rig.skin_sample]
        digit_of_bone = {freedom.joint: freedom.name.split(".")[0] for freedom in rig.anatomy.degrees_of_freedom}
        digits = np.array([digit_of_bone.get(int(bone), "palm") for bone in bones])
        result = dof.copy()
        for row in range(len(dof)):
            zero = np.zeros((len(way), 3))
            pose = rig.anatomy.pose_from_dof(postures[row])
            skin = rig.model.vertices(pose, zero, zero, vertex_indices=rig.skin_sample) - rig.model.root()
            points = skin @ T_object_hand[row, :3, :3].T + T_object_hand[row, :3, 3]
            depth = -self._object.sdf.distance(points)
            for digit in set(rig.digit_of_dof):
                touching = np.flatnonzero((depth[:, digits == digit] > 0.0).any(axis=1))
                columns = [k for k, name in enumerate(rig.digit_of_dof) if name == digit]
                result[row, columns] = postures[row, touching[0] if len(touching) else -1][columns]
        return result


def _virtual_contacts(rig: HandRig, kind: GraspType, count: int) -> Array:
    """Vertices that stand for the contacts the type asks for."""
    chosen = []
    for group, vertices in zip(kind.groups, TypeSkin.of(rig, kind).groups, strict=True):
        wanted = 2 * count if group.name == "palm" else count
        chosen.append(vertices[farthest_points(rig.model.template[vertices], wanted)])
    return np.unique(np.concatenate(chosen))


def _about(axis: Float[Array, "n 3"], angle: Float[Array, "n"]) -> Float[Array, "n 3 3"]:
    return rotation_from_axis_angle(axis * angle[:, None])


def _floats(values: Array) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)
