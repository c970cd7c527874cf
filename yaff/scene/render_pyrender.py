"""Rendering by OpenGL through pyrender, offscreen."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import trimesh
from jaxtyping import Float

from yaff.scene.appearance import Appearance
from yaff.scene.render import BACKGROUND, RenderMesh, RenderResult, split_intrinsics
from yaff.scene.shading_normals import corner_normals

# pyrender picks its platform at import, and without a display EGL is the one that works
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
import pyrender

Array = np.ndarray

_NEAR, _FAR = 0.02, 20.0
_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenGL cameras look along -z with y up."""
_KEPT = 128
"""Meshes that stay in graphics memory."""


class PyrenderRenderer:
    """See :class:`~yaff.scene.render.Renderer`. About 20 ms a frame once the meshes are in graphics memory.

    Raises:
        Exception: of any kind, where no offscreen context can be opened.
    """

    name = "pyrender"
    note = ""

    def __init__(self) -> None:
        self._meshes: OrderedDict[tuple[int, tuple[int, int, int] | None], tuple[trimesh.Trimesh, pyrender.Mesh]]
        self._meshes = OrderedDict()
        self.render([], np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]), (640, 480))  # fails here or never

    def render(
        self,
        meshes: Sequence[RenderMesh],
        intrinsics: Float[Array, "3 3"],
        size: tuple[int, int],
        background: tuple[int, int, int] = BACKGROUND,
    ) -> RenderResult:
        """Draw meshes; see :class:`~yaff.scene.render.Renderer`."""
        fx, fy, cx, cy = split_intrinsics(intrinsics)
        offscreen = _offscreen(os.getpid())
        offscreen.viewport_width, offscreen.viewport_height = size
        scene = pyrender.Scene(bg_color=[*(c / 255.0 for c in background), 1.0], ambient_light=np.full(3, 0.35))
        # OpenGL counts from the corner of the first pixel, OpenCV from its centre
        camera = pyrender.IntrinsicsCamera(fx, fy, cx + 0.5, cy + 0.5, znear=_NEAR, zfar=_FAR)
        scene.add(camera, pose=_FROM_OPENGL)
        scene.add(pyrender.DirectionalLight(intensity=2.2), pose=_light(0.5, -0.7))
        scene.add(pyrender.DirectionalLight(intensity=1.4), pose=_light(-0.6, -0.3))
        nodes = {}
        for k, item in enumerate(meshes):
            node = pyrender.Node(mesh=self._uploaded(item), matrix=np.asarray(item.T_camera_mesh, np.float64))
            scene.add_node(node)
            # the place in the list, from 1, in two bytes; this pass is drawn without blending of any kind
            nodes[node] = ((k + 1) & 0xFF, (k + 1) >> 8, 0)
        picture, _ = _draw(offscreen, scene, pyrender.RenderFlags.NONE)
        colour = np.ascontiguousarray(picture[..., :3])
        codes, depth = _draw(offscreen, scene, pyrender.RenderFlags.SEG, nodes)
        index = codes[..., 0].astype(np.int32) + 256 * codes[..., 1].astype(np.int32) - 1
        depth = np.where(index >= 0, depth, np.inf).astype(np.float32)
        return RenderResult(colour=colour, depth=depth, index=index)

    def close(self) -> None:
        """Forget the meshes; their graphics memory is given back when something else is drawn."""
        self._meshes.clear()

    def _uploaded(self, item: RenderMesh) -> pyrender.Mesh:
        """The pyrender mesh of a trimesh, the same one every time so that it stays in graphics memory."""
        key = (id(item.mesh), item.colour)
        if key not in self._meshes:
            self._meshes[key] = (item.mesh, _convert(item.mesh, item.colour))
            if len(self._meshes) > _KEPT:
                self._meshes.popitem(last=False)
        self._meshes.move_to_end(key)
        return self._meshes[key][1]


@lru_cache(maxsize=1)
def _offscreen(process: int) -> pyrender.OffscreenRenderer:
    """The one context of a process: deleting a second would end the display of the first. Forks need their own."""
    return pyrender.OffscreenRenderer(640, 480)


def _draw(
    offscreen: pyrender.OffscreenRenderer, scene: pyrender.Scene, flags: int, nodes: dict | None = None
) -> tuple[Array, Array]:
    result = offscreen.render(scene, flags=flags, seg_node_map=nodes)
    assert result is not None
    return result


def _convert(mesh: trimesh.Trimesh, colour: tuple[int, int, int] | None) -> pyrender.Mesh:
    """A mesh with a vertex for every corner of every face: corners carry their own normals and colours."""
    look = Appearance.of(mesh) if colour is None else Appearance(colour=np.array(colour, np.float32))
    faces = np.asarray(mesh.faces)
    material = pyrender.MetallicRoughnessMaterial(metallicFactor=0.0, roughnessFactor=0.8, doubleSided=True)
    coordinates = colours = None
    if look.texture is not None and look.texture_coordinates is not None:
        material.baseColorTexture = pyrender.Texture(source=look.texture, source_channels="RGB")
        coordinates = look.texture_coordinates[faces].reshape(-1, 2)
    elif look.vertex_colours is not None:
        colours = _linear(look.vertex_colours[faces].reshape(-1, 3))
    elif look.face_colours is not None:
        colours = _linear(np.repeat(look.face_colours, 3, axis=0))
    elif look.colour is not None:
        material.baseColorFactor = [*_linear(look.colour), 1.0]
    primitive = pyrender.Primitive(
        positions=np.asarray(mesh.vertices)[faces].reshape(-1, 3),
        normals=corner_normals(mesh).reshape(-1, 3),
        texcoord_0=coordinates,
        color_0=colours,
        material=material,
        mode=pyrender.GLTF.TRIANGLES,
    )
    return pyrender.Mesh([primitive])


def _linear(colours: Array) -> Array:
    """Colours 0 to 255 as light: pyrender takes textures in sRGB, but all other colours as linear."""
    return (colours / 255.0) ** 2.2


def _light(x: float, y: float) -> Array:
    """Pose of a directional light that shines from (x, y, -1) in the OpenCV camera frame."""
    back = np.array([x, y, -1.0])
    back /= np.linalg.norm(back)
    right = np.cross([0.0, 1.0, 0.0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(back, right), back
    return pose
