"""How benchmarks and tests start Debian's chromium without a screen, and the servers that it looks at."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
]

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def serving(words: Sequence[str], folder: Path | None = None) -> Iterator[str]:
    """The address of ``yaff WORDS``, started as its user starts it, until it is no longer needed.

    Args:
        words: the command and its options, without ``--port``.
        folder: where it is called; here if not given.

    Raises:
        RuntimeError: it did not come up in two minutes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # a server that a test starts is no test, and must not be taken for one
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipelines.cli", *words, "--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120.0
        while True:
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"the server did not come up: yaff {' '.join(words)}")
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(60)


def listen_for_errors(page: Any) -> list[str]:
    """A list that fills with what goes wrong in a page: errors of its console, and those that nobody caught."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors
