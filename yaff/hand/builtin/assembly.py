"""Puts the built-in hand together: skin, numbering, weights, joints, shapes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, Shaped

from yaff.hand.builtin import cells, correctives, dense, relax, seeds, shapes, skinning
from yaff.hand.builtin.skeleton import DIGITS, PARENTS
from yaff.hand.model import HandModel

FACES = 1538
TIP_MANOPTH: Mapping[str, int] = {"thumb": 745, "index": 317, "middle": 444, "ring": 556, "pinky": 673}
TIP_SMPLX: Mapping[str, int] = {"thumb": 744, "index": 320, "middle": 443, "ring": 554, "pinky": 671}
WRIST_LOOP: tuple[int, ...] = (108, 79, 78, 121, 214, 215, 279, 239, 234, 92, 38, 122, 118, 117, 119, 120)
"""MANO's numbers round the wrist: tools that close the mesh join (loop[i - 1], loop[i], centre) into outward faces."""


def assemble() -> dict[str, Shaped[np.ndarray, "..."]]:
    """All arrays of the asset (metres, the right hand lying flat), the same on every call.

    Raises:
        RuntimeError: if the skin cannot be cut into 778 vertices and 1538 faces (after a change of the tables).
    """
    fine, fine_faces = dense.dense_skin()
    rim = cells.rim_loop(fine_faces)
    placed = seeds.place_seeds(fine, cells.vertex_normals(fine, fine_faces), rim)
    owner = cells.grow_cells(fine, fine_faces, placed.points, rim, seeds.WRIST_RING)
    faces = cells.dual_triangles(fine_faces, owner)
    points, faces = relax.relax(placed.points, faces, placed.fixed)
    number = _numbering(placed, faces)
    template = np.empty_like(points)
    template[number] = np.round(points, 7)
    digit_of = np.empty(len(points), dtype=np.int64)
    digit_of[number] = _digit_rows(placed)
    faces = _canonical(number[faces])
    if faces.shape != (FACES, 3) or len(np.unique(faces)) != seeds.VERTICES:
        raise RuntimeError(f"the skin came out with {len(faces)} faces instead of {FACES}")
    weights = skinning.skinning_weights(template, faces, digit_of)
    arrays = {
        "template": template,
        "faces": faces,
        "weights": weights,
        "shape_directions": shapes.shape_directions(template, digit_of),
        "pose_directions": np.zeros((len(template), 3, 135)),
        "joint_regressor": skinning.joint_regressor(template, digit_of),
        "parents": PARENTS,
    }
    stiff = HandModel(name="builtin", side="right", **arrays)
    return {**arrays, "pose_directions": correctives.pose_directions(stiff)}


def _numbering(placed: seeds.Seeds, faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "v"]:
    """MANO's number of each seed: wrist ring and tips where tools look for them, the rest in order."""
    number = np.full(len(placed.points), -1, dtype=np.int64)
    loop = cells.rim_loop(faces)[::-1]
    loop = np.roll(loop, -int(np.argmin(loop)))
    number[loop] = WRIST_LOOP
    for name in DIGITS:
        number[placed.apex[name]] = TIP_MANOPTH[name]
        number[placed.pad[name]] = TIP_SMPLX[name]
    free = np.setdiff1d(np.arange(len(number)), number)
    # palm first, then the digits, as in MANO, so that neighbours lie near each other in memory
    order = np.concatenate([np.arange(placed.fixed, len(number)), np.arange(placed.fixed)])
    number[order[number[order] < 0]] = free
    return number


def _digit_rows(placed: seeds.Seeds) -> Int[np.ndarray, "v"]:
    rows = np.full(len(placed.points), -1, dtype=np.int64)
    start = seeds.WRIST_RING
    for row, name in enumerate(DIGITS):
        rows[start : placed.apex[name] + 1] = row
        start = placed.apex[name] + 1
    return rows


def _canonical(faces: Int[np.ndarray, "f 3"]) -> Int[np.ndarray, "f 3"]:
    """Each face from its smallest corner, faces in order."""
    turn = np.argmin(faces, axis=1)
    faces = np.stack([np.take_along_axis(faces, ((turn + k) % 3)[:, None], axis=1)[:, 0] for k in range(3)], axis=1)
    return faces[np.lexsort(faces.T[::-1])]


def face_quality(template: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Float[np.ndarray, "f"]:
    """4 sqrt(3) area / sum of squared edges: 1 for an equilateral triangle, 0 for a sliver."""
    a, b, c = (template[faces[:, k]] for k in range(3))
    area = 0.5 * np.sqrt(np.sum(np.cross(b - a, c - a) ** 2, axis=1))
    edges = np.sum((b - a) ** 2 + (c - b) ** 2 + (a - c) ** 2, axis=1)
    return 4.0 * np.sqrt(3.0) * area / edges
