"""Sliders of the degrees of freedom of some fingers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from annotator.app.components.objects import PosedHand, WristGizmo
from yaff.hand.anatomy import DegreeOfFreedom


class JointPanel(Element, component="joint_panel.js"):
    """Sliders that pose the hand in the page while they move, and speak to the server when they are let go.

    Args:
        freedoms: which degrees of freedom.
        hand: the hand that they pose.
        gizmo: the gizmo at its wrist.
        on_joint: called with the name and the radians of a slider that was let go.
        on_wrist: called with ``T_object_hand`` (16 numbers, row by row) when the gizmo was let go; given to one panel.
        also: hands in other scenes that follow this one.
    """

    def __init__(
        self,
        freedoms: Sequence[DegreeOfFreedom],
        hand: PosedHand,
        gizmo: WristGizmo,
        on_joint: Callable[[str, float], Any],
        on_wrist: Callable[[Sequence[float]], Any] | None = None,
        also: Sequence[PosedHand] = (),
    ) -> None:
        super().__init__()
        self._props["freedoms"] = [
            {
                "name": f.name,
                "label": f.name.partition(".")[2].replace(".", " "),
                "lower": round(float(np.rad2deg(f.lower)), 1),
                "upper": round(float(np.rad2deg(f.upper)), 1),
                "source": f.source,
            }
            for f in freedoms
        ]
        self._props["scene"] = hand.scene.id
        self._props["hand"] = hand.id
        self._props["gizmo"] = gizmo.id
        self._props["also"] = [[other.scene.id, other.id] for other in also]
        self._props["shown"] = {"angles": {}, "enabled": False}
        self._props["lead"] = on_wrist is not None
        self._names = [f.name for f in freedoms]
        self.on("joint", lambda e: on_joint(*_joint(e)))
        if on_wrist is not None:
            self.on("wrist", lambda e: on_wrist([float(v) for v in e.args["wrist"]]))

    def show(self, angles: Mapping[str, float], enabled: bool) -> None:
        """Set the sliders, radians by name."""
        shown = {name: float(np.rad2deg(angles[name])) for name in self._names if name in angles}
        self._props["shown"] = {"angles": shown, "enabled": enabled}
        self.update()


def _joint(event: GenericEventArguments) -> tuple[str, float]:
    return str(event.args["name"]), float(np.deg2rad(float(event.args["degrees"])))
