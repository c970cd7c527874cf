"""Repair of meshes, and each refusal."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose

from yaff.errors import MeshError
from yaff.geometry.mesh import check_mesh, watertight_solid


def ball(radius: float = 0.05) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=3, radius=radius)


def mesh_of(vertices: np.ndarray, faces: np.ndarray) -> trimesh.Trimesh:
    return trimesh.Trimesh(vertices, faces, process=False)


def test_a_good_mesh_passes_unchanged() -> None:
    solid, notes = watertight_solid(ball(), "ball")
    assert notes == ()
    assert solid.is_watertight
    assert_allclose(solid.volume, ball().volume, rtol=1e-9)


def test_split_vertices_are_merged() -> None:
    source = ball()
    split = mesh_of(source.triangles.reshape(-1, 3), np.arange(3 * len(source.faces)).reshape(-1, 3))
    solid, notes = watertight_solid(split, "split")
    assert len(solid.vertices) == len(source.vertices)
    assert solid.is_watertight
    assert notes == ()


def test_an_inverted_mesh_is_turned() -> None:
    source = ball()
    source.invert()
    solid, notes = watertight_solid(source, "inverted")
    assert solid.volume > 0
    assert notes == ("turned the faces outward",)


def test_a_few_turned_faces_are_turned_back() -> None:
    source = ball()
    faces = source.faces.copy()
    faces[::50] = faces[::50, ::-1]
    solid, _ = watertight_solid(mesh_of(source.vertices, faces), "mixed")
    assert solid.is_winding_consistent
    assert_allclose(solid.volume, source.volume, rtol=1e-9)


def test_scraps_and_doubled_faces_are_dropped() -> None:
    source, scrap = ball(), ball(0.0005)
    scrap.apply_translation([0.1, 0, 0])
    joined = trimesh.util.concatenate([source, scrap])
    faces = np.concatenate([joined.faces, joined.faces[:7], joined.faces[:3, ::-1], [[0, 0, 1]]])
    solid, notes = watertight_solid(mesh_of(joined.vertices, faces), "scraps")
    assert solid.is_watertight
    assert len(solid.faces) == len(source.faces)
    assert notes[0].startswith("dropped 11 degenerate")
    assert notes[1] == "dropped 1 loose scraps"


def test_an_inner_wall_is_no_scrap() -> None:
    inner = ball(0.045)
    inner.invert()
    solid, notes = watertight_solid(trimesh.util.concatenate([ball(), inner]), "shell")
    assert notes == ()
    assert_allclose(solid.volume, ball().volume - ball(0.045).volume, rtol=1e-6)


def test_small_holes_are_closed() -> None:
    source = ball()
    holed = mesh_of(source.vertices, np.delete(source.faces, [0, 5, 300], axis=0))
    solid, notes = watertight_solid(holed, "holed")
    assert solid.is_watertight
    assert_allclose(solid.volume, source.volume, rtol=2e-3)
    assert "closed holes" in notes[0]


@pytest.mark.parametrize(
    ("vertices", "faces", "what"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3), int), "empty"),
        (np.random.default_rng(0).normal(size=(9, 3)), np.zeros((0, 3), int), "no faces"),
        (np.array([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]], float), np.array([[0, 1, 2]]), "first vertex 2"),
        (np.array([[0, 0, 0], [1, 0, 0], [0, np.inf, 0]], float), np.array([[0, 1, 2]]), "NaN or infinity"),
        (np.eye(3), np.array([[0, 1, 3]]), "a face names vertex 3"),
        (np.ones((3, 3)), np.array([[0, 1, 2]]), "one place"),
        (ball(50.0).vertices, ball().faces, "in millimetres it would be 0.100 m"),
        (ball(5000.0).vertices, ball().faces, "too large"),
    ],
)
def test_unusable_arrays_are_refused(vertices: np.ndarray, faces: np.ndarray, what: str) -> None:
    with pytest.raises(MeshError, match=what) as caught:
        check_mesh(np.asarray(vertices, np.float64), faces, "folder/thing.obj")
    assert "folder/thing.obj" in str(caught.value)
    assert caught.value.remedy


def test_an_open_vessel_is_refused() -> None:
    source = ball()
    cup = mesh_of(source.vertices, source.faces[source.triangles_center[:, 2] < 0.0])
    with pytest.raises(MeshError, match="the mesh is open") as caught:
        watertight_solid(cup, "cup.obj")
    assert "cup.obj" in str(caught.value)


def test_a_sheet_is_refused() -> None:
    corners = 0.1 * np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    sheet = mesh_of(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    with pytest.raises(MeshError):
        watertight_solid(sheet, "sheet.obj")


def test_only_degenerate_faces_are_refused() -> None:
    with pytest.raises(MeshError, match="degenerate"):
        watertight_solid(mesh_of(np.eye(3), np.array([[0, 1, 1], [2, 2, 0]])), "flat.obj")
