"""Meshes as people have them, brought to one frame; and archives that must not be trusted."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from made_up_meshes import KNOWN, bop, box, google_files, google_tree, obj, picture, ply, tgz, ycb_video
from numpy.testing import assert_allclose

from yaff.errors import FormatError, MeshError, MissingFileError
from yaff.objects import FolderSource
from yaff.objects.archives import read_archive
from yaff.objects.collections import recognise
from yaff.objects.conversion import ConvertedMesh, convert
from yaff.objects.obj_files import PARTS, move_obj, obj_of_mesh, obj_vertices

NAMES = ("024_bowl", "025_mug", "040_large_marker")


def converted(source: Path, name: str) -> ConvertedMesh:
    return convert(recognise(source, KNOWN)[name], KNOWN[name])


def installed(tmp_path: Path, made: ConvertedMesh, name: str) -> trimesh.Trimesh:
    folder = tmp_path / "read" / name
    folder.mkdir(parents=True)
    for file, content in made.files.items():
        (folder / file).write_bytes(content)
    return FolderSource(tmp_path / "read").mesh(name)


def archives(root: Path, names: tuple[str, ...]) -> Path:
    root.mkdir()
    for name in names:
        (root / f"{name}_google_16k.tgz").write_bytes(tgz(google_files(name)))
    return root


LAYOUTS: dict[str, Callable[[Path, tuple[str, ...]], Path]] = {
    "ycb-video": ycb_video,
    "google-16k": google_tree,
    "archives": archives,
    "bop": bop,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_mesh_in_the_object_frame(tmp_path: Path, layout: str) -> None:
    source = LAYOUTS[layout](tmp_path / "source", NAMES)
    assert tuple(recognise(source, KNOWN)) == NAMES
    for name in NAMES:
        made = converted(source, name)
        assert made.notes == ()
        assert set(made.files) == set(PARTS)
        mesh = installed(tmp_path, made, name)
        corners = box(name)
        assert_allclose(mesh.triangles, corners.triangles, atol=1e-6 if layout == "bop" else 1e-7)
        assert mesh.visual.uv is not None
        assert mesh.visual.material.image.getpixel((0, 0)) == (200, 30, 30)


def test_the_root_of_a_dataset_will_do(tmp_path: Path) -> None:
    ycb_video(tmp_path / "dataset" / "models", NAMES)
    assert tuple(recognise(tmp_path / "dataset", KNOWN)) == NAMES


def test_a_models_folder_is_copied_byte_for_byte(tmp_path: Path) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    made = converted(source, "025_mug")
    assert made.files["textured_simple.obj"] == (source / "025_mug" / "textured_simple.obj").read_bytes()
    assert (made.frame, made.scale, made.offset) == ("YCB-Video", 1.0, (0.0, 0.0, 0.0))


def test_foreign_materials_are_replaced(tmp_path: Path) -> None:
    source = ycb_video(tmp_path / "source", ("025_mug",))
    path = source / "025_mug" / "textured_simple.obj"
    path.write_bytes(path.read_bytes().replace(b"material_0", b"other"))
    mesh = installed(tmp_path, converted(source, "025_mug"), "025_mug")
    assert mesh.visual.material.image.getpixel((0, 0)) == (200, 30, 30)


def test_content_is_believed_over_the_folders_name(tmp_path: Path) -> None:
    moved = box("025_mug")
    moved.apply_translation(KNOWN["025_mug"].ycb_offset)  # what those do who unpack the YCB set as `models`
    source = ycb_video(tmp_path / "source", ("025_mug",))
    (source / "025_mug" / "textured_simple.obj").write_bytes(obj(moved))
    made = converted(source, "025_mug")
    assert made.frame == "YCB"
    assert any("YCB frame" in note for note in made.notes)
    assert_allclose(installed(tmp_path, made, "025_mug").bounds, box("025_mug").bounds, atol=1e-7)


def test_meshes_that_are_not_the_object_are_refused(tmp_path: Path) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    path = source / "025_mug" / "textured_simple.obj"
    for mesh, what in (
        (box("024_bowl"), "this is not 025_mug"),
        (trimesh.creation.box((0.117, 0.0931, 0.0813)).apply_translation((0.3, 0, 0)), "in no known frame"),
    ):
        path.write_bytes(obj(mesh))
        with pytest.raises(MeshError, match=what) as caught:
            converted(source, "025_mug")
        assert str(path) in str(caught.value)
    for content, what in (
        (b"", "empty"),
        (b"v 0 0 0\n", "triangles"),
        (b"# nothing\n", "no vertices"),
        (b"v 0 0 x\nf 1 1 1\n", "not three numbers"),
        (b"v 0 0 nan\nf 1 1 1\n", "NaN"),
    ):
        path.write_bytes(content)
        with pytest.raises((MeshError, FormatError), match=what):
            converted(source, "025_mug")


def test_enormous_scans_of_known_objects_are_refused(tmp_path: Path) -> None:
    source = ycb_video(tmp_path / "source", ("025_mug",))
    path = source / "025_mug" / "textured_simple.obj"
    path.write_bytes(obj(box("025_mug")) + b"f 1 2 3\n" * 200_001)
    with pytest.raises(MeshError, match="triangles") as caught:
        converted(source, "025_mug")
    assert "google_16k" in str(caught.value)
    with pytest.raises(MeshError, match="200,013 triangles, more than 200,000"):
        FolderSource(source).mesh("025_mug")


@pytest.mark.parametrize("texture", [None, b"no picture", picture()[:40]])
def test_a_missing_or_broken_texture_costs_no_mesh(tmp_path: Path, texture: bytes | None) -> None:
    for layout in ("ycb-video", "bop"):
        source = LAYOUTS[layout](tmp_path / layout, ("025_mug",))
        for path in source.rglob("*.png"):
            path.unlink() if texture is None else path.write_bytes(texture)
        made = converted(source, "025_mug")
        assert any("texture" in note for note in made.notes)
        assert set(made.files) == {"textured_simple.obj"}
        assert b"mtllib" not in made.files["textured_simple.obj"]


def test_a_ply_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture())
    source = bop(tmp_path / "source", ("025_mug",))
    (source / "obj_000014.png").unlink()
    moved = box("025_mug").apply_translation(KNOWN["025_mug"].bop_offset).apply_scale(1000.0)
    (source / "obj_000014.ply").write_bytes(ply(moved, "../secret.png"))
    assert set(converted(source, "025_mug").files) == {"textured_simple.obj"}


def test_nothing_known_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such folder"):
        recognise(tmp_path / "none", KNOWN)
    with pytest.raises(MissingFileError, match="no meshes of known objects") as caught:
        recognise(tmp_path, KNOWN)
    for words in ("textured_simple.obj", "google_16k", "obj_000014.ply"):
        assert words in str(caught.value)


@given(
    st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=3, max_size=12),
    st.tuples(*[st.floats(-0.2, 0.2)] * 3),
    st.sampled_from([1.0, 1e-3]),
)
def test_moving_text_is_moving_arrays(points: list, offset: tuple, scale: float) -> None:
    vertices = np.array(points)
    mesh = trimesh.Trimesh(vertices, [[0, 1, 2]], process=False, validate=False)
    moved = move_obj(obj_of_mesh(mesh, False), scale, np.array(offset), False, "x")
    assert_allclose(obj_vertices(moved, "x"), scale * vertices + offset, atol=2e-8)
    assert moved.count(b"\nf ") == 1


def test_vertex_colours_survive(tmp_path: Path) -> None:
    mesh = box("025_mug")
    mesh.visual.vertex_colors = np.tile([10, 200, 30, 255], (len(mesh.vertices), 1)).astype(np.uint8)
    (tmp_path / "025_mug").mkdir()
    (tmp_path / "025_mug" / "textured_simple.obj").write_bytes(obj_of_mesh(mesh, False))
    again = FolderSource(tmp_path).mesh("025_mug")
    assert_allclose(np.asarray(again.visual.vertex_colors)[0, :3], [10, 200, 30], atol=1)


# ---------------------------------------------------------------------- archives


def zipped(files: dict[str, bytes], link: str | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if link is not None:
            member = zipfile.ZipInfo(link)
            member.external_attr = 0o120777 << 16
            archive.writestr(member, "/etc/passwd")
    return stream.getvalue()


@pytest.mark.parametrize("name", ["../a.obj", "a/../../a.obj", "/etc/a.obj", "C:\\a.obj", "a\\..\\..\\b.obj"])
@pytest.mark.parametrize("pack", [tgz, zipped])
def test_members_that_leave_their_folder_condemn_the_archive(
    tmp_path: Path, name: str, pack: Callable[[dict[str, bytes]], bytes]
) -> None:
    path = tmp_path / "025_mug_google_16k.tgz"
    path.write_bytes(pack({**google_files("025_mug"), name: b"v 0 0 0\n"}))
    with pytest.raises(FormatError, match="not safe to unpack"):
        read_archive(path, lambda member: True)
    with pytest.raises(FormatError, match="not safe to unpack"):
        converted(path, "025_mug")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "content",
    [tgz(google_files("025_mug"), {"025_mug/google_16k/link": "/etc/passwd"}), zipped({"a": b""}, link="link")],
    ids=["tgz", "zip"],
)
def test_links_condemn_the_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.tgz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="link"):
        read_archive(path, lambda member: True)


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_bombs_are_refused_unread(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yaff.objects.archives.MOST_BYTES", 1 << 20)
    path, files = tmp_path / "bomb.tgz", {"025_mug/google_16k/textured.obj": bytes(1 << 21)}
    path.write_bytes(tgz(files) if kind == "tgz" else zipped(files))
    assert path.stat().st_size < 1 << 14
    with pytest.raises(FormatError, match="unpacks to more than 1 MiB"):
        read_archive(path, lambda member: pytest.fail("looked into it"))


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yaff.objects.archives.MOST_MEMBERS", 10)
    path = tmp_path / "a.tgz"
    path.write_bytes(tgz({str(k): b"" for k in range(11)}))
    with pytest.raises(FormatError, match="members"):
        read_archive(path, lambda member: False)


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    good = tgz({**google_files("025_mug"), "noise": np.random.default_rng(0).bytes(5000)})
    path = tmp_path / "025_mug_google_16k.tgz"
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 0xFF
    for content in (b"", b"<html>not found</html>", good[: len(good) // 2], good[:-4], bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(FormatError) as caught:
            converted(path, "025_mug")
        assert str(path) in str(caught.value)
    with pytest.raises(MissingFileError):
        read_archive(tmp_path / "none.zip", lambda member: True)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "025_mug_google_16k.tgz"
    path.write_bytes(tgz({"readme.txt": b"hello"}))
    with pytest.raises(FormatError, match=r"holds none of textured\.obj"):
        converted(path, "025_mug")
    with tarfile.open(path) as archive:
        assert archive.getnames() == ["readme.txt"]


@pytest.mark.realdata
def test_the_real_meshes_are_where_the_catalogue_says(real_data: Path, tmp_path: Path) -> None:
    """Every one is recognised in the YCB-Video frame, and as far from BOP's centre as published figures allow."""
    found = recognise(real_data / "YCB_Video_Dataset", KNOWN)
    assert tuple(found) == KNOWN.names
    for name in KNOWN.names:
        made = convert(found[name], KNOWN[name])
        assert made.frame == "YCB-Video"
        vertices = obj_vertices(made.files["textured_simple.obj"], name)
        centre = 0.5 * (vertices.min(axis=0) + vertices.max(axis=0))
        assert np.abs(centre + KNOWN[name].bop_offset).max() < 0.5e-3, name
        assert_allclose(np.ptp(vertices, axis=0), KNOWN[name].dimensions, atol=6e-5)
