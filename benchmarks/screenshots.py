"""Pictures of the report, the review and the viewer of a finished demo, as a browser shows them."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from benchmarks.browser import CHROMIUM_FLAGS, listen_for_errors, serving

Array = np.ndarray

REPORT_WIDTHS = (1280, 400)
JOINT = "document.querySelector('input[data-joint=\"thumb.cmc.abduction\"]')?.disabled === false"
WAIT = 120_000
"""Milliseconds that a page may take."""


def screenshots(demo: Path) -> Iterator[tuple[str, UInt8[Array, "h w 3"]]]:
    """Name and picture of each page.

    Raises:
        RuntimeError: a page had an error in its console.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        try:
            yield from _report(browser, demo / "report" / "index.html")
            yield from _review(browser, demo)
            yield from _viewer(browser, demo)
        finally:
            browser.close()


def _page(browser: Any, width: int, height: int) -> tuple[Any, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(WAIT)
    return page, listen_for_errors(page)


def _report(browser: Any, file: Path) -> Iterator[tuple[str, UInt8[Array, "h w 3"]]]:
    for width in REPORT_WIDTHS:
        page, errors = _page(browser, width, 1200 if width > 600 else 900)
        page.goto(file.resolve().as_uri())
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            raise RuntimeError(f"the report is {over} pixels wider than a window of {width}")
        yield f"report-{width}", _taken(page, errors)
        page.close()


def _review(browser: Any, demo: Path) -> Iterator[tuple[str, UInt8[Array, "h w 3"]]]:
    # a copy: the review of the demo's own library is its user's
    with tempfile.TemporaryDirectory(prefix="yaff-") as folder:
        library = shutil.copy(demo / "library.h5", Path(folder) / "library.h5")
        words = ["annotate", library, "--objects.source", "stand-in", "--hand.model", "builtin"]
        with serving([*words, "--dataset", str(demo / "dataset")]) as address:
            page, errors = _page(browser, 1500, 900)
            page.goto(address)
            page.get_by_label("name").fill("ada")
            page.get_by_role("button", name="begin").click()
            page.wait_for_function(JOINT)
            page.get_by_text("(1 of").wait_for()  # the frame beside the grasp
            _drawn(page)
            yield "annotator", _taken(page, errors)
            page.close()


def _viewer(browser: Any, demo: Path) -> Iterator[tuple[str, UInt8[Array, "h w 3"]]]:
    with serving(["view", str(demo / "shards"), "--source", "stand-in", "--hand.model", "builtin"]) as address:
        page, errors = _page(browser, 1500, 800)
        page.goto(address)
        page.get_by_text("vertices = yaff.load_hand()").wait_for()
        _drawn(page)
        yield "viewer-frames", _taken(page, errors)
        page.close()
    with serving(["view", str(demo / "library.h5"), "--source", "stand-in", "--hand.model", "builtin"]) as address:
        page, errors = _page(browser, 1500, 800)
        page.goto(address)
        page.get_by_text("vertices = yaff.load_hand()").wait_for()
        _drawn(page)
        yield "viewer-library", _taken(page, errors)
        page.close()


def _drawn(page: Any) -> None:
    """Until what the scenes show has come, and was drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)


def _taken(page: Any, errors: list[str]) -> UInt8[Array, "h w 3"]:
    if errors:
        raise RuntimeError(f"{page.url}: " + "; ".join(errors))
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
