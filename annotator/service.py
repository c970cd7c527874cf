"""What page and API can do with a review: the store, the library, edits and physics, in one place."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from annotator.editing import Editor
from annotator.proving import Job, ProvingPool
from annotator.store import Action, Decision, GraspState, Item, Lease, QueueFilter, ReviewStore, Verification
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
    """

    def __init__(
        self,
        store: ReviewStore,
        editor: Editor,
        pool: ProvingPool,
        load: Callable[[str], ObjectModel],
        mesh: Callable[[str], trimesh.Trimesh],
        versions: Mapping[str, str],
    ) -> None:
        self.store, self.editor, self.load, self.mesh = store, editor, load, mesh
        self.versions = dict(versions)
        self._pool = pool
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ queue and decisions

    def take(self, annotator: str, chosen: QueueFilter | None = None, number: int | None = None) -> Lease | None:
        """See :meth:`annotator.store.ReviewStore.acquire`."""
        return self.store.acquire(annotator, chosen, number)

    def decide(self, token: str, action: Action, after: GraspState | None = None, **said: str | None) -> Decision:
        """See :meth:`annotator.store.ReviewStore.decide`; the versions of this program are added."""
        return self.store.decide(token, action, after, versions=self.versions, **said)  # type: ignore[arg-type]

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
        self._pool.close()
        self.store.close()
