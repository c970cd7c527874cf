"""Rendering by ray casting on the processor (Embree): needs no graphics, and gives the same pixels everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Float32, Int

from yaff.scene.render import BACKGROUND, RenderMesh, RenderResult, split_intrinsics
from yaff.scene.surface_colour import SurfaceColour

Array = np.ndarray

_LIGHT = np.array([0.45, -0.75, -0.6])
"""Direction to the light in the camera frame: over the right shoulder."""
_AMBIENT, _DIFFUSE, _HEADLIGHT = 0.42, 0.48, 0.22
_KEPT = 64
"""Meshes whose colours are remembered."""
_SHADOW_OFFSET = 5e-4
"""Metres that shadow rays start above the surface."""


class RaycastRenderer:
    """See :class:`~yaff.scene.render.Renderer`. Lambert shading, one light with hard shadows, a weak headlight.

    Args:
        shadows: cast them.
        light: direction to the light, camera frame.
        supersample: rays along each side of a pixel for the colour image; depth and index have one ray per pixel.
        note: why this renderer was chosen.
    """

    name = "raycast"

    def __init__(
        self,
        shadows: bool = True,
        light: Float[Array, "3"] | None = None,
        supersample: int = 1,
        note: str = "",
    ) -> None:
        self.note = note
        self._shadows = shadows
        self._supersample = supersample
        direction = _LIGHT if light is None else np.asarray(light, np.float64)
        self._light = (direction / np.linalg.norm(direction)).astype(np.float32)
        self._colours: dict[tuple[int, tuple[int, int, int] | None], tuple[trimesh.Trimesh, SurfaceColour]] = {}

    def render(
        self,
        meshes: Sequence[RenderMesh],
        intrinsics: Float[Array, "3 3"],
        size: tuple[int, int],
        background: tuple[int, int, int] = BACKGROUND,
    ) -> RenderResult:
        """Draw meshes; see :class:`~yaff.scene.render.Renderer`."""
        scene = _embree_scene(meshes)
        view = self._trace(scene, meshes, intrinsics, size, background)
        n = self._supersample
        if n > 1 and meshes:
            width, height = size
            fine = np.array(intrinsics, np.float64)
            fine[:2] *= n
            fine[:2, 2] += 0.5 * (n - 1)  # the centre of the first pixel stays in the middle of its n x n rays
            colour = self._trace(scene, meshes, fine, (n * width, n * height), background).colour
            mean = colour.reshape(height, n, width, n, 3).mean(axis=(1, 3))
            view = replace(view, colour=(mean + 0.5).astype(np.uint8))
        return view

    def _trace(
        self,
        scene: EmbreeScene,
        meshes: Sequence[RenderMesh],
        intrinsics: Float[Array, "3 3"],
        size: tuple[int, int],
        background: tuple[int, int, int],
    ) -> RenderResult:
        width, height = size
        colour = np.empty((height * width, 3), np.uint8)
        colour[:] = background
        depth = np.full(height * width, np.inf, np.float32)
        index = np.full(height * width, -1, np.int32)
        if meshes:
            rays = _camera_rays(intrinsics, size)
            hit = scene.run(np.zeros_like(rays), rays, output=True)
            seen = np.flatnonzero(hit["geomID"] >= 0)
            index[seen] = hit["geomID"][seen]
            depth[seen] = hit["tfar"][seen]  # rays have unit z, so their parameter is the depth
            light = self._lit(scene, rays[seen] * hit["tfar"][seen, None])
            for k, item in enumerate(meshes):
                of_mesh = index[seen] == k
                pixels = seen[of_mesh]
                if len(pixels):
                    face = hit["primID"][pixels]
                    corner_weights = _barycentric(hit["u"][pixels], hit["v"][pixels])
                    surface = self._colour_of(item)
                    shade = self._shade(surface, item, face, corner_weights, rays[pixels], light[of_mesh])
                    albedo = surface.at(face, corner_weights)
                    colour[pixels] = np.clip(albedo * shade[:, None] + 0.5, 0.0, 255.0).astype(np.uint8)
        return RenderResult(
            colour=colour.reshape(height, width, 3),
            depth=depth.reshape(height, width),
            index=index.reshape(height, width),
        )

    def close(self) -> None:
        """Forget the colours of the meshes seen so far."""
        self._colours.clear()

    def _colour_of(self, item: RenderMesh) -> SurfaceColour:
        key = (id(item.mesh), item.colour)
        if key not in self._colours:
            self._colours[key] = (item.mesh, SurfaceColour.of(item.mesh, item.colour))
            if len(self._colours) > _KEPT:
                del self._colours[next(iter(self._colours))]
        return self._colours[key][1]

    def _lit(self, scene: EmbreeScene, points: Float32[Array, "n 3"]) -> Float32[Array, "n"]:
        if not self._shadows or not len(points):
            return np.ones(len(points), np.float32)
        towards = np.broadcast_to(self._light, points.shape)
        # also drawn back towards the camera, which is always on the visible side of the surface
        back = points * (1.0 - np.float32(_SHADOW_OFFSET) / np.linalg.norm(points, axis=1, keepdims=True))
        origins = back + np.float32(_SHADOW_OFFSET) * self._light
        return (scene.run(origins, np.ascontiguousarray(towards)) < 0).astype(np.float32)

    def _shade(
        self,
        surface: SurfaceColour,
        item: RenderMesh,
        face: Int[Array, "n"],
        corner_weights: Float32[Array, "n 3"],
        rays: Float32[Array, "n 3"],
        light: Float32[Array, "n"],
    ) -> Float32[Array, "n"]:
        normals = surface.normals(face, corner_weights) @ np.asarray(item.T_camera_mesh, np.float32)[:3, :3].T
        towards_eye = -rays / np.linalg.norm(rays, axis=1, keepdims=True)
        facing = np.einsum("ni,ni->n", normals, towards_eye)
        normals = np.where(facing[:, None] < 0.0, -normals, normals)  # thin and inside-out meshes
        diffuse = np.clip(normals @ self._light, 0.0, None) * light
        return _AMBIENT + _DIFFUSE * diffuse + _HEADLIGHT * np.abs(facing)


def _embree_scene(meshes: Sequence[RenderMesh]) -> EmbreeScene:
    scene = EmbreeScene()
    for item in meshes:
        T = np.asarray(item.T_camera_mesh, np.float64)
        corners = np.asarray(item.mesh.vertices) @ T[:3, :3].T + T[:3, 3]
        # geometries are numbered in the order they are added
        TriangleMesh(scene, corners.astype(np.float32), np.asarray(item.mesh.faces, np.int32))
    return scene


def _camera_rays(intrinsics: Float[Array, "3 3"], size: tuple[int, int]) -> Float32[Array, "n 3"]:
    fx, fy, cx, cy = split_intrinsics(intrinsics)
    width, height = size
    rays = np.ones((height, width, 3), np.float32)
    rays[..., 0] = (np.arange(width) - cx) / fx
    rays[..., 1] = ((np.arange(height) - cy) / fy)[:, None]
    return rays.reshape(-1, 3)


def _barycentric(u: Float32[Array, "n"], v: Float32[Array, "n"]) -> Float32[Array, "n 3"]:
    return np.stack([1.0 - u - v, u, v], axis=1)
