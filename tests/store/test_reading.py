"""Selections without a scan are those that a scan would make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up import OBJECTS, SPLITS, make_content, make_grasp_sets

from yaff.errors import InputError
from yaff.store.manifest import finish_dataset
from yaff.store.reading import ShardSet, iterate
from yaff.store.shards import ShardRecord, shard_name, write_shard


@pytest.fixture(scope="module")
def shards(datasets: dict[str, Path]) -> ShardSet:
    return ShardSet.open(datasets["compact"])


@pytest.fixture(scope="module")
def everything(shards: ShardSet) -> dict[str, np.ndarray]:
    return shards.batch(np.arange(len(shards)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    split=st.none() | st.sampled_from(SPLITS),
    types=st.none() | st.lists(st.integers(1, 33), max_size=6),
    objects=st.none() | st.lists(st.sampled_from(sorted(OBJECTS)), max_size=3),
    scenes=st.none() | st.lists(st.sampled_from([1, 2]), max_size=2),
    min_epsilon=st.none() | st.floats(0, 1),
    max_penetration=st.none() | st.floats(0, 1),
    states=st.none() | st.lists(st.integers(0, 3), max_size=2),
)
def test_selection_is_what_a_scan_finds(
    shards: ShardSet,
    everything: dict[str, np.ndarray],
    split: str | None,
    types: list[int] | None,
    objects: list[str] | None,
    scenes: list[int] | None,
    min_epsilon: float | None,
    max_penetration: float | None,
    states: list[int] | None,
) -> None:
    wanted = np.ones(len(shards), bool)
    sets = make_grasp_sets()
    pairs = list(zip(everything["object"].tolist(), everything["library_row"].tolist(), strict=True))
    if min_epsilon is not None:
        wanted &= np.array([sets[name].measures["epsilon"][row] >= min_epsilon for name, row in pairs])
    if max_penetration is not None:
        wanted &= np.array([sets[name].measures["max_penetration"][row] <= max_penetration for name, row in pairs])
    if states is not None:
        wanted &= np.array([sets[name].review_state[row] in states for name, row in pairs])
    if types is not None:
        wanted &= np.isin(everything["grasp_type"], types)
    if objects is not None:
        wanted &= np.isin(everything["object"], objects)
    if scenes is not None:
        wanted &= np.isin(everything["scene"], scenes)
    if split is not None:  # frames are numbered 1, 4, 7, ...; every third is of the validation split
        wanted &= ((everything["frame"] - 1) // 3 % 3 == 0) == (split == "val")
    selection = shards.select(
        split=split,
        types=types,
        objects=objects,
        scenes=scenes,
        min_epsilon=min_epsilon,
        max_penetration=max_penetration,
        states=states,
    )
    assert len(selection) == wanted.sum()
    np.testing.assert_array_equal(shards.rows(selection, np.arange(len(selection))), np.flatnonzero(wanted))


def test_selecting_reads_no_shard(datasets: dict[str, Path], tmp_path: Path) -> None:
    for name in ("index.h5", "manifest.json"):
        (tmp_path / name).write_bytes((datasets["full"] / name).read_bytes())
    found = ShardSet.open(tmp_path)  # no shards here at all
    asked = {"split": "train", "types": range(1, 20), "objects": ["025_mug"], "min_epsilon": 0.2, "states": [1, 2]}
    assert 0 < len(found.select(**asked)) == len(ShardSet.open(datasets["full"]).select(**asked))


def test_visibility(tmp_path: Path, datasets: dict[str, Path]) -> None:
    content = make_content(make_grasp_sets(), 1)
    seen = np.linspace(0, 1, len(content.placement)).astype(np.float32)
    path = tmp_path / shard_name(1)
    write_shard(path, "compact", replace(content, visibility=seen))
    finish_dataset(tmp_path, [ShardRecord.of(path)])
    shards = ShardSet.open(tmp_path)
    counts = np.diff(content.annotation_start)
    assert len(shards.select(min_visibility=0.5)) == counts[seen >= 0.5].sum()
    assert len(shards.select(min_visibility=0.5, types=[9])) < counts[seen >= 0.5].sum()
    with pytest.raises(InputError, match="--visibility"):
        ShardSet.open(datasets["compact"]).select(min_visibility=0.5)


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"split": "test"}, "train, val"),
        ({"types": [0]}, "numbered 1 to 33"),
        ({"types": [9, 34]}, r"\[34\]"),
        ({"objects": ["spoon"]}, "025_mug"),
        ({"scenes": [3]}, r"\[3\]"),
        ({"states": [1, 4]}, "1 verified"),
    ],
)
def test_unknown_filters_name_the_known(shards: ShardSet, filters: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shards.select(**filters)  # type: ignore[arg-type]


def test_positions_out_of_range(shards: ShardSet) -> None:
    selection = shards.select(types=[1])
    for position in (-1, len(selection)):
        with pytest.raises(InputError, match=f"position {position}"):
            shards.rows(selection, np.array([position]))
    with pytest.raises(InputError, match="annotation"):
        shards.batch(np.array([len(shards)]))
    with pytest.raises(InputError, match="annotation"):
        shards.batch(np.array([-1]))
    with pytest.raises(InputError, match="annotations"):
        shards.parameters(0, len(shards) + 1)


def test_order_of_a_batch_is_that_of_its_rows(shards: ShardSet, everything: dict[str, np.ndarray]) -> None:
    rows = np.random.default_rng(1).integers(0, len(shards), 300)
    batch = shards.batch(rows)
    for name, values in batch.items():
        np.testing.assert_array_equal(values, everything[name][rows], err_msg=name)
    sample = shards.sample(int(rows[0]))
    assert sample["object"] == everything["object"][rows[0]]
    assert isinstance(sample["grasp_type"], int)
    np.testing.assert_array_equal(sample["T_camera_hand"], everything["T_camera_hand"][rows[0]])


def test_iterator(datasets: dict[str, Path], everything: dict[str, np.ndarray]) -> None:
    batches = list(iterate(datasets["wrist"], 100, split="val", objects=["025_mug"]))
    assert all(len(batch["pose"]) == 100 for batch in batches[:-1])
    joined = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
    assert set(joined["object"]) == {"025_mug"}
    shuffled = list(
        iterate(datasets["wrist"], 100, split="val", objects=["025_mug"], generator=np.random.default_rng(2))
    )
    again = np.concatenate([batch["translation"] for batch in shuffled])
    assert not np.array_equal(again, joined["translation"])
    np.testing.assert_array_equal(np.sort(again, axis=0), np.sort(joined["translation"], axis=0))
