"""The configuration of a build: frozen dataclasses that are TOML file, command line and record in the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from pipelines.toml import read_toml
from yaff.errors import ConfigError
from yaff.search.config import SearchConfig


@dataclass(frozen=True)
class HandSection:
    """The hand that grasps."""

    side: Literal["right", "left"] = "right"
    """Which hand."""
    model: Literal["auto", "builtin", "mano"] = "auto"
    """"auto" takes the licensed MANO model where it is installed, else the built-in hand."""
    folder: Path | None = None
    """Folder with the licensed MANO_RIGHT.pkl or MANO_LEFT.pkl; the user's data folder when not set."""


@dataclass(frozen=True)
class SyntheticSection:
    """The scenes that are generated where ``dataset.kind`` is "synthetic"."""

    scenes: int = 2
    """How many scenes; each drops the objects anew."""
    frames: int = 24
    """Camera poses in each scene."""
    min_objects: int = 3
    """Objects dropped in each scene, at least."""
    max_objects: int = 4
    """Objects dropped in each scene, at most."""
    image_every: int = 8
    """Every which frame of a scene, from the first, gets colour, depth and label pictures; 0 for none."""
    seed: int = 0
    """Other seeds give other scenes."""

    def __post_init__(self) -> None:
        for name in ("scenes", "frames", "min_objects"):
            _at_least(1, getattr(self, name), f"dataset.synthetic.{name}")
        _at_least(self.min_objects, self.max_objects, "dataset.synthetic.max_objects")
        _at_least(0, self.image_every, "dataset.synthetic.image_every")


@dataclass(frozen=True)
class DatasetSection:
    """The frames that the grasps are projected into."""

    kind: Literal["synthetic", "recorded", "ycb-video"] = "synthetic"
    """"synthetic" generates scenes first; "recorded" reads what is there: a YCB-Video folder, a BOP folder or a table
    of poses ("ycb-video" is its older name)."""
    root: Path | None = None
    """Folder (or pose table) of the dataset; a synthetic one goes to OUT/dataset when this is not set."""
    scenes: tuple[int, ...] = ()
    """Scenes to project; all of them when empty."""
    stride: int = 1
    """Every stride-th frame of a scene."""
    skip_bad_frames: Annotated[bool, arg(aliases=["--skip-bad-frames"])] = False
    """Leave out frames that cannot be read, and list them in the report, instead of stopping."""
    synthetic: SyntheticSection = field(default_factory=SyntheticSection)

    def __post_init__(self) -> None:
        _at_least(1, self.stride, "dataset.stride")
        if len(set(self.scenes)) != len(self.scenes) or any(scene < 0 for scene in self.scenes):
            raise ConfigError(f"dataset.scenes is {list(self.scenes)}", remedy="scene numbers, each once, from 0 on")


@dataclass(frozen=True)
class ObjectsSection:
    """The objects that are grasped."""

    names: tuple[str, ...] = ()
    """YCB names such as 025_mug, or those of your own objects; all 21 when empty."""
    source: Literal["auto", "installed", "stand-in", "folder"] = "auto"
    """"auto": the folder objects.models or dataset.root/models where there is one, else installed meshes (yaff assets
    install), and stand-ins for what is not installed; "installed": only installed ones; "stand-in": parametric shapes
    of the same size; "folder": only that folder."""
    models: Path | None = None
    """Folder with NNN_name/textured_simple.obj; dataset.root/models when not set."""
    cache: Path | None = None
    """Folder for derived geometry (distance grids, convex pieces); the user's cache folder when not set."""

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ConfigError("objects.names holds a name twice", remedy="each object once")


@dataclass(frozen=True)
class SearchSection(SearchConfig):
    """Which grasps are looked for, and, in the tables of :class:`SearchConfig`, with what effort."""

    types: tuple[int, ...] = ()
    """Feix numbers, 1 to 33; all 33 when empty."""
    seed: int = 0
    """Other seeds give other grasps."""
    planner: Literal["contact", "eigengrasp"] = "contact"
    """"contact" is the search; "eigengrasp" GraspIt's method, as a baseline."""
    library: Path | None = None
    """A finished grasp library to use instead of searching."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if any(not 1 <= number <= 33 for number in self.types):
            raise ConfigError(f"search.types is {list(self.types)}", remedy="Feix numbers, 1 to 33")
        if len(set(self.types)) != len(self.types):
            raise ConfigError("search.types holds a number twice", remedy="each type once")

    @property
    def settings(self) -> SearchConfig:
        """What the search itself is told."""
        return SearchConfig(**{entry.name: getattr(self, entry.name) for entry in fields(SearchConfig)})


@dataclass(frozen=True)
class ProjectSection:
    """How the annotations are written."""

    layout: Annotated[Literal["compact", "wrist", "full"], arg(aliases=["--layout"])] = "compact"
    """"compact" stores grasp numbers, "wrist" adds camera-frame wrists, "full" all 51 parameters."""
    tolerance: float = 1e-3
    """Relative motion of objects (metres) within which frames share one arrangement."""
    visibility: bool = False
    """Store which share of each object is seen in each frame; takes about 50 ms a frame."""

    def __post_init__(self) -> None:
        if not self.tolerance > 0.0:
            raise ConfigError(f"project.tolerance is {self.tolerance}", remedy="a positive length in metres")


@dataclass(frozen=True)
class OutputSection:
    """Where the results go and who does the work. Nothing here changes a byte of the data."""

    folder: Annotated[Path, arg(aliases=["--out"])] = Path("out")
    """Folder for the library, the shards, the report and the work in progress."""
    workers: Annotated[int, arg(aliases=["--workers"])] = 0
    """Processes at work; 0 takes every core."""
    backend: Annotated[Literal["local", "dask"], arg(aliases=["--backend"])] = "local"
    """"local" works on this machine; "dask" hands the units to a cluster."""
    scheduler: Annotated[str | None, arg(aliases=["--scheduler"])] = None
    """Address of the Dask scheduler, tcp://host:port; without it Dask starts on this machine."""

    def __post_init__(self) -> None:
        _at_least(0, self.workers, "output.workers")


@dataclass(frozen=True)
class ReportSection:
    """What the report shows."""

    grasps: int = 12
    """Pictures of random verified grasps."""
    frames: int = 4
    """Pictures of projected frames."""
    seed: int = 0
    """Other seeds pick other grasps and frames."""

    def __post_init__(self) -> None:
        _at_least(0, self.grasps, "report.grasps")
        _at_least(0, self.frames, "report.frames")


@dataclass(frozen=True)
class BuildConfig:
    """Everything that ``yaff build`` needs to know."""

    hand: HandSection = field(default_factory=HandSection)
    dataset: DatasetSection = field(default_factory=DatasetSection)
    objects: ObjectsSection = field(default_factory=ObjectsSection)
    search: SearchSection = field(default_factory=SearchSection)
    project: ProjectSection = field(default_factory=ProjectSection)
    output: OutputSection = field(default_factory=OutputSection)
    report: ReportSection = field(default_factory=ReportSection)

    def __post_init__(self) -> None:
        if self.dataset.kind == "synthetic" and self.dataset.skip_bad_frames:
            raise ConfigError("dataset.skip_bad_frames makes no sense for generated scenes", remedy="leave it out")

    @property
    def dataset_root(self) -> Path:
        """The folder of the dataset: as configured, or OUT/dataset for generated scenes.

        Raises:
            ConfigError: a real dataset without its folder.
        """
        if self.dataset.root is not None:
            return self.dataset.root
        if self.dataset.kind == "synthetic":
            return self.output.folder / "dataset"
        raise ConfigError("dataset.root is not set", remedy="say where it is: --dataset.root DIR")

    @property
    def models(self) -> Path:
        """The folder of the scanned meshes."""
        root = self.dataset_root
        return self.objects.models or (root.parent if root.is_file() else root) / "models"


def load_config(path: Path) -> BuildConfig:
    """The configuration in a TOML file; see :func:`pipelines.toml.read_toml` for what it raises."""
    return read_toml(path, BuildConfig)


def _at_least(least: int, value: int, key: str) -> None:
    if value < least:
        raise ConfigError(f"{key} is {value}", remedy=f"{least} or more")
