"""The server: one review, its page, its API, and the guard before both."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from fastapi import FastAPI
from nicegui import app, ui

from annotator.app.access import Access
from annotator.app.api import answer_errors, make_router
from annotator.app.page import Page
from annotator.app.routes import make_scene_router
from annotator.service import ReviewService


def serve(service: ReviewService, host: str, port: int, token: str | None, names: Iterable[str]) -> None:
    """Serve the page until it is interrupted.

    Args:
        service: the review.
        host: address to listen at.
        port: its port.
        token: what everybody must show; ``None`` only where nobody else can reach the address.
        names: under which browsers may ask for it.
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
        storage_secret=secrets.token_urlsafe(24),
        uvicorn_logging_level="warning",
    )


def install(server: FastAPI, service: ReviewService) -> None:
    """Put page and routes on an application."""
    server.include_router(make_router(service))
    server.include_router(make_scene_router(service))
    answer_errors(server)

    @ui.page("/")
    def index() -> None:
        Page(service)
