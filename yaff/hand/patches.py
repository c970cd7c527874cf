"""Named regions of skin: a partition of the hand's vertices, the vocabulary in which grasp types speak of contact.

Every region is found from the rest pose (joints, skinning weights, normals), never from vertex numbers, so that it
means the same on MANO's mesh and on the built-in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from yaff.errors import InputError
from yaff.hand.axes import PalmFrame, across, pad_direction, palm_frame, unit
from yaff.hand.model import FINGER_JOINTS, HandModel

Array = np.ndarray

PHALANGES: Mapping[str, tuple[str, ...]] = {
    finger: ("proximal", "distal") if finger == "thumb" else ("proximal", "middle", "distal")
    for finger in FINGER_JOINTS
}
"""The phalanges of each finger, from the palm outwards; the thumb's proximal one lies between joints 14 and 15."""

SIDES: tuple[str, ...] = ("pad", "radial", "ulnar", "dorsal")
"""The sides of a phalanx: where flexion leads, towards the thumb's side, towards the little finger's, the back."""

PALM_REGIONS: tuple[str, ...] = ("thenar", "hypothenar", "centre", "heads", "web", "radial", "ulnar", "dorsal")
"""The regions of the palm; ``heads`` are the pads below the fingers, ``web`` the fold between thumb and index."""

PATCH_NAMES: tuple[str, ...] = (
    *(
        f"{finger}.{phalanx}.{side}"
        for finger, phalanges in PHALANGES.items()
        for phalanx in phalanges
        for side in (*SIDES, *(("tip",) if phalanx == "distal" else ()))
    ),
    *(f"palm.{region}" for region in PALM_REGIONS),
    "wrist",
)
"""All patches, in the order of every array; ``wrist`` is the stub of forearm behind the palm."""

_PAD_HALF_WIDTH = np.cos(np.deg2rad(52.0))  # pads and backs of fingers span 104 degrees, the sides the rest
_FINGER_START = 0.30  # of the proximal phalanx: what lies before is palm, where the fingers are still webbed
_THUMB_START = 0.18  # of the thumb's proximal phalanx
_TIP_START = 0.68  # of the distal phalanx


@dataclass(frozen=True)
class Patch:
    """One region of skin."""

    name: str
    vertices: Int[Array, "k"]
    """Its vertices, ascending."""
    bone: int
    """The bone (MANO joint) that carries most of it."""


@dataclass(frozen=True, eq=False)
class Patches:
    """A partition of the vertices of a hand into named regions."""

    labels: Int[Array, "778"]
    """For each vertex the row of its patch in :attr:`names`."""
    faces: Int[Array, "1538 3"]
    bones: tuple[int, ...]
    """For each patch the bone that carries most of it."""
    names: tuple[str, ...] = PATCH_NAMES

    @classmethod
    def of(cls, model: HandModel) -> Patches:
        """The patches of a hand (kept for the last few models asked for)."""
        return _of(model)

    def __getitem__(self, name: str) -> Patch:
        """One patch by name.

        Raises:
            InputError: no such patch.
        """
        row = self.index(name)
        return Patch(name, np.flatnonzero(self.labels == row), self.bones[row])

    def __iter__(self) -> Iterator[Patch]:
        return (self[name] for name in self.names)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The row of a patch.

        Raises:
            InputError: no such patch.
        """
        if name not in self.names:
            raise InputError(f"no patch {name!r}", remedy=f"one of {', '.join(self.names)}")
        return self.names.index(name)

    def rows(self, *patterns: str) -> Int[Array, "p"]:
        """Rows, ascending, of the patches that match any pattern, such as ``*.distal.pad`` (as file names match).

        Raises:
            InputError: a pattern that matches no patch.
        """
        chosen: set[int] = set()
        for pattern in patterns:
            matches = {row for row, name in enumerate(self.names) if fnmatchcase(name, pattern)}
            if not matches:
                raise InputError(f"no patch matches {pattern!r}", remedy=f"patches: {', '.join(self.names)}")
            chosen |= matches
        return np.array(sorted(chosen), dtype=np.int64)

    def select(self, *patterns: str) -> Int[Array, "k"]:
        """Vertices, ascending, of the patches that match any pattern.

        Raises:
            InputError: a pattern that matches no patch.
        """
        return np.flatnonzero(np.isin(self.labels, self.rows(*patterns)))

    def areas(self, vertices: Float[Array, "n 778 3"]) -> Float[Array, "n p"]:
        """Area (square metres) of each patch: a third of each triangle goes to each of its vertices."""
        return _sum(np.linalg.norm(self.vertex_areas(vertices), axis=2), self.labels, len(self))

    def centres(self, vertices: Float[Array, "n 778 3"]) -> Float[Array, "n p 3"]:
        """Centre of each patch: the mean of its vertices, weighted with their areas; metres."""
        weight = np.linalg.norm(self.vertex_areas(vertices), axis=2)
        total = _sum(weight, self.labels, len(self))
        return _sum(weight[..., None] * vertices, self.labels, len(self)) / total[..., None]

    def normals(self, vertices: Float[Array, "n 778 3"]) -> Float[Array, "n p 3"]:
        """Mean outward normal of each patch, unit."""
        return unit(_sum(self.vertex_areas(vertices), self.labels, len(self)))

    def vertex_areas(self, vertices: Float[Array, "n 778 3"]) -> Float[Array, "n 778 3"]:
        """Area vector of each vertex: outward normal times a third of the area of the triangles around it."""
        return vertex_area_vectors(self.faces, vertices)


def vertex_area_vectors(faces: Int[Array, "f 3"], vertices: Float[Array, "n v 3"]) -> Float[Array, "n v 3"]:
    """Area vector of each vertex: outward normal times a third of the area of the triangles around it."""
    a, b, c = (vertices[:, faces[:, k]] for k in range(3))
    vectors = np.cross(b - a, c - a) / 6.0
    n, v = vertices.shape[:2]
    incidence = sparse.csr_matrix(
        (np.ones(faces.size), (faces.ravel(), np.repeat(np.arange(len(faces)), 3))), shape=(v, len(faces))
    )
    summed = incidence @ vectors.transpose(1, 0, 2).reshape(len(faces), 3 * n)
    return np.asarray(summed).reshape(v, n, 3).transpose(1, 0, 2)


def _sum(values: Array, labels: Array, count: int) -> Array:
    """Sums over the vertices (axis 1) of each patch."""
    members = sparse.csr_matrix((np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(count, len(labels)))
    n = len(values)
    flat = np.moveaxis(values, 1, 0).reshape(len(labels), -1)
    return np.moveaxis((members @ flat).reshape(count, n, *values.shape[2:]), 0, 1)


@lru_cache(maxsize=8)
def _of(model: HandModel) -> Patches:
    names = _label(model)
    labels = np.array([PATCH_NAMES.index(name) for name in names], dtype=np.int64)
    empty = [name for row, name in enumerate(PATCH_NAMES) if not (labels == row).any()]
    if empty:
        raise InputError(
            f"the hand has no skin for {', '.join(empty)}",
            where=f"hand model {model.name!r}",
            remedy="use an unmodified MANO file or the built-in hand",
        )
    bones = tuple(int(model.weights[labels == row].sum(0).argmax()) for row in range(len(PATCH_NAMES)))
    labels.setflags(write=False)
    return Patches(labels, model.faces, bones)


def _label(model: HandModel) -> list[str]:
    joints, vertices = model.rest_joints, model.template
    normals = unit(vertex_area_vectors(model.faces, vertices[None])[0])
    palm = palm_frame(joints, model.side)
    owner = model.weights.argmax(axis=1)
    names = _label_palm(model, owner, normals, palm)
    for finger, chain in FINGER_JOINTS.items():
        pad = pad_direction(finger, joints, palm)
        bones = chain[1:] if finger == "thumb" else chain
        for place, (phalanx, bone) in enumerate(zip(PHALANGES[finger], bones, strict=True)):
            skin = np.flatnonzero(owner == bone)
            if not len(skin):
                continue  # the caller names what is missing
            end = joints[bones[place + 1]] if phalanx != "distal" else vertices[skin].mean(0)
            along = unit(end - joints[bone])
            reach = (vertices[skin] - joints[bone]) @ along
            share = reach / (np.linalg.norm(end - joints[bone]) if phalanx != "distal" else reach.max())
            if place == 0:
                keep = share > (_FINGER_START if finger != "thumb" else _THUMB_START)
                skin, share, reach = skin[keep], share[keep], reach[keep]
            facing = _around(vertices[skin] - joints[bone], normals[skin], along)
            towards_pad = unit(across(pad, along))
            radial = palm.handedness * np.cross(along, towards_pad)
            for vertex, direction, normal, part in zip(skin, facing, normals[skin], share, strict=True):
                side = _side(direction @ towards_pad, direction @ radial)
                if phalanx == "distal" and part > _TIP_START and (normal @ along > 0.55 or part > 0.97):
                    side = "tip"
                names[vertex] = f"{finger}.{phalanx}.{side}"
    return names


def _around(offsets: Array, normals: Array, along: Array) -> Array:
    """Which way skin faces about a bone: between its normal and its place, both perpendicular to the bone."""
    flat = [values - (values @ along)[:, None] * along for values in (offsets, normals)]
    weight = np.linalg.norm(flat[1], axis=1, keepdims=True)  # normals along the bone, at the tip, say little
    return unit(unit(flat[0]) + 1.5 * weight * flat[1])


def _side(palmar: float, radial: float) -> str:
    if palmar > _PAD_HALF_WIDTH:
        return "pad"
    if palmar < -_PAD_HALF_WIDTH:
        return "dorsal"
    return "radial" if radial > 0.0 else "ulnar"


def _label_palm(model: HandModel, owner: Array, normals: Array, palm: PalmFrame) -> list[str]:
    """The palm's regions for every vertex, fingers included (they are overwritten)."""
    joints, vertices = model.rest_joints, model.template
    carpal, knuckle, _ = FINGER_JOINTS["thumb"]
    index, middle, ring, pinky = (joints[FINGER_JOINTS[f][0]] for f in ("index", "middle", "ring", "pinky"))
    relative = vertices - joints[0]
    length = (middle - joints[0]) @ palm.distal
    distal, radial = relative @ palm.distal / length, relative @ palm.radial
    faces_palm, faces_thumb = normals @ palm.palmar, normals @ palm.radial

    # coordinates in the triangle that thumb and index metacarpal span
    thumb_side, index_side = joints[knuckle] - joints[carpal], index - joints[carpal]
    plane = np.stack([palm.distal, palm.radial])
    span = np.linalg.solve((plane @ np.stack([thumb_side, index_side], axis=1)), plane @ (vertices - joints[carpal]).T)
    in_web = (span[0] > 0.15) & (span[1] > 0.15) & (span.sum(0) > 0.62) & np.isin(owner, (0, 1, carpal, knuckle))

    heads = np.stack([(vertices - k) @ palm.distal for k in (index, middle, ring, pinky)])
    nearest = np.abs(np.stack([radial - (k - joints[0]) @ palm.radial for k in (index, middle, ring, pinky)])).argmin(0)
    before_knuckle = heads[nearest, np.arange(len(vertices))]
    middle_line = (middle - joints[0]) @ palm.radial
    ulnar_line = 0.35 * ((ring + pinky) / 2 - joints[0]) @ palm.radial

    names = []
    for v in range(len(vertices)):
        if distal[v] < 0.0 and owner[v] == 0:
            names.append("wrist")
        elif in_web[v] and span[1][v] > 0.8 and faces_thumb[v] > 0.6:
            names.append("palm.radial")
        elif in_web[v] and faces_palm[v] > -0.75:
            names.append("palm.web")
        elif faces_palm[v] < -0.45 or (owner[v] == carpal and faces_palm[v] < -0.1):
            names.append("palm.dorsal")
        elif owner[v] in (carpal, knuckle):
            names.append("palm.thenar")
        elif faces_thumb[v] < -0.75 or (faces_palm[v] < 0.1 and radial[v] < middle_line):
            names.append("palm.ulnar")
        elif faces_palm[v] < 0.1:
            names.append("palm.radial" if distal[v] > 0.5 else "palm.dorsal")
        elif before_knuckle[v] > -0.016:
            names.append("palm.heads")
        elif span[1][v] < 0.35 and radial[v] > middle_line:
            names.append("palm.thenar")
        elif radial[v] < ulnar_line:
            names.append("palm.hypothenar")
        else:
            names.append("palm.centre")
    return names
