"""How hard hands close in tests: torques given, everything else plain."""

from __future__ import annotations

import numpy as np

from yaff.search.states import Effort


def pressing(torque: np.ndarray, force: float = 0.0, stiffness: float = 0.0) -> Effort:
    """Joints of these torques (newton metres), and of this stiffness once they hold something."""
    return Effort(torque, np.full(5, force), np.full(len(torque), stiffness), torque)
