"""The viewer's server: a page, its hand and objects, and the guard before them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

import trimesh
from fastapi import FastAPI
from nicegui import app, ui

from annotator.app.access import Access
from annotator.app.api import answer_errors
from annotator.app.routes import make_scene_router
from annotator.editing import Editor
from annotator.viewing.content import LibraryContent, ShardsContent
from annotator.viewing.page import LibraryPage, ShardsPage
from yaff.objects import ObjectModel

Content = LibraryContent | ShardsContent


def serve(
    content: Content,
    editor: Editor,
    mesh: Callable[[str], trimesh.Trimesh],
    load: Callable[[str], ObjectModel],
    host: str,
    port: int,
    token: str | None,
    names: Iterable[str],
) -> None:
    """Serve the page until it is interrupted.

    Args:
        content: what is shown.
        editor: of the hand that it was made with.
        mesh: an object's mesh to look at.
        load: an object with its distance field, by which skin is coloured.
        host: address to listen at.
        port: its port.
        token: what everybody must show; ``None`` only where nobody else can reach the address.
        names: under which browsers may ask for it.
    """
    install(app, content, editor, mesh, load)
    app.add_middleware(Access, token=token, hosts=tuple(names))
    ui.run(
        host=host,
        port=port,
        title="YAFF view",
        show=False,
        reload=False,
        show_welcome_message=False,
        storage_secret=secrets.token_urlsafe(24),
        uvicorn_logging_level="warning",
    )


def install(
    server: FastAPI,
    content: Content,
    editor: Editor,
    mesh: Callable[[str], trimesh.Trimesh],
    load: Callable[[str], ObjectModel],
) -> None:
    """Put page and routes on an application."""
    names = content.objects if isinstance(content, LibraryContent) else content.shards.objects
    image = content.image if isinstance(content, ShardsContent) and content.reader is not None else None
    server.include_router(make_scene_router(frozenset(names), editor, mesh, load, image))
    answer_errors(server)

    @ui.page("/")
    def index() -> None:
        if isinstance(content, LibraryContent):
            LibraryPage(content, editor)
        else:
            ShardsPage(content, editor)
