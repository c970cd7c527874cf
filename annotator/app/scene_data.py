"""What the page needs to draw a hand and an object, as bytes: arrays of the hand, a textured GLB, a distance field."""

from __future__ import annotations

import base64
import json
import struct

import numpy as np
import trimesh
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from annotator.editing import Editor
from annotator.store import GraspState
from yaff.geometry.signed_distance import SignedDistanceGrid
from yaff.hand import HandModel
from yaff.hand.anatomy import Anatomy

UNIT = 2e-5
"""Metres of one step in a distance field that is sent: 16 bits reach 65 cm."""

FINEST = 0.002
"""Spacing below which a distance field is thinned before it is sent, metres: the page only colours skin by it."""


def hand_json(model: HandModel, anatomy: Anatomy) -> bytes:
    """The arrays that the page poses the hand with: float32, base64 in JSON; pose directions one after the other."""
    n = len(model.template)
    arrays = {
        "template": model.template,
        "weights": model.weights,
        "shape_directions": model.shape_directions,
        "pose_directions": model.pose_directions.reshape(3 * n, 135).T,
        "joint_regressor": model.joint_regressor,
    }
    document: dict[str, object] = {name: _floats(values) for name, values in arrays.items()}
    document["faces"] = model.faces.ravel().tolist()
    document["parents"] = np.asarray(model.parents).tolist()
    document["freedoms"] = [
        {"name": f.name, "joint": f.joint, "axis": np.asarray(f.axis).tolist()} for f in anatomy.degrees_of_freedom
    ]
    return json.dumps(document).encode()


def object_glb(mesh: trimesh.Trimesh) -> bytes:
    """An object with its texture as GLB; not metallic, because a metal without surroundings is black."""
    shown = mesh.copy()
    visual = shown.visual
    if isinstance(visual, TextureVisuals) and visual.material is not None:
        material = visual.material if isinstance(visual.material, PBRMaterial) else visual.material.to_pbr()
        material.metallicFactor, material.roughnessFactor = 0.0, 0.8
        visual.material = material
    return shown.export(file_type="glb")  # type: ignore[return-value]


def field_bytes(grid: SignedDistanceGrid) -> bytes:
    """A distance field in 16-bit steps of :data:`UNIT`: counts (int32), origin, spacing, unit (float32), values."""
    stride = max(1, round(FINEST / grid.spacing))
    values = np.asarray(grid.values)[::stride, ::stride, ::stride]
    steps = np.clip(np.rint(values / UNIT), -32768, 32767).astype("<i2")
    head = struct.pack("<3i5f", *values.shape, *np.asarray(grid.origin, float), grid.spacing * stride, UNIT)
    return head + np.ascontiguousarray(steps).tobytes()


def grasp_json(editor: Editor, state: GraspState) -> dict[str, object]:
    """A grasp as the posed hand takes it: pose, angles by name (radians), wrist as ``T_object_hand``, shape."""
    angles = zip(editor.anatomy.names, editor.dof(state).tolist(), strict=True)
    return {
        "pose": [float(v) for v in state.pose],
        "angles": dict(angles),
        "wrist": editor.wrist(state).ravel().tolist(),
        "shape": [float(v) for v in state.shape],
    }


def _floats(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode()
