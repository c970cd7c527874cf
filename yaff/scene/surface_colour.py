"""The colour and the normal of any point of a mesh: texture, vertex colours, face colours or one colour.

In float32: these are millions of pixels, and 8 bits of colour come out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from jaxtyping import Float32, Int, UInt8

from yaff.scene.appearance import Appearance
from yaff.scene.shading_normals import corner_normals

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SurfaceColour:
    """Colours 0 to 255 and unit normals, interpolated over faces."""

    faces: Int[Array, "f 3"]
    corner_normals: Float32[Array, "f 3 3"]
    appearance: Appearance
    texture: UInt8[Array, "h w 3"] | None

    @classmethod
    def of(cls, mesh: trimesh.Trimesh, colour: tuple[int, int, int] | None = None) -> SurfaceColour:
        """The colours of a mesh, or one colour in their place."""
        appearance = Appearance.of(mesh) if colour is None else Appearance(colour=np.array(colour, np.float32))
        return cls(
            faces=np.asarray(mesh.faces),
            corner_normals=corner_normals(mesh),
            appearance=appearance,
            texture=None if appearance.texture is None else np.asarray(appearance.texture, np.uint8),
        )

    def at(self, face: Int[Array, "n"], weights: Float32[Array, "n 3"]) -> Float32[Array, "n 3"]:
        """Colours of points given by face and barycentric weights."""
        look = self.appearance
        if self.texture is not None and look.texture_coordinates is not None:
            uv = np.einsum("nk,nkc->nc", weights, look.texture_coordinates[self.faces[face]])
            return _bilinear(self.texture, uv)
        if look.vertex_colours is not None:
            return np.einsum("nk,nkc->nc", weights, look.vertex_colours[self.faces[face]])
        if look.face_colours is not None:
            return look.face_colours[face]
        assert look.colour is not None
        return np.broadcast_to(look.colour, (len(face), 3))

    def normals(self, face: Int[Array, "n"], weights: Float32[Array, "n 3"]) -> Float32[Array, "n 3"]:
        """Unit normals of points."""
        normal = np.einsum("nk,nkc->nc", weights, self.corner_normals[face])
        return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)


def _bilinear(texture: UInt8[Array, "h w 3"], uv: Float32[Array, "n 2"]) -> Float32[Array, "n 3"]:
    """Texture colours at coordinates with the origin at the lower left, repeating."""
    height, width = texture.shape[:2]
    x = uv[:, 0] * width - 0.5
    y = (1.0 - uv[:, 1]) * height - 0.5
    fx, fy = (x - np.floor(x))[:, None], (y - np.floor(y))[:, None]
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    left, right = x0 % width, (x0 + 1) % width
    top, bottom = y0 % height, (y0 + 1) % height
    upper = (1.0 - fx) * texture[top, left] + fx * texture[top, right]
    lower = (1.0 - fx) * texture[bottom, left] + fx * texture[bottom, right]
    return (1.0 - fy) * upper + fy * lower
