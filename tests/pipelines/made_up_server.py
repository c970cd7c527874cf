"""An HTTP server on this machine that misbehaves as told."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, list[int]] = field(default_factory=dict)
    """Statuses to answer with first, by path."""
    drop_after: list[int] = field(default_factory=list)
    """For each coming answer with content: bytes after which the connection is cut."""
    ranges: bool = True
    etag: bool = True
    wrong_length: int = 0
    """Added to the Content-Length that is announced."""
    wrong_start: int = 0
    """Added to the start of a range that is asked for."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of every request."""
    url: str = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def do_GET(self) -> None:
        site, path = self.site, self.path
        asked = self.headers.get("Range", "")
        site.asked.append((path, asked))
        if site.status.get(path):
            return self._plain(site.status[path].pop(0))
        if path not in site.files:
            return self._plain(404)
        data = site.files[path]
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        start, found = 0, re.fullmatch(r"bytes=(\d+)-", asked)
        if found and site.ranges and self.headers.get("If-Range") in (None, etag):
            start = int(found[1]) + site.wrong_start
        if found and start >= len(data):
            return self._plain(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if site.etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(data) - start + site.wrong_length))
        self.end_headers()
        cut = site.drop_after.pop(0) if site.drop_after else None
        self.wfile.write(data[start:] if cut is None else data[start : start + cut])
        self.wfile.flush()
        if cut is not None or site.wrong_length:
            self.close_connection = True
        return None

    def _plain(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """The site at ``site.url`` while the block runs."""
    handler = type("Handler", (_Handler,), {"site": site})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
