"""The viewer: it shows what the files hold, its Python makes that hand, and a browser shows it without errors."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from annotator.viewing import LibraryContent, ShardsContent
from benchmarks.browser import CHROMIUM_FLAGS, listen_for_errors, serving
from pipelines.cli import COULD_NOT, main
from yaff.errors import UnknownItemError
from yaff.hand import load_hand
from yaff.scene.recognise import open_scenes
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


def test_images_of_the_frames(finished_demo: Path) -> None:
    shards = ShardSet.open(finished_demo / "out/demo/shards")
    content = ShardsContent(shards, open_scenes(finished_demo / "out/demo/dataset"))
    frame = content.frame(content.frames(content.scenes[0])[0])
    assert frame.image is not None
    assert frame.image == content.image(frame.scene, frame.frame)
    annotation = next(rows[0] for _, _, rows in frame.objects if rows)
    np.testing.assert_array_equal(frame.intrinsics, shards.sample(annotation)["intrinsics"])
    for scene, number in ((frame.scene, 10**6), (99, frame.frame)):
        with pytest.raises(UnknownItemError, match="no image"):
            content.image(scene, number)
    assert ShardsContent(shards).frame(0).image is None
    with pytest.raises(UnknownItemError, match="no image"):
        ShardsContent(shards).image(frame.scene, frame.frame)


def test_the_rows_of_the_library(finished_demo: Path) -> None:
    shards = ShardSet.open(finished_demo / "out/demo/shards")
    rows = ShardsContent(shards).library_rows(range(3, 9))
    assert rows.tolist() == [shards.sample(k)["library_row"] for k in range(3, 9)]


def test_what_cannot_be_viewed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["view", str(tmp_path / "nothing.h5")]) == COULD_NOT
    assert "nothing there" in capsys.readouterr().err


HANDS = """(() => {
    const scene = document.querySelector('.yaff-image');
    const objects = [...(getElement(Number(scene.id.slice(1)))?.objects ?? new Map()).values()];
    const shown = objects.filter((o) => o.component?.vertices && o.mesh.visible).length;
    return { shown, image: !scene.classList.contains('invisible') };
})()"""
"""How many hands are in the camera's picture, and whether it is the one that is seen."""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")
@pytest.mark.parametrize("what", ["library.h5", "shards"])
def test_a_browser_shows_it(what: str, here: Path) -> None:
    from playwright.sync_api import expect, sync_playwright

    with serving(["view", f"out/demo/{what}"], here) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page()
        errors = listen_for_errors(page)
        page.set_default_timeout(60_000)
        page.goto(address)
        code = page.locator("code").first
        expect(page.get_by_text("vertices = yaff.load_hand()")).to_be_visible(timeout=60_000)
        before = code.inner_text()
        page.locator(".q-slider").last.click()  # its middle
        expect(code).not_to_have_text(before, timeout=60_000)
        page.wait_for_function("document.querySelector('canvas') !== null")
        if what == "shards":
            # over the camera's image first, with a hand on every object that has a grasp
            assert page.evaluate(HANDS)["image"]
            everybody = page.wait_for_function(f"({HANDS}).shown > 1 && ({HANDS}).shown").json_value()
            page.get_by_role("button", name="one hand").click()
            page.wait_for_function(f"({HANDS}).shown === 1")
            before = code.inner_text()
            page.get_by_role("button", name="chevron_right").or_(page.get_by_text("chevron_right")).first.click()
            expect(code).not_to_have_text(before, timeout=60_000)
            page.get_by_role("button", name="all hands").click()
            page.wait_for_function(f"({HANDS}).shown === {everybody}")
            frame = page.get_by_text(re.compile(r"^frame 1, "))
            expect(frame).to_be_visible()
            page.locator(".q-slider").first.click()
            expect(frame).not_to_be_visible(timeout=60_000)
            page.get_by_role("switch", name="camera image").click()
            page.wait_for_function(f"!({HANDS}).image")
        browser.close()
    assert errors == []
