"""Looking at what there is, without changing it: grasps of a library, frames of shards. The page is in ``page``."""

from annotator.viewing.content import GraspView, LibraryContent, ShardsContent

__all__ = ["GraspView", "LibraryContent", "ShardsContent"]
