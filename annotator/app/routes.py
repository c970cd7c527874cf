"""Addresses from which the page fetches hand, objects and distance fields."""

from __future__ import annotations

from functools import lru_cache

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from annotator.app.scene_data import field_bytes, hand_json, object_glb
from annotator.service import ReviewService
from yaff.errors import UnknownItemError

PREFIX = "/scene"
KEEP = {"cache-control": "private, max-age=3600"}


def make_scene_router(service: ReviewService) -> APIRouter:
    """The routes of one review's hand and objects."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False)
    queued = frozenset(service.store.choices()["object_name"])
    names = queued if service.frames is None else queued | service.frames.names

    @lru_cache(maxsize=1)
    def hand_bytes() -> bytes:
        return hand_json(service.editor.model, service.editor.anatomy)

    @lru_cache(maxsize=32)
    def glb_bytes(name: str) -> bytes:
        return object_glb(service.mesh(name))

    @lru_cache(maxsize=32)
    def field(name: str) -> bytes:
        return field_bytes(service.load(name).sdf)

    def known(name: str) -> str:
        if name not in names:
            raise UnknownItemError(f"no object {name!r} in this queue")
        return name

    @router.get("/hand.json")
    def hand() -> Response:
        return Response(hand_bytes(), media_type="application/json", headers=KEEP)

    @router.get("/objects/{name}.glb")
    def glb(name: str) -> Response:
        return Response(glb_bytes(known(name)), media_type="model/gltf-binary", headers=KEEP)

    @router.get("/objects/{name}.field")
    def distance(name: str) -> Response:
        return Response(field(known(name)), media_type="application/octet-stream", headers=KEEP)

    @router.get("/frames/{scene}/{frame}")
    def image(scene: int, frame: int) -> Response:
        if service.frames is None:
            raise UnknownItemError("this review has no images", remedy="yaff annotate LIBRARY --dataset DIR")
        return FileResponse(service.frames.image(scene, frame), headers=KEEP)

    return router
