"""Stand-ins: closed, of the right size, and hollow where the object is, for the physics engine too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
import pytest
import trimesh
from numpy.testing import assert_allclose
from scipy.spatial import KDTree

from yaff.errors import InputError
from yaff.geometry import distance_field
from yaff.geometry.mesh import watertight_solid
from yaff.objects import Catalogue, FolderSource
from yaff.objects.hollowing import cavity_of, hollowed
from yaff.objects.pieces import PieceParameters, convex_pieces, union_volume
from yaff.objects.standins import STANDINS, build_standin
from yaff.objects.surface import surface_samples

# A point inside each vessel, and one in the hole of its handle; metres, object frame.
HOLLOWS = {
    "019_pitcher_base": [(-0.0135, -0.0136, 0.02), (-0.0135 + 0.056, -0.0136 + 0.056, 0.03)],
    "024_bowl": [(0.0, 0.0, 0.01)],
    "025_mug": [(-0.0037, 0.0008, 0.01), (0.047, -0.002, 0.003)],
    "037_scissors": [(-0.034, -0.027, 0.0), (0.014, -0.04, 0.0)],
    "051_large_clamp": [(0.0, -0.035, 0.0)],
    "052_extra_large_clamp": [(-0.05, 0.0, 0.0)],
}


@pytest.mark.parametrize("name", list(STANDINS))
def test_standin(name: str) -> None:
    standin, entry = build_standin(name), Catalogue.load()[name]
    mesh = standin.mesh
    assert mesh.is_watertight
    assert mesh.is_winding_consistent
    assert mesh.volume > 0
    assert len(trimesh.graph.connected_components(mesh.face_adjacency)) == 1
    assert_allclose(mesh.extents, entry.dimensions, atol=0.009)
    assert 1 <= len(standin.pieces) <= 64
    assert max(len(piece) for piece in standin.pieces) <= 64
    assert 0.9 < union_volume(standin.pieces) / mesh.volume < 1.10
    again = build_standin(name)
    assert np.array_equal(again.mesh.vertices, mesh.vertices)
    assert all(np.array_equal(a, b) for a, b in zip(again.pieces, standin.pieces, strict=True))


def in_pieces(points: np.ndarray, pieces: tuple[np.ndarray, ...]) -> np.ndarray:
    inside = np.zeros(len(points), dtype=bool)
    for piece in pieces:
        hull = trimesh.convex.convex_hull(piece)
        outward = np.einsum("nfk,fk->nf", points[:, None] - hull.triangles_center[None], hull.face_normals)
        inside |= (outward < 0).all(axis=1)
    return inside


@pytest.mark.parametrize("name", list(HOLLOWS))
def test_hollows_stay_open(name: str) -> None:
    standin = build_standin(name)
    points = np.array(HOLLOWS[name])
    grid = distance_field.build(standin.mesh, spacing=2e-3, margin=0.004)
    assert grid.distance(points).min() > 0.004
    assert not in_pieces(points, standin.pieces).any()


VESSELS = ("019_pitcher_base", "024_bowl", "025_mug")


def ends_inside(pieces: tuple[np.ndarray, ...], bounds: np.ndarray, middle: np.ndarray) -> bool:
    """Whether a ball of 2 cm dropped into a vessel made of the pieces lies on its floor after two seconds."""
    client = pybullet.connect(pybullet.DIRECT)
    try:
        for piece in pieces:
            shape = pybullet.createCollisionShape(pybullet.GEOM_MESH, vertices=piece.tolist(), physicsClientId=client)
            pybullet.createMultiBody(0, shape, physicsClientId=client)
        ball = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.01, physicsClientId=client)
        start = [middle[0] + 0.012, middle[1], float(bounds[1, 2]) + 0.02]
        body = pybullet.createMultiBody(0.02, ball, basePosition=start, physicsClientId=client)
        pybullet.changeDynamics(body, -1, rollingFriction=1e-4, linearDamping=0.2, physicsClientId=client)
        pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
        for _ in range(480):
            pybullet.stepSimulation(physicsClientId=client)
        position, _ = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)
    finally:
        pybullet.disconnect(client)
    bottom = bounds[0, 2]
    on_the_floor = bottom + 0.009 < position[2] < bottom + 0.022
    return bool(on_the_floor and np.hypot(position[0] - middle[0], position[1] - middle[1]) < 0.06)


@pytest.mark.parametrize("name", VESSELS)
def test_a_ball_falls_in_and_stays(name: str) -> None:
    standin = build_standin(name)
    assert ends_inside(standin.pieces, standin.mesh.bounds, np.array(HOLLOWS[name][0]))


@pytest.mark.realdata
@pytest.mark.parametrize("name", VESSELS)
def test_scanned_vessels_are_opened_and_a_ball_falls_in(name: str, real_data: Path) -> None:
    entry = Catalogue.load()[name]
    solid, _ = watertight_solid(FolderSource(real_data / "YCB_Video_Dataset" / "models").mesh(name), name)
    assert cavity_of(solid, entry) is entry.cavity
    assert entry.cavity is not None
    opened, note = hollowed(solid, entry.cavity)
    assert (note is None) == (name == "024_bowl")  # its scan shows the inside
    assert opened.is_watertight
    assert not opened.contains(np.array(HOLLOWS[name])).any()
    assert_allclose(opened.bounds, solid.bounds, atol=0.012)  # the pitcher's lid goes
    assert cavity_of(opened, entry) is entry.cavity
    pieces = convex_pieces(opened, PieceParameters(), name, entry.cavity)
    assert len(pieces) <= 64
    assert 0.9 < union_volume(pieces) / opened.volume < 1.10
    assert ends_inside(pieces, opened.bounds, np.array(HOLLOWS[name][0]))


def test_a_mesh_of_another_size_is_not_opened() -> None:
    ball = trimesh.creation.icosphere(radius=0.04)
    assert cavity_of(ball, Catalogue.load()["025_mug"]) is None


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="025_jug"):
        build_standin("025_jug")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["011_banana", "025_mug", "035_power_drill", "051_large_clamp"])
def test_standins_lie_where_the_objects_are(name: str, real_data: Path) -> None:
    real = FolderSource(real_data / "YCB_Video_Dataset" / "models").mesh(name)
    ours, _ = surface_samples(build_standin(name).mesh, 3000)
    theirs, _ = surface_samples(trimesh.Trimesh(real.vertices, real.faces, process=False), 3000)
    there, back = KDTree(theirs).query(ours)[0].mean(), KDTree(ours).query(theirs)[0].mean()
    assert 0.5 * (there + back) < 0.004
