"""Where reviews are kept: one database beside the library, an append-only log of decisions, leases on grasps."""

from annotator.store.database import SCHEMA_VERSION, open_database
from annotator.store.queries import QueueFilter
from annotator.store.reader import Page, ReviewReader
from annotator.store.records import Action, Decision, Entry, GraspState, Item, ItemState, Lease, Verification
from annotator.store.review_store import ReviewStore

__all__ = [
    "SCHEMA_VERSION",
    "Action",
    "Decision",
    "Entry",
    "GraspState",
    "Item",
    "ItemState",
    "Lease",
    "Page",
    "QueueFilter",
    "ReviewReader",
    "ReviewStore",
    "Verification",
    "open_database",
]
