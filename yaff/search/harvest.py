"""Candidates of one pair, tested one after the other until enough hold, whoever proposed them."""

from __future__ import annotations

from collections import Counter

import numpy as np
from jaxtyping import Float, Int

from yaff.geometry.transforms import rotation_angle
from yaff.grasp import Grasps
from yaff.search.judge import Attempt, Judge, better, preference
from yaff.search.physics import HandWorld
from yaff.search.propose import Candidates
from yaff.search.select import differs, select_diverse

Array = np.ndarray

CHUNK = 16
"""Candidates closed before their contacts are measured together."""

LIKE_DISTANCE, LIKE_ANGLE = 0.05, np.pi / 4
"""Two grasps of a type with wrists nearer than this, metres and radians, are alike: others are tried first."""


class Harvest:
    """What the candidates of one pair came to: verified grasps, the best attempt, and counts.

    Args:
        judge: tests them.
        planner: who proposed them; their provenance begins with it.
    """

    def __init__(self, judge: Judge, planner: str) -> None:
        self.judge = judge
        self.tally: Counter[str] = Counter()
        self.verified: list[tuple[int, Attempt]] = []
        """Number of the candidate, and what came of it."""
        self._planner = planner
        self._best: tuple[int, Attempt | None] = 0, None

    def test(self, world: HandWorld, candidates: Candidates, trials: Int[Array, "_"], most: int) -> None:
        """Close and shake candidates until ``most`` are verified in all; ``trials`` are their numbers.

        They come in their order, but what is unlike all that is verified by now comes first, so that the grasps of a
        pair come from all sides of the object. What would be a copy of a verified one is not closed.
        """
        select, left = self.judge.config.select, np.arange(len(trials))
        while len(left) and len(self.verified) < most:
            copies = self._alike(candidates.T_object_hand[left], select.least_distance, select.least_angle) > 0
            self.tally["not closed: copy of another"] += int(copies.sum())
            left = left[~copies]
            crowd = self._alike(candidates.T_object_hand[left], LIKE_DISTANCE, LIKE_ANGLE)
            left = left[np.argsort(crowd, kind="stable")]
            rows = self._unlike(candidates.T_object_hand, left)
            left = left[~np.isin(left, rows)]
            if not len(rows):
                break
            attempts = self.judge.close(world, candidates.rows(rows))
            self.tally["closed"] += len(attempts)
            for row, attempt in zip(rows, attempts, strict=True):
                self._shake(world, attempt, int(trials[row]), most)

    def _shake(self, world: HandWorld, attempt: Attempt, trial: int, most: int) -> None:
        if len(self.verified) >= most:
            world.forget(attempt.settled)
            self.tally["not needed"] += 1
            return
        if not attempt.fault and self._is_copy(attempt):
            world.forget(attempt.settled)
            self.tally["rejected: copy of another"] += 1
            return
        if attempt.fault:
            world.forget(attempt.settled)
        else:
            attempt = self.judge.shake(world, attempt)
        self.tally[attempt.outcome] += 1
        if attempt.held:
            self.verified.append((trial, attempt))
        elif better(self._best[1], attempt):
            self._best = trial, attempt

    def _unlike(self, Ts_object_hand: Float[Array, "n 4 4"], rows: Int[Array, "_"]) -> Int[Array, "_"]:
        """The first of these rows no two of which would be copies of each other, a chunk of them at the most."""
        symmetries, select = np.asarray(self.judge.obj.symmetries), self.judge.config.select
        chosen: list[int] = []
        for row in rows.tolist():
            if len(chosen) == CHUNK:
                break
            if differs(Ts_object_hand[row], Ts_object_hand[chosen], symmetries, select):
                chosen.append(row)
        return np.array(chosen, np.intp)

    def _alike(self, Ts_object_hand: Float[Array, "n 4 4"], distance: float, angle: float) -> Int[Array, "n"]:
        """How many verified grasps are nearer to each of these wrists, metres and radians, symmetries counted."""
        others = [other.T_object_hand for _, other in self.verified]
        if not others:
            return np.zeros(len(Ts_object_hand), np.intp)
        copies = np.einsum("sij,kjl->skil", np.asarray(self.judge.obj.symmetries), np.stack(others))
        apart = np.linalg.norm(copies[:, :, None, :3, 3] - Ts_object_hand[:, :3, 3], axis=-1)
        turned = rotation_angle(np.swapaxes(copies[:, :, None, :3, :3], -1, -2) @ Ts_object_hand[:, :3, :3])
        return ((apart < distance) & (turned < angle)).any(axis=0).sum(axis=0)

    def _is_copy(self, attempt: Attempt) -> bool:
        others = [other.T_object_hand for _, other in self.verified]
        symmetries, select = np.asarray(self.judge.obj.symmetries), self.judge.config.select
        return bool(others) and not differs(attempt.T_object_hand, np.stack(others), symmetries, select)

    def explain(self, world: HandWorld) -> None:
        """Where nothing was verified, shake the best attempt every way, so that a person sees what is wrong with it."""
        trial, best = self._best
        if not self.verified and best is not None:
            self._best = trial, self.judge.shake(world, best, every_direction=True)

    def gather(self) -> Grasps:
        """A diverse selection of the verified grasps, best first; else the best attempt; else nothing."""
        (trial, best), chosen = self._best, self.verified
        if not chosen and best is not None:
            chosen = [(trial, best)]
        provenance = [f"{self._planner}/{self.judge.kind.number}/{trial}" for trial, _ in chosen]
        grasps = self.judge.grasps([attempt for _, attempt in chosen], provenance)
        if self.verified:
            Ts = np.stack([attempt.T_object_hand for _, attempt in self.verified])
            symmetries, select = np.asarray(self.judge.obj.symmetries), self.judge.config.select
            grasps = grasps[select_diverse(Ts, preference(grasps), symmetries, select)]
        self.tally["verified"] = len(self.verified)
        self.tally["kept"] = len(grasps) if self.verified else 0
        return grasps
