"""Editing one grasp: degrees of freedom, thumb presets, wrist nudges, closing a finger, undo and redo."""

from annotator.editing.closing import close_finger
from annotator.editing.editor import Editor
from annotator.editing.history import History, Step
from annotator.editing.thumb import THUMB_PRESETS, thumb_preset

__all__ = ["THUMB_PRESETS", "Editor", "History", "Step", "close_finger", "thumb_preset"]
