"""The viewer's server: a page, its hand and objects, and the guard before them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

import trimesh
from fastapi import APIRouter, FastAPI, Response
from nicegui import app, ui

from annotator.app.access import Access
from annotator.app.api import answer_errors
from annotator.app.routes import KEEP, PREFIX
from annotator.app.scene_data import field_bytes, hand_json, object_glb
from annotator.editing import Editor
from annotator.viewing.content import LibraryContent, ShardsContent
from annotator.viewing.page import LibraryPage, ShardsPage
from yaff.errors import UnknownItemError
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
    server.include_router(_router(names, editor, mesh, load))
    answer_errors(server)

    @ui.page("/")
    def index() -> None:
        if isinstance(content, LibraryContent):
            LibraryPage(content, editor)
        else:
            ShardsPage(content, editor)


def _router(
    names: Collection[str],
    editor: Editor,
    mesh: Callable[[str], trimesh.Trimesh],
    load: Callable[[str], ObjectModel],
) -> APIRouter:
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    def known(name: str) -> str:
        if name not in names:
            raise UnknownItemError(f"no object {name!r} here")
        return name

    @lru_cache(maxsize=1)
    def hand_bytes() -> bytes:
        return hand_json(editor.model, editor.anatomy)

    @lru_cache(maxsize=32)
    def glb_bytes(name: str) -> bytes:
        return object_glb(mesh(name))

    @lru_cache(maxsize=32)
    def field(name: str) -> bytes:
        return field_bytes(load(name).sdf)

    @router.get("/hand.json")
    def hand() -> Response:
        return Response(hand_bytes(), media_type="application/json", headers=KEEP)

    @router.get("/objects/{name}.glb")
    def glb(name: str) -> Response:
        return Response(glb_bytes(known(name)), media_type="model/gltf-binary", headers=KEEP)

    @router.get("/objects/{name}.field")
    def distance(name: str) -> Response:
        return Response(field(known(name)), media_type="application/octet-stream", headers=KEEP)

    return router
