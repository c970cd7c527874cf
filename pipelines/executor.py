"""Many units of work on many processes: nothing depends on how many, on their order, or on being interrupted.

A unit writes one *part* file, named by the unit and by a digest of everything that decides its content. A part that
is there is not made again: that is how a killed build resumes, and how a changed configuration redoes what it changes
and no more. Parts appear under their name only when complete, and results come back in the order of the units.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.progress import Progress, Stage
from pipelines.toml import to_table
from yaff.errors import InputError, StorageError, YaffError
from yaff.store.atomic import atomic_file, remove_temporaries

if TYPE_CHECKING:
    from dask.distributed import Client


@dataclass(frozen=True)
class Unit:
    """One piece of work: ``function(part, *arguments)`` writes the file ``part`` and returns a short note."""

    name: str
    """What a person calls it, and its path below the work folder: ``search/025_mug/09``."""
    key: str
    """Digest of everything that decides the content; see :func:`digest`."""
    function: Callable[..., str]
    """A function at the top of a module, so that another process finds it."""
    arguments: tuple[Any, ...] = ()
    suffix: str = ".h5"
    still_good: Callable[[Path], bool] | None = None
    """Whether a part left by an earlier run still stands; without it, existing is enough."""

    def part(self, work: Path) -> Path:
        """Where the part file goes."""
        return work / f"{self.name}-{self.key}{self.suffix}"


@dataclass(frozen=True)
class Outcome:
    """What became of a unit."""

    unit: Unit
    path: Path
    note: str = ""
    seconds: float = 0.0
    resumed: bool = False
    """The part was there already."""
    error: YaffError | None = None
    """Why there is no part."""


class OutOfTime(YaffError):
    """A unit was not begun because the time given had passed; the same run goes on with it."""


@dataclass(frozen=True)
class Workforce:
    """Who does the work. Never changes a result."""

    workers: int = 0
    """Processes; 0 takes every core that this process may use."""
    backend: str = "local"
    """"local" (joblib's loky) or "dask"."""
    scheduler: str | None = None
    """Address of the Dask scheduler."""

    @property
    def count(self) -> int:
        """The number of processes."""
        if self.workers:
            return self.workers
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def digest(*parts: object) -> str:
    """16 hexadecimal digits that change when any of these values (JSON, dataclasses, paths) does."""
    text = json.dumps([to_table(part) for part in parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_units(
    title: str,
    units: Sequence[Unit],
    work: Path,
    workforce: Workforce,
    progress: Progress,
    *,
    deadline: float | None = None,
) -> list[Outcome]:
    """Do every unit whose part is not there; outcomes in the order of ``units``.

    A unit that fails is reported with its name and the others go on. A process that dies (out of memory, a crash in
    native code) costs nothing but the unit that kills it twice. After ``deadline`` (of :func:`time.monotonic`) no unit
    is begun any more: those left have the error :class:`OutOfTime`, and those under way are finished.

    Raises:
        StorageError: the disk is full or the folder cannot be written: nothing else could succeed either.
    """
    outcomes: dict[str, Outcome] = {}
    with progress.stage(title, len(units)) as stage:
        pending = []
        for folder in {unit.part(work).parent for unit in units}:
            remove_temporaries(folder)
        for unit in units:
            path = unit.part(work)
            _marker(path).unlink(missing_ok=True)
            if path.is_file() and (unit.still_good is None or unit.still_good(path)):
                outcomes[unit.name] = Outcome(unit, path, note="already there", resumed=True)
                stage.done(unit.name, "already there")
            else:
                pending.append(unit)
        while pending:
            for outcome in _attempt(pending, work, workforce, stage, deadline):
                outcomes[outcome.unit.name] = outcome
            lost = [unit for unit in pending if unit.name not in outcomes]
            for outcome in _retry_alone(lost, work, workforce, stage):
                outcomes[outcome.unit.name] = outcome
            left = [unit for unit in lost if unit.name not in outcomes]
            if left and _passed(deadline):
                stage.say(f"{title}: out of time with {len(left)} of {len(units)} not begun")
                error = OutOfTime("not begun in the time given", remedy="the same command goes on from here")
                outcomes |= {unit.name: Outcome(unit, unit.part(work), error=error) for unit in left}
                break
            if len(left) == len(pending):
                raise YaffError(
                    "worker processes die before they begin to work",
                    where=title,
                    remedy=f"see {work / 'log.txt'}; `yaff doctor` checks the installation",
                )
            pending = left
    for outcome in outcomes.values():
        _remove_stale_parts(outcome)
    return [outcomes[unit.name] for unit in units]


def _passed(deadline: float | None) -> bool:
    return deadline is not None and time.monotonic() >= deadline


def _attempt(
    units: Sequence[Unit], work: Path, workforce: Workforce, stage: Stage, deadline: float | None = None
) -> Iterator[Outcome]:
    """Outcomes as they come; ends early, without a word on the rest, when a process dies or time is up."""
    with closing(BACKENDS[workforce.backend](units, work, workforce, stage, deadline)) as outcomes:
        for outcome in outcomes:
            _announce(outcome, stage)  # a full disk ends it here, and closing ends what is under way
            yield outcome


def _on_this_machine(
    units: Sequence[Unit], work: Path, workforce: Workforce, stage: Stage, deadline: float | None
) -> Generator[Outcome, None, None]:
    """joblib's loky: processes that survive each other's crashes."""
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    count = min(workforce.count, len(units))
    jobs = (joblib.delayed(_work)(unit, work, os.getpid()) for unit in units if not _passed(deadline))
    # joblib works inside this very process when asked for one worker, where a crash would end the build: ask for two
    # and hand out one unit at a time instead.
    settings: dict[str, Any] = {
        "n_jobs": max(2, count),
        "batch_size": 1,
        "pre_dispatch": 1 if count == 1 else "2 * n_jobs" if deadline is None else "n_jobs",
    }
    # One thread in each process: more would fight over the cores, and sums would depend on their number.
    with warnings.catch_warnings(), joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        # a process that has grown too large is replaced, which is as it should be, and loky warns of it
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs")
        parallel = joblib.Parallel(return_as="generator_unordered", max_nbytes=None, **settings)
        try:
            yield from _named(parallel(jobs))
        except BrokenProcessPool:
            stage.say("a worker process died; its unit is tried again alone, then the rest go on")


def _on_dask(
    units: Sequence[Unit], work: Path, workforce: Workforce, stage: Stage, deadline: float | None
) -> Generator[Outcome, None, None]:
    """The workers of a Dask cluster, which shares the folders. Dask itself gives the units of a worker that died to
    others; only a unit that has taken several workers with it comes back."""
    with _cluster(workforce) as client:
        from dask.distributed import as_completed
        from distributed.scheduler import KilledWorker

        left = list(reversed(units))

        def more(count: int) -> list[Any]:
            chosen = [] if _passed(deadline) else [left.pop() for _ in range(min(count, len(left)))]
            return [client.submit(_work, unit, work, None, pure=False) for unit in chosen]

        # all at once, so that a cluster that grows with its work sees it; a few at a time where time may run out
        begun = more(len(left) if deadline is None else 2 * workforce.count)
        completed = as_completed(begun)
        for future in completed:
            for following in more(1):
                completed.add(following)
            try:
                outcome = future.result()
            except KilledWorker:
                stage.say("a unit has cost several Dask workers; it is tried once more, alone")
                continue
            yield outcome


def _named(results: object) -> Iterable[Outcome]:
    return results  # type: ignore[return-value]  # joblib's annotations know lists only


def _retry_alone(lost: Sequence[Unit], work: Path, workforce: Workforce, stage: Stage) -> Iterator[Outcome]:
    """The units that were under way when a process died, one by one, so that the guilty one is known."""
    alone = Workforce(1, workforce.backend, workforce.scheduler)
    for unit in [unit for unit in lost if _marker(unit.part(work)).exists()]:
        _marker(unit.part(work)).unlink(missing_ok=True)
        outcomes = list(_attempt([unit], work, alone, stage))
        if not outcomes:
            outcomes = [Outcome(unit, unit.part(work), error=_died(unit, work))]
            _announce(outcomes[0], stage)
        yield from outcomes


def _died(unit: Unit, work: Path) -> YaffError:
    return YaffError(
        "the process that worked on it died twice: out of memory, or a crash in native code",
        where=unit.name,
        remedy=f"see {work / 'log.txt'}; fewer --workers need less memory",
    )


def _announce(outcome: Outcome, stage: Stage) -> None:
    if outcome.error is None:
        stage.done(outcome.unit.name, f"{outcome.seconds:.1f} s  {outcome.note}".rstrip())
    elif isinstance(outcome.error, StorageError):
        raise outcome.error
    else:
        stage.done(outcome.unit.name, "FAILED")
        stage.say(f"{outcome.unit.name} failed: {outcome.error}")


PATIENCE = 30
"""Seconds that a Dask scheduler may take to answer."""


@contextmanager
def _cluster(workforce: Workforce) -> Iterator[Client]:
    """A client of the scheduler, or of workers on this machine where there is none.

    Raises:
        InputError: nothing answers at the scheduler's address, or Dask is not installed.
    """
    try:
        from dask.distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("Dask is not installed", remedy="pip install 'yaff[cluster]', or --backend local") from error
    if workforce.scheduler is None:
        with (
            LocalCluster(n_workers=workforce.count, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(workforce.scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(
            f"no Dask scheduler answers: {error}",
            where=workforce.scheduler,
            remedy="start one with `dask scheduler`, and give the address that it prints",
        ) from error
    with client:
        yield client


BACKENDS: Mapping[
    str, Callable[[Sequence[Unit], Path, Workforce, Stage, float | None], Generator[Outcome, None, None]]
] = {
    "local": _on_this_machine,
    "dask": _on_dask,
}
"""Who can do the work, by the name that the command line has for it."""


def _work(unit: Unit, work: Path, parent: int | None) -> Outcome:
    """Do one unit, in a worker process; ``parent`` is the process that it must not outlive, on this machine."""
    if parent is not None:
        _settle(work, parent)
    path = unit.part(work)
    started = time.perf_counter()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _marker(path).touch()
        with atomic_file(path) as temporary:
            note = unit.function(temporary, *unit.arguments)
        return Outcome(unit, path, note=note, seconds=time.perf_counter() - started)
    except YaffError as error:
        return Outcome(unit, path, seconds=time.perf_counter() - started, error=error)
    except Exception as error:
        sys.stderr.write(f"--- {unit.name}\n{traceback.format_exc()}\n")
        sys.stderr.flush()
        failure = YaffError(
            f"{type(error).__name__}: {error}", where=unit.name, remedy=f"see {work / 'log.txt'} for the traceback"
        )
        return Outcome(unit, path, seconds=time.perf_counter() - started, error=failure)
    finally:
        _marker(path).unlink(missing_ok=True)


_log: Path | None = None


def _settle(work: Path, parent: int) -> None:
    """Once in each process: chatter of native code goes to a file, and the process ends when its parent is killed."""
    global _log
    if _log == work:
        return
    if _log is None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        _keep_caches()
    _log = work
    work.mkdir(parents=True, exist_ok=True)
    log = os.open(work / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


GROWTH = 1_000_000_000
"""Bytes by which a worker may grow before it is replaced by a fresh one."""


def _keep_caches() -> None:
    """Let this process keep the objects it has loaded: loky would replace it as soon as it has grown by 300 MB."""
    from joblib.externals.loky import process_executor

    if hasattr(process_executor, "_MAX_MEMORY_LEAK_SIZE"):
        process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _marker(path: Path) -> Path:
    """Present while a process works on the part: tells which units a dead process took with it."""
    return path.with_name(path.name + ".started")


def _remove_stale_parts(outcome: Outcome) -> None:
    """Parts of the same unit from other configurations."""
    if outcome.error is not None:
        return
    stem = outcome.path.name[: -len(outcome.unit.key) - len(outcome.unit.suffix)]
    for other in outcome.path.parent.glob(f"{stem}{'?' * len(outcome.unit.key)}{outcome.unit.suffix}"):
        if other != outcome.path:
            other.unlink(missing_ok=True)
