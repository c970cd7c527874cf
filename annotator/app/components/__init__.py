"""Scene objects and controls of our own, for the page; each a Python class beside its JavaScript."""

from annotator.app.components.joints import JointPanel
from annotator.app.components.objects import PosedHand, TexturedObject, WristGizmo

__all__ = ["JointPanel", "PosedHand", "TexturedObject", "WristGizmo"]
