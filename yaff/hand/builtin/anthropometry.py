"""Published measurements of hands that the built-in hand is made from, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over a population, millimetres."""

    mean: float
    deviation: float

    def percentile(self, z: float) -> float:
        """The value ``z`` standard deviations above the mean, millimetres."""
        return self.mean + z * self.deviation


@dataclass(frozen=True)
class Ray:
    """The bones of one digit, millimetres."""

    metacarpal: Spread
    proximal: Spread
    distal: Spread
    pulp: float
    """Skin beyond the end of the distal bone."""
    middle: Spread | None = None
    """The thumb has none."""


# Buryanov and Kotiuk 2010, "Proportions of hand segments", Int. J. Morphol. 28(3):755-758: X-rays of 66 adults.
RAYS: Mapping[str, Ray] = {
    "thumb": Ray(Spread(46.2, 3.9), Spread(31.6, 3.1), Spread(21.7, 1.6), 5.7),
    "index": Ray(Spread(68.1, 6.3), Spread(39.8, 4.9), Spread(15.8, 2.3), 3.8, Spread(22.4, 2.5)),
    "middle": Ray(Spread(64.6, 5.4), Spread(44.6, 3.8), Spread(17.4, 1.9), 4.0, Spread(26.3, 3.0)),
    "ring": Ray(Spread(58.0, 5.1), Spread(41.4, 3.9), Spread(17.3, 2.2), 4.0, Spread(25.7, 3.3)),
    "pinky": Ray(Spread(53.7, 4.4), Spread(32.7, 2.8), Spread(16.0, 2.5), 3.7, Spread(18.1, 2.5)),
}

# ACOPLA 95 (Estrada et al. 1995): 2100 working adults of 20 to 59 years; deviations from the 5th and 95th percentile.
HAND_LENGTH: Mapping[str, Spread] = {"men": Spread(183.0, 10.0), "women": Spread(166.0, 8.0)}
HAND_BREADTH: Mapping[str, Spread] = {"men": Spread(84.0, 4.0), "women": Spread(75.0, 4.0)}
# Pheasant and Haslegrave 2006, "Bodyspace", 3rd edition: British adults of 19 to 65 years.
HAND_LENGTH_BRITISH: Mapping[str, Spread] = {"men": Spread(190.0, 10.0), "women": Spread(175.0, 9.0)}
HAND_BREADTH_BRITISH: Mapping[str, Spread] = {"men": Spread(85.0, 5.0), "women": Spread(75.0, 4.0)}

_Z95 = 1.645


def adult_range(table: Mapping[str, Spread]) -> tuple[float, float]:
    """The 5th percentile of women and the 95th of men, millimetres."""
    return table["women"].percentile(-_Z95), table["men"].percentile(_Z95)


def relative_spread(table: Mapping[str, Spread]) -> float:
    """Half the range from the 5th percentile of women to the 95th of men, over its middle."""
    low, high = adult_range(table)
    return (high - low) / (high + low)


def distal_to_tip(digit: str) -> float:
    """From the base of the distal bone to the tip of the skin, millimetres."""
    return RAYS[digit].distal.mean + RAYS[digit].pulp
