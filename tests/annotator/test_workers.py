"""Workers end with the server, however it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SERVER = """
import multiprocessing, time
from types import SimpleNamespace
from annotator.proving import ProvingPool

if __name__ == "__main__":
    pool = ProvingPool(SimpleNamespace, {}, workers=1)
    job = pool.submit("nothing")
    try:
        job.result()
    except AttributeError:  # so the worker has begun
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc")
def test_a_killed_server_leaves_no_process_behind(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        children = [int(pid) for pid in server.stdout.readline().split()]
        try:
            assert len(children) == 2  # the worker and what carries its progress
            assert all(map(_alive, children))
            server.send_signal(signal.SIGKILL)
            server.wait()
            deadline = time.monotonic() + 60
            while any(map(_alive, children)) and time.monotonic() < deadline:
                time.sleep(0.05)
            assert not any(map(_alive, children))
        finally:
            server.kill()
            for pid in filter(_alive, children):
                os.kill(pid, signal.SIGKILL)
