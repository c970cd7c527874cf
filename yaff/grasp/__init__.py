"""Grasps of one object, their contacts, wrench spaces and quality measures.

The batch is here at once; what measures it is imported when it is first used, for it needs PyTorch (the signed
distance) and SciPy, and who only reads grasps should not wait for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from yaff.grasp.batch import MEASURES, SHAKE_DIRECTIONS, Grasps, Measure, ReviewState

if TYPE_CHECKING:
    from yaff.grasp.contacts import CONTACT_DISTANCE, Contacts, contacts_of_samples, find_contacts
    from yaff.grasp.measures import (
        GEOMETRIC_MEASURES,
        MeasureConfig,
        measure_grasps,
        self_collision_of,
        wrench_measures,
    )
    from yaff.grasp.penetration import intersection_volume, max_penetration
    from yaff.grasp.self_collision import SelfCollision
    from yaff.grasp.skin import SkinSamples, sample_skin
    from yaff.grasp.wrench import (
        contact_wrenches,
        epsilon,
        epsilon_and_volume,
        friction_cones,
        grasp_quality,
        is_force_closure,
        spread_contacts,
    )

__all__ = [
    "CONTACT_DISTANCE",
    "GEOMETRIC_MEASURES",
    "MEASURES",
    "SHAKE_DIRECTIONS",
    "Contacts",
    "Grasps",
    "Measure",
    "MeasureConfig",
    "ReviewState",
    "SelfCollision",
    "SkinSamples",
    "contact_wrenches",
    "contacts_of_samples",
    "epsilon",
    "epsilon_and_volume",
    "find_contacts",
    "friction_cones",
    "grasp_quality",
    "intersection_volume",
    "is_force_closure",
    "max_penetration",
    "measure_grasps",
    "sample_skin",
    "self_collision_of",
    "spread_contacts",
    "wrench_measures",
]

_HOMES: dict[str, tuple[str, ...]] = {
    "yaff.grasp.contacts": (
        "CONTACT_DISTANCE",
        "Contacts",
        "contacts_of_samples",
        "find_contacts",
    ),
    "yaff.grasp.measures": (
        "GEOMETRIC_MEASURES",
        "MeasureConfig",
        "measure_grasps",
        "self_collision_of",
        "wrench_measures",
    ),
    "yaff.grasp.penetration": (
        "intersection_volume",
        "max_penetration",
    ),
    "yaff.grasp.self_collision": ("SelfCollision",),
    "yaff.grasp.skin": (
        "SkinSamples",
        "sample_skin",
    ),
    "yaff.grasp.wrench": (
        "contact_wrenches",
        "epsilon",
        "epsilon_and_volume",
        "friction_cones",
        "grasp_quality",
        "is_force_closure",
        "spread_contacts",
    ),
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
