"""The viewer: it shows what the files hold, its Python makes that hand, and a browser shows it without errors."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from annotator.viewing import LibraryContent, ShardsContent
from benchmarks.browser import CHROMIUM_FLAGS
from pipelines.cli import COULD_NOT, main
from yaff.errors import UnknownItemError
from yaff.hand import load_hand
from yaff.store import GraspLibrary, ShardSet

CHROMIUM = shutil.which("chromium")


def made_by(code: str) -> np.ndarray:
    """The vertices that copied Python makes."""
    names: dict[str, np.ndarray] = {}
    exec(code, names)
    return names["vertices"]


def test_every_grasp_of_a_library_can_be_reached(finished_demo: Path) -> None:
    library = GraspLibrary.open(finished_demo / "out/demo/library.h5")
    content = LibraryContent(library)
    for name in content.objects:
        rows = content.rows(name)
        assert sorted(rows) == list(range(len(library[name])))
        verified = library[name].verified[list(rows)]
        assert (np.diff(verified.astype(int)) <= 0).all(), "verified ones first"
        by_type = [row for number in content.types(name) for row in content.rows(name, number)]
        assert sorted(by_type) == sorted(rows)
    with pytest.raises(UnknownItemError):
        content.grasp(content.objects[0], len(library[content.objects[0]]))
    with pytest.raises(UnknownItemError):
        content.rows("nothing")


def test_the_python_of_a_grasp_makes_it(finished_demo: Path) -> None:
    hand = load_hand()
    library = GraspLibrary.open(finished_demo / "out/demo/library.h5")
    name = library.objects[0]
    view = LibraryContent(library).grasp(name, 7)
    np.testing.assert_allclose(made_by(view.code), hand.vertices(library[name][7:8]), atol=2e-6)
    shards = ShardSet.open(finished_demo / "out/demo/shards")
    annotation = len(shards) // 2
    sample = shards.batch(np.array([annotation]))
    expected = hand.vertices(sample["pose"], sample["wrist_rotation"], sample["translation"], sample["shape"])
    np.testing.assert_allclose(made_by(ShardsContent(shards).grasp(annotation).code), expected, atol=5e-6)


def test_the_frames_hold_every_annotation_once(finished_demo: Path) -> None:
    shards = ShardSet.open(finished_demo / "out/demo/shards")
    content = ShardsContent(shards)
    seen: list[int] = []
    for scene in content.scenes:
        for row in content.frames(scene):
            frame = content.frame(row)
            assert frame.scene == scene
            for name, T_camera_object, rows in frame.objects:
                seen += rows
                if rows:
                    sample = shards.sample(rows[0])
                    assert (sample["object"], sample["frame"]) == (name, frame.frame)
                    np.testing.assert_array_equal(sample["T_camera_object"], T_camera_object)
    assert seen == list(range(len(shards)))
    with pytest.raises(UnknownItemError):
        content.frames(99)


def test_what_cannot_be_viewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path / "nothing.h5")]) == COULD_NOT
    assert "nothing there" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
@pytest.mark.parametrize("what", ["library.h5", "shards"])
def test_a_browser_shows_it(what: str, here: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-m", "pipelines.cli", "view", f"out/demo/{what}", "--port", str(port)]
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[3])
    server = subprocess.Popen(command, cwd=here, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline and server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                time.sleep(0.2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
            page = browser.new_page()
            errors: list[str] = []
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.set_default_timeout(60_000)
            page.goto(f"http://127.0.0.1:{port}/")
            expect(page.get_by_text("vertices = yaff.load_hand()")).to_be_visible(timeout=60_000)
            before = page.locator("code").first.inner_text()
            page.locator(".q-slider").last.click()  # its middle
            expect(page.locator("code").first).not_to_have_text(before, timeout=60_000)
            page.wait_for_function("document.querySelector('canvas') !== null")
            browser.close()
        assert errors == []
    finally:
        server.terminate()
        server.wait(30)
