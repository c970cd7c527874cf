"""Files over HTTP that come whole or not at all: resumed where they broke off, from the first mirror that has them.

What has come so far lies in ``NAME.part``, with the server's name for that version (its strong ETag, or the time of its
last change) in ``NAME.part.json``. It is continued with ``Range`` and ``If-Range``, so that a file that changed on the
server, or a server that knows no ranges, starts it afresh. httpx checks the length of what comes.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from yaff._version import __version__
from yaff.errors import FormatError, StorageError, YaffError
from yaff.store.atomic import storage_errors

ATTEMPTS = 5
"""Times that an address is tried before the next; one that came further than all before starts the count anew."""
WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between attempts."""
MOST_ROUNDS = 200
"""Attempts at one address in all, however little each brings."""
MOST_BYTES = 1 << 30
"""A file that claims to be larger is refused (1 GiB)."""
TIMEOUT = httpx.Timeout(30.0)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}

Seen = Callable[[int, int | None], None]
"""Called with the bytes there are and, where the server says, those there will be."""


@dataclass(frozen=True)
class Downloaded:
    """A file that has come, not believed yet."""

    path: Path
    url: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class _Begun:
    """What a ``.part`` is the beginning of."""

    url: str
    validator: str


class _Refused(Exception):
    """This address will not do: try the next."""


def client() -> httpx.Client:
    """A client that follows redirections and asks for the bytes as they are."""
    headers = {"User-Agent": f"yaff/{__version__}", "Accept-Encoding": "identity"}
    return httpx.Client(follow_redirects=True, timeout=TIMEOUT, headers=headers)


def fetch(
    http: httpx.Client,
    urls: tuple[str, ...],
    target: Path,
    accept: Callable[[Downloaded], None],
    seen: Seen = lambda done, total: None,
    sleep: Callable[[float], None] = time.sleep,
    unreachable: set[str] | None = None,
) -> Downloaded:
    """A file from the first address whose content is accepted.

    Args:
        http: from :func:`client`.
        urls: tried in this order.
        target: where the file goes; beside it lies what has come of it. After an interruption the next call goes on.
        accept: raises :class:`YaffError` for a content that is not what is wanted; the next address is tried then.
        seen: is told of progress.
        sleep: waits, in seconds.
        unreachable: hosts that cannot be connected to; those found to be so are added, and not asked again.

    Raises:
        FormatError: no address has it; the message says of each why.
        StorageError: the disk refused.
    """
    refused: list[str] = []
    unreachable = set() if unreachable is None else unreachable
    with storage_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            found = _from(http, url, target, seen, sleep, unreachable)
            accept(found)
            return found
        except StorageError:
            raise
        except YaffError as error:
            target.unlink(missing_ok=True)
            refused.append(f"{url}: {error.what}")
        except ValueError as error:  # urlsplit's
            refused.append(f"{url}: not an address: {error}")
        except _Refused as error:
            refused.append(f"{url}: {error}")
    raise FormatError(
        f"{target.name} could not be downloaded\n    " + "\n    ".join(refused),
        remedy="look at the connection and run the same command again: it goes on where it was; or name another place "
        "with --mirror URL, or a folder of meshes that you have: yaff assets install DIR",
    )


def _from(
    http: httpx.Client, url: str, target: Path, seen: Seen, sleep: Callable[[float], None], unreachable: set[str]
) -> Downloaded:
    host = urlsplit(url).netloc.lower()
    if host in unreachable:
        raise _Refused("its server could not be reached before")
    part = target.with_name(target.name + ".part")
    failures, most = 0, _size(part)
    for _ in range(MOST_ROUNDS):
        try:
            _attempt(http, url, part, seen)
            break
        except httpx.HTTPError as error:
            failures = 1 if _size(part) > most else failures + 1
            most = max(most, _size(part))
            if failures >= ATTEMPTS:
                unreachable |= {host} if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else set()
                raise _Refused(f"{type(error).__name__}: {error} ({failures} attempts)") from error
            sleep(WAITS[min(failures, len(WAITS)) - 1])
        except httpx.InvalidURL as error:
            raise _Refused(f"not an address: {error}") from error
    else:
        raise _Refused(f"broke off {MOST_ROUNDS} times")
    with storage_errors(target):
        digest, size = _digest(part)
        part.replace(target)
        _note_of(part).unlink(missing_ok=True)
    return Downloaded(target, url, digest, size)


def _attempt(http: httpx.Client, url: str, part: Path, seen: Seen) -> None:
    """Bring what is missing. Leaves the file whole, or raises with what has come kept."""
    begun, have = _begun(part), _size(part)
    resume = begun is not None and begun.url == url and have > 0
    headers = {"Range": f"bytes={have}-", "If-Range": begun.validator} if resume and begun is not None else {}
    with http.stream("GET", url, headers=headers) as answer:
        status = answer.status_code
        if status in _WORTH_ANOTHER_TRY:
            raise httpx.HTTPStatusError(f"status {status}", request=answer.request, response=answer)
        if status == 206 and resume:
            start, total = _content_range(answer)
        elif status == 200:
            start, total = 0, _length(answer)
        elif status in (206, 416):  # it answers what was not asked, or there is nothing after what is here
            part.unlink(missing_ok=True)
            _note_of(part).unlink(missing_ok=True)
            raise httpx.HTTPStatusError(f"status {status}", request=answer.request, response=answer)
        else:
            raise _Refused(f"status {status} {answer.reason_phrase}".strip())
        if start not in (0, have):
            raise _Refused(f"asked for the bytes from {have} on, got those from {start} on")
        if total is not None and total > MOST_BYTES:
            raise _Refused(f"{total >> 20} MiB, more than an archive of a mesh can be")
        with storage_errors(part):
            if start == 0:
                _write_note(part, url, answer)
            with part.open("r+b" if start else "wb") as stream:
                stream.seek(start)
                _copy(answer, stream, start, total, seen)


def _copy(answer: httpx.Response, stream: BinaryIO, done: int, total: int | None, seen: Seen) -> None:
    for block in answer.iter_raw():  # as it comes: blocks of a fixed size would be lost when the connection is
        stream.write(block)
        done += len(block)
        if done > MOST_BYTES:
            raise _Refused(f"more than {MOST_BYTES >> 20} MiB")
        seen(done, total)
    if total is not None and done != total:
        raise httpx.RemoteProtocolError(f"{done} of {total} bytes came")


def _content_range(answer: httpx.Response) -> tuple[int, int]:
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if found is None:
        raise _Refused(f"a part without a valid Content-Range ({answer.headers.get('Content-Range')!r})")
    return int(found[1]), int(found[2])


def _length(answer: httpx.Response) -> int | None:
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_note(part: Path, url: str, answer: httpx.Response) -> None:
    """Remember which version this is the beginning of; without a name for it, it cannot be continued."""
    etag = answer.headers.get("ETag", "")
    validator = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
    if validator:
        _note_of(part).write_text(json.dumps(asdict(_Begun(url, validator))), encoding="utf-8")
    else:
        _note_of(part).unlink(missing_ok=True)


def _begun(part: Path) -> _Begun | None:
    try:
        return _Begun(**json.loads(_note_of(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _digest(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest(), _size(path)
