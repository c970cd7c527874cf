"""From a library to a queue, and from decisions back to a library; statistics of a review."""

from annotator.review.exchange import export_review, import_review
from annotator.review.opening import open_review, review_url
from annotator.review.statistics import ReviewStatistics, cohen_kappa, review_statistics

__all__ = [
    "ReviewStatistics",
    "cohen_kappa",
    "export_review",
    "import_review",
    "open_review",
    "review_statistics",
    "review_url",
]
