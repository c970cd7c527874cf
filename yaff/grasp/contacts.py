"""Where skin touches the object: per grasp and patch, and the points that stand for it in the wrench space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from yaff.errors import InputError
from yaff.grasp.interfaces import MeasuredObject, SkinPatches
from yaff.grasp.skin import SkinSamples, sample_skin
from yaff.hand.model import HandModel

Array = np.ndarray

CONTACT_DISTANCE = 0.003
"""Metres: skin this near to the surface counts as touching it (the compliance of a finger's pad)."""


@dataclass(frozen=True)
class Contacts:
    """Contacts of ``n`` grasps over ``P`` patches; object frame, metres. Rows without touch hold zeros."""

    names: tuple[str, ...]
    """Patch names, the order of the second axis."""
    touching: Bool[Array, "n P"]
    """Some skin of the patch lies within contact distance of the surface, or inside."""
    area: Float[Array, "n P"]
    """Skin within contact distance, square metres."""
    depth: Float[Array, "n P"]
    """Deepest point of the patch inside the object; 0 where none is."""
    point: Float[Array, "n P 3"]
    """Area-weighted centre of the touching skin, moved onto the surface."""
    normal: Float[Array, "n P 3"]
    """Unit, into the object: the direction in which the patch pushes, averaged over the touching skin."""
    extreme_valid: Bool[Array, "n P k"]
    """Which of the ``k`` extreme points exist: one for a small contact, up to ``k`` for an extended one."""
    extreme_point: Float[Array, "n P k 3"]
    """The touching points of a patch that differ most in place and normal, on the surface."""
    extreme_normal: Float[Array, "n P k 3"]
    """Unit, into the object."""

    def __len__(self) -> int:
        return len(self.touching)

    def points_and_normals(self, row: int) -> tuple[Float[Array, "m 3"], Float[Array, "m 3"]]:
        """Points and normals (into the object) of all extremes of one grasp, for the wrench measures.

        A patch that presses with unit normal force, spread over its contact in any way, exerts a wrench in the convex
        hull of those of its points. In the L1 wrench space the points at the rim of a contact therefore stand for all
        of it, and give an extended contact its torsion and its resistance to rocking (a soft finger) without a
        second friction law.
        """
        valid = self.extreme_valid[row]
        return self.extreme_point[row][valid], self.extreme_normal[row][valid]


def find_contacts(
    model: HandModel,
    patches: SkinPatches,
    vertices: Float[Array, "n v 3"],
    obj: MeasuredObject,
    distance: float = CONTACT_DISTANCE,
    *,
    extremes: int = 3,
) -> Contacts:
    """Contacts of posed hands with an object, per patch, all grasps at once.

    Args:
        model: for the faces.
        patches: the partition of the skin.
        vertices: posed skin, object frame, metres.
        obj: the object; its signed distance is looked up.
        distance: metres; skin nearer than this touches.
        extremes: points kept per touching patch, see :meth:`Contacts.points_and_normals`.

    Raises:
        InputError: vertices that are not finite, or a distance that is not positive.
    """
    check_vertices(vertices, where=obj.name)
    samples = sample_skin(vertices, model.faces, obj.sdf, reach=distance)
    return contacts_of_samples(samples, patches, obj, distance, extremes=extremes)


def contacts_of_samples(
    samples: SkinSamples,
    patches: SkinPatches,
    obj: MeasuredObject,
    distance: float = CONTACT_DISTANCE,
    *,
    extremes: int = 3,
) -> Contacts:
    """:func:`find_contacts` from skin that is already sampled, with a reach of at least ``distance``."""
    if not distance > 0.0 or extremes < 1:
        raise InputError(
            f"contact distance {distance} m, {extremes} extremes",
            remedy="give a positive distance and one point per patch or more",
        )
    n, count = samples.n, len(patches.names)
    near = np.flatnonzero(samples.distance <= distance)
    group = samples.grasp[near] * count + patches.labels[samples.vertex[near]]
    area, point, gradient = samples.area[near], samples.point[near], samples.gradient[near]

    def total(weights: Array) -> Array:
        return np.bincount(group, weights, minlength=n * count).astype(np.float64)  # integers when empty

    total_area = total(area)
    divisor = np.where(total_area > 0.0, total_area, 1.0)[:, None]
    centre = np.stack([total(area * point[:, k]) for k in range(3)], axis=1) / divisor
    normal = -np.stack([total(area * gradient[:, k]) for k in range(3)], axis=1)
    depth = np.zeros(n * count)
    np.maximum.at(depth, group, -samples.distance[near])
    inside = np.nonzero(samples.vertex_distance < 0.0)
    np.maximum.at(depth, inside[0] * count + patches.labels[inside[1]], -samples.vertex_distance[inside])
    touching = (total_area > 0.0) | (depth > 0.0)

    on_surface = point - samples.distance[near, None] * gradient
    chosen = _extremes(group, on_surface, gradient, n * count, extremes, obj.radius)
    valid = chosen >= 0
    # A patch of which only a corner dips in, between the samples, has depth but no sampled skin: no force either.
    touched = np.flatnonzero(total_area > 0.0)
    surface_distance, surface_gradient = obj.sdf.distance_and_gradient(centre[touched])
    centre[touched] -= surface_distance[:, None] * surface_gradient
    length = np.linalg.norm(normal[touched], axis=1)
    # Opposite sides of a thin wall cancel: then the gradient at the centre decides.
    clear = length > 1e-3 * total_area[touched]
    normal[touched] = np.where(
        clear[:, None], normal[touched] / np.where(clear, length, 1.0)[:, None], -surface_gradient
    )
    shape = (n, count)
    return Contacts(
        names=tuple(patches.names),
        touching=touching.reshape(shape),
        area=total_area.reshape(shape),
        depth=depth.reshape(shape),
        point=centre.reshape(*shape, 3),
        normal=normal.reshape(*shape, 3),
        extreme_valid=valid.reshape(*shape, extremes),
        extreme_point=_take(on_surface, chosen).reshape(*shape, extremes, 3),
        extreme_normal=_take(-gradient, chosen).reshape(*shape, extremes, 3),
    )


def check_vertices(vertices: Float[Array, "n v 3"], *, where: str) -> None:
    """Refuse posed skin that is not finite, naming the grasp.

    Args:
        vertices: skin of ``n`` posed hands, metres, any frame.
        where: the object and rows, for the message.

    Raises:
        InputError: a vertex is NaN or infinite; the row named is the first such grasp's in ``vertices``.
    """
    finite = np.isfinite(vertices).all(axis=(1, 2))
    if not finite.all():
        raise InputError(
            f"grasp {int(np.flatnonzero(~finite)[0])} has skin at NaN or infinity",
            where=where,
            remedy="check pose, wrist rotation and translation of that grasp",
        )


def _extremes(group: Array, point: Array, normal: Array, groups: int, count: int, scale: float) -> Array:
    """Farthest-point choice inside every group at once: rows (groups, count), -1 where there is no other.

    Distance is in ``(point / scale, normal)``, the measure of difference in the wrench space. Points closer than 1 %
    are the same contact.
    """
    chosen = np.full((groups, count), -1, dtype=np.intp)
    if not len(group):
        return chosen
    features = np.concatenate([point / scale, normal], axis=1)
    number = np.bincount(group, minlength=groups)
    mean = np.stack([np.bincount(group, column, minlength=groups) for column in features.T], axis=1)
    mean /= np.maximum(number, 1)[:, None]
    present = np.flatnonzero(number)
    apart = np.sum((features - mean[group]) ** 2, axis=1)
    limit = -1.0  # the first point of a group is taken however near to the mean
    least = np.full(len(group), np.inf)
    for k in range(count):
        # Last row of each group in the order (group, distance, -row): the farthest, ties to the lowest row.
        order = np.lexsort((-np.arange(len(group)), np.round(apart, 12), group))
        last = order[np.cumsum(number)[present] - 1]
        keep = apart[last] > limit
        chosen[present[keep], k] = last[keep]
        limit = 1e-4
        anchor = np.full(groups, -1, dtype=np.intp)
        anchor[present] = last
        least = np.minimum(least, np.sum((features - features[anchor[group]]) ** 2, axis=1))
        apart = least
    return chosen


def _take(values: Array, rows: Array) -> Array:
    """Rows of values (s, 3) by index (g, k); zeros where the index is -1."""
    if not len(values):
        return np.zeros((*rows.shape, 3))
    return np.where(rows[..., None] >= 0, values[rows], 0.0)
