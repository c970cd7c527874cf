"""Whole objects: from stand-ins, from scanned meshes, and from files that cannot be used."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.testing import assert_allclose

from yaff.errors import InputError, MeshError, MissingFileError
from yaff.geometry.transforms import apply
from yaff.objects import Catalogue, FolderSource, MeshSource, ObjectModel, StandInSource, load_object
from yaff.objects.pieces import union_volume
from yaff.objects.sources import PiecewiseSource

BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.04)


def check(model: ObjectModel) -> None:
    """What must hold of every object."""
    assert model.solid.is_watertight
    assert model.solid.volume > 0
    assert np.abs(model.sdf.distance(model.surface_points)).max() < 1e-3
    assert_allclose(np.linalg.norm(model.surface_normals, axis=1), 1.0, atol=1e-9)
    reach = np.linalg.norm(np.asarray(model.solid.vertices) - model.centre_of_mass, axis=1)
    assert model.radius == pytest.approx(reach.max())
    moments = np.linalg.eigvalsh(model.inertia)
    assert moments[0] > 0
    assert moments[2] < moments[0] + moments[1] + 1e-12  # what any body's moments obey
    assert_allclose(model.symmetries[0], np.eye(4), atol=1e-12)
    assert len(model.digest) == 64


def test_standin(cache_dir: Path) -> None:
    source = StandInSource()
    assert isinstance(source, MeshSource)
    assert isinstance(source, PiecewiseSource)
    model = load_object("061_foam_brick", source, cache_dir)
    check(model)
    assert model.standin
    assert model.index == 21
    assert model.mass == 0.028
    assert model.notes == ()
    assert len(model.symmetries) == 8
    again = load_object("061_foam_brick", StandInSource(), cache_dir)
    assert again.digest == model.digest
    assert again.sdf.values.tobytes() == model.sdf.values.tobytes()
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.sdf.distance(model.surface_points), model.sdf.distance(model.surface_points))


def folder_with(tmp_path: Path, mesh: trimesh.Trimesh | str) -> FolderSource:
    target = tmp_path / "models" / "025_mug"
    target.mkdir(parents=True)
    text = mesh if isinstance(mesh, str) else obj(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    (target / "textured_simple.obj").write_text(text)
    return FolderSource(tmp_path / "models")


def obj(vertices: np.ndarray, faces: np.ndarray) -> str:
    lines = [f"v {x} {y} {z}" for x, y, z in vertices] + [f"f {a} {b} {c}" for a, b, c in faces + 1]
    return "\n".join(lines) + "\n"


def test_a_users_folder(tmp_path: Path) -> None:
    source = folder_with(tmp_path, BALL)
    model = load_object("025_mug", source, tmp_path / "cache")
    check(model)
    assert not model.standin
    assert len(model.pieces) == 1
    assert_allclose(np.linalg.norm(model.pieces[0], axis=1), 0.04, rtol=1e-3)
    before = model.digest
    shutil.rmtree(tmp_path / "models")
    larger = BALL.copy()
    larger.apply_scale(1.2)
    changed = load_object("025_mug", folder_with(tmp_path, larger), tmp_path / "cache")
    assert changed.digest != before
    assert changed.radius == pytest.approx(0.048)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no triangles"),
        ("v 0 0 0\nv 0 0.1 0\nv 0 0 0.1\n", "no triangles"),
        (obj(np.asarray(BALL.vertices) * 1000.0, np.asarray(BALL.faces)), "millimetres"),
        (obj(np.asarray(BALL.vertices), np.asarray(BALL.faces)[:640]), "open"),
        (obj(np.asarray(BALL.vertices), np.asarray(BALL.faces)).replace("v 0.0 ", "v nan ", 1), "NaN"),
        ("v 0 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 2 7\n", "vertex|read"),
        ("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0.1 0.1 0\nf 1 2 3\nf 1 4 2\nf 2 4 3\nf 1 3 4\n", "no volume"),
        ("v 0 0 zero\nf 1 1 1\n", "read|degenerate|triangles"),
    ],
)
def test_unusable_meshes_are_refused_and_leave_nothing(tmp_path: Path, text: str, what: str) -> None:
    source = folder_with(tmp_path, text)
    with pytest.raises(MeshError, match=what) as caught:
        load_object("025_mug", source, tmp_path / "cache")
    assert "025_mug" in str(caught.value)
    assert caught.value.remedy
    assert list((tmp_path / "cache").rglob("*.npz")) == []


def test_missing_things_are_named(tmp_path: Path) -> None:
    source = FolderSource(tmp_path)
    with pytest.raises(MissingFileError, match="no mesh of 025_mug") as caught:
        load_object("025_mug", source, tmp_path / "cache")
    assert str(tmp_path / "025_mug" / "textured_simple.obj") in str(caught.value)
    with pytest.raises(InputError, match="unknown object"):
        load_object("nothing", source, tmp_path / "cache")


@pytest.fixture(scope="module")
def models(real_data: Path) -> FolderSource:
    return FolderSource(real_data / "YCB_Video_Dataset" / "models")


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["025_mug", "006_mustard_bottle", "011_banana"])
def test_real_objects(name: str, models: FolderSource, cache_dir: Path) -> None:
    model = load_object(name, models, cache_dir)
    check(model)
    assert len(model.pieces) <= 64
    assert max(len(piece) for piece in model.pieces) <= 64
    assert 0.9 < union_volume(model.pieces) / model.solid.volume < 1.10
    assert model.visual.visual.uv is not None
    for T in model.symmetries[1:]:
        moved = apply(T, model.surface_points)
        assert np.abs(model.sdf.distance(moved)).mean() < 0.003


@pytest.mark.realdata
def test_the_real_mug_is_hollow(models: FolderSource, cache_dir: Path) -> None:
    model = load_object("025_mug", models, cache_dir)
    inside = np.array([[-0.0037, 0.0008, 0.03], [-0.0037, 0.0008, -0.01], [0.050, -0.002, 0.003]])
    assert model.sdf.distance(inside).min() > 0.005
    wall = np.array([[-0.0437, 0.0008, 0.02]])
    assert model.sdf.distance(wall)[0] < 0.0005


@pytest.mark.realdata
@pytest.mark.parametrize("name", [entry.name for entry in Catalogue.load().values() if entry.symmetries])
def test_symmetries_leave_the_surface(name: str, models: FolderSource) -> None:
    from scipy.spatial import KDTree

    from yaff.geometry.mesh import watertight_solid
    from yaff.objects.surface import surface_samples

    solid, _ = watertight_solid(models.mesh(name), name)
    dense, _ = surface_samples(solid, 12000)
    tree = KDTree(dense)
    for T in Catalogue.load()[name].symmetry_transforms(steps=5)[1:]:
        gap, _ = tree.query(apply(T, dense[:1500]))
        assert gap.mean() < 0.003
