"""The 33 grasp types as data, and the check that a grasp is of its type."""

from yaff.taxonomy.conformity import Conformity, conforms, patch_mask
from yaff.taxonomy.table import FINGERS, GRASP_TYPES, ContactGroup, GraspType, grasp_type, read_table

__all__ = [
    "FINGERS",
    "GRASP_TYPES",
    "Conformity",
    "ContactGroup",
    "GraspType",
    "conforms",
    "grasp_type",
    "patch_mask",
    "read_table",
]
