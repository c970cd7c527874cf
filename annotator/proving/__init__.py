"""Snap and Verify: the search's refinement and physics, on one grasp that a person edits."""

from annotator.proving.prover import Prover, snap_freedoms
from annotator.proving.workers import Job, ProvingPool

__all__ = ["Job", "Prover", "ProvingPool", "snap_freedoms"]
