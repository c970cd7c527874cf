"""The whole story in a browser: take a grasp whose thumb is wrong, mend it, verify, accept, take back, export."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from annotator.editing import Editor
from annotator.proving import Prover
from annotator.store import GraspState, ItemState, QueueFilter, ReviewStore, open_database
from benchmarks.browser import CHROMIUM_FLAGS, listen_for_errors, serving
from yaff.grasp.batch import MEASURES, Grasps, ReviewState
from yaff.hand import load_hand
from yaff.objects import StandInSource, load_object
from yaff.search import RefinementConfig, SearchConfig, SelectionConfig
from yaff.search.planner import search_pair
from yaff.store import GraspLibrary

CHROMIUM = shutil.which("chromium")
OBJECT, TYPE = "005_tomato_soup_can", 7

JOINT = "document.querySelector('input[data-joint=\"thumb.cmc.abduction\"]')"
READY = f"() => {JOINT}?.disabled === false"
MOVED = f"(was) => {JOINT}.value !== was"
BACK = f"(was) => {JOINT}.value === was"

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed")]


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> tuple[Path, GraspState]:
    """A library with one verified grasp and one with a spoiled thumb that can be mended, and how it was before."""
    config = SearchConfig(refine=RefinementConfig(rounds=2), select=SelectionConfig(keep=2))
    hand, source = load_hand(), StandInSource()
    obj = load_object(OBJECT, source, cache_dir)
    found = search_pair(hand, obj, TYPE, config, seed=0).grasps
    assert found.verified.any()
    prover = Prover(hand, lambda name: obj, SearchConfig(), {})
    editor, rng = Editor(hand), np.random.default_rng(1)
    for row in np.flatnonzero(found.verified).repeat(6):
        good = GraspState.of(found, int(row))
        angles = {"thumb.cmc.abduction": rng.uniform(-0.1, 0.3), "thumb.mcp.flexion": rng.uniform(0.0, 0.8)}
        spoiled = editor.with_dof(good, angles)
        if prover.verify(OBJECT, prover.snap(OBJECT, spoiled, ["thumb"])).held:
            break
    else:
        pytest.fail("no spoiled thumb could be mended")
    measures = {n: np.zeros((1, *m.shape), np.float32) for n, m in MEASURES.items()}
    bad = replace(
        spoiled.batch(OBJECT),
        review_state=np.array([ReviewState.NEEDS_REVIEW], np.uint8),
        reason=("thumb not reached <script>document.title='hacked'</script>",),
        provenance=("contact/7/0",),
        measures=measures,
    )
    path = tmp_path_factory.mktemp("review") / "library.h5"
    GraspLibrary.write(path, {OBJECT: Grasps.concatenate([found, bad])}, {"hand": {"name": "builtin"}})
    return path, spoiled


@pytest.fixture
def library(doubtful: tuple[Path, GraspState], tmp_path: Path) -> Path:
    """A copy of the library, with a review of its own."""
    return Path(shutil.copy(doubtful[0], tmp_path / "library.h5"))


@pytest.fixture
def server(library: Path, cache_dir: Path) -> Iterator[str]:
    words = ["annotate", str(library), "--objects.source", "stand-in", "--objects.cache", str(cache_dir)]
    with serving([*words, "--hand.model", "builtin", "--judged-twice", "0", "--token", "t0ken"]) as address:
        yield address


@pytest.fixture
def page(server: str):
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        made = browser.new_page(viewport={"width": 1500, "height": 950})
        made.set_default_timeout(120_000)
        made.problems = listen_for_errors(made)
        made.asked = []
        made.on("request", lambda request: made.asked.append(request.url))
        yield made
        browser.close()


def _picture(page, name: str) -> None:
    """Screenshots are kept where YAFF_SCREENSHOTS says."""
    folder = os.environ.get("YAFF_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png")


def test_the_whole_story(server, page, library, doubtful, tmp_path):
    path, (_, spoiled) = library, doubtful
    assert page.goto(server).status == 401
    page.goto(server + "?token=t0ken")
    assert page.url == server
    page.get_by_label("name").fill("ada")
    page.get_by_role("button", name="begin").click()
    page.get_by_text("no. 1: thumb not reached").wait_for()
    assert page.title() == "YAFF review"  # the script in the reason is only text
    page.wait_for_function(READY)
    _picture(page, "1 taken")

    # a filter that lets nothing through, and back
    page.get_by_label("reason", exact=True).fill("no such reason")
    page.get_by_text("No data available").wait_for()
    page.get_by_label("reason", exact=True).fill("thumb")
    page.locator(".yaff-table tbody tr").get_by_text("Prismatic 3 Finger").wait_for()

    # keys that are typed into a text are no commands
    page.get_by_label("note").fill("")
    page.get_by_label("note").press_sequentially("rrr?")
    page.wait_for_timeout(300)
    assert page.get_by_text("Why is it rejected?").count() == 0
    page.get_by_label("note").fill("")
    page.get_by_label("note").blur()

    # every key is on a sheet, and behind it none is a command
    page.keyboard.press("?")
    page.get_by_text("wrist rolls 1° back").wait_for()
    page.keyboard.press("r")
    page.wait_for_timeout(300)
    assert page.get_by_text("Why is it rejected?").count() == 0
    page.keyboard.press("Escape")
    page.get_by_text("wrist rolls 1° back").wait_for(state="hidden")

    # accepted it cannot be: it was never verified
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("verify it first").wait_for()

    # a slider moves skin in the page, and tells the server when it is let go
    slider = page.locator("input[data-joint='thumb.cmc.abduction']")
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(MOVED, arg=before)
    page.get_by_role("button", name="undo").and_(page.locator(":not([disabled])")).wait_for()
    page.get_by_role("button", name="undo").click()
    page.wait_for_function(BACK, arg=before)

    # snap, verify, accept
    page.get_by_role("button", name="Snap").click()
    page.wait_for_function(MOVED, arg=before)
    _picture(page, "2 snapped")
    page.get_by_role("button", name="Verify").click()
    page.locator(".yaff-verdict.good").wait_for()
    _picture(page, "3 verified")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("no. 1: thumb not reached").wait_for(state="hidden")
    store = ReviewStore(open_database(f"sqlite:///{path.with_suffix('.review.sqlite')}"))
    assert store.item(1).state is ItemState.ACCEPTED

    # take it back, and accept it again
    page.get_by_role("button", name="Take back").click()
    page.get_by_text("no. 1: thumb not reached").wait_for()
    assert store.item(1).state is ItemState.OPEN
    page.locator(".yaff-verdict.good").wait_for()
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("no. 1: thumb not reached").wait_for(state="hidden")
    _picture(page, "4 done")
    assert store.item(1).state is ItemState.ACCEPTED
    fixed = store.log()[-1].after
    # what was mended is proposed on the other sides of the can too
    deadline = time.monotonic() + 60
    while not (proposed := store.page(QueueFilter(reason="as ada mended")).items) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert all(item.row is None and item.grasp_type == TYPE for item in proposed)
    assert proposed
    store.close()

    assert [problem for problem in page.problems if "401" not in problem] == []  # the refusal at the start
    assert all(url.startswith(server) or url.startswith(("data:", "blob:")) for url in page.asked)
    out = tmp_path / "out.h5"
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "review", "export", str(path), "--out", str(out)], check=False
    )
    assert done.returncode == 0
    new = GraspLibrary.open(out)[OBJECT]
    row = int(np.flatnonzero(new.review_state == ReviewState.ACCEPTED)[0])
    assert np.array_equal(new.pose[row], fixed.pose)
    assert not np.array_equal(new.pose[row], spoiled.pose)


def test_the_page_poses_the_hand_as_the_library_does(server, page, doubtful):
    _, spoiled = doubtful
    page.goto(server + "?token=t0ken")
    page.get_by_label("name").fill("bob")
    page.get_by_role("button", name="begin").click()
    page.wait_for_function(READY)
    script = """() => {
        const scene = document.querySelector('.yaff-canvas');
        const objects = getElement(Number(scene.id.slice(1)))?.objects ?? new Map();
        const hand = [...objects.values()].find((o) => o.component?.vertices)?.component;
        return hand && Object.keys(hand.angles).length > 0 ? hand.vertices() : null;
    }"""
    shown = np.array(page.wait_for_function(script).json_value()).reshape(778, 3)
    expected = Editor(load_hand()).vertices(spoiled)
    assert np.abs(shown - expected).max() < 2e-6
