"""Who may talk to the server: a pure ASGI middleware, so that web sockets are guarded like pages and the API.

* A token (a must beyond 127.0.0.1) comes once in the address (``/?token=...``), then lives in a cookie that scripts
  cannot read and other sites cannot send (``HttpOnly``, ``SameSite=Strict``); programs send ``Authorization: Bearer``.
* ``Origin``, where a browser sends one, must be the server itself; ``Host`` must be a name the server goes by, so that
  another site cannot reach it by pointing its own name here (DNS rebinding).
* Bodies are bounded, whether they state their length or not.
"""

from __future__ import annotations

import ipaddress
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "yaff_token"
LARGEST_BODY = 1 << 20
"""Bytes of a request; a grasp is 3 kB."""

KEPT_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
"""On every answer: types are not guessed, the page is in nobody's frame, addresses are not told on."""

log = logging.getLogger("yaff.annotator.access")


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(24)


def is_local(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _TooLarge(Exception):
    pass


class Access:
    """Lets through what may pass, refuses and logs the rest.

    Args:
        app: what is guarded.
        token: the secret; ``None`` lets everybody on this machine in.
        hosts: names under which the server is reached, without port; empty for any.
        largest_body: bytes.
    """

    def __init__(
        self, app: Application, token: str | None, hosts: Iterable[str] = (), largest_body: int = LARGEST_BODY
    ) -> None:
        self._app, self._token, self._hosts, self._largest = app, token, frozenset(hosts), largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope.get("headers", [])}
        refusal = self._refusal(scope, headers)
        if refusal:
            await self._refuse(scope, send, *refusal)
            return
        given = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token")
        if self._token is not None and given is not None and self._right(given) and scope["type"] == "http":
            await self._welcome(scope, send)
            return
        if self._token is not None and not self._admitted(headers):
            await self._refuse(scope, send, 401, "a token is needed: open the address that the server printed")
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    # ------------------------------------------------------------------ checks

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> tuple[int, str] | None:
        path = unquote(scope.get("raw_path", scope["path"].encode()).decode("latin-1"))
        if ".." in path.replace("\\", "/").split("/") or "\x00" in path:
            return 400, "a path that climbs"
        host = headers.get(b"host", "")
        if self._hosts and host.rsplit(":", 1)[0].strip("[]") not in self._hosts and host not in self._hosts:
            return 421, f"this server does not go by the name {host[:100]!r}"
        origin = headers.get(b"origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, f"a request that comes from {origin[:100]!r}"
        length = headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > self._largest):
            return 413, f"a body of more than {self._largest} bytes"
        return None

    def _right(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), (self._token or "").encode())

    def _admitted(self, headers: dict[bytes, str]) -> bool:
        scheme, _, value = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._right(value.strip()):
            return True
        try:
            cookies = SimpleCookie(headers.get(b"cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and self._right(cookies[COOKIE].value)

    # ------------------------------------------------------------------ answers

    async def _welcome(self, scope: Scope, send: Send) -> None:
        """The token moves from the address into a cookie, so that it stays out of histories and referrers."""
        rest = [(k, v) for k, v in parse_qsl(scope["query_string"].decode("latin-1")) if k != "token"]
        target = scope["path"].replace("//", "/") + (f"?{urlencode(rest)}" if rest else "")
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{COOKIE}={self._token}; Path=/; HttpOnly; SameSite=Strict{secure}"
        headers = [(b"location", target.encode("latin-1")), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _refuse(self, scope: Scope, send: Send, status: int, why: str) -> None:
        client = (scope.get("client") or ("?",))[0]
        log.warning(
            "refused %s %r from %s: %d %s", scope.get("method", "websocket"), scope["path"], client, status, why
        )
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401 if status == 401 else 4403, "reason": why[:100]})
            return
        body = why.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, but no more of its body than is allowed."""
        seen, begun = 0, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise _TooLarge
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if seen > self._largest and not begun:
                return  # whatever the application makes of its interrupted reading, the answer is below
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", []), *KEPT_HEADERS]
            await send(message)

        with suppress(_TooLarge):
            await self._app(scope, counted, watched)
        if seen > self._largest and not begun:
            await self._refuse(scope, send, 413, f"a body of more than {self._largest} bytes")
