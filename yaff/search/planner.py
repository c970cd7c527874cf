"""The default planner: propose, refine, close in physics, verify, select, for one object and one grasp type."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from yaff.errors import InputError
from yaff.geometry.transforms import invert
from yaff.grasp import Grasps, ReviewState, measure_grasps
from yaff.grasp.batch import SHAKE_DIRECTIONS
from yaff.grasp.contacts import contacts_of_samples
from yaff.grasp.penetration import intersection_volume, max_penetration
from yaff.grasp.skin import sample_skin
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search.bodies import COLLISION_MARGIN
from yaff.search.config import SearchConfig
from yaff.search.opposition import opposition_pairs
from yaff.search.physics import HandWorld, Settled, Shaken
from yaff.search.pregrasp import Pregrasp, find_pregrasp
from yaff.search.propose import Candidates, propose
from yaff.search.refine import Refiner
from yaff.search.rig import HandRig, TypeSkin
from yaff.search.select import differs, select_diverse
from yaff.taxonomy import GRASP_TYPES, Conformity, GraspType, conforms

Array = np.ndarray

THROUGH = 2.0
"""Refined candidates that share this many times the volume allowed to a kept grasp are not closed in physics."""

FORCE_SLACK = 1.05
"""A digit may press with so much more than its limit for a moment of a shake."""

HAND_DIRECTIONS: Mapping[str, tuple[float, float, float]] = {
    "distal": (-1.0, 0.0, 0.0),
    "proximal": (1.0, 0.0, 0.0),
    "palmar": (0.0, -1.0, 0.0),
    "dorsal": (0.0, 1.0, 0.0),
    "radial": (0.0, 0.0, 1.0),
    "ulnar": (0.0, 0.0, -1.0),
}
"""The directions of :data:`yaff.taxonomy.table.DIRECTIONS` in the hand frame."""

CARRIED = 0.5
"""Cosine between an axis of the object and a carried direction from which the axis is tested; some axis always is."""

CHUNK = 16
"""Candidates closed before their contacts are measured together."""


@dataclass(frozen=True)
class PairResult:
    """What the search of one object and one type came to."""

    grasps: Grasps
    """Verified grasps, best first; if there are none, the best attempt, which needs review. All measures are set."""
    tally: Mapping[str, int]
    """Counts: proposed, refined, closed, rejected for each reason, verified, kept."""
    infeasible: str
    """Why the pair was not searched (no extent of the object suits the type); empty where it was."""
    seconds: float
    """Wall time; not stored with the grasps."""


@dataclass(frozen=True)
class Attempt:
    """A candidate after the hand has closed on the object."""

    settled: Settled
    T_object_hand: Float[Array, "4 4"]
    trial: int
    conforms: bool
    score: float
    fault: str
    """Why it was rejected before the shakes; empty if it was not."""
    pregrasp: Pregrasp
    shaken: Shaken | None = None

    @property
    def held(self) -> bool:
        """Whether it passed every test."""
        return not self.fault and self.shaken is not None and self.shaken.held


def pair_seed(seed: int, object_name: str, number: int) -> int:
    """The seed of a unit of work, from what it is: object, type and the seed of the whole search."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{object_name}/{number}".encode()).digest()[:8], "little")


def search_pair(
    hand: HandModel | HandRig, obj: ObjectModel, grasp_type: int, config: SearchConfig, seed: int
) -> PairResult:
    """Find verified grasps of one type on one object; deterministic with PyTorch on one thread in each process.

    Args:
        hand: the hand, or what was already derived from it.
        obj: the object.
        grasp_type: Feix number, 1 to 33.
        config: the whole configuration.
        seed: seed of the whole search; object and type are mixed in here.

    Raises:
        InputError: no such type.
        PhysicsError: PyBullet could not make hand or object.
    """
    if grasp_type not in GRASP_TYPES:
        raise InputError(f"unknown grasp type {grasp_type}", remedy="a Feix number, 1 to 33")
    started = time.perf_counter()
    rig = hand if isinstance(hand, HandRig) else make_rig(hand, config)
    search = _PairSearch(rig, GRASP_TYPES[grasp_type], obj, config, seed)
    grasps = search.run()
    return PairResult(grasps, dict(search.tally), search.infeasible, time.perf_counter() - started)


def make_rig(hand: HandModel, config: SearchConfig) -> HandRig:
    """What the search derives from a hand; make it once for each process."""
    # Bullet keeps hulls apart by their margins: the pieces are thinner by that much more
    return HandRig(hand, skin_margin=config.physics.skin_margin + 2.0 * COLLISION_MARGIN)


class _PairSearch:
    def __init__(self, rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig, seed: int) -> None:
        self.rig, self.kind, self.obj, self.config = rig, kind, obj, config
        self.rng = np.random.default_rng(pair_seed(seed, obj.name, kind.number))
        self.tally: Counter[str] = Counter()
        self.infeasible = ""
        self.slips = np.zeros(6, np.int64)
        self.torque, self.direction = closing_torque(rig, kind, obj, config), rig.closing_direction(kind)

    def run(self) -> Grasps:
        config = self.config
        pairs = opposition_pairs(self.obj, config.propose.opposition_points, config.propose.opposition_angle, self.rng)
        verified: list[Attempt] = []
        best: Attempt | None = None
        refiner = Refiner(self.rig, self.kind, self.obj, config.refine)
        with HandWorld(self.rig.model, self.rig.anatomy, self.rig.pieces, self.obj, config.physics) as world:
            for round_number in range(config.refine.rounds):
                candidates = propose(
                    self.rig, self.kind, self.obj, pairs, config.propose, config.refine.batch, self.rng
                )
                if not len(candidates):
                    least, most = self.kind.size
                    self.infeasible = (
                        f"no two sides of {self.obj.name} are {1e3 * least:.0f} to {1e3 * most:.0f} mm apart"
                    )
                    self.tally["infeasible"] += 1
                    return Grasps.empty(self.obj.name)
                self.tally["proposed"] += config.propose.candidates
                self.tally["refined"] += len(candidates)
                refined = refiner.refine(candidates)
                refined = refined.rows(self._worth_closing(refined))
                order = np.argsort(refined.score, kind="stable")
                for start in range(0, len(order), CHUNK):
                    rows = order[start : start + CHUNK]
                    for attempt in self._close(world, refined.rows(rows), round_number * config.refine.batch + rows):
                        if len(verified) >= config.select.keep:
                            world.forget(attempt.settled)
                            self.tally["not needed"] += 1
                            continue
                        tested = self._test(world, attempt, verified)
                        if tested.held:
                            verified.append(tested)
                        best = _better(best, tested)
                        self.tally[_outcome(tested)] += 1
                    if len(verified) >= config.select.keep:
                        break
                near = self.tally["held"] + self.tally["rejected: slipped"]
                if len(verified) >= config.select.keep or (not verified and near < config.refine.promise):
                    break
            if not verified and best is not None:
                best = self._every_direction(world, best)
        if verified:
            grasps = self._finish(verified)
            symmetries = np.asarray(self.obj.symmetries)
            Ts = np.stack([a.T_object_hand for a in verified])
            kept = grasps[select_diverse(Ts, preference(grasps), symmetries, config.select)]
            self.tally["verified"], self.tally["kept"] = len(verified), len(kept)
            return kept
        self.tally["verified"], self.tally["kept"] = 0, 0
        return self._finish([best]) if best is not None else Grasps.empty(self.obj.name)

    # ------------------------------------------------------------------ stages

    def _close(self, world: HandWorld, candidates: Candidates, trials: Array) -> list[Attempt]:
        """Close the hand on each candidate and judge what came of it by its geometry, all together."""
        physics = self.config.physics
        lower, upper = self.rig.anatomy.lower, self.rig.anatomy.upper
        settled: list[Settled] = []
        for T, dof in zip(candidates.T_object_hand, candidates.dof, strict=True):
            opened = np.clip(dof - physics.opening * self.direction, lower, upper)
            target = np.clip(dof + physics.squeeze * self.direction, lower, upper)
            settled.append(world.close(opened, target, self.torque, invert(T)))
        self.tally["closed"] += len(settled)
        Ts = np.stack([invert(s.T_hand_object) for s in settled])
        verdict, depth, shared, self_depth = self._judge(Ts, np.stack([s.dof for s in settled]))
        attempts = []
        for i, s in enumerate(settled):
            fault = ""
            if s.moved > physics.settle_translation:
                fault = "object pushed away while closing"
            elif s.contacts < 2:
                fault = "hand closed beside the object"
            elif depth[i] > self.config.select.most_penetration:
                fault = f"penetration {1e3 * depth[i]:.1f} mm"
            elif shared[i] > self.config.select.most_intersection:
                fault = f"goes through the object: {1e6 * shared[i]:.1f} cm^3"
            elif self_depth[i] > self.config.select.most_self_penetration:
                fault = f"self-penetration {1e3 * self_depth[i]:.1f} mm"
            elif not verdict.conforms[i]:
                fault = "label doubtful: " + verdict.reasons[i]
            pregrasp = find_pregrasp(self.rig, self.kind, self.obj, Ts[i], s.dof, self.config.pregrasp)
            if not fault and not pregrasp.free:
                fault = "no free approach"
            attempts.append(
                Attempt(s, Ts[i], int(trials[i]), bool(verdict.conforms[i]), float(verdict.score[i]), fault, pregrasp)
            )
        return attempts

    def _worth_closing(self, candidates: Candidates) -> Array:
        """Rows of the candidates that physics may make a grasp of; the others are counted with the reason.

        It cannot pull a finger out of a wall, or the palm off an object that it must not touch, nor bring a finger
        that ended far off; each test is cheap beside closing the hand.
        """
        model, select = self.rig.model, self.config.select
        pose = self.rig.anatomy.pose_from_dof(candidates.dof)
        wrist, translation = model.wrist_parameters(candidates.T_object_hand)
        vertices = model.vertices(pose, wrist, translation)
        samples = sample_skin(vertices, model.faces, self.obj.sdf, reach=0.0)
        skin, distance = TypeSkin.of(self.rig, self.kind), samples.vertex_distance
        gap = np.stack([distance[:, group].min(axis=1) for group in skin.groups], axis=1)
        touches = distance[:, skin.avoid].min(axis=1, initial=np.inf) < -select.contact_distance
        shared = intersection_volume(samples, vertices, model.faces, self.obj.sdf)
        bones = model.bone_transforms(pose, wrist, translation)
        own = self.rig.self_collision.depth(vertices, bones)
        faults = {
            "goes through the object": shared > THROUGH * select.most_intersection,
            "out of reach": (gap > self.config.refine.reach).sum(axis=1) > self.kind.may_miss,
            "touches what it must not": touches,
            "crosses itself": own > 1.5 * select.most_self_penetration,
        }
        good = np.ones(len(candidates), bool)
        for name, bad in faults.items():
            if count := int((good & bad).sum()):
                self.tally["not closed: " + name] += count
            good &= ~bad
        return np.flatnonzero(good)

    def _judge(
        self, Ts_object_hand: Float[Array, "n 4 4"], dof: Float[Array, "n dof"]
    ) -> tuple[Conformity, Float[Array, "n"], Float[Array, "n"], Float[Array, "n"]]:
        """Conformity to the type, penetration (metres), volume shared (cubic metres), self-penetration (metres)."""
        pose = self.rig.anatomy.pose_from_dof(dof)
        wrist, translation = self.rig.model.wrist_parameters(Ts_object_hand)
        vertices = self.rig.model.vertices(pose, wrist, translation)
        distance, model = self.config.select.contact_distance, self.rig.model
        samples = sample_skin(vertices, model.faces, self.obj.sdf, reach=distance)
        contacts = contacts_of_samples(samples, self.rig.patches, self.obj, distance)
        verdict = conforms(
            self.kind, self.rig.patches.names, contacts.touching, self.rig.anatomy.thumb_is_abducted(pose)
        )
        bones = self.rig.model.bone_transforms(pose, wrist, translation)
        shared = intersection_volume(samples, vertices, model.faces, self.obj.sdf)
        return verdict, max_penetration(samples), shared, self.rig.self_collision.depth(vertices, bones)

    def _test(self, world: HandWorld, attempt: Attempt, verified: list[Attempt]) -> Attempt:
        """Shake what deserves it; the saved state is consumed in any case."""
        others = np.stack([a.T_object_hand for a in verified]) if verified else np.zeros((0, 4, 4))
        if not attempt.fault and not differs(
            attempt.T_object_hand, others, np.asarray(self.obj.symmetries), self.config.select
        ):
            attempt = replace(attempt, fault="copy of another")
        if attempt.fault:
            world.forget(attempt.settled)
            return attempt
        # the direction that most often failed comes first: what will not hold is soon known
        directions = self._directions(attempt.T_object_hand)
        shaken = world.shake(attempt.settled, directions[np.argsort(-self.slips[directions], kind="stable")].tolist())
        if not shaken.held:
            self.slips += (shaken.translation > self.config.physics.most_translation) | (
                shaken.rotation > self.config.physics.most_rotation
            )
        elif shaken.force > FORCE_SLACK * self.config.physics.most_digit_force:
            attempt = replace(attempt, fault=f"presses too hard: {shaken.force:.0f} N")
        return replace(attempt, shaken=shaken)

    def _directions(self, T_object_hand: Float[Array, "4 4"]) -> Array:
        """The directions in which this grasp is shaken: all six, or those that its type is made to carry."""
        if self.kind.test == "six_axes":
            return np.arange(6)
        axes = np.concatenate([np.eye(3), -np.eye(3)])[[0, 3, 1, 4, 2, 5]]
        carried = np.array([HAND_DIRECTIONS[name] for name in self.kind.carries]) @ T_object_hand[:3, :3].T
        return np.flatnonzero((axes @ carried.T).max(axis=1) > CARRIED)

    def _every_direction(self, world: HandWorld, attempt: Attempt) -> Attempt:
        """The best attempt of a pair without a grasp, shaken all round from the pose in which it settled."""
        directions = self._directions(attempt.T_object_hand).tolist()
        return replace(attempt, shaken=world.shake(attempt.settled, directions, every_direction=True))

    # ------------------------------------------------------------------ result

    def _finish(self, attempts: list[Attempt]) -> Grasps:
        """The attempts as grasps with pregrasp and every measure."""
        rig, model = self.rig, self.rig.model
        Ts = np.stack([a.T_object_hand for a in attempts])
        dof = np.stack([a.settled.dof for a in attempts])
        wrist, translation = model.wrist_parameters(Ts)
        pregrasps = [a.pregrasp for a in attempts]
        pre_wrist, pre_translation = model.wrist_parameters(np.stack([p.T_object_hand for p in pregrasps]))
        reasons = [self._reason(a) for a in attempts]
        state = [ReviewState.NEEDS_REVIEW if reason else ReviewState.VERIFIED for reason in reasons]
        grasps = Grasps.make(
            self.obj.name,
            rig.anatomy.pose_from_dof(dof),
            wrist,
            translation,
            np.full(len(attempts), self.kind.number, np.int16),
            pregrasp_pose=rig.anatomy.pose_from_dof(np.stack([p.dof for p in pregrasps])).astype(np.float32),
            pregrasp_wrist_rotation=pre_wrist.astype(np.float32),
            pregrasp_translation=pre_translation.astype(np.float32),
            review_state=np.array(state, np.uint8),
            reason=tuple(reasons),
            provenance=tuple(f"contact/{self.kind.number}/{a.trial}" for a in attempts),
        )
        measures = dict(measure_grasps(model, rig.patches, self.obj, grasps))
        shaken = [a.shaken for a in attempts]
        none = np.zeros(6)
        measures["shake_translation"] = np.stack([s.translation if s else none for s in shaken])
        measures["shake_rotation"] = np.stack([s.rotation if s else none for s in shaken])
        measures["shaken"] = np.stack([s.shaken if s else none for s in shaken])
        measures["fingertip_force"] = np.array([a.shaken.force if a.shaken else a.settled.force for a in attempts])
        measures["conformity"] = np.array([a.score for a in attempts])
        return replace(grasps, measures={k: np.asarray(v, np.float32) for k, v in measures.items()})

    def _reason(self, attempt: Attempt) -> str:
        if attempt.fault:
            return attempt.fault
        if attempt.shaken is None or attempt.shaken.held:
            return ""
        physics, shaken = self.config.physics, attempt.shaken
        by = np.maximum(shaken.translation / physics.most_translation, shaken.rotation / physics.most_rotation)
        return f"slips along {SHAKE_DIRECTIONS[int(by.argmax())]}"


def closing_torque(rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig) -> Float[Array, "dof"]:
    """Torque of each joint, newton metres: each side of the opposition presses with the same force in all.

    The force of a side is ``force_per_weight`` weights over the friction, shared by its digits, each kept within the
    limits per digit; a joint's torque is that force times its lever to the fingertip.
    """
    physics = config.physics
    wanted = physics.force_per_weight * obj.mass * physics.gravity / physics.friction
    sides = [{group.name.split("_")[0] for group in groups} for groups in (kind.first, kind.second + kind.also)]
    fingers = max(1, *(len(digits - {"palm"}) for digits in sides))
    against_one = any(len(digits) == 1 and "palm" not in digits for digits in sides)
    # fingers against one thumb share its force, so that neither drives the other back; the palm yields to nobody
    most = physics.most_force * (1 if against_one else fingers)
    total = float(np.clip(wanted, physics.least_force * fingers, most))
    torque = np.full(len(rig.levers), physics.passive_torque)
    direction = rig.closing_direction(kind)
    for k, digit in enumerate(rig.digit_of_dof):
        if direction[k] != 0.0:
            force = min(total, physics.most_force) if {digit} in sides else total / fingers
            torque[k] = force * rig.levers[k]
    return torque


def preference(grasps: Grasps) -> Float[Array, "n"]:
    """Order of preference among verified grasps: those that hardly move, hardly penetrate and close force."""
    moved = grasps.measures["shake_translation"].max(axis=1) / 0.02
    depth = grasps.measures["max_penetration"] / 0.004
    return 0.5 * np.minimum(grasps.measures["epsilon"] / 0.2, 1.0) - moved - 0.5 * depth + grasps.measures["conformity"]


def _better(best: Attempt | None, attempt: Attempt) -> Attempt:
    """The more promising of two failed attempts: of its type first, then the further it came."""

    def rank(a: Attempt) -> tuple[bool, int, bool, float]:
        return (a.conforms, a.shaken.tried if a.shaken else 0, not a.fault, a.score)

    return attempt if best is None or rank(attempt) > rank(best) else best


def _outcome(attempt: Attempt) -> str:
    """The heading under which an attempt is counted."""
    if attempt.held:
        return "held"
    if attempt.fault:
        head = attempt.fault.split(":")[0]
        return "rejected: " + head.rstrip("0123456789. m")
    return "rejected: slipped"
