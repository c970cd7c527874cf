"""Configuration: what the files say is what the program gets, and what it does not know it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import BuildConfig, SearchSection, load_config
from pipelines.toml import from_table, to_table
from yaff.errors import ConfigError, MissingFileError
from yaff.search.config import SearchConfig

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "build.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_loads(path: Path) -> None:
    assert isinstance(load_config(path), BuildConfig)


def test_values_reach_the_nested_sections(tmp_path: Path) -> None:
    config = load_config(
        written(tmp_path, '[dataset]\nroot = "/data"\nstride = 3\n[search]\ntypes = [9]\n[search.refine]\nbatch = 7\n')
    )
    assert config.dataset.root == Path("/data")
    assert config.dataset.stride == 3
    assert config.search.types == (9,)
    assert config.search.settings.refine.batch == 7
    assert type(config.search.settings) is SearchConfig


def test_table_round_trip() -> None:
    config = BuildConfig(search=SearchSection(types=(1, 9), seed=4))

    def without_none(table: object) -> object:
        if isinstance(table, dict):
            return {key: without_none(value) for key, value in table.items() if value is not None}
        return table

    table = without_none(to_table(config))
    assert isinstance(table, dict)
    assert from_table(BuildConfig, table, where="here") == config


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        ("[dataset]\nrot = 'x'", ["'dataset.rot'", "did you mean 'dataset.root'", "stride"]),
        ("[serach]\nseed = 1", ["'serach'", "did you mean 'search'", "valid keys"]),
        ("[search.refine]\nbatches = 1", ["'search.refine.batches'", "'search.refine.batch'"]),
        ("[dataset]\nstride = 0", ["dataset.stride is 0", "1 or more"]),
        ("[dataset]\nstride = true", ["dataset.stride is True", "an integer"]),
        ("[dataset]\nstride = 1.5", ["dataset.stride is 1.5", "an integer"]),
        ("[dataset]\nscenes = [1, 'a']", ["dataset.scenes[1] is 'a'", "an integer"]),
        ("[dataset]\nscenes = [1, 1]", ["dataset.scenes"]),
        ("[dataset]\nscenes = 1", ["dataset.scenes is 1", "a list"]),
        ("[dataset]\nkind = 'kitti'", ["dataset.kind is 'kitti'", "'synthetic', 'recorded'"]),
        ("[dataset]\nroot = 3", ["dataset.root is 3", "a path"]),
        ("[dataset]\nskip_bad_frames = true", ["generated scenes"]),
        ("dataset = 3", ["dataset is 3", "a table [dataset]"]),
        ("[search]\ntypes = [0]", ["search.types is [0]", "1 to 33"]),
        ("[search]\ntypes = [9, 9]", ["twice"]),
        ("[search.refine]\nbatch = 0", ["search.refine.batch is 0"]),
        ("[objects]\nnames = ['025_mug', '025_mug']", ["twice"]),
        ("[project]\ntolerance = 0.0", ["project.tolerance"]),
        ("[dataset\n", ["not valid TOML", "line 1"]),
    ],
)
def test_bad_configuration_says_what_where_and_what_to_do(tmp_path: Path, text: str, mentions: list[str]) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert str(path) in message
    for mention in mentions:
        assert mention in message


def test_missing_configuration(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="configuration not found"):
        load_config(tmp_path / "none.toml")


def test_real_dataset_needs_its_folder(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[dataset]\nkind = 'ycb-video'"))
    with pytest.raises(ConfigError, match=r"--dataset.root DIR"):
        _ = config.dataset_root
