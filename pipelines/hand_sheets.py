"""Sheets of pictures of the hand: all round, in postures, and in the preshapes of the grasp types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float, UInt8

from pipelines.pictures import draw_meshes, hand_mesh, sheet
from yaff.hand import Anatomy
from yaff.hand.postures import POSTURES
from yaff.taxonomy import GRASP_TYPES

if TYPE_CHECKING:
    import trimesh

    from yaff.hand import HandModel

Array = np.ndarray
Sheet = Literal["turntable", "poses", "types"]
_View = tuple[Float[Array, "778 3"], tuple[float, float, float], str]
"""Posed skin, the direction that it is seen from, and the caption."""

_PALM, _BACK, _THUMB_SIDE = (0.35, -1.0, 0.25), (0.35, 1.0, 0.3), (1.0, -0.55, 0.3)
"""Directions to look from, in the upright frame of :func:`_upright`: x towards the thumb, y out of the back."""


def draw_sheet(model: HandModel, kind: Sheet, size: int = 480) -> UInt8[Array, "h w 3"]:
    """A sheet of pictures ``size`` pixels wide each.

    Args:
        model: the hand.
        kind: ``turntable`` (the flat hand all round), ``poses`` (see :data:`yaff.hand.postures.POSTURES`) or ``types``
            (open and closed preshape of each of the 33 grasp types).
        size: width and height of one picture, pixels.
    """
    return _SHEETS[kind](model, size)


def _turntable(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    vertices = _posed(model, {})
    views = []
    for turn in range(0, 360, 45):
        angle = np.deg2rad(turn - 90.0)  # the palm first
        views.append((vertices, (np.cos(angle), np.sin(angle), 0.2), f"{turn}°"))
    views.append((vertices, (0.25, -0.2, 1.0), "from the fingertips"))
    views.append((vertices, (0.2, -0.3, -1.0), "from the wrist"))
    return sheet(_draw(model, views, size), 5)


def _poses(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    views = [
        (_posed(model, posture), direction, f"{name}, {side}")
        for name, posture in POSTURES.items()
        for side, direction in (("palm", _PALM), ("back", _BACK))
    ]
    return sheet(_draw(model, views, size), 6)


def _types(model: HandModel, size: int) -> UInt8[Array, "h w 3"]:
    ends = [
        (_posed(model, {name: angles[end] for name, angles in kind.preshape.items()}), _THUMB_SIDE, f"{number}")
        for number, kind in GRASP_TYPES.items()
        for end in (0, 1)
    ]
    halves = [picture for picture, _ in _draw(model, ends, size)]
    captions = [f"{number} {kind.name}: open, closed" for number, kind in GRASP_TYPES.items()]
    both = [np.concatenate([halves[2 * k], halves[2 * k + 1]], axis=1) for k in range(len(captions))]
    return sheet(list(zip(both, captions, strict=True)), 6)


_SHEETS: Mapping[Sheet, Callable[[HandModel, int], UInt8[Array, "h w 3"]]] = {
    "turntable": _turntable,
    "poses": _poses,
    "types": _types,
}


def _posed(model: HandModel, posture: Mapping[str, float]) -> Float[Array, "778 3"]:
    anatomy = Anatomy(model)
    return model.vertices(anatomy.pose_from_dof(anatomy.angles(posture)[None]))[0]


def _draw(model: HandModel, views: Sequence[_View], size: int) -> list[tuple[UInt8[Array, "h w 3"], str]]:
    """The hand upright, all pictures at one scale and cut to what any of them needs; a left hand as in a mirror."""
    upright, mirror = _upright(model)
    turned = [(vertices - model.root()) @ upright.T for vertices, _, _ in views]
    # a cylinder about the upright axis is as wide from all sides
    reach = max(float(np.hypot(points[:, 0], points[:, 1]).max()) for points in turned)
    ends = (min(points[:, 2].min() for points in turned), max(points[:, 2].max() for points in turned))
    angles = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    rim = np.stack([reach * np.cos(angles), reach * np.sin(angles), np.zeros(24)], axis=1)
    frame = np.concatenate([rim + np.array((0.0, 0.0, end)) for end in ends])
    drawn = [
        draw_meshes([rounded(hand_mesh(model, points))], np.array(direction) * mirror, size, within=frame)
        for points, (_, direction, _) in zip(turned, views, strict=True)
    ]
    ink = np.any(np.stack(drawn) < 250, axis=(0, 3))
    (top, bottom), (left, right) = (np.flatnonzero(ink.any(axis=axis))[[0, -1]] for axis in (1, 0))
    border = size // 40
    rows = slice(max(top - border, 0), bottom + border + 1)
    columns = slice(max(left - border, 0), right + border + 1)
    return [(picture[rows, columns], caption) for picture, (_, _, caption) in zip(drawn, views, strict=True)]


def rounded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """Every triangle cut into four, the new corners lifted off the flat so that outlines look round.

    For pictures only: Boubekeur and Alexa 2008, "Phong tessellation": the middle of an edge moves three quarters of the
    way to the mean of its projections onto the planes of its ends' normals. Old corners stay.
    """
    import trimesh

    points, faces, normals = np.asarray(mesh.vertices), np.asarray(mesh.faces), np.asarray(mesh.vertex_normals)
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    edges, place = np.unique(sides, axis=0, return_inverse=True)
    middle = points[edges].mean(axis=1)
    away = np.sum((points[edges] - middle[:, None]) * normals[edges], axis=2, keepdims=True)
    lifted = middle + 0.75 * np.mean(away * normals[edges], axis=1)
    ab, bc, ca = (place.ravel() + len(points)).reshape(3, -1)
    a, b, c = faces.T
    corners = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    finer = np.concatenate([np.stack(corner, axis=1) for corner in corners])
    return trimesh.Trimesh(np.concatenate([points, lifted]), finer, process=False)


def _upright(model: HandModel) -> tuple[Float[Array, "3 3"], Float[Array, "3"]]:
    """The rotation that turns the fingers of the rest pose up, and the factors that mirror a view for a left hand."""
    sign = 1.0 if model.side == "right" else -1.0
    rotation = np.array([[0.0, 0.0, sign], [0.0, 1.0, 0.0], [-sign, 0.0, 0.0]])
    return rotation, np.array([sign, 1.0, 1.0])
