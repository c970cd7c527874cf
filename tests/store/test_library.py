"""The grasp library: nothing is lost, the bytes depend on the content only, and what is wrong is refused by name."""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_up import make_grasp_sets, make_grasps

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.grasp.batch import MEASURES, Grasps
from yaff.store.library import GraspLibrary

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)


def assert_same(a: Grasps, b: Grasps) -> None:
    for item in fields(Grasps):
        one, other = getattr(a, item.name), getattr(b, item.name)
        if item.name == "measures":
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
        elif isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other


@st.composite
def parts_of_batches(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of ``Grasps.make``."""
    n = draw(st.integers(0, 4))

    def floats(*shape: int) -> np.ndarray:
        values = st.floats(width=32, allow_nan=False, allow_infinity=False)
        return draw(arrays(np.float32, (n, *shape), elements=values))

    return {
        "pose": floats(45),
        "wrist_rotation": floats(3),
        "translation": floats(3),
        "grasp_type": draw(arrays(np.int16, n, elements=st.integers(1, 33))),
        "shape": floats(10),
        "pregrasp_pose": floats(45),
        "review_state": draw(arrays(np.uint8, n, elements=st.integers(0, 3))),
        "reason": tuple(draw(st.lists(TEXTS, min_size=n, max_size=n))),
        "provenance": tuple(draw(st.lists(TEXTS, min_size=n, max_size=n))),
        "measures": {name: floats(*m.shape) for name, m in MEASURES.items()},
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parts=parts_of_batches(), note=TEXTS)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, parts: dict[str, Any], note: str) -> None:
    batch = Grasps.make("025_mug", **parts)
    path = tmp_path_factory.mktemp("library") / "library.h5"
    metadata = {"hand": {"name": "builtin"}, "note": note, "configuration": {"seed": 3}}
    GraspLibrary.write(path, {"025_mug": batch, "024_bowl": Grasps.empty("024_bowl")}, metadata)
    library = GraspLibrary.open(path)
    assert library.objects == ("024_bowl", "025_mug")
    assert library.metadata == metadata
    assert_same(library["025_mug"], batch)
    assert_same(library["024_bowl"], Grasps.empty("024_bowl"))


def test_bytes_depend_on_the_content_only(tmp_path: Path) -> None:
    sets = make_grasp_sets()
    GraspLibrary.write(tmp_path / "a.h5", sets, {"a": 1, "b": 2})
    time.sleep(1.1)  # HDF5's clock ticks in seconds
    GraspLibrary.write(tmp_path / "b.h5", dict(reversed(sets.items())), {"b": 2, "a": 1})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_long_metadata(tmp_path: Path) -> None:
    metadata = {"tally": {str(k): "ü" * 100 for k in range(3000)}}  # beyond what an HDF5 attribute holds
    assert GraspLibrary.write(tmp_path / "library.h5", {}, metadata).metadata == metadata


def test_every_dataset_says_what_it_is(library_path: Path) -> None:
    with h5py.File(library_path) as file:
        group = file["objects/025_mug"]
        assert group["translation"].attrs["unit"].decode() == "m"
        assert group["translation"].attrs["frame"].decode() == "object"
        assert group["measures/shake_rotation"].attrs["unit"].decode() == "rad"
        assert group["pose"].dtype == np.dtype("<f4")

        def check(name: str, node: h5py.Group | h5py.Dataset) -> None:
            if isinstance(node, h5py.Dataset):
                assert {"unit", "frame", "description"} <= set(node.attrs), name

        file.visititems(check)


def test_pickles(library_path: Path) -> None:
    library = GraspLibrary.open(library_path)
    assert_same(pickle.loads(pickle.dumps(library))["025_mug"], library["025_mug"])


def test_unknown_object(library_path: Path) -> None:
    with pytest.raises(InputError, match="025_mug"):
        GraspLibrary.open(library_path)["spoon"]
    assert "spoon" not in GraspLibrary.open(library_path)


def test_refuses_to_write_what_no_file_may_hold(tmp_path: Path) -> None:
    batch = make_grasps(np.random.default_rng(0), "025_mug", 3)
    pose = batch.pose.copy()
    pose[2, 7] = np.nan
    bad: dict[str, tuple[str, Grasps]] = {
        "pose, row 2": ("025_mug", replace(batch, pose=pose)),
        "without measures": ("025_mug", replace(batch, measures={})),
        "type 34": ("025_mug", replace(batch, grasp_type=np.array([1, 2, 34], np.int16))),
        "under the name": ("024_bowl", batch),
        "NUL": ("025_mug", replace(batch, reason=("", "a\0b", ""))),
    }
    for words, (name, grasps) in bad.items():
        with pytest.raises(InputError, match=words):
            GraspLibrary.write(tmp_path / "library.h5", {name: grasps}, {})
    assert not list(tmp_path.iterdir())


def edit(change: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        with h5py.File(path, "a") as file:
            change(file)

    return apply


def rewrite(file: h5py.File, name: str, values: np.ndarray) -> None:
    attributes = dict(file[name].attrs)
    del file[name]
    file[name] = values
    file[name].attrs.update(attributes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit(lambda f: f.attrs.modify("schema_version", 3)), "schema version 3; this program reads version 2"),
        (edit(lambda f: f.attrs.modify("schema_version", 0)), "build it again with this version"),
        (edit(lambda f: f.attrs.__delitem__("format")), "no file of this program"),
        (edit(lambda f: f["objects/025_mug"].__delitem__("pose")), "'pose' is a required property"),
        (edit(lambda f: f["objects/025_mug"].create_dataset("notes", data=1)), "'notes' was unexpected"),
        (edit(lambda f: f["objects/025_mug/pose"].attrs.modify("unit", b"deg")), "/objects/025_mug/pose"),
        (edit(lambda f: rewrite(f, "objects/025_mug/pose", np.zeros((32, 44), "f4"))), "/objects/025_mug/pose"),
        (edit(lambda f: rewrite(f, "objects/025_mug/pose", np.zeros((32, 45), "f8"))), "float64"),
        (
            edit(lambda f: rewrite(f, "objects/025_mug/pose", np.zeros((31, 45), "f4"))),
            "31 rows where grasp_type has 32",
        ),
        (lambda p: p.write_bytes(p.read_bytes()[:20_000]), "not a complete HDF5 file"),
        (lambda p: p.write_bytes(b""), "not a complete HDF5 file"),
        (lambda p: p.write_bytes(b"\0" + p.read_bytes()[1:]), "not a complete HDF5 file"),
    ],
)
def test_refuses_to_read(tmp_path: Path, library_path: Path, change: Callable[[Path], object], words: str) -> None:
    path = shutil.copy(library_path, tmp_path / "library.h5")
    change(path)
    with pytest.raises(FormatError, match=words) as caught:
        GraspLibrary.open(path)
    assert caught.value.where is not None
    assert str(path) in caught.value.where
    assert caught.value.remedy


def test_refuses_another_kind_of_file(datasets: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="this is a shard, expected a grasp library"):
        GraspLibrary.open(datasets["full"] / "shard-00001.h5")
    with pytest.raises(MissingFileError, match="no grasp library here"):
        GraspLibrary.open(tmp_path / "library.h5")
