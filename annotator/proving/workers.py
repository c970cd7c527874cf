"""Worker processes for what takes seconds, with progress and cancel, so that the page never waits for physics."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.managers import SyncManager
from typing import Any

from annotator.proving.prover import Prover
from yaff.errors import ConflictError, PhysicsError

_prover: Prover | None = None


class Cancelled(ConflictError):
    """Somebody asked for the job to stop."""


@dataclass
class Job:
    """A piece of work that is under way."""

    future: Future[Any]
    stages: Any
    stopped: Any
    stage: str = field(default="waiting")

    def progress(self) -> str:
        """What it does now: waiting, closing, shaking, measuring, refining."""
        self.stage = self.stages.get("stage", self.stage)
        return self.stage

    def cancel(self) -> None:
        """Stop at the next stage; a job that has not begun never does."""
        self.stopped.set()
        self.future.cancel()

    def result(self) -> Any:
        """What came of it; waits.

        Raises:
            Cancelled: it was stopped.
            PhysicsError: its process died.
        """
        try:
            return self.future.result()
        except BrokenProcessPool as error:
            raise PhysicsError("the process that ran the physics died", remedy="try again") from error


class ProvingPool:
    """A few worker processes, each with its own :class:`Prover`.

    Args:
        make: makes a prover; runs in the worker, so it must be importable.
        arguments: of ``make``; picklable.
        workers: how many processes.
    """

    def __init__(self, make: Callable[..., Prover], arguments: Mapping[str, Any], workers: int = 1) -> None:
        self._make, self._arguments, self._workers = make, dict(arguments), workers
        self._context = multiprocessing.get_context("spawn")
        self._manager = SyncManager(ctx=self._context)
        self._manager.start(initializer=_end_with_parent)
        self._lock = threading.Lock()
        self._pool = self._start()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers, mp_context=self._context, initializer=_begin, initargs=(self._make, self._arguments)
        )

    def submit(self, what: str, *arguments: Any) -> Job:
        """Run a method of :class:`Prover` in a worker.

        A pool whose process died is replaced, so that one bad grasp does not stop everybody.
        """
        stages, stopped = self._manager.dict(), self._manager.Event()
        with self._lock:
            try:
                future = self._pool.submit(_run, what, arguments, stages, stopped)
            except BrokenProcessPool:
                self._pool.shutdown(wait=False)
                self._pool = self._start()
                future = self._pool.submit(_run, what, arguments, stages, stopped)
        return Job(future, stages, stopped)

    def close(self) -> None:
        """Stop the workers."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._manager.shutdown()


def _end_with_parent() -> None:
    """End this process once its parent has: a server that is killed cannot tell its workers, and they would wait."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _begin(make: Callable[..., Prover], arguments: Mapping[str, Any]) -> None:
    global _prover
    import torch

    _end_with_parent()

    torch.set_num_threads(1)  # sums must not depend on how many threads share them
    _prover = make(**arguments)


def _run(what: str, arguments: tuple[Any, ...], stages: Any, stopped: Any) -> Any:
    def report(stage: str) -> None:
        if stopped.is_set():
            raise Cancelled("stopped")
        stages["stage"] = stage

    assert _prover is not None
    return getattr(_prover, what)(*arguments, report=report)
