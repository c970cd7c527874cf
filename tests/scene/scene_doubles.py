"""Analytic doubles of objects, and small trees of frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import trimesh

from yaff.geometry.transforms import make_transform, quaternion_wxyz_from_rotation, rotation_from_axis_angle
from yaff.scene.frames import FrameTable
from yaff.scene.ycb_video_writer import write_frame

Array = np.ndarray
Frames = dict[int, tuple[list[int], Array]]
"""(Class indices, poses) of a scene by frame."""


@dataclass(frozen=True)
class SphereField:
    """The exact signed distance of a sphere."""

    centre: Array
    radius: float
    spacing: float = 0.0

    def distance(self, points: Array) -> Array:
        return np.linalg.norm(points - self.centre, axis=-1) - self.radius


@dataclass(frozen=True)
class BoxField:
    """The exact signed distance of a box centred at the origin."""

    half: Array
    spacing: float = 0.0

    def distance(self, points: Array) -> Array:
        q = np.abs(points) - self.half
        return np.linalg.norm(np.maximum(q, 0.0), axis=-1) + np.minimum(q.max(-1), 0.0)


@dataclass(frozen=True, eq=False)
class Solid:
    """An object with an analytic distance field, droppable and drawable."""

    name: str
    index: int
    solid: trimesh.Trimesh
    sdf: SphereField | BoxField
    mass: float = 0.2

    @property
    def visual(self) -> trimesh.Trimesh:
        return self.solid

    @cached_property
    def pieces(self) -> tuple[Array, ...]:
        return (np.asarray(self.solid.vertices, np.float64),)

    @cached_property
    def centre_of_mass(self) -> Array:
        return np.asarray(self.solid.center_mass, np.float64)

    @cached_property
    def inertia(self) -> Array:
        return np.asarray(self.solid.moment_inertia, np.float64) * self.mass / self.solid.mass


def sphere(name: str, index: int, radius: float, centre: tuple[float, float, float] = (0, 0, 0)) -> Solid:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    mesh.apply_translation(centre)
    return Solid(name, index, mesh, SphereField(np.array(centre, np.float64), radius))


def box(
    name: str, index: int, extents: tuple[float, float, float], colour: tuple[int, int, int] | None = None
) -> Solid:
    mesh = trimesh.creation.box(extents)
    if colour is not None:
        mesh.visual.face_colors = [*colour, 255]
    return Solid(name, index, mesh, BoxField(0.5 * np.array(extents)))


def cylinder(name: str, index: int, radius: float, height: float) -> Solid:
    mesh = trimesh.creation.cylinder(radius, height, sections=64)
    return Solid(name, index, mesh, SphereField(np.zeros(3), radius))


def random_transforms(rng: np.random.Generator, n: int, reach: float = 0.5) -> Array:
    return make_transform(
        rotation_from_axis_angle(rng.normal(size=(n, 3)) * 2.0), rng.uniform(-reach, reach, size=(n, 3))
    )


INTRINSICS = np.array([[1066.778, 0.0, 312.9869], [0.0, 1067.487, 241.3109], [0.0, 0.0, 1.0]])


def write_tree(root: Path, scene: int, tables: Frames) -> None:
    """A YCB-Video tree of one scene: (indices, poses) by frame."""
    folder = root / "data" / f"{scene:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    for frame, (index, poses) in tables.items():
        write_frame(
            folder,
            frame,
            names=[f"{i:03d}_object" for i in index],
            object_index=index,
            Ts_camera_object=poses,
            intrinsics=INTRINSICS,
            points=[np.zeros((1, 3)) + 0.01] * len(index),
            T_camera_world=np.eye(4),
        )


def write_bop(root: Path, scene: int, tables: Frames, unit: float = 1000.0) -> None:
    """A BOP tree of one scene, ``unit`` to the metre: (object ids, poses) by frame."""
    folder = root / f"{scene:06d}"
    folder.mkdir(parents=True, exist_ok=True)
    truth, cameras = {}, {}
    for frame, (index, poses) in tables.items():
        truth[str(frame)] = [
            {"cam_R_m2c": T[:3, :3].ravel().tolist(), "cam_t_m2c": (unit * T[:3, 3]).tolist(), "obj_id": i}
            for i, T in zip(index, poses, strict=True)
        ]
        cameras[str(frame)] = {"cam_K": INTRINSICS.ravel().tolist(), "depth_scale": 0.1}
    (folder / "scene_gt.json").write_text(json.dumps(truth))
    (folder / "scene_camera.json").write_text(json.dumps(cameras))


def write_pose_table(path: Path, scenes: dict[int, Frames]) -> None:
    """A pose table of rows: (indices, poses) by frame by scene."""
    rows = [
        (scene, frame, i, T)
        for scene, frames in scenes.items()
        for frame, (index, poses) in frames.items()
        for i, T in zip(index, poses, strict=True)
    ]
    np.savez(
        path,
        scene=np.array([row[0] for row in rows]),
        frame=np.array([row[1] for row in rows]),
        object=np.array([row[2] for row in rows]),
        quaternion_wxyz=quaternion_wxyz_from_rotation(np.stack([row[3][:3, :3] for row in rows])),
        translation_m=np.stack([row[3][:3, 3] for row in rows]),
        intrinsics=INTRINSICS,
    )


def random_scene(rng: np.random.Generator) -> Frames:
    """Four frames of four or three objects, two of them of one class, about a metre away."""
    objects = [5, 14, 14, 21]
    poses = random_transforms(rng, 16).reshape(4, 4, 4, 4)
    poses[..., :3, 3] += (0.0, 0.0, 1.0)
    return {frame: (objects[: 4 - k % 2], poses[k, : 4 - k % 2]) for k, frame in enumerate((1, 2, 10, 11))}


def write_as(kind: str, folder: Path, scenes: dict[int, Frames]) -> Path:
    """Scenes in the layout of a kind; returns what a user would give to ``yaff project``."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "pose-table":
        write_pose_table(folder / "poses.npz", scenes)
        return folder / "poses.npz"
    for number, frames in scenes.items():
        (write_tree if kind == "ycb-video" else write_bop)(folder, number, frames)
    return folder


def assert_same_frames(one: FrameTable, other: FrameTable, tolerance: float = 1e-6) -> None:
    assert one.scene == other.scene
    for name in ("frames", "instance_start", "object_index"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.abs(one.Ts_camera_object - other.Ts_camera_object).max(initial=0.0) < tolerance
    assert np.allclose(one.intrinsics, other.intrinsics)
