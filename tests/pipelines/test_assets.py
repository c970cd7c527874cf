"""``yaff assets`` and ``yaff objects add`` as their user meets them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trimesh
from made_up_meshes import bop, google_files, google_tree, tgz, ycb_video
from made_up_server import Site, serving

from pipelines.cli import main
from pipelines.config import ObjectsSection
from pipelines.installing import _settled
from pipelines.loading import catalogue, chosen_names, object_recipe, source_of
from yaff.errors import InputError, MissingFileError
from yaff.objects import Catalogue
from yaff.resources import asset
from yaff.store.atomic import storage_errors

NAMES = ("024_bowl", "025_mug", "040_large_marker")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of installed objects of an own data folder, which does not exist yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("pipelines.downloads.WAITS", (0.0,))
    return tmp_path / "home" / "yaff" / "objects"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that has the archives, and a catalogue that knows no other."""
    files = {f"/{name}_google_16k.tgz": tgz(google_files(name)) for name in NAMES}
    with serving(Site(files)) as running:
        text = asset("ycb", "catalogue.toml").read_text(encoding="utf-8")
        path = tmp_path / "catalogue.toml"
        head, rest = text.split("urls = [")
        path.write_text(f'{head}urls = ["{running.url}/{{name}}_google_16k.tgz"]{rest.split("]", 1)[1]}')
        own = Catalogue.load(path)
        monkeypatch.setattr("yaff.objects.catalogue._builtin", lambda: own)
        yield running


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(words)
    out, err = capsys.readouterr()
    return status, out, err


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    status, out, _ = run(capsys, "assets", "list", "--json")
    assert status == 0
    return {row["object"]: row for row in json.loads(out)}


def hidden(home: Path) -> list[Path]:
    """What a clean installation never leaves."""
    return [path for path in home.rglob("*") if path.name.startswith(".") or ".part" in path.name]


def test_nothing_installed(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    rows = listed(capsys)
    assert len(rows) == 21
    assert {row["mesh"] for row in rows.values()} == {"stand-in"}
    out = run(capsys, "assets", "list")[1]
    assert "yaff assets install" in out
    assert run(capsys, "assets", "verify")[0] == 0
    for words, status in (((), 2), (("--help",), 0), (("instal",), 2)):
        with pytest.raises(SystemExit) as caught:
            main(("assets", *words))
        assert caught.value.code == status
    assert not home.exists()  # asking makes nothing


@pytest.mark.parametrize("make", [ycb_video, google_tree, bop])
def test_from_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path, make) -> None:
    source = make(tmp_path / "source", NAMES)
    status, out, _ = run(capsys, "assets", "install", str(source))
    assert status == 0
    assert "3 installed" in out
    assert "18 not in the source" in out
    assert "CC BY 4.0" in out
    rows = listed(capsys)
    assert sum(row["mesh"] == "stand-in" for row in rows.values()) == 18
    assert rows["025_mug"]["licence"] == "CC BY 4.0"
    assert str(source) in str(rows["025_mug"]["from"])
    assert run(capsys, "assets", "verify")[0] == 0
    assert hidden(home) == []
    status, out, _ = run(capsys, "assets", "install", str(source))
    assert "3 there already" in out
    recipe = object_recipe(ObjectsSection(), None)
    chosen = source_of(recipe)
    assert chosen.of("025_mug").label == str(home / "ycb")
    assert chosen.of("061_foam_brick").label == "stand-in"
    assert recipe.label == "3 installed meshes, else stand-ins"
    with pytest.raises(MissingFileError, match="not installed") as caught:
        source_of(object_recipe(ObjectsSection(source="installed"), None)).of("061_foam_brick")
    assert "yaff assets install --objects 061_foam_brick" in str(caught.value)


def test_verify_finds_what_changed_and_install_mends_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    run(capsys, "assets", "install", str(source))
    before = source_of(object_recipe(ObjectsSection(), None)).digest("025_mug")
    mesh = home / "ycb" / "025_mug" / "textured_simple.obj"
    content = bytearray(mesh.read_bytes())
    content[40] ^= 1
    mesh.write_bytes(content)
    (home / "ycb" / "024_bowl" / "texture_map.png").unlink()
    (home / "ycb" / "040_large_marker" / "installed.json").write_text("{")
    assert source_of(object_recipe(ObjectsSection(), None)).digest("025_mug") != before  # builds redo what changed
    status, out, _ = run(capsys, "assets", "verify")
    assert status == 1
    for words in ("textured_simple.obj: changed", "texture_map.png: No such file", "cannot be read"):
        assert words in out
    assert listed(capsys)["040_large_marker"]["mesh"] == "damaged"
    status, out, _ = run(capsys, "assets", "install", str(source))
    assert (status, "3 installed" in out) == (0, True)
    assert run(capsys, "assets", "verify")[0] == 0
    assert source_of(object_recipe(ObjectsSection(), None)).digest("025_mug") == before


def test_one_bad_mesh_leaves_the_others_and_what_was_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path
) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    run(capsys, "assets", "install", str(source))
    kept = (home / "ycb" / "025_mug" / "textured_simple.obj").read_bytes()
    (source / "025_mug" / "textured_simple.obj").write_text("v nan 0 0\nf 1 1 1\n")
    status, out, err = run(capsys, "assets", "install", str(source), "--force")
    assert status == 1
    assert "2 installed, 1 refused" in out
    assert "NaN" in err
    assert (home / "ycb" / "025_mug" / "textured_simple.obj").read_bytes() == kept
    assert run(capsys, "assets", "verify")[0] == 0
    assert hidden(home) == []
    status, _, err = run(capsys, "assets", "install", str(tmp_path / "nowhere"))
    assert status == 2
    assert "no such folder" in err


def test_a_full_disk_leaves_what_was_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    run(capsys, "assets", "install", str(source))

    def full(path: Path, data: bytes) -> None:
        with storage_errors(path):
            raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.installing.write_bytes", full)
        status, _, err = run(capsys, "assets", "install", str(source), "--force")
    assert status == 2
    assert "space" in err
    assert hidden(home) == []
    assert run(capsys, "assets", "verify")[0] == 0


def test_a_killed_installation_is_cleared(tmp_path: Path, capsys: pytest.CaptureFixture[str], home: Path) -> None:
    source = ycb_video(tmp_path / "source", NAMES)
    run(capsys, "assets", "install", str(source))
    (home / "ycb" / "025_mug").rename(home / "ycb" / ".025_mug.replaced")  # killed between two renames
    (home / "ycb" / ".024_bowl.7-ab.partial").mkdir()
    with _settled(home):
        pass
    assert hidden(home) == []
    assert run(capsys, "assets", "verify")[0] == 0
    assert listed(capsys)["025_mug"]["mesh"] == "ycb-video"


# ---------------------------------------------------------------------- downloads

ONLY = ("--objects", *NAMES)


def test_download(capsys: pytest.CaptureFixture[str], site: Site, home: Path) -> None:
    site.drop_after = [300, 0, 200]
    status, out, _ = run(capsys, "assets", "install", *ONLY)
    assert status == 0
    assert "3 installed" in out
    assert "taken on trust" in out
    row = listed(capsys)["025_mug"]
    assert row["from"] == f"{site.url}/025_mug_google_16k.tgz"
    assert run(capsys, "assets", "verify")[0] == 0
    assert hidden(home) == []
    assert sorted(path.name for path in home.iterdir()) == ["own", "ycb"]
    asked = len(site.asked)
    assert "3 there already" in run(capsys, "assets", "install", *ONLY)[1]
    assert len(site.asked) == asked


def test_what_was_trusted_first_is_asked_for_afterwards(
    capsys: pytest.CaptureFixture[str], site: Site, home: Path
) -> None:
    run(capsys, "assets", "install", *ONLY)
    site.files["/025_mug_google_16k.tgz"] = tgz({**google_files("025_mug"), "more": b"x"})
    status, _, err = run(capsys, "assets", "install", *ONLY, "--force")
    assert status == 1
    assert "not the archive that was installed first" in err
    assert run(capsys, "assets", "verify")[0] == 0
    assert run(capsys, "assets", "install", *ONLY, "--force", "--trust-new")[0] == 0


def test_mirrors_and_checksums_by_flag_and_configuration(
    capsys: pytest.CaptureFixture[str], site: Site, tmp_path: Path, home: Path
) -> None:
    good = site.files.pop("/025_mug_google_16k.tgz")
    site.files["/flag/025_mug_google_16k.tgz"] = good[:-20]
    site.files["/configured/mug"] = tgz({**google_files("025_mug"), "more": b"x"})
    site.files["/second/025_mug_google_16k.tgz"] = good
    (tmp_path / "config" / "yaff").mkdir(parents=True)
    (tmp_path / "config" / "yaff" / "assets.toml").write_text(
        f'mirrors = ["{site.url}/configured/mug?{{name}}", "{site.url}/second"]\n'
        f'[sha256]\n025_mug = "{hashlib.sha256(good).hexdigest()}"\n'
    )
    status, out, _ = run(capsys, "assets", "install", "--objects", "025_mug", "--mirror", f"{site.url}/flag/")
    assert status == 0
    assert "trust" not in out  # the checksum was known
    assert listed(capsys)["025_mug"]["from"] == f"{site.url}/second/025_mug_google_16k.tgz"
    places = [path for path, _ in site.asked]
    assert places[0] == "/flag/025_mug_google_16k.tgz"
    assert places[-1] == "/second/025_mug_google_16k.tgz"
    (tmp_path / "config" / "yaff" / "assets.toml").write_text("mirors = []\n")
    status, _, err = run(capsys, "assets", "install", "--objects", "025_mug", "--force")
    assert status == 2
    assert "mirrors" in err


@pytest.mark.parametrize("bad", ["corrupt", "unsafe", "absent", "html", "other object"])
def test_bad_archives_leave_nothing(capsys: pytest.CaptureFixture[str], site: Site, home: Path, bad: str) -> None:
    path = "/025_mug_google_16k.tgz"
    noisy = tgz({**google_files("025_mug"), "noise": np.random.default_rng(0).bytes(4000)})
    content = {
        "corrupt": noisy[:2000] + bytes([noisy[2000] ^ 255]) + noisy[2001:],
        "unsafe": tgz({**google_files("025_mug"), "../../evil": b"x"}),
        "html": b"<html>login</html>",
        "other object": tgz(google_files("024_bowl")),
    }
    del site.files[path]
    site.files.update({path: content[bad]} if bad in content else {})
    status, out, err = run(capsys, "assets", "install", *ONLY)
    assert status == 1
    assert "2 installed, 1 refused" in out
    assert "025_mug" in err
    assert site.url in err
    assert sorted(path.name for path in (home / "ycb").iterdir()) == ["024_bowl", "040_large_marker"]
    assert not [path for path in home.rglob("*") if "025_mug" in path.name or path.name == "evil"]


# ---------------------------------------------------------------------- objects of one's own


def test_own_objects(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> None:
    mesh = trimesh.creation.cylinder(radius=0.03, height=0.1)
    mesh.export(tmp_path / "jar.stl")
    words = ("objects", "add", str(tmp_path / "jar.stl"), "--mass", "0.3")
    status, out, _ = run(capsys, *words, "--name", "jar", "--symmetry", "z:any")
    assert status == 0
    assert "jar: object 22, 60 x 60 x 100 mm" in out
    assert run(capsys, *words, "--name", "pot")[0] == 0
    status, _, err = run(capsys, *words, "--name", "jar")
    assert (status, "already" in err) == (2, True)
    status, _, err = run(capsys, *words, "--name", "025_mug")
    assert (status, "cannot be the name" in err) == (2, True)

    known = catalogue()
    assert (known["jar"].index, known["pot"].index) == (22, 23)
    assert known.names[-2:] == ("jar", "pot")
    assert known["jar"].mass == 0.3
    assert len(known["jar"].symmetry_transforms()) == 36
    assert chosen_names(()) == Catalogue.load().names
    assert chosen_names(("jar", "025_mug")) == ("025_mug", "jar")
    rows = listed(capsys)
    assert rows["jar"]["mesh"] == "own"
    assert source_of(object_recipe(ObjectsSection(source="stand-in"), None)).mesh("jar").volume > 0
    status, out, _ = run(capsys, "objects", "show", "jar", "--json")
    assert (status, json.loads(out)[0]["mass kg"]) == (0, 0.3)

    (home / "own" / "pot" / "textured_simple.obj").write_text("v 0 0 0\n")
    assert run(capsys, "assets", "verify")[0] == 1
    assert run(capsys, "objects", "remove", "pot")[0] == 0
    assert run(capsys, "objects", "remove", "jar")[0] == 0
    assert catalogue().names == Catalogue.load().names
    run(capsys, *words, "--name", "vase")
    assert catalogue()["vase"].index == 24  # no index ever means another object
    assert catalogue().class_names[20:] == ("061_foam_brick", "unused_022", "unused_023", "vase")
    run(capsys, *words, "--name", "pot")
    assert catalogue()["pot"].index == 23
    assert hidden(home) == []
    status, _, err = run(capsys, "objects", "remove", "025_mug")
    assert (status, "no object of your own" in err) == (2, True)


def test_refused_objects_leave_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path, home: Path) -> None:
    mesh = trimesh.creation.cylinder(radius=30.0, height=80.0)
    mesh.export(tmp_path / "mug.stl")
    status, _, err = run(capsys, "objects", "add", str(tmp_path / "mug.stl"), "--name", "mug", "--mass", "0.3")
    assert status == 2
    assert "80 m long" in err
    assert "--unit mm" in err
    assert not home.exists()


def test_names_cannot_be_taken_twice() -> None:
    known = Catalogue.load()
    with pytest.raises(InputError, match="taken"):
        known.with_own((known["025_mug"],))


@pytest.mark.realdata
def test_the_real_meshes(capsys: pytest.CaptureFixture[str], real_data: Path, home: Path) -> None:
    status, out, _ = run(capsys, "assets", "install", str(real_data / "YCB_Video_Dataset" / "models"))
    assert status == 0
    assert "21 installed" in out
    assert run(capsys, "assets", "verify")[0] == 0
    recipe = object_recipe(ObjectsSection(), None)
    scans = object_recipe(ObjectsSection(source="folder"), real_data / "YCB_Video_Dataset" / "models")
    for name in ("025_mug", "037_scissors"):  # the same digests: a build of the one goes on with the other
        assert source_of(recipe).digest(name) == source_of(scans).digest(name)
