"""The review of grasps by people. So far: which grasp to look at next."""

from annotator.queue import Passing, ReviewItem, review_queue, shortfall

__all__ = ["Passing", "ReviewItem", "review_queue", "shortfall"]
