"""What a mesh is coloured with, whichever way trimesh holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float32
from PIL import Image
from trimesh.visual.texture import TextureVisuals

Array = np.ndarray

_GREY = (168.0, 168.0, 172.0)


@dataclass(frozen=True, eq=False)
class Appearance:
    """Exactly one of: texture with coordinates, vertex colours, face colours, one colour. Colours are 0 to 255."""

    texture: Image.Image | None = None
    texture_coordinates: Float32[Array, "v 2"] | None = None
    """Origin at the lower left."""
    vertex_colours: Float32[Array, "v 3"] | None = None
    face_colours: Float32[Array, "f 3"] | None = None
    colour: Float32[Array, "3"] | None = None

    @classmethod
    def of(cls, mesh: trimesh.Trimesh) -> Appearance:
        """How a mesh is coloured; grey where it is not."""
        visual: Any = mesh.visual
        if isinstance(visual, TextureVisuals):
            material: Any = visual.material
            image = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
            if image is not None and visual.uv is not None:
                return cls(texture=image.convert("RGB"), texture_coordinates=np.asarray(visual.uv, np.float32)[:, :2])
            return cls(colour=np.asarray(material.main_color, np.float32)[:3])
        if visual is not None and visual.kind == "vertex":
            return cls(vertex_colours=np.asarray(visual.vertex_colors, np.float32)[:, :3])
        if visual is not None and visual.kind == "face":
            return cls(face_colours=np.asarray(visual.face_colors, np.float32)[:, :3])
        return cls(colour=np.array(_GREY, np.float32))
