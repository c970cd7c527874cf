"""Shading normals against shapes whose normals are known."""

from __future__ import annotations

import numpy as np
import trimesh

from yaff.scene.shading_normals import corner_normals


def test_a_box_is_flat() -> None:
    mesh = trimesh.creation.box((0.1, 0.2, 0.3))
    assert np.abs(corner_normals(mesh) - mesh.face_normals[:, None]).max() < 1e-6


def test_a_sphere_is_round_and_seams_do_not_show() -> None:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    radial = mesh.vertices[mesh.faces] / 0.05
    whole = corner_normals(mesh)
    assert np.abs(whole - radial).max() < 0.02
    cut = mesh.copy()
    cut.unmerge_vertices()
    assert np.abs(corner_normals(cut) - whole).max() < 1e-6


def test_a_cylinder_is_round_and_its_rim_sharp() -> None:
    mesh = trimesh.creation.cylinder(0.04, 0.1, sections=48)
    normals, corners = corner_normals(mesh), mesh.vertices[mesh.faces]
    lid = np.abs(mesh.face_normals[:, 2]) > 0.99
    assert np.abs(normals[lid] - mesh.face_normals[lid, None]).max() < 1e-6
    radial = corners[~lid] * [1, 1, 0] / 0.04
    assert np.abs(normals[~lid] - radial).max() < 0.07


def test_faces_without_area_have_a_normal() -> None:
    mesh = trimesh.Trimesh([[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 0]], [[0, 1, 2], [0, 1, 3]], process=False)
    assert np.allclose(np.linalg.norm(corner_normals(mesh), axis=2), 1.0)
    assert corner_normals(trimesh.Trimesh()).shape == (0, 3, 3)
