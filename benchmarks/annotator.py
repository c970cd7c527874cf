"""What the review was asked to show, measured: `make bench-annotator`.

Usage:
    python -m benchmarks.annotator                              # queue, API, page
    python -m benchmarks.annotator --library library.h5 --models DIR   # and spoiled thumbs, mended by Snap and Verify
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.browser import CHROMIUM_FLAGS
from pipelines.commands.parsing import parse, write_table

USAGE = """
python -m benchmarks.annotator
python -m benchmarks.annotator --library library.h5 --models YCB_Video_Dataset/models
"""

Row = tuple[str, str, str]


@dataclass(frozen=True)
class AnnotatorBenchmark:
    """Measure the review: a queue of 20,000, 5,000 decisions of 8 clients, a server that is killed, spoiled thumbs."""

    library: Path | None = None
    """A library with verified grasps of thumb-abducted types, for the thumbs."""
    models: Path | None = None
    """Scanned meshes that it was searched on; stand-ins when not set."""
    grasps: int = 20_000
    """Rows of the queue."""
    decisions: int = 5_000
    """Decisions through the API."""
    clicks: int = 200
    """Decisions in two browsers at once."""
    clients: int = 8
    """Clients that decide at the same time."""
    thumbs: int = 100
    """Thumbs that are spoiled."""


def main() -> int:
    """Run and print the table."""
    options = parse(AnnotatorBenchmark, sys.argv[1:], "benchmark", usage=USAGE)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library.h5"
        _generated(library, options.grasps)
        for row in chain(_queue(library), _browsers(library, options), _decisions(library, options)):
            rows.append(row)
            sys.stderr.write(f"{' | '.join(row)}\n")
    if options.library is not None:
        for row in _thumbs(options):
            rows.append(row)
            sys.stderr.write(f"{' | '.join(row)}\n")
    write_table("review", ["what", "asked", "measured"], rows)
    return 0


def _generated(path: Path, count: int) -> None:
    """A library of doubtful grasps with no meaning."""
    from yaff.grasp.batch import MEASURES, Grasps
    from yaff.store import GraspLibrary

    rng, names = np.random.default_rng(0), ("025_mug", "011_banana", "005_tomato_soup_can", "061_foam_brick")
    batches = {}
    for name in names:
        n = count // len(names)
        batch = Grasps.make(
            name,
            0.1 * rng.normal(size=(n, 45)),
            rng.normal(size=(n, 3)),
            0.1 * rng.normal(size=(n, 3)),
            np.arange(n) % 33 + 1,
            reason=tuple(f"slips along {'+-'[k % 2]}{'xyz'[k % 3]}" for k in range(n)),
        )
        measures = {m: rng.uniform(0.0, 0.03, (n, *kind.shape)).astype(np.float32) for m, kind in MEASURES.items()}
        batches[name] = replace(batch, measures=measures)
    GraspLibrary.write(path, batches, {})


class _Server:
    """The server as its user starts it."""

    def __init__(self, library: Path, port: int = 0) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "pipelines.cli", "annotate", str(library), "--port", str(self.port)]
        command += ["--objects.source", "stand-in", "--judged-twice", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("the server did not come up")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End it."""
        self.process.send_signal(how)
        self.process.wait(30)


def _queue(library: Path) -> Iterator[Row]:
    """The page with a full queue, in a browser."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        yield "page", "", "not measured: chromium is not installed"
        return
    server = _Server(library)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1500, "height": 950})
            page.goto(server.url)
            page.get_by_label("name").fill("ada")
            page.get_by_role("button", name="begin").click()
            page.get_by_text("no. ").first.wait_for()
            started = time.perf_counter()
            page.goto(server.url)  # the name is known now: this is what a person waits for in the morning
            page.get_by_text("no. ").first.wait_for()
            page.locator(".yaff-table tbody tr").first.wait_for()
            yield "20,000 in the queue: page usable", "3 s", f"{time.perf_counter() - started:.2f} s"
            page.wait_for_timeout(3000)
            yield "filter", "200 ms", _median_ms(_filtered(page))
            yield "next grasp", "300 ms", _median_ms(_skipped(page))
            yield "slider to skin, in the page", "20 ms", f"{_slid(page):.2f} ms (median of 40)"
            browser.close()
    finally:
        server.stop()


def _filtered(page: Any) -> Iterator[float]:
    """Seconds from the end of typing (after the pause that tells that somebody has stopped) to the table."""
    for text in ("along +x", "along -y", "along +z", "along -x", "along +y"):
        page.get_by_label("reason", exact=True).fill(text)
        started = time.perf_counter()
        page.wait_for_function(
            "(text) => { const rows = [...document.querySelectorAll('.yaff-table tbody tr')];"
            " return rows.length > 0 && rows.every((row) => row.innerText.includes(text)); }",
            arg=text,
            polling=10,
        )
        yield time.perf_counter() - started
    page.get_by_label("reason", exact=True).fill("")
    page.wait_for_timeout(500)


def _skipped(page: Any) -> Iterator[float]:
    """Seconds from a click on Skip to the next grasp's name."""
    for _ in range(8):
        title = page.locator(".yaff-reason").inner_text()
        started = time.perf_counter()
        page.get_by_role("button", name="Skip").click()
        page.wait_for_function(
            "(was) => document.querySelector('.yaff-reason').innerText !== was", arg=title, polling=10
        )
        yield time.perf_counter() - started
        page.wait_for_timeout(500)


def _slid(page: Any) -> float:
    """Median milliseconds from a slider's event to posed, coloured skin, measured in the page."""
    script = """() => {
        const scene = document.querySelector('.yaff-canvas');
        const hand = [...getElement(Number(scene.id.slice(1))).objects.values()].find((o) => o.component?.vertices);
        const slider = document.querySelector("input[data-joint='thumb.cmc.abduction']");
        const times = [];
        for (let k = 0; k < 40; k++) {
            const start = performance.now();
            slider.value = k;
            slider.dispatchEvent(new Event('input'));
            times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[20];
    }"""
    return float(page.evaluate(script))


def _median_ms(seconds: Iterator[float]) -> str:
    values = list(seconds)
    return f"{1e3 * median(values):.0f} ms (median of {len(values)}, worst {1e3 * max(values):.0f})"


def _browsers(library: Path, options: AnnotatorBenchmark) -> Iterator[Row]:
    """Two people in two browsers on one queue; the server is killed in the middle and comes back."""
    from annotator.review import review_url
    from annotator.store import ReviewStore, open_database

    chromium = shutil.which("chromium")
    if chromium is None:
        return
    _forget(library)
    server = _Server(library)
    decided: dict[str, list[int]] = {"ada": [], "bob": []}
    problems: list[str] = []
    people = [
        threading.Thread(target=_sit, args=(chromium, server.url, name, options.clicks, decided, problems), daemon=True)
        for name in decided
    ]
    for person in people:
        person.start()
    while sum(map(len, decided.values())) < options.clicks // 2 and any(person.is_alive() for person in people):
        time.sleep(0.05)
    server.stop(signal.SIGKILL)
    server.process = _Server(library, server.port).process
    for person in people:
        person.join()
    server.stop()
    store = ReviewStore(open_database(review_url(library)))
    log = store.log()
    logged = Counter(store.number_of(d.item_key) for d in log)
    store.close()
    shown = [number for numbers in decided.values() for number in numbers]
    words = f"{len(shown)} decisions in two browsers, SIGKILL half-way"
    yield f"{words}: lost", "0", str(sum(number not in logged for number in shown))
    yield f"{words}: decided twice", "0", str(sum(count > 1 for count in logged.values()))
    yield f"{words}: of each", "", ", ".join(f"{name} {len(numbers)}" for name, numbers in decided.items())
    if problems:
        yield f"{words}: problems", "", "; ".join(problems)[:300]


def _sit(chromium: str, url: str, name: str, clicks: int, decided: dict[str, list[int]], problems: list[str]) -> None:
    """One person who rejects what is shown, until all is done. A decision counts once the page shows the next grasp."""
    from playwright.sync_api import Error, sync_playwright

    number = "() => document.querySelector('.yaff-reason')?.innerText.match(/^no. (\\d+)/)?.[1] ?? null"
    changed = f"(was) => {{ const n = ({number})(); return n !== null && n !== was; }}"
    with sync_playwright() as play:
        page = play.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS).new_page()
        page.set_default_timeout(20_000)
        page.goto(url)
        page.get_by_label("name").fill(name)
        page.get_by_role("button", name="begin").click()
        deadline = time.monotonic() + 600
        while sum(map(len, decided.values())) < clicks and time.monotonic() < deadline:
            try:
                page.wait_for_function(changed, arg="")
                held = page.evaluate(number)
                page.get_by_role("button", name="Reject").click()
                page.locator(".q-dialog").get_by_label("reason").fill("benchmark")
                page.get_by_role("button", name="ok", exact=True).click()
                page.wait_for_function(changed, arg=held)
                decided[name].append(int(held))
            except Error as error:  # the server is away: what was not acknowledged does not count
                if "ERR_CONNECTION" not in str(error) and "Timeout" not in str(error):
                    problems.append(str(error).splitlines()[0])
                time.sleep(1.0)
                with suppress(Error):
                    page.goto(url)


def _forget(library: Path) -> None:
    for old in library.parent.glob("library.review.sqlite*"):
        old.unlink()


def _decisions(library: Path, options: AnnotatorBenchmark) -> Iterator[Row]:
    """Clients that decide through the API while the server is killed in the middle."""
    import httpx

    from annotator.review import review_url
    from annotator.store import ReviewStore, open_database

    _forget(library)
    server = _Server(library)
    acknowledged: set[str] = set()
    lock, done, down = threading.Lock(), threading.Event(), threading.Event()
    waits: list[float] = []

    def work(k: int) -> None:
        client = httpx.Client(timeout=30.0)
        while not done.is_set():
            try:
                lease = client.post(f"{server.url}/api/lease", json={"annotator": f"p{k}"}).json()
                uid = f"decision-{lease['item']['key']}"
                body = {"token": lease["token"], "action": "reject", "reason": "benchmark", "uid": uid}
                started = time.perf_counter()
                if client.post(f"{server.url}/api/decide", json=body).status_code == 200:
                    with lock:
                        acknowledged.add(uid)
                        waits.append(time.perf_counter() - started)
                        if len(acknowledged) >= options.decisions:
                            done.set()
            except httpx.HTTPError:
                down.wait(0.2)

    threads = [threading.Thread(target=work, args=(k,), daemon=True) for k in range(options.clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while len(acknowledged) < options.decisions // 2:
        time.sleep(0.05)
    server.stop(signal.SIGKILL)
    gone = time.perf_counter()
    server_again = _Server(library)
    server.url, server.process = server_again.url, server_again.process
    away = time.perf_counter() - gone
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started - away
    server.stop()
    store = ReviewStore(open_database(review_url(library)))
    log = store.log()
    store.close()
    twice = sum(count > 1 for count in Counter(d.item_key for d in log).values())
    lost = len(acknowledged - {d.uid for d in log})
    yield f"{options.decisions} decisions, {options.clients} clients, SIGKILL half-way: lost", "0", str(lost)
    yield "decided twice", "0", str(twice)
    yield "decisions through the API", "", f"{len(acknowledged) / seconds:.0f} a second, {_median_ms(iter(waits))} each"


def _thumbs(options: AnnotatorBenchmark) -> Iterator[Row]:
    """Verified thumb-abducted grasps, their thumbs spoiled at random, mended by Snap thumb and Verify alone."""
    from annotator.proving import Prover
    from annotator.store import GraspState
    from pipelines.config import BuildConfig, ObjectsSection
    from pipelines.loading import hand_of, object_of, recipes_of
    from yaff.search import SearchConfig
    from yaff.store import GraspLibrary
    from yaff.taxonomy import GRASP_TYPES

    assert options.library is not None
    section = ObjectsSection(source="folder", models=options.models) if options.models else ObjectsSection()
    recipes = recipes_of(BuildConfig(objects=section))
    prover = Prover(hand_of(recipes.hand), lambda name: object_of(name, recipes.objects), SearchConfig(), {})
    library, rng, editor = GraspLibrary.open(options.library), np.random.default_rng(0), prover.editor
    pool = [
        (name, int(row))
        for name in library
        for row in np.flatnonzero(library[name].verified)
        if GRASP_TYPES[int(library[name].grasp_type[row])].thumb == "abducted"
    ]
    rng.shuffle(pool)
    joints = [n for n in editor.anatomy.names if n.startswith(("thumb.cmc", "thumb.mcp"))]
    seconds, mended, sound, why = [], 0, 0, Counter[str]()
    for name, row in pool[: options.thumbs]:
        state = GraspState.of(library[name], row)
        sound += prover.verify(name, state).held
        columns = [editor.anatomy.index(n) for n in joints]
        angles = rng.uniform(editor.anatomy.lower[columns], editor.anatomy.upper[columns])
        spoiled = editor.with_dof(state, dict(zip(joints, angles.tolist(), strict=True)))
        started = time.perf_counter()
        verdict = prover.verify(name, prover.snap(name, spoiled, ["thumb"]))
        seconds.append(time.perf_counter() - started)
        mended += verdict.held
        if not verdict.held:
            why[verdict.reason.split(":")[0].rstrip("0123456789. m")] += 1
    n = len(seconds)
    yield f"{n} spoiled thumbs mended by Snap and Verify", "70 %", f"{100.0 * mended / n:.0f} %"
    yield "seconds for each, median", "3 s", f"{median(seconds):.2f} s"
    yield "(the unspoiled ones, verified once more)", "", f"{100.0 * sound / n:.0f} %"
    yield "(what the others fail by)", "", ", ".join(f"{reason} {count}" for reason, count in why.most_common(6))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
