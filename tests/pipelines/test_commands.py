"""The commands, called as a person calls them: what they print, and how they end."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from pipelines.cli import CHECK_FAILED, COMMANDS, COULD_NOT, DONE, main


def project(dataset: Path, library: Path, out: Path, cache: Path, *more: str) -> int:
    words = ["project", str(dataset), "--library", str(library), "--out", str(out), "--source", "stand-in"]
    return main([*words, "--cache", str(cache), "--workers", "2", "--visibility", *more])


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, small_library: Path, cache_dir: Path) -> Path:
    out = tmp_path_factory.mktemp("projected") / "shards"
    assert project(small_dataset, small_library, out, cache_dir) == DONE
    return out


def test_auto_takes_the_shapes_of_the_search_and_says_so(
    tmp_path: Path,
    shards: Path,
    small_dataset: Path,
    small_library: Path,
    cache_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A generated dataset brings meshes of its own, which are not those that its grasps were found on."""
    assert any((small_dataset / "models").glob("*/textured_simple.obj"))
    words = [
        "project",
        str(small_dataset),
        "--library",
        str(small_library),
        "--cache",
        str(cache_dir),
        "--workers",
        "2",
    ]
    assert main([*words, "--out", str(tmp_path / "shards"), "--visibility"]) == DONE
    assert "objects: stand-in (the library's grasps were found on stand-ins)" in capsys.readouterr().err
    for path in shards.iterdir():
        assert (tmp_path / "shards" / path.name).read_bytes() == path.read_bytes()
    models = str(small_dataset / "models")  # what is named is taken
    assert main([*words, "--out", str(tmp_path / "named"), "--models", models]) == COULD_NOT
    printed = capsys.readouterr().err
    assert f"objects: {models} (the folder that was named)" in printed
    assert "were found on another mesh" in printed


def test_help_is_quick_and_lists_every_command() -> None:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", "from pipelines.cli import main; main(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - started
    assert all(f"    {name} " in done.stdout for name in COMMANDS)
    assert seconds < 1.5, "0.06 s on an idle machine; this is the limit on a busy one"


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from pipelines.cli import main; main(['--help']); "
        "heavy = {'numpy', 'torch', 'h5py', 'trimesh', 'tyro', 'pybullet', 'joblib'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "Usage:" in printed
    assert f"    yaff {command}" in printed


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serach"]) == COULD_NOT
    assert "did you mean 'search'?" in capsys.readouterr().err


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == COULD_NOT
    assert "usage: yaff COMMAND" in capsys.readouterr().out


def test_errors_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "build.toml"
    config.write_text("[dataset]\nrot = 'x'\n", encoding="utf-8")
    assert main(["build", str(config)]) == COULD_NOT
    printed = capsys.readouterr().err
    assert printed.startswith("yaff build: unknown key 'dataset.rot'\n")
    assert f"  where:  {config}\n" in printed
    assert "  remedy: did you mean 'dataset.root'?" in printed
    assert "Traceback" not in printed


def test_projection_can_be_verified_counted_and_seen(
    shards: Path, small_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(shards)]) == DONE
    assert main(["stats", str(shards), "--json"]) == DONE
    counts = json.loads(capsys.readouterr().out.split("good\n", 1)[1])
    assert counts["totals"]["frames"] == 6
    assert counts["totals"]["instances"] == 12
    assert counts["totals"]["annotations"] > 0
    picture = tmp_path / "frame.png"
    assert main(["show", str(shards), "--dataset", str(small_dataset), "--out", str(picture)]) == DONE
    with Image.open(picture) as image:
        assert image.size == (640, 480)


def test_library_can_be_counted_and_seen(
    small_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stats", str(small_library), "--json"]) == DONE
    rows = json.loads(capsys.readouterr().out)["objects"]
    assert [(row["object"], row["verified"]) for row in rows] == [("009_gelatin_box", 60), ("061_foam_brick", 60)]
    picture = tmp_path / "grasp.png"
    words = ["show", str(small_library), "--object", "061_foam_brick", "--index", "3", "--size", "90"]
    assert main([*words, "--out", str(picture)]) == DONE
    assert "061_foam_brick #3" in capsys.readouterr().out
    with Image.open(picture) as image:
        assert image.width == 90
    assert main([*words[:-3], "600", "--out", str(picture)]) == COULD_NOT
    assert "0 to 59" in capsys.readouterr().err


def test_a_changed_shard_fails_verification(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(shards, copy)
    path = copy / "shard-00001.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert main(["verify", str(copy)]) == CHECK_FAILED
    assert "shard-00001.h5: sha256" in capsys.readouterr().out


def test_a_library_of_other_meshes_is_refused(
    small_dataset: Path, small_library: Path, cache_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from yaff.store.library import GraspLibrary

    library = GraspLibrary.open(small_library)
    other = tmp_path / "other.h5"
    metadata = {**library.metadata, "meshes": dict.fromkeys(library.objects, "0" * 64)}
    GraspLibrary.write(other, {name: library[name] for name in library.objects}, metadata)
    assert project(small_dataset, other, tmp_path / "shards", cache_dir) == COULD_NOT
    assert "another mesh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "mentions"),
    [
        (["verify", "nowhere"], "nothing there"),
        (["stats", "nowhere"], "nothing there"),
        (["show", "nowhere"], "nothing there"),
        (["project", "nowhere", "--library", "l.h5"], "dataset not found"),
        (["search", "025_mugg"], "unknown object"),
        (["search", "025_mug", "--models", "nowhere"], "folder of meshes not found"),
        (["hand", "show", "--hand.model", "mano", "--hand.folder", "nowhere"], "MANO_RIGHT.pkl"),
        (["hand", "export"], "no folder"),
        (["objects", "show", "nothing"], "unknown object"),
        (["build", "--dataset.kind", "ycb-video"], "dataset.root"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said(
    words: list[str], mentions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == COULD_NOT
    printed = capsys.readouterr().err
    assert mentions in printed
    assert "remedy" in printed


def test_doctor_finds_this_machine_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == DONE
    findings = {entry["what"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert findings["physics"]["status"] == "good"
    assert findings["hand"]["status"] == "good"
    assert all(entry["remedy"] for entry in findings.values() if entry["status"] != "good")


def test_two_builds_do_not_share_a_folder(
    tmp_path: Path, small_dataset: Path, small_library: Path, cache_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from yaff.store.atomic import build_lock

    with build_lock(tmp_path / "shards"):
        assert project(small_dataset, small_library, tmp_path / "shards", cache_dir) == COULD_NOT
    assert "another build" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_picture_that_cannot_be_written(
    small_library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    words = ["show", str(small_library), "--object", "061_foam_brick", "--index", "0", "--size", "40"]
    assert main([*words, "--out", str(blocked / "grasp.png")]) == COULD_NOT
    assert "remedy" in capsys.readouterr().err


def test_the_code_in_the_readme_runs(shards: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(block.replace("out/demo/shards", str(shards)).replace("types=[9, 14]", "types=None"), names)
    assert getattr(names["vertices"], "shape", None) == (1, 778, 3)
