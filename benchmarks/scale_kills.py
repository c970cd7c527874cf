"""A build killed at random moments and taken up again: are its files those of one that was left in peace?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from yaff.store.hashing import digest_file

KILLS = 30


def survived(command: Callable[[Path], list[str]], folder: Path, rng: np.random.Generator) -> int:
    """How many of ``KILLS`` builds end in the same bytes as an undisturbed one.

    Each is killed by SIGKILL at one random moment while it is at work, the even ones with all their workers, the odd
    ones alone, and then run to its end.
    """
    whole = folder / "undisturbed"
    started = time.perf_counter()
    subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    expected, same = digests(whole), 0
    for number in range(KILLS):
        out = folder / f"killed-{number}"
        while not _killed(command(out), moment := float(rng.uniform(0.1, 0.98) * seconds), together=number % 2 == 0):
            seconds *= 0.95  # it had ended before: no kill
            _remove(out)
        done = subprocess.run(command(out), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        good = done.returncode == 0 and digests(out) == expected
        same += good
        found = sum(path.suffix == ".h5" for path in out.iterdir()) if out.is_dir() else 0
        sys.stderr.write(f"killed after {moment:.1f} of {seconds:.1f} s: ")
        sys.stderr.write(f"{'identical' if good else 'DIFFERENT ' + done.stderr[-500:]}, {found} files\n")
        _remove(out)
    return same


def _remove(out: Path) -> None:
    for path in (out, out.with_name(out.name + ".work")):
        shutil.rmtree(path, ignore_errors=True)


def _killed(command: list[str], moment: float, together: bool) -> bool:
    """Start a command, kill it after a time; whether it was still at work."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(moment)
    alive = process.poll() is None
    if together:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    return alive


def digests(folder: Path) -> dict[str, str]:
    """Digest of every file of a finished dataset, by name."""
    return {path.name: digest_file(path) for path in sorted(folder.iterdir())}
