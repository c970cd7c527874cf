"""Objects with an exact signed distance, and skins with a known shape."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import trimesh

from yaff.geometry.signed_distance import SignedDistanceGrid


@dataclass(frozen=True)
class Ball:
    """A ball about the origin."""

    radius: float

    def distance(self, points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points, axis=-1) - self.radius

    def distance_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        length = np.linalg.norm(points, axis=-1)
        return length - self.radius, points / np.maximum(length, 1e-12)[..., None]


@dataclass(frozen=True)
class HalfSpace:
    """Everything below ``normal . p = offset``."""

    normal: tuple[float, float, float] = (0.0, 0.0, 1.0)
    offset: float = 0.0

    def distance(self, points: np.ndarray) -> np.ndarray:
        return points @ np.asarray(self.normal) - self.offset

    def distance_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.distance(points), np.broadcast_to(np.asarray(self.normal), points.shape).copy()


@dataclass(frozen=True)
class Block:
    """A box about the origin, of these half sizes."""

    half: tuple[float, float, float]

    def distance(self, points: np.ndarray) -> np.ndarray:
        q = np.abs(points) - np.asarray(self.half)
        return np.linalg.norm(np.maximum(q, 0.0), axis=-1) + np.minimum(q.max(axis=-1), 0.0)

    def distance_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        q = np.abs(points) - np.asarray(self.half)
        distance = self.distance(points)
        out = np.maximum(q, 0.0)
        inner = np.eye(3)[q.argmax(axis=-1)]
        outside = (q.max(axis=-1) > 0.0)[..., None]
        gradient = np.where(outside, out / np.maximum(np.linalg.norm(out, axis=-1), 1e-12)[..., None], inner)
        return distance, gradient * np.where(points < 0.0, -1.0, 1.0)


@dataclass(frozen=True)
class Thing:
    """The least object that can be measured."""

    sdf: Ball | HalfSpace | Block
    radius: float
    name: str = "thing"
    centre_of_mass: np.ndarray = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True)
class Regions:
    """A partition of vertices."""

    names: tuple[str, ...]
    labels: np.ndarray


def at(x: float, y: float, z: float) -> np.ndarray:
    """A point."""
    return np.array([x, y, z], dtype=np.float64)


def ball_mesh(radius: float, subdivisions: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A sphere about the origin, its volume that of the true one (the inscribed mesh is a little smaller)."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)
    scale = (4.0 / 3.0 * np.pi * radius**3 / mesh.volume) ** (1.0 / 3.0)
    return np.asarray(mesh.vertices) * scale, np.asarray(mesh.faces, np.int64)


def box_mesh(half: tuple[float, float, float], pieces: int) -> tuple[np.ndarray, np.ndarray]:
    """A box about the origin, each edge cut in ``2 ** pieces``."""
    mesh = trimesh.creation.box(extents=2.0 * np.asarray(half))
    for _ in range(pieces):
        mesh = mesh.subdivide()
    return np.asarray(mesh.vertices), np.asarray(mesh.faces, np.int64)


def gridded(sdf: Ball | HalfSpace | Block, low: np.ndarray, high: np.ndarray, spacing: float) -> SignedDistanceGrid:
    """The signed distance sampled on a grid from low to high."""
    count = np.ceil((high - low) / spacing).astype(int) + 1
    axes = [low[k] + spacing * np.arange(count[k]) for k in range(3)]
    nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return SignedDistanceGrid(low, spacing, sdf.distance(nodes).astype(np.float32))


@dataclass(frozen=True)
class Rod:
    """A cylinder along z about the origin, with flat ends."""

    radius: float
    half: float

    def distance(self, points: np.ndarray) -> np.ndarray:
        across = np.linalg.norm(points[..., :2], axis=-1) - self.radius
        along = np.abs(points[..., 2]) - self.half
        outside = np.hypot(np.maximum(across, 0.0), np.maximum(along, 0.0))
        return outside + np.minimum(np.maximum(across, along), 0.0)
