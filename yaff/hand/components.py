"""Principal components of hand poses, as MANO uses them: a few coefficients for 45 numbers, and the way back.

Poses are relative to the flat hand everywhere in YAFF. A MANO file brings its own components and mean pose
(``hands_components``, ``hands_mean``); code around manopth and smplx speaks in coefficients of those, with the mean
pose added or, under ``flat_hand_mean``, not. This module converts either way and says what a conversion loses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from yaff.errors import InputError
from yaff.geometry.transforms import rotation_angle, rotation_from_axis_angle

Array = np.ndarray

_MIRROR = np.tile([1.0, -1.0, -1.0], 15)
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class PoseComponents:
    """A mean pose and 45 directions in the space of poses, the most telling first.

    Raises:
        InputError: NaN, or components that do not span all poses.
    """

    mean: Float[Array, "45"]
    """The mean pose relative to the flat hand, axis-angle, radians."""
    components: Float[Array, "45 45"]
    """One component in each row; MANO's need not be of unit length."""

    def __post_init__(self) -> None:
        for name in ("mean", "components"):
            values = np.array(getattr(self, name), np.float64)
            if not np.isfinite(values).all():
                raise InputError(f"the pose {name} holds NaN or infinity")
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        if np.linalg.cond(self.components) > 1e8:
            raise InputError("the pose components do not span all poses")

    def pose(self, coefficients: Float[Array, "n k"], *, flat_hand_mean: bool = False) -> Float[Array, "n 45"]:
        """Poses (n, 45) relative to the flat hand, from coefficients of the first k components.

        Args:
            coefficients: (n, k), k from 0 to 45.
            flat_hand_mean: the coefficients are relative to the flat hand, so the mean pose is not added: what manopth
                and smplx mean by the name.
        """
        start = np.zeros(45) if flat_hand_mean else self.mean
        values = np.asarray(coefficients, np.float64)
        return start + values @ self.components[: values.shape[1]]

    def coefficients(
        self, pose: Float[Array, "n 45"], count: int = 45, *, flat_hand_mean: bool = False
    ) -> tuple[Float[Array, "n k"], Float[Array, "n 15"]]:
        """Coefficients (n, count) nearest to poses, and the angle (n, 15), radians, by which each joint is missed.

        Nearest in the sum of squares over the 45 numbers; with all 45 components nothing is missed.

        Raises:
            InputError: ``count`` is not within 0 to 45.
        """
        if not 0 <= count <= 45:
            raise InputError(f"{count} components were asked for", remedy="0 to 45")
        wanted = np.asarray(pose, np.float64)
        start = np.zeros(45) if flat_hand_mean else self.mean
        solution = np.linalg.lstsq(self.components[:count].T, (wanted - start).T, rcond=None)[0].T
        met = rotation_from_axis_angle(self.pose(solution, flat_hand_mean=flat_hand_mean).reshape(-1, 15, 3))
        return solution, rotation_angle(np.swapaxes(met, -1, -2) @ rotation_from_axis_angle(wanted.reshape(-1, 15, 3)))

    def explained_variance(self, poses: Float[Array, "n 45"]) -> Float[Array, "45"]:
        """Share of the poses' variance about the mean that the first 1, 2, ... 45 components account for."""
        basis = np.linalg.qr(self.components.T)[0]  # the first k columns span the first k components
        power = (((np.asarray(poses, np.float64) - self.mean) @ basis) ** 2).sum(0)
        return np.cumsum(power) / power.sum()

    def mirrored(self) -> PoseComponents:
        """The components of the other hand, reflected in x: equal coefficients then mean mirror-image poses."""
        return PoseComponents(self.mean * _MIRROR, self.components * _MIRROR)


def principal_components(poses: Float[Array, "n 45"]) -> PoseComponents:
    """Orthonormal components of poses, by decreasing variance; coefficients are in radians.

    The sign of each is such that its entry of largest magnitude is positive. Directions in which the poses do not vary
    (a finger's middle joint has one degree of freedom, not three) complete the basis in a fixed way.

    Raises:
        InputError: fewer than two poses.
    """
    values = np.asarray(poses, np.float64)
    if len(values) < 2:
        raise InputError(f"{len(values)} poses have no components", remedy="give at least two")
    mean = values.mean(0)
    _, spread, rows = np.linalg.svd(values - mean, full_matrices=False)
    basis = list(rows[spread > _ROUNDING * spread[0]])
    for axis in np.eye(45):
        if len(basis) == 45:
            break
        known = np.stack(basis)
        rest = axis - known.T @ (known @ axis)
        rest = rest - known.T @ (known @ rest)  # twice is enough (Giraud, Langou, Rozloznik 2005)
        length = np.linalg.norm(rest)
        if length > 1e-6:
            basis.append(rest / length)
    components = np.stack(basis)
    largest = np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1)
    return PoseComponents(mean, components * np.sign(largest))
