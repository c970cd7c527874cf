"""The dataset card, and the figures that it and the report take from the shards."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from pipelines.config import BuildConfig, DatasetSection, ObjectsSection, OutputSection
from pipelines.executor import Workforce
from pipelines.loading import recipes_of
from pipelines.progress import QuietProgress
from pipelines.report.card import card_text, write_card
from pipelines.report.heat import contact_share, heated
from pipelines.report.scenes import annotations_per_frame, objects_in_scenes, per_frame_chart
from pipelines.stages.verify import check
from yaff.grasp.batch import Grasps
from yaff.hand import load_hand
from yaff.objects import ObjectModel
from yaff.store import GraspLibrary, ShardSet, iterate


@pytest.fixture(scope="module")
def shards(
    tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, small_library: Path, cache_dir: Path
) -> ShardSet:
    from pipelines.build import project_task
    from pipelines.stages.project import project

    folder = tmp_path_factory.mktemp("carded")
    config = BuildConfig(
        dataset=DatasetSection("recorded", small_dataset),
        objects=ObjectsSection(source="stand-in", cache=cache_dir),
        output=OutputSection(folder),
    )
    task = project_task(config, recipes_of(config), small_library)
    project(task, folder / "shards", folder / "work", Workforce(1), QuietProgress())
    return ShardSet.open(folder / "shards")


def test_counts_are_those_of_the_annotations(shards: ShardSet) -> None:
    per_frame = annotations_per_frame(shards)
    assert len(per_frame) == shards.manifest.totals["frames"]
    assert per_frame.sum() == len(shards)
    objects = objects_in_scenes(shards)
    batches = list(iterate(shards.folder))
    seen = np.concatenate([batch["object"] for batch in batches])
    for entry in objects:
        assert entry.annotations == (seen == entry.name).sum()
    totals = shards.manifest.totals
    decided = np.sum([entry.decided for entry in objects], axis=0)
    assert decided.sum() == totals["candidates"]
    assert dict(zip(("neighbour", "table", "unreachable"), decided[1:].tolist(), strict=True)) == totals["infeasible"]
    assert per_frame_chart(per_frame).startswith(b"\x89PNG")


def test_the_card_is_written_beside_shards_that_stay_good(shards: ShardSet, small_library: Path) -> None:
    library = GraspLibrary.open(small_library)
    path = write_card(shards, library, generated=True)
    first = path.read_bytes()
    assert check((shards.folder,), QuietProgress()) == []
    write_card(shards, library, generated=True)
    assert path.read_bytes() == first, "the same dataset has the same card"
    edited = first.replace(b"pretty_name", b"license: cc-by-4.0\npretty_name")
    path.write_bytes(edited)
    write_card(shards, library, generated=True)
    assert path.read_bytes() == edited, "what somebody wrote stays"
    text = first.decode()
    assert text.startswith("---\n")
    head = text.split("---\n")[1]
    assert "size_categories:\n- n<1K" in head
    assert f"{len(shards):,} feasible hand poses" in text
    assert "Parametric stand-ins, not scans, of: 009_gelatin_box, 061_foam_brick" in text
    assert library.digest in text
    assert not re.search(r"(^|\W)/(tmp|home|root)/", text), "nothing of the machine"
    croissant = json.loads((shards.folder / "croissant.json").read_text("utf-8"))
    assert "manifest.json" in {entry["name"] for entry in croissant["distribution"]}


def test_the_card_says_what_it_was_made_of(shards: ShardSet, small_library: Path) -> None:
    library = GraspLibrary.open(small_library)
    scanned = GraspLibrary(library.path, library.counts, {**library.metadata, "standins": []})
    text = card_text(shards, scanned, generated=False)
    assert "CC BY 4.0" in text
    assert "stand-in" not in text
    assert "recorded scenes" in text


def test_the_code_on_the_card_runs(shards: ShardSet, small_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = card_text(shards, GraspLibrary.open(small_library), generated=True)
    monkeypatch.chdir(shards.folder)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    assert "T_camera_hand" in names["sample"]  # type: ignore[operator]


def test_heat_is_where_the_skin_is(small_objects: dict[str, ObjectModel]) -> None:
    """A flat hand with its palm on the brick's highest face heats that face and no other."""
    brick, hand = small_objects["061_foam_brick"], load_hand()
    points, normals = brick.surface_points, brick.surface_normals
    top = brick.solid.vertices[:, 2].max()
    # the palm faces -y of the hand; its lowest vertex is put on the middle of the top
    wrist = np.array([[np.pi / 2, 0.0, 0.0]])
    skin = hand.vertices(np.zeros((1, 45)), wrist, np.zeros((1, 3)))[0]
    lowest, middle = skin[skin[:, 2].argmin()], brick.solid.vertices.mean(axis=0)
    translation = np.array([[middle[0] - lowest[0], middle[1] - lowest[1], top - lowest[2]]])
    grasp = Grasps.make(brick.name, np.zeros((1, 45)), wrist, translation, np.array([22]))
    heat = contact_share(hand, grasp, points, normals)
    assert heat.max() == 1.0
    assert (points[heat > 0.0, 2] > top - 0.006).all()
    assert heat[normals[:, 2] < -0.5].max() == 0.0
    mesh = heated(brick.solid, points, heat)
    edges = np.linalg.norm(np.diff(mesh.vertices[mesh.edges_unique], axis=1), axis=-1)
    assert edges.max() <= 0.006
    assert abs(mesh.area - brick.solid.area) < 1e-9
