"""The report: complete with everything, and sound with next to nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.build import BuildLog, project_task
from pipelines.config import BuildConfig, DatasetSection, ObjectsSection, OutputSection, ReportSection
from pipelines.executor import Workforce
from pipelines.loading import recipes_of
from pipelines.progress import QuietProgress
from pipelines.report.page import write_report
from pipelines.stages.project import project
from yaff.grasp.batch import Grasps, ReviewState
from yaff.store.library import GraspLibrary


def report(config: BuildConfig, library: Path, log: BuildLog) -> str:
    recipes = recipes_of(config)
    shards = config.output.folder / "shards"
    project(
        project_task(config, recipes, library), shards, config.output.folder / "work", Workforce(2), QuietProgress()
    )
    return write_report(config, recipes, library, shards, config.output.folder / "report", log).read_text("utf-8")


@pytest.fixture
def config(tmp_path: Path, small_dataset: Path, cache_dir: Path) -> BuildConfig:
    return BuildConfig(
        dataset=DatasetSection("ycb-video", small_dataset),
        objects=ObjectsSection(source="stand-in", cache=cache_dir),
        output=OutputSection(tmp_path / "out"),
        report=ReportSection(grasps=2, frames=1),
    )


def test_a_full_report(config: BuildConfig, small_library: Path, tmp_path: Path) -> None:
    library = GraspLibrary.open(small_library)
    grasps = {name: library[name] for name in library.objects}
    name = "061_foam_brick"
    state = np.array(grasps[name].review_state)
    state[:3] = ReviewState.NEEDS_REVIEW
    reason = ("slips along +x <&>", *grasps[name].reason[1:])
    grasps[name] = replace(grasps[name], review_state=state, reason=reason)
    tallies = {name: {"9": {"proposed": 10, "closed": 4, "rejected: slipped": 3}, "33": {"infeasible": "too large"}}}
    path = tmp_path / "library.h5"
    GraspLibrary.write(path, grasps, {**library.metadata, "tallies": tallies})
    log = BuildLog({"search": 12.0}, ["search/x: a <problem>"], [])
    page = report(config, path, log)
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles == [
        "Coverage",
        "Measures",
        "Why candidates were rejected",
        "Feasibility in the scenes",
        "Grasps per frame",
        "Contact",
        "Random verified grasps",
        "Annotated frames",
        "For the annotator",
        "Times",
        "Provenance",
    ]
    assert "117" in page, "verified grasps"
    assert "slips along +x &lt;&amp;&gt;" in page
    assert "a &lt;problem&gt;" in page
    assert page.count("<figure>") == 5
    assert "http://" not in page
    assert "https://" not in page


def test_a_report_of_an_empty_library(config: BuildConfig, small_library: Path, tmp_path: Path) -> None:
    library = GraspLibrary.open(small_library)
    path = tmp_path / "library.h5"
    GraspLibrary.write(path, {name: Grasps.empty(name) for name in library.objects}, library.metadata)
    page = report(config, path, BuildLog())
    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles == ["Feasibility in the scenes", "Annotated frames", "Times", "Provenance"]
