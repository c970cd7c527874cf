"""Overlap between parts of the hand that are not neighbours: skin of one inside the collision piece of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull

from yaff.hand.model import HandModel

Array = np.ndarray


@runtime_checkable
class ConvexPiece(Protocol):
    """A convex part of one bone; :class:`yaff.hand.BonePiece` is one."""

    @property
    def bone(self) -> int:
        """The bone that carries the piece, 0 (the wrist) to 15, MANO order."""
        ...

    @property
    def vertices(self) -> Float[Array, "k 3"]:
        """Corners of the piece, metres, in the frame of its bone."""
        ...


@dataclass(frozen=True)
class _Piece:
    bone: int
    normals: Array
    offsets: Array
    low: Array
    high: Array
    skin: Array
    """The vertices that may not be inside: those of bones that are not neighbours, and not near it at rest."""


@dataclass(frozen=True, eq=False)
class SelfCollision:
    """What is needed to measure self-penetration of one hand: half-spaces of its pieces, and which skin counts."""

    pieces: tuple[_Piece, ...]

    @classmethod
    def of(cls, model: HandModel, pieces: Sequence[ConvexPiece], *, rest_margin: float = 0.002) -> SelfCollision:
        """Prepare a hand.

        A vertex belongs to the bone with its largest weight. Bones are neighbours when they are the same or joined by
        a joint. Skin that lies within ``rest_margin`` (metres) of a piece when the hand is flat is not held against
        that piece: the web between two fingers is near both of them whatever they do.

        Args:
            model: the hand, for weights, parents and the skin at rest.
            pieces: convex pieces in their bones' frames, shrunk by the compliance that is allowed.
            rest_margin: metres.
        """
        bone_of_vertex = model.weights.argmax(axis=1)
        still = np.zeros((1, 45))
        rest, Ts = model.vertices(still), model.bone_transforms(still)
        prepared = []
        for piece in pieces:
            equations = ConvexHull(np.asarray(piece.vertices, np.float64)).equations
            equations = np.unique(np.round(equations, 9), axis=0)
            points = np.asarray(piece.vertices, np.float64)
            local = _in_frame(rest, Ts[:, piece.bone])[0]
            outside = (local @ equations[:, :3].T + equations[:, 3]).max(axis=1)
            neighbours = [piece.bone, int(model.parents[piece.bone])]
            neighbours += np.flatnonzero(model.parents == piece.bone).tolist()
            skin = np.flatnonzero(~np.isin(bone_of_vertex, neighbours) & (outside > rest_margin))
            prepared.append(
                _Piece(
                    bone=int(piece.bone),
                    normals=equations[:, :3],
                    offsets=equations[:, 3],
                    low=points.min(axis=0),
                    high=points.max(axis=0),
                    skin=skin,
                )
            )
        return cls(tuple(prepared))

    def depth(self, vertices: Float[Array, "n v 3"], Ts_object_bone: Float[Array, "n 16 4 4"]) -> Float[Array, "n"]:
        """Deepest skin point (metres) inside a piece of another part, per grasp; 0 where parts are apart.

        Depth is the way out through the nearest face of the piece. The pieces are shrunk, so soft skin may touch by
        that much (twice, when both sides give) at no cost.

        Args:
            vertices: posed skin, metres.
            Ts_object_bone: transforms of the 16 bones, from :meth:`HandModel.bone_transforms`.
        """
        deepest = np.zeros(len(vertices))
        for piece in self.pieces:
            local = _in_frame(vertices[:, piece.skin], Ts_object_bone[:, piece.bone])
            boxed = ((local > piece.low) & (local < piece.high)).all(axis=2)
            grasp, vertex = np.nonzero(boxed)
            if len(grasp):
                depth = -(local[grasp, vertex] @ piece.normals.T + piece.offsets).max(axis=1)
                np.maximum.at(deepest, grasp, depth)
        return deepest


def _in_frame(points: Array, T_object_bone: Array) -> Array:
    """Points (n, m, 3) expressed in bone frames (n, 4, 4)."""
    return (points - T_object_bone[:, None, :3, 3]) @ T_object_bone[:, :3, :3]
