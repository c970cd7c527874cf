"""Scenes: dataset readers, arrangements, support plane, feasibility in clutter, projection, rendering.

Names are imported on first use, so that reading poses loads neither PyBullet nor a renderer.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaff.scene.arrangements import Arrangements, group_arrangements
    from yaff.scene.bop import BopReader
    from yaff.scene.feasibility import Feasibility, FeasibilityConfig, Infeasible
    from yaff.scene.frames import BadFrame, FrameTable, SceneReader
    from yaff.scene.keypoints import image_keypoints
    from yaff.scene.plane import Plane
    from yaff.scene.pose_table import PoseTableReader
    from yaff.scene.posed_hands import PosedHands, pose_hands
    from yaff.scene.projection import compose_wrist, compose_wrist_pairs
    from yaff.scene.recognise import open_scenes
    from yaff.scene.render import Renderer, RenderMesh, RenderResult
    from yaff.scene.renderers import make_renderer
    from yaff.scene.support import SupportConfig, support_plane, viewpoints
    from yaff.scene.support_depth import DepthConfig, refine_with_depth
    from yaff.scene.synthetic import SceneConfig, generate_scenes
    from yaff.scene.visibility import Visibility
    from yaff.scene.ycb_video import YcbVideoReader

__all__ = [
    "Arrangements",
    "BadFrame",
    "BopReader",
    "DepthConfig",
    "Feasibility",
    "FeasibilityConfig",
    "FrameTable",
    "Infeasible",
    "Plane",
    "PoseTableReader",
    "PosedHands",
    "RenderMesh",
    "RenderResult",
    "Renderer",
    "SceneConfig",
    "SceneReader",
    "SupportConfig",
    "Visibility",
    "YcbVideoReader",
    "compose_wrist",
    "compose_wrist_pairs",
    "generate_scenes",
    "group_arrangements",
    "image_keypoints",
    "make_renderer",
    "open_scenes",
    "pose_hands",
    "refine_with_depth",
    "support_plane",
    "viewpoints",
]

_HOME = {
    "Arrangements": "arrangements",
    "BadFrame": "frames",
    "BopReader": "bop",
    "DepthConfig": "support_depth",
    "Feasibility": "feasibility",
    "FeasibilityConfig": "feasibility",
    "FrameTable": "frames",
    "Infeasible": "feasibility",
    "Plane": "plane",
    "PoseTableReader": "pose_table",
    "PosedHands": "posed_hands",
    "RenderMesh": "render",
    "RenderResult": "render",
    "Renderer": "render",
    "SceneConfig": "synthetic",
    "SceneReader": "frames",
    "SupportConfig": "support",
    "Visibility": "visibility",
    "YcbVideoReader": "ycb_video",
    "compose_wrist": "projection",
    "compose_wrist_pairs": "projection",
    "generate_scenes": "synthetic",
    "group_arrangements": "arrangements",
    "image_keypoints": "keypoints",
    "make_renderer": "renderers",
    "open_scenes": "recognise",
    "pose_hands": "posed_hands",
    "refine_with_depth": "support_depth",
    "support_plane": "support",
    "viewpoints": "support",
}


def __getattr__(name: str) -> Any:
    # the functions `feasibility` and `visibility` have the names of their modules: import them from there
    if name in _HOME:
        return getattr(import_module(f"yaff.scene.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
