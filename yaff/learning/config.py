"""What a network is shown, how large it is and what it is taught by: frozen configurations, stored with its weights."""

from __future__ import annotations

from dataclasses import dataclass

from yaff.errors import ConfigError


@dataclass(frozen=True)
class ObservationConfig:
    """What of the scene a network is shown."""

    points: int = 256
    """Points of the object."""
    clutter: int = 64
    """Points of what stands beside it."""
    reach: float = 0.15
    """How near other objects have to be to be shown, metres from the object's middle."""
    occlusion: bool = True
    """Whether only the points that the camera sees are shown: not the far side, nor what others hide."""
    noise: float = 0.001
    """Standard deviation by which points are displaced in training, metres."""
    depth: bool = False
    """Whether measured depth decides what is seen, too, in frames that have it: what stands in front need not be among
    the objects. Needs the dataset's images."""
    crop: int = 0
    """Side of the crop of the colour image, pixels; 0 for none. Needs the dataset's images."""
    image_size: tuple[int, int] = (640, 480)
    """Points outside are not seen, pixels."""

    def __post_init__(self) -> None:
        if self.points < 64 or self.clutter < 1:
            raise ConfigError(
                f"observation.points is {self.points} and clutter {self.clutter}", remedy="64 and 1 at the least"
            )
        if self.crop and self.crop < 16:
            raise ConfigError(f"observation.crop is {self.crop}", remedy="16 or more, or 0 for none")
        if self.reach <= 0.0 or self.noise < 0.0:
            raise ConfigError("observation.reach must be positive, observation.noise not negative")


@dataclass(frozen=True)
class ArrangingConfig:
    """Arrangements that are made up to learn from, beside those that were recorded."""

    arrangements: int = 0
    """How many are dropped on a table in a simulation; 0 for none."""
    set_down: int = 0
    """How many more are set down beside each other as recorded ones stand: ten in the time in which one is dropped."""
    views: int = 8
    """Cameras that each is seen from."""
    fewest: int = 3
    """Objects of an arrangement."""
    most: int = 6

    @property
    def total(self) -> int:
        """How many there are in all."""
        return self.arrangements + self.set_down

    def __post_init__(self) -> None:
        if min(self.arrangements, self.set_down) < 0 or self.views < 1 or not 1 <= self.fewest <= self.most:
            raise ConfigError(
                f"generated: {self.arrangements} arrangements that are dropped and {self.set_down} set down, of "
                f"{self.fewest} to {self.most} objects seen from {self.views} cameras",
                remedy="none or more arrangements, 1 or more of the others, no more at least than at most",
            )


@dataclass(frozen=True)
class ModelConfig:
    """The size of the network."""

    width: int = 128
    """Features of a centre."""
    whole: int = 256
    """Features of the whole object."""
    centres: int = 48
    """Places on the object where a hand may touch it."""
    neighbours: int = 12
    """Points taken in round each centre."""
    layers: int = 2
    """Of attention between the centres."""
    image: bool = False
    """Whether a crop of the colour image (``observation.crop``) is looked at, too."""
    flow_width: int = 256
    flow_layers: int = 4
    dropout: float = 0.2
    """Share of the features of the whole that the types are learnt without."""

    def __post_init__(self) -> None:
        for name in ("width", "whole", "centres", "neighbours", "flow_width", "flow_layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} is {getattr(self, name)}", remedy="1 or more")
        if self.width % 8:
            raise ConfigError(f"model.width is {self.width}", remedy="a multiple of 8")


@dataclass(frozen=True)
class LossConfig:
    """How much each loss weighs."""

    types: float = 1.0
    places: float = 0.3
    flow: float = 1.0
    vertices: float = 0.5
    contact: float = 0.2
    penetration: float = 0.5
    plane: float = 0.2
    place_spread: float = 0.012
    """How far beside the middle of the contacts a centre still counts as the place, metres (standard deviation)."""
    late: float = 0.5
    """Losses through the hand begin at this time of the path, 0 to 1."""
    hands: int = 96
    """Hands of a batch that are posed for the losses through the hand."""
    vertices_posed: int = 128
    """Skin vertices of each."""
    skin_depth: float = 0.001
    """Skin that touches may be this deep inside, metres: it is soft."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.late < 1.0 or self.place_spread <= 0.0 or self.hands < 1:
            raise ConfigError("loss.late must be in [0, 1), loss.place_spread positive, loss.hands 1 or more")
