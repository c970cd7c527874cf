"""The search's refinement and physics, applied to one grasp. Heavy: runs in a worker process (``workers.py``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from annotator.editing.editor import Editor
from annotator.review.opening import measures_of
from annotator.store.records import GraspState, Verification
from yaff.errors import InputError
from yaff.hand import HandModel
from yaff.objects import ObjectModel
from yaff.search import SearchConfig, make_rig
from yaff.search.propose import Candidates
from yaff.search.proving import first_that_holds, prove_grasp
from yaff.search.refine import Refiner
from yaff.taxonomy import GRASP_TYPES

SNAPS: Mapping[str, tuple[str, ...]] = {
    "thumb": ("thumb.",),
    "index": ("index.",),
    "middle": ("middle.",),
    "ring": ("ring.",),
    "pinky": ("pinky.",),
    "fingers": ("index.", "middle.", "ring.", "pinky."),
    "hand": ("",),
}
"""What may move in a snap: prefixes of degrees of freedom."""

TRIED = 6
"""Snapped postures that are put to physics at the most; each takes about half a second."""

APART = 0.1
"""Two postures are the same where no degree of freedom differs by so much, radians, and no wrist by 2 mm or so much."""


def snap_freedoms(names: Sequence[str], what: Sequence[str]) -> np.ndarray:
    """Mask over degrees of freedom of what may move.

    Raises:
        InputError: something that cannot be snapped.
    """
    unknown = [part for part in what if part not in SNAPS and part != "wrist"]
    if unknown or not what:
        raise InputError(f"cannot snap {unknown or 'nothing'}", remedy=f"any of wrist, {', '.join(SNAPS)}")
    prefixes = tuple(prefix for part in what for prefix in SNAPS.get(part, ()))
    return np.array([bool(prefixes) and name.startswith(prefixes) for name in names])


class Prover:
    """What a worker keeps between jobs: the hand made ready, the objects.

    Args:
        model: the hand.
        load: gives an object by name.
        config: of the search; its limits decide.
        versions: what goes into the record with every verdict.
    """

    def __init__(
        self, model: HandModel, load: Callable[[str], ObjectModel], config: SearchConfig, versions: Mapping[str, str]
    ) -> None:
        self._model, self._load, self._config, self._versions = model, load, config, dict(versions)
        self._objects: dict[str, ObjectModel] = {}

    @cached_property
    def editor(self) -> Editor:
        """Edits of this hand."""
        return Editor(self._model)

    @cached_property
    def _rig(self) -> Any:
        return make_rig(self._model, self._config)

    def _object(self, name: str) -> ObjectModel:
        if name not in self._objects:
            self._objects[name] = self._load(name)
        return self._objects[name]

    def verify(self, object_name: str, state: GraspState, report: Callable[[str], None] | None = None) -> Verification:
        """Put a grasp to the search's test.

        Raises:
            PhysicsError: PyBullet could not make hand or object.
        """
        proof = prove_grasp(
            self._rig,
            self._object(object_name),
            state.grasp_type,
            self.editor.wrist(state),
            self.editor.dof(state),
            self._config,
            report,
        )
        return Verification(
            digest=state.digest,
            held=proof.held,
            settled=GraspState.of(proof.grasps, 0),
            measures=measures_of(proof.grasps, 0),
            reason=proof.grasps.reason[0],
            conforms=proof.conforms,
            versions=self._versions,
        )

    def snap(
        self,
        object_name: str,
        state: GraspState,
        what: Sequence[str],
        report: Callable[[str], None] | None = None,
    ) -> GraspState:
        """Refine a grasp with only some of it free, so that the type's patches come to lie on the object.

        Several postures of what is free are refined, from where it is to where the type has it, because a thumb on the
        wrong side of an edge does not find its way by gradient alone. Those that end apart are put to the test of
        physics, the smallest loss first; the first that passes is taken, and the smallest loss where none does.

        Args:
            object_name: the object.
            state: the grasp.
            what: any of ``wrist`` and the keys of :data:`SNAPS`.
            report: told what is being done; may raise to stop.

        Raises:
            InputError: nothing, or something else to snap.
        """
        editor, rig, kind = self.editor, self._rig, GRASP_TYPES[state.grasp_type]
        free = snap_freedoms(editor.anatomy.names, what)
        now, T = editor.anatomy.clip(editor.dof(state)), editor.wrist(state)
        starts = [now]
        for closure in (0.0, 0.25, 0.5, 0.75, 1.0):
            typical = rig.posture(kind, np.full(1, closure))[0]
            starts += [np.where(free, typical, now), np.where(free, 0.5 * (typical + now), now)]
        dof = np.stack(starts)
        if report:
            report("refining")
        candidates = Candidates(np.repeat(T[None], len(dof), axis=0), dof, dof, np.zeros(len(dof)))
        obj, config = self._object(object_name), self._config
        refiner = Refiner(rig, kind, obj, config.refine)
        refined = refiner.refine(candidates, free_dof=free, free_wrist="wrist" in what)
        chosen = refined.rows(_apart(refined))
        best = first_that_holds(rig, obj, state.grasp_type, chosen, config, report) or 0
        moved = {name: float(chosen.dof[best, k]) for k, name in enumerate(editor.anatomy.names) if free[k]}
        snapped = editor.with_dof(state, moved)
        return editor.with_wrist(snapped, chosen.T_object_hand[best]) if "wrist" in what else snapped


def _apart(refined: Candidates) -> np.ndarray:
    """Rows that differ from each other, the smallest loss first, :data:`TRIED` at the most."""
    kept: list[int] = []
    for row in np.argsort(refined.score, kind="stable"):
        bent = np.abs(refined.dof[kept] - refined.dof[row]).max(axis=1, initial=0.0)
        moved = np.abs(refined.T_object_hand[kept] - refined.T_object_hand[row])
        far = (bent > APART) | (moved[:, :3, 3].max(axis=1, initial=0.0) > 0.002)
        if (far | (moved[:, :3, :3].max(axis=(1, 2), initial=0.0) > APART)).all():
            kept.append(int(row))
        if len(kept) == TRIED:
            break
    return np.array(kept)
