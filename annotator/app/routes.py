"""Addresses from which a page fetches hand, objects, distance fields and images."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from pathlib import Path

import trimesh
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from annotator.app.scene_data import field_bytes, hand_json, object_glb
from annotator.editing import Editor
from yaff.errors import UnknownItemError
from yaff.objects import ObjectModel

PREFIX = "/scene"
KEEP = {"cache-control": "private, max-age=3600"}


def make_scene_router(
    names: Collection[str],
    editor: Editor,
    mesh: Callable[[str], trimesh.Trimesh],
    load: Callable[[str], ObjectModel],
    image: Callable[[int, int], Path] | None = None,
) -> APIRouter:
    """The routes of hand, objects and images.

    Args:
        names: the objects that may be asked for.
        editor: of the hand.
        mesh: an object's mesh to look at.
        load: an object with its distance field.
        image: file of a frame's colour image, by scene and frame; ``None`` where there are no images.
    """
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    @lru_cache(maxsize=1)
    def hand_bytes() -> bytes:
        return hand_json(editor.model, editor.anatomy)

    @lru_cache(maxsize=32)
    def glb_bytes(name: str) -> bytes:
        return object_glb(mesh(name))

    @lru_cache(maxsize=32)
    def field(name: str) -> bytes:
        return field_bytes(load(name).sdf)

    def known(name: str) -> str:
        if name not in names:
            raise UnknownItemError(f"no object {name!r} here")
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
    def colour(scene: int, frame: int) -> Response:
        if image is None:
            raise UnknownItemError("there are no images here", remedy="give the dataset with --dataset DIR")
        return FileResponse(image(scene, frame), headers=KEEP)

    return router
