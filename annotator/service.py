"""What page and API can do with a review: the store, the library, edits and physics, in one place."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from annotator.editing import Editor
from annotator.frames import FrameViews
from annotator.proving import Job, ProvingPool
from annotator.siblings import MOST, proposal, siblings_of
from annotator.store import Action, Decision, GraspState, Item, ItemState, Lease, QueueFilter, ReviewStore, Verification
from yaff.errors import ConflictError, UnknownItemError

if TYPE_CHECKING:
    import trimesh

    from yaff.objects import ObjectModel

JOBS_KEPT = 1000
"""Jobs whose outcome can still be asked for."""


@dataclass(frozen=True)
class Work:
    """A job, what it is about, and for which grasp."""

    name: str
    what: str
    object_name: str
    job: Job


class ReviewService:
    """All that is shared by the people of one review.

    Args:
        store: queue, leases and decisions.
        editor: edits of the hand that the library was made with.
        pool: where physics runs.
        load: an object by name, with its distance field.
        mesh: an object's mesh to look at, with its texture.
        versions: what goes into the log with every decision.
        frames: finds images in which a grasp can be looked at; ``None`` where there are none.
    """

    def __init__(
        self,
        store: ReviewStore,
        editor: Editor,
        pool: ProvingPool,
        load: Callable[[str], ObjectModel],
        mesh: Callable[[str], trimesh.Trimesh],
        versions: Mapping[str, str],
        frames: FrameViews | None = None,
    ) -> None:
        self.store, self.editor, self.load, self.mesh, self.frames = store, editor, load, mesh, frames
        self.versions = dict(versions)
        self._pool = pool
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._lock = threading.Lock()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="siblings")

    # ------------------------------------------------------------------ queue and decisions

    def take(self, annotator: str, chosen: QueueFilter | None = None, number: int | None = None) -> Lease | None:
        """See :meth:`annotator.store.ReviewStore.acquire`."""
        return self.store.acquire(annotator, chosen, number)

    def decide(self, token: str, action: Action, after: GraspState | None = None, **said: str | None) -> Decision:
        """See :meth:`annotator.store.ReviewStore.decide`; the versions of this program are added.

        After an accepted edit the same correction is tried on the grasp's siblings, in the background.
        """
        decision = self.store.decide(token, action, after, versions=self.versions, **said)  # type: ignore[arg-type]
        if decision.action is Action.ACCEPT and decision.after != decision.before and not decision.overruled:
            self._background.submit(self.propose_siblings, decision)
        return decision

    def propose_siblings(self, decision: Decision) -> int:
        """Try an accepted correction on the grasp's siblings and queue those that verify; returns how many."""
        item = self.store.item(self.store.number_of(decision.item_key))
        chosen = QueueFilter(object_name=item.object_name, grasp_type=decision.before.grasp_type, state=ItemState.OPEN)
        rows = self.store.page(chosen, limit=MOST + 1).items
        others = [(other, self.store.grasp(other.number)) for other in rows if other.row is not None]
        proposed = 0
        symmetries = np.asarray(self.load(item.object_name).symmetries)
        for sibling in siblings_of(self.editor, decision, others, symmetries):
            verdict = self.outcome(self._start("verify", item.object_name, sibling.state))
            if verdict.held and verdict.conforms:
                self.store.keep_verification(item.object_name, verdict)
                proposed += self.store.fill([proposal(item, sibling, verdict, decision)])
        return proposed

    # ------------------------------------------------------------------ physics

    def start_verify(self, item: Item, state: GraspState) -> Work:
        """Begin to verify a grasp of this item; the verdict is kept when it is there."""
        return self._start("verify", item.object_name, state)

    def start_snap(self, item: Item, state: GraspState, what: Sequence[str]) -> Work:
        """Begin to refine what is free of a grasp of this item."""
        return self._start("snap", item.object_name, state, tuple(what))

    def work(self, name: str) -> Work:
        """A job that was begun.

        Raises:
            UnknownItemError: there is none of this name, or it was too long ago.
        """
        with self._lock:
            if name not in self._jobs:
                raise UnknownItemError(f"there is no job {name!r}")
            return self._jobs[name]

    def outcome(self, work: Work) -> Any:
        """What came of a job; waits for it. A verdict is in the store before this returns."""
        result = work.job.result()
        if isinstance(result, Verification):
            self.store.keep_verification(work.object_name, result)
        return result

    def _start(self, what: str, object_name: str, *arguments: Any) -> Work:
        job = self._pool.submit(what, object_name, *arguments)
        work = Work(uuid4().hex, what, object_name, job)
        with self._lock:
            busy = sum(not w.job.future.done() for w in self._jobs.values())
            if busy >= JOBS_KEPT:
                job.cancel()
                raise ConflictError("too many jobs are waiting", remedy="try again in a minute")
            self._jobs[work.name] = work
            for old in [n for n, w in self._jobs.items() if w.job.future.done()][: max(0, len(self._jobs) - JOBS_KEPT)]:
                del self._jobs[old]
        return work

    def close(self) -> None:
        """Stop the workers and close the store."""
        self._background.shutdown(wait=False, cancel_futures=True)
        self._pool.close()
        self.store.close()
