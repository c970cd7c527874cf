"""A user's own meshes: what is taken as it is, what is repaired with a note, what is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from made_up_meshes import obj, picture
from numpy.testing import assert_allclose

from yaff.errors import InputError, MeshError, MissingFileError
from yaff.geometry.mesh import watertight_solid
from yaff.objects import FolderSource
from yaff.objects.crossings import crossing_edges, without_crossings
from yaff.objects.decimation import MANY_FACES, decimated
from yaff.objects.own import OwnObject, check_name, parse_symmetry, prepare_own

BALL = trimesh.creation.icosphere(subdivisions=3, radius=0.04)
CYLINDER = trimesh.creation.cylinder(radius=0.03, height=0.1, sections=48)


def written(tmp_path: Path, mesh: trimesh.Trimesh, name: str = "own.ply") -> Path:
    path = tmp_path / name
    mesh.export(path)
    return path


def read_back(tmp_path: Path, made: OwnObject) -> trimesh.Trimesh:
    folder = tmp_path / "read" / "own"
    folder.mkdir(parents=True)
    for file, content in made.files.items():
        (folder / file).write_bytes(content)
    return FolderSource(tmp_path / "read").mesh("own")


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "glb"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    made = prepare_own(written(tmp_path, CYLINDER, f"own.{suffix}"), mass=0.2)
    assert made.notes == ()
    assert_allclose(made.dimensions, (0.06, 0.06, 0.1), atol=1e-7)
    assert_allclose(read_back(tmp_path, made).bounds, CYLINDER.bounds, atol=2e-8)


@pytest.mark.parametrize("suffix", ["obj", "glb"])
def test_textures_come_along(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "texture_map.png").write_bytes(picture())
    (tmp_path / "own.mtl").write_text("newmtl material_0\nmap_Kd texture_map.png\n")
    (tmp_path / "own.obj").write_bytes(obj(CYLINDER, "own.mtl"))
    path = tmp_path / "own.obj"
    if suffix == "glb":
        path = tmp_path / "own.glb"
        trimesh.load(tmp_path / "own.obj", process=False, force="mesh").export(path)
    made = prepare_own(path, mass=0.2)
    assert made.notes == ()
    assert read_back(tmp_path, made).visual.material.image.getpixel((0, 0)) == (200, 30, 30)


@pytest.mark.parametrize("left", ["nothing", "the materials"])
def test_a_missing_texture_is_noted(tmp_path: Path, left: str) -> None:
    if left == "the materials":
        (tmp_path / "own.mtl").write_text("newmtl material_0\nmap_Kd texture_map.png\n")
    (tmp_path / "own.obj").write_bytes(obj(CYLINDER, "own.mtl"))
    made = prepare_own(tmp_path / "own.obj", mass=0.2)
    assert made.notes == ("the texture is missing: drawn plain",)
    assert set(made.files) == {"textured_simple.obj"}


def test_millimetres_are_detected_both_ways(tmp_path: Path) -> None:
    large = CYLINDER.copy()
    large.apply_scale(1000.0)
    path = written(tmp_path, large)
    with pytest.raises(MeshError, match="100 m long") as caught:
        prepare_own(path, 0.2)
    assert "--unit mm" in str(caught.value)
    made = prepare_own(path, 0.2, unit="mm")
    assert_allclose(made.dimensions, (0.06, 0.06, 0.1), rtol=1e-6)
    assert made.scale == 1e-3
    with pytest.raises(MeshError, match="too small") as caught:
        prepare_own(written(tmp_path, CYLINDER), 0.2, unit="mm")
    assert "--unit m" in str(caught.value)
    large.apply_scale(1000.0)
    path = written(tmp_path, large)
    with pytest.raises(MeshError, match="too large") as caught:
        prepare_own(path, 0.2)
    assert "--unit" not in str(caught.value)


def test_inverted_is_turned(tmp_path: Path) -> None:
    inside_out = CYLINDER.copy()
    inside_out.invert()
    assert prepare_own(written(tmp_path, inside_out), 0.2).notes == ("turned the faces outward",)


def test_small_holes_are_closed_and_open_meshes_refused(tmp_path: Path) -> None:
    ball = BALL.copy()
    ball.update_faces(np.arange(len(ball.faces)) > 5)
    assert any("closed holes" in note for note in prepare_own(written(tmp_path, ball), 0.2).notes)
    ball.update_faces(ball.triangles_center[:, 2] > 0.0)
    with pytest.raises(MeshError, match="open"):
        prepare_own(written(tmp_path, ball), 0.2)


def test_overlapping_parts_are_united(tmp_path: Path) -> None:
    other = BALL.copy()
    other.apply_translation((0.03, 0.0, 0.0))
    both = trimesh.util.concatenate([BALL, other])
    made = prepare_own(written(tmp_path, both), 0.2)
    assert any("united" in note for note in made.notes)
    solid, _ = watertight_solid(read_back(tmp_path, made), "x")
    lens = np.pi * (4 * 0.04 + 0.03) * (2 * 0.04 - 0.03) ** 2 / 12
    assert solid.volume == pytest.approx(2 * 4 / 3 * np.pi * 0.04**3 - lens, rel=0.02)


def test_a_surface_through_itself_is_refused(tmp_path: Path) -> None:
    """A ring whose tube is so thick that it meets itself in the middle: closed, but no union of closed parts."""
    ring = trimesh.creation.torus(major_radius=0.02, minor_radius=0.028, major_sections=40, minor_sections=24)
    with pytest.raises(MeshError, match="passes through itself") as caught:
        prepare_own(written(tmp_path, ring), 0.2)
    assert "Boolean union" in str(caught.value)


def test_crossings_against_a_known_count() -> None:
    assert not crossing_edges(BALL).any()
    assert not crossing_edges(CYLINDER).any()
    needle = trimesh.creation.box((0.2, 0.004, 0.004)).apply_translation((0.0, 0.02, 0.0))
    both = trimesh.util.concatenate([trimesh.creation.box((0.1, 0.1, 0.1)), needle])
    found = crossing_edges(both)
    # The needle's four long edges and the four diagonals of its sides pierce the box; no edge of the box the needle.
    assert found.sum() == 8
    united, note = without_crossings(both, "x")
    assert "2 overlapping parts were united" in note
    assert united.volume == pytest.approx(0.1**3 + 0.1 * 0.004**2)
    assert without_crossings(BALL, "x")[0] is BALL


def test_nan_empty_and_absent(tmp_path: Path) -> None:
    vertices = np.array(CYLINDER.vertices)
    vertices[3] = np.nan
    broken = trimesh.Trimesh(vertices, CYLINDER.faces, process=False, validate=False)
    with pytest.raises(MeshError, match="NaN"):
        prepare_own(written(tmp_path, broken), 0.2)
    for content in ("", "v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\n"):
        (tmp_path / "own.obj").write_text(content)
        with pytest.raises(MeshError, match="no triangles"):
            prepare_own(tmp_path / "own.obj", 0.2)
    (tmp_path / "own.glb").write_bytes(b"glTF but not really")
    with pytest.raises(MeshError, match="cannot be read"):
        prepare_own(tmp_path / "own.glb", 0.2)
    with pytest.raises(MissingFileError):
        prepare_own(tmp_path / "none.stl", 0.2)
    with pytest.raises(MeshError, match=r"\.step"):
        prepare_own(tmp_path / "own.step", 0.2)


def grid_torus(n: int) -> trimesh.Trimesh:
    """2 n^2 triangles, closed."""
    u, v = np.meshgrid(2 * np.pi * np.arange(n) / n, 2 * np.pi * np.arange(n) / n, indexing="ij")
    out = 0.04 + 0.015 * np.cos(v)
    points = np.stack([out * np.cos(u), out * np.sin(u), 0.015 * np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = (k.ravel() for k in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    a, b, c, d = (((i + p) % n) * n + (j + q) % n for p, q in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)])
    return trimesh.Trimesh(points, faces, process=False, validate=False)


def test_enormous_meshes_are_decimated(tmp_path: Path) -> None:
    made = prepare_own(written(tmp_path, grid_torus(1000)), 0.2)  # 2 million triangles
    (note,) = made.notes
    assert note.startswith("decimated from 2,000,000 to 50,000 triangles")
    solid, notes = watertight_solid(read_back(tmp_path, made), "x")
    assert notes == ()
    assert solid.volume == pytest.approx(2 * np.pi**2 * 0.04 * 0.015**2, rel=1e-2)


def test_decimation_leaves_small_meshes_and_refuses_what_is_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert decimated(BALL, "x") == (BALL, "")
    assert len(BALL.faces) <= MANY_FACES
    monkeypatch.setattr("yaff.objects.decimation.MOST_FACES", 100)
    with pytest.raises(MeshError, match="more than 100"):
        decimated(BALL, "x")
    monkeypatch.setattr("yaff.objects.decimation.MOST_FACES", 10**6)
    monkeypatch.setattr("yaff.objects.decimation.MANY_FACES", 1000)
    monkeypatch.setattr("yaff.objects.decimation.ENOUGH_FACES", 20)
    with pytest.raises(MeshError, match="move the surface"):
        decimated(BALL, "x")


def test_symmetries_are_checked(tmp_path: Path) -> None:
    path = written(tmp_path, CYLINDER.copy().apply_translation((0.2, 0.0, 0.05)))
    made = prepare_own(path, 0.2, symmetries=("z:any", "x:2"))
    assert [part["order"] for part in made.symmetry] == [0, 2]
    assert_allclose(made.symmetry[0]["offset"], (0.2, 0.0, 0.05), atol=1e-6)
    with pytest.raises(InputError, match="not symmetric"):
        prepare_own(path, 0.2, symmetries=("x:4",))


def test_words() -> None:
    assert parse_symmetry("y:any") == ((0.0, 1.0, 0.0), 0)
    axis, order = parse_symmetry("0,3,4:6")
    assert_allclose(axis, (0.0, 0.6, 0.8))
    assert order == 6
    for text in ("", "z", "z:", "z:1", "z:-2", "w:2", "0,0,0:2", "1,2:2", "nan,0,0:2", "z:2:3", "z:1000"):
        with pytest.raises(InputError, match="not a symmetry"):
            parse_symmetry(text)
    for name in ("kettle", "a", "big-jar_2"):
        check_name(name)
    for name in ("", "025_mug", "Kettle", "a b", "a/b", "..", "é", "a" * 64, "_a"):
        with pytest.raises(InputError, match="cannot be the name"):
            check_name(name)


@pytest.mark.parametrize("mass", [0.0, -1.0, float("nan"), float("inf"), 50.0])
def test_masses(tmp_path: Path, mass: float) -> None:
    with pytest.raises(InputError, match="a mass of"):
        prepare_own(written(tmp_path, BALL), mass)
