"""All geometric measures of a batch of grasps (DESIGN section 5), in one call."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from yaff.errors import ConfigError
from yaff.grasp.batch import Grasps
from yaff.grasp.contacts import CONTACT_DISTANCE, Contacts, check_vertices, contacts_of_samples
from yaff.grasp.interfaces import GriddedObject, MeasuredObject, SkinPatches
from yaff.grasp.penetration import intersection_volume, max_penetration
from yaff.grasp.self_collision import SelfCollision
from yaff.grasp.skin import sample_skin
from yaff.grasp.wrench import grasp_quality
from yaff.hand.collision import collision_pieces
from yaff.hand.model import HandModel

Array = np.ndarray

GEOMETRIC_MEASURES: tuple[str, ...] = (
    "epsilon",
    "volume",
    "max_penetration",
    "intersection_volume",
    "self_penetration",
    "contact_count",
    "contact_area",
)
"""The measures that need no physics and no label: what :func:`measure_grasps` returns."""

_CHUNK = 128  # grasps at a time: some 100 MB of samples at most


@dataclass(frozen=True)
class MeasureConfig:
    """How grasps are measured; stored with a library, so that numbers can be compared."""

    contact_distance: float = CONTACT_DISTANCE
    """Metres: skin this near to the surface touches it."""
    friction: float = 1.0
    """Coulomb coefficient of the wrench measures (GraspIt's convention)."""
    edges: int = 8
    """Edges of the linearised friction cones."""
    points_per_patch: int = 3
    """Points that stand for the contact of one patch: its extremes in place and normal."""
    volume_points: int = 10
    """Contacts over which the volume is taken; epsilon is taken over all."""
    skin_divisions: int = 3
    """Each edge of a skin triangle near the object is cut in so many."""
    self_collision_shrink: float = 0.0015
    """Metres by which the pieces of the hand are shrunk before overlap counts."""

    def __post_init__(self) -> None:
        for name in ("contact_distance", "edges", "points_per_patch", "volume_points", "skin_divisions"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", where="measures", remedy="more than zero")
        if self.edges < 3 or self.volume_points < 3 or self.friction < 0 or self.self_collision_shrink < 0:
            raise ConfigError(
                f"edges {self.edges}, volume_points {self.volume_points}, friction {self.friction}, "
                f"self_collision_shrink {self.self_collision_shrink}",
                where="measures",
                remedy="three edges and three points or more, friction and shrink of zero or more",
            )


def measure_grasps(
    model: HandModel,
    patches: SkinPatches,
    obj: GriddedObject,
    grasps: Grasps,
    config: MeasureConfig | None = None,
    *,
    self_collision: SelfCollision | None = None,
) -> dict[str, Float[Array, "n"]]:
    """The :data:`GEOMETRIC_MEASURES` of every grasp, float32, units as in :data:`yaff.grasp.batch.MEASURES`.

    Args:
        model: the hand.
        patches: its skin's regions.
        obj: the object the grasps are on.
        grasps: wrist poses in the object's frame.
        config: how to measure; the defaults are the ones that a library states.
        self_collision: prepared pieces of the hand; made (and kept for the life of ``model``) if not given.

    Raises:
        InputError: a grasp whose skin is not finite.
    """
    config = config or MeasureConfig()
    collision = self_collision or self_collision_of(model, config.self_collision_shrink)
    columns: dict[str, list[Array]] = {name: [] for name in GEOMETRIC_MEASURES}
    for start in range(0, len(grasps), _CHUNK):
        part = grasps[start : start + _CHUNK]
        vertices, Ts_object_bone = model.vertices(part), model.bone_transforms(part)
        check_vertices(vertices, where=f"{obj.name}, rows from {start}")
        samples = sample_skin(
            vertices, model.faces, obj.sdf, reach=config.contact_distance, divisions=config.skin_divisions
        )
        contacts = contacts_of_samples(samples, patches, obj, config.contact_distance, extremes=config.points_per_patch)
        quality = wrench_measures(contacts, obj, config)
        columns["epsilon"].append(quality[:, 0])
        columns["volume"].append(quality[:, 1])
        columns["max_penetration"].append(max_penetration(samples))
        columns["intersection_volume"].append(intersection_volume(samples, vertices, model.faces, obj.sdf))
        columns["self_penetration"].append(collision.depth(vertices, Ts_object_bone))
        columns["contact_count"].append(contacts.touching.sum(axis=1))
        columns["contact_area"].append(contacts.area.sum(axis=1))
    return {
        name: np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
        for name, parts in columns.items()
    }


def wrench_measures(
    contacts: Contacts, obj: MeasuredObject, config: MeasureConfig | None = None
) -> Float[Array, "n 2"]:
    """Epsilon and volume of every grasp, torques about the centre of mass over the object's largest radius."""
    config = config or MeasureConfig()
    centre = np.asarray(obj.centre_of_mass, np.float64)
    quality = np.zeros((len(contacts), 2))
    for row in range(len(contacts)):
        points, normals = contacts.points_and_normals(row)
        if len(points):
            quality[row] = grasp_quality(
                points,
                normals,
                centre,
                float(obj.radius),
                friction=config.friction,
                edges=config.edges,
                volume_points=config.volume_points,
            )
    return quality


_PREPARED: WeakKeyDictionary[HandModel, dict[float, SelfCollision]] = WeakKeyDictionary()


def self_collision_of(model: HandModel, shrink: float = 0.0015) -> SelfCollision:
    """The prepared self-collision test of a hand, made once per model and shrink (metres)."""
    kept = _PREPARED.setdefault(model, {})
    if shrink not in kept:
        kept[shrink] = SelfCollision.of(model, collision_pieces(model, shrink))
    return kept[shrink]
