"""The server: one review, its page, its API, and the guard before both."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fastapi import FastAPI
from nicegui import app, ui

from annotator.app.access import Access
from annotator.app.api import answer_errors, make_router
from annotator.app.page import Page
from annotator.app.routes import make_scene_router
from annotator.service import ReviewService


def serve(service: ReviewService, host: str, port: int, token: str | None, names: Iterable[str], storage: Path) -> None:
    """Serve the page until it is interrupted.

    Args:
        service: the review.
        host: address to listen at.
        port: its port.
        token: what everybody must show; ``None`` only where nobody else can reach the address.
        names: under which browsers may ask for it.
        storage: folder of what is remembered of browsers, and of the secret by which they are told apart: a server
            that comes back knows them again.
    """
    install(app, service)
    app.add_middleware(Access, token=token, hosts=tuple(names))
    app.on_shutdown(service.close)
    ui.run(
        host=host,
        port=port,
        title="YAFF review",
        show=False,
        reload=False,
        show_welcome_message=False,
        storage_secret=_secret(storage / "secret"),
        uvicorn_logging_level="warning",
    )


def _secret(path: Path) -> str:
    """What signs the cookies of browsers; made once, readable by its owner alone."""
    with suppress(FileExistsError), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24))
    return path.read_text() or secrets.token_urlsafe(24)  # empty for the moment in which another server writes it


def install(server: FastAPI, service: ReviewService) -> None:
    """Put page and routes on an application."""
    server.include_router(make_router(service))
    names, frames = frozenset(service.store.choices()["object_name"]), service.frames
    if frames is not None:
        names |= frames.names
    image = None if frames is None else frames.image
    server.include_router(make_scene_router(names, service.editor, service.mesh, service.load, image))
    answer_errors(server)

    @ui.page("/")
    def index() -> None:
        Page(service)
