"""What decides about a grasp, whoever made it: it closes in physics, is measured, held against its type, and shaken.

The planners, the import of published grasps and the proof of a person's edit all go through one :class:`Judge`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

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
from yaff.search.grip import closing_effort, directions_of
from yaff.search.physics import HandWorld
from yaff.search.pregrasp import Pregrasp, find_pregrasp
from yaff.search.propose import Candidates
from yaff.search.rig import HandRig
from yaff.search.states import Settled, Shaken
from yaff.taxonomy import Conformity, GraspType, conforms

Array = np.ndarray

FORCE_SLACK = 1.05
"""A digit may press with so much more than its limit for a moment of a shake."""


@dataclass(frozen=True)
class Attempt:
    """A candidate after the hand has closed on the object."""

    settled: Settled
    T_object_hand: Float[Array, "4 4"]
    conforms: bool
    """Whether contacts and posture agree with the type."""
    score: float
    """Share of the type's definition that is met."""
    fault: str
    """Why it is rejected whatever the shakes say; empty if it is not."""
    pregrasp: Pregrasp
    shaken: Shaken | None = None

    @property
    def held(self) -> bool:
        """Whether it passed every test."""
        return not self.fault and self.shaken is not None and self.shaken.held

    @property
    def outcome(self) -> str:
        """The heading under which it is counted."""
        if self.held:
            return "held"
        head = self.fault.split(":")[0].rstrip("0123456789. m") if self.fault else "slipped"
        return "rejected: " + head


def make_rig(hand: HandModel, config: SearchConfig) -> HandRig:
    """What the search derives from a hand; make it once for each process."""
    # Bullet keeps hulls apart by their margins: the pieces are thinner by that much more
    return HandRig(hand, skin_margin=config.physics.skin_margin + 2.0 * COLLISION_MARGIN)


class Judge:
    """The tests of one object and one type.

    Args:
        rig: the hand.
        kind: the type, which decides what closes, what must touch and which way it is shaken.
        obj: the object.
        config: the whole configuration of the search.
    """

    def __init__(self, rig: HandRig, kind: GraspType, obj: ObjectModel, config: SearchConfig) -> None:
        self.rig, self.kind, self.obj, self.config = rig, kind, obj, config
        self._effort, self._direction = closing_effort(rig, kind, obj, config), rig.closing_direction(kind)
        self._slips = np.zeros(6, np.int64)

    def world(self) -> HandWorld:
        """A physics world of hand and object, for :meth:`close` and :meth:`shake`; use it in a ``with``.

        Raises:
            PhysicsError: PyBullet could not make hand or object.
        """
        return HandWorld(self.rig.model, self.rig.anatomy, self.rig.pieces, self.obj, self.config.physics)

    def close(self, world: HandWorld, candidates: Candidates) -> list[Attempt]:
        """Close the hand on each candidate and judge what came of it by its geometry, all together."""
        physics, select = self.config.physics, self.config.select
        lower, upper = self.rig.anatomy.lower, self.rig.anatomy.upper
        settled: list[Settled] = []
        for T, dof in zip(candidates.T_object_hand, candidates.dof, strict=True):
            opened = np.clip(dof - physics.opening * self._direction, lower, upper)
            target = np.clip(dof + physics.squeeze * self._direction, lower, upper)
            settled.append(world.close(opened, target, self._effort, invert(T)))
        Ts = np.stack([invert(s.T_hand_object) for s in settled])
        verdict, depth, shared, self_depth = self._measure(Ts, np.stack([s.dof for s in settled]))
        attempts = []
        for i, s in enumerate(settled):
            fault = ""
            if s.moved > physics.settle_translation:
                fault = "object pushed away while closing"
            elif s.contacts < 2:
                fault = "hand closed beside the object"
            elif depth[i] > select.most_penetration:
                fault = f"penetration {1e3 * depth[i]:.1f} mm"
            elif shared[i] > select.most_intersection:
                fault = f"goes through the object: {1e6 * shared[i]:.1f} cm^3"
            elif self_depth[i] > select.most_self_penetration:
                fault = f"self-penetration {1e3 * self_depth[i]:.1f} mm"
            elif not verdict.conforms[i]:
                fault = "label doubtful: " + verdict.reasons[i]
            pregrasp = find_pregrasp(self.rig, self.kind, self.obj, Ts[i], s.dof, self.config.pregrasp)
            if not fault and not pregrasp.free:
                fault = "no free approach"
            score = float(verdict.score[i])
            attempts.append(Attempt(s, Ts[i], bool(verdict.conforms[i]), score, fault, pregrasp))
        return attempts

    def shake(self, world: HandWorld, attempt: Attempt, *, every_direction: bool = False) -> Attempt:
        """Shake a closed hand every way in which the type is tested; its saved state is consumed.

        The direction in which most slipped comes first: what will not hold is soon known. With ``every_direction`` the
        shakes go on after one has failed, so that every measure is known; what failed before stays failed.
        """
        physics, directions = self.config.physics, directions_of(self.kind, attempt.T_object_hand)
        directions = directions[np.argsort(-self._slips[directions], kind="stable")]
        shaken = world.shake(attempt.settled, directions.tolist(), every_direction=every_direction)
        most = physics.most_digit_force
        if shaken.held and shaken.force > FORCE_SLACK * most and not attempt.fault:
            # it holds, but with too much force: perhaps it holds with less
            grip = attempt.settled.grip
            softer = replace(grip, torque=grip.torque * (most / shaken.force))
            eased = replace(attempt.settled, grip=softer, force=0.0)
            again = world.shake(eased, directions.tolist(), every_direction=every_direction)
            if again.held:
                attempt, shaken = replace(attempt, settled=eased), again
        if attempt.shaken is not None and not attempt.shaken.held:
            shaken = replace(shaken, held=False)
        elif not shaken.held:
            self._slips += (shaken.translation > physics.most_translation) | (shaken.rotation > physics.most_rotation)
        elif not attempt.fault and shaken.force > FORCE_SLACK * most:
            attempt = replace(attempt, fault=f"presses too hard: {shaken.force:.0f} N")
        return replace(attempt, shaken=shaken)

    def grasps(self, attempts: list[Attempt], provenance: list[str]) -> Grasps:
        """The attempts as grasps with pregrasp and every measure; VERIFIED, or for review with the reason."""
        rig, model = self.rig, self.rig.model
        if not attempts:
            return Grasps.empty(self.obj.name)
        Ts = np.stack([a.T_object_hand for a in attempts])
        dof = np.stack([a.settled.dof for a in attempts])
        wrist, translation = model.wrist_parameters(Ts)
        pregrasps = [a.pregrasp for a in attempts]
        pre_wrist, pre_translation = model.wrist_parameters(np.stack([p.T_object_hand for p in pregrasps]))
        reasons = [self.reason(a) for a in attempts]
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
            provenance=tuple(provenance),
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

    def reason(self, attempt: Attempt) -> str:
        """What is wrong with an attempt; empty if nothing is."""
        if attempt.fault:
            return attempt.fault
        if attempt.shaken is None:
            return "not shaken"
        if attempt.shaken.held:
            return ""
        physics, shaken = self.config.physics, attempt.shaken
        by = np.maximum(shaken.translation / physics.most_translation, shaken.rotation / physics.most_rotation)
        return f"slips along {SHAKE_DIRECTIONS[int(by.argmax())]}"

    def _measure(
        self, Ts_object_hand: Float[Array, "n 4 4"], dof: Float[Array, "n dof"]
    ) -> tuple[Conformity, Float[Array, "n"], Float[Array, "n"], Float[Array, "n"]]:
        """Conformity to the type, penetration (metres), volume shared (cubic metres), self-penetration (metres)."""
        model, distance = self.rig.model, self.config.select.contact_distance
        pose = self.rig.anatomy.pose_from_dof(dof)
        wrist, translation = model.wrist_parameters(Ts_object_hand)
        vertices = model.vertices(pose, wrist, translation)
        samples = sample_skin(vertices, model.faces, self.obj.sdf, reach=distance)
        contacts = contacts_of_samples(samples, self.rig.patches, self.obj, distance)
        abducted = self.rig.anatomy.thumb_is_abducted(pose)
        verdict = conforms(self.kind, self.rig.patches.names, contacts.touching, abducted)
        bones = model.bone_transforms(pose, wrist, translation)
        shared = intersection_volume(samples, vertices, model.faces, self.obj.sdf)
        return verdict, max_penetration(samples), shared, self.rig.self_collision.depth(vertices, bones)


def preference(grasps: Grasps) -> Float[Array, "n"]:
    """Order of preference among verified grasps: those that hardly move, hardly penetrate and close force."""
    moved = grasps.measures["shake_translation"].max(axis=1) / 0.02
    depth = grasps.measures["max_penetration"] / 0.004
    return 0.5 * np.minimum(grasps.measures["epsilon"] / 0.2, 1.0) - moved - 0.5 * depth + grasps.measures["conformity"]


def better(best: Attempt | None, attempt: Attempt) -> bool:
    """Whether a failed attempt is more promising than the best so far: of its type first, then the further it came."""

    def rank(a: Attempt) -> tuple[bool, int, bool, float]:
        return (a.conforms, a.shaken.tried if a.shaken else 0, not a.fault, a.score)

    return best is None or rank(attempt) > rank(best)
