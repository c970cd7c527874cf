"""Scene objects and controls of our own, for the page; each a Python class beside its JavaScript."""

from annotator.app.components.joints import JointPanel
from annotator.app.components.objects import CameraFrame, PosedHand, TexturedObject, WristGizmo

__all__ = ["CameraFrame", "JointPanel", "PosedHand", "TexturedObject", "WristGizmo"]
