"""The catalogue, its schema, and where it is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from yaff.errors import FormatError, InputError, MissingFileError
from yaff.geometry.transforms import check_rigid
from yaff.objects import Catalogue
from yaff.objects.catalogue import Symmetry
from yaff.objects.standins import STANDINS
from yaff.resources import asset, schema


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue.load()


def test_the_21_in_order(catalogue: Catalogue) -> None:
    assert len(catalogue) == 21
    assert [catalogue[name].index for name in catalogue.names] == list(range(1, 22))
    assert catalogue.names[0] == "002_master_chef_can"
    assert catalogue.by_index(14).name == "025_mug"
    assert catalogue["025_mug"].mass == 0.118
    assert tuple(STANDINS) == catalogue.names
    assert list(catalogue) == list(catalogue.names)
    assert "025_mug" in catalogue
    assert "025_jug" not in catalogue


def test_unknown_names_say_what_is_known(catalogue: Catalogue) -> None:
    with pytest.raises(InputError, match="025_jug") as caught:
        catalogue["025_jug"]
    assert "025_mug" in str(caught.value)
    with pytest.raises(InputError, match="index 22"):
        catalogue.by_index(22)


def test_symmetries_are_groups(catalogue: Catalogue) -> None:
    for name in catalogue.names:
        group = catalogue[name].symmetry_transforms(steps=12)
        check_rigid(group, where=name, tolerance=1e-6)
        assert_allclose(group[0], np.eye(4), atol=1e-12)
        products = (group[:, None] @ group[None]).reshape(-1, 4, 4)
        gap = np.abs(products[:, None] - group[None])
        assert gap.max(axis=(2, 3)).min(axis=1).max() < 1e-3, name  # closed
        apart = np.abs(group[:, None] - group[None]).max(axis=(2, 3)) + np.eye(len(group))
        assert apart.min() > 0.1, name  # each once


def test_sampled_turns() -> None:
    turns = Symmetry((0.0, 0.0, 2.0), (0.01, 0.0, 0.5), 0).transforms(36)
    assert turns.shape == (36, 4, 4)
    point = np.array([0.01, 0.0, 0.7, 1.0])
    assert_allclose(turns @ point, np.tile(point, (36, 1)), atol=1e-12)
    counts = {name: len(Catalogue.load()[name].symmetry_transforms()) for name in ("024_bowl", "002_master_chef_can")}
    assert counts == {"024_bowl": 36, "002_master_chef_can": 72}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("mass = 0.118", "mass = -1.0", "object/13/mass"),
        ("mass = 0.118", "weight = 1.0", "object/13"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ('name = "025_mug"', 'name = "024_bowl"', "two objects have the name 024_bowl"),
        ("schema_version = 1", "schema_version = ", "not TOML"),
    ],
)
def test_bad_catalogues_are_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    text = asset("ycb", "catalogue.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "catalogue.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(FormatError) as caught:
        Catalogue.load(path)
    assert what in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="catalogue not found"):
        Catalogue.load(tmp_path / "none.toml")
    with pytest.raises(MissingFileError, match=r"assets/none\.toml"):
        asset("none.toml")
    with pytest.raises(MissingFileError, match="nothing"):
        schema("nothing")


@pytest.mark.realdata
def test_dimensions_are_those_of_the_meshes(real_data: Path, catalogue: Catalogue) -> None:
    for name in ("003_cracker_box", "037_scissors"):
        points = np.loadtxt(real_data / "YCB_Video_Dataset" / "models" / name / "points.xyz")
        extent = points.max(axis=0) - points.min(axis=0)
        assert_allclose(extent, catalogue[name].dimensions, atol=3e-3)
