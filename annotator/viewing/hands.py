"""Which hands of a frame are looked at: one on every object or a single one, remembered from frame to frame."""

from __future__ import annotations

import numpy as np

from annotator.viewing.content import FrameContent, ShardsContent


class HandChoice:
    """The hands that are shown of the frames of a dataset.

    Every object has one grasp that is looked at. It is remembered as a row of the library, so that the same grasp is
    looked at in the next frame, where it is feasible there too; its neighbour in the library where it is not.

    Args:
        content: the dataset.
    """

    def __init__(self, content: ShardsContent) -> None:
        self._content = content
        self._frame: FrameContent | None = None
        self._library_rows: dict[str, int] = {}
        self.everybody = True
        """Whether every object has its hand, or only the chosen one."""
        self.name: str | None = None
        """The chosen object; ``None`` in a frame without any."""

    @property
    def grasps(self) -> range:
        """Annotations of the chosen object in this frame."""
        return self._of(self.name)

    @property
    def at(self) -> int:
        """Which of them is looked at; 0 where there is none."""
        return self._at(self.name)

    @property
    def chosen(self) -> int | None:
        """The annotation that is looked at."""
        return self.grasps[self.at] if self.grasps else None

    @property
    def shown(self) -> tuple[tuple[str, int], ...]:
        """Object and annotation of every hand that is shown, the chosen one among them."""
        if self._frame is None:
            return ()
        names = [name for name, _, rows in self._frame.objects if rows and (self.everybody or name == self.name)]
        return tuple((name, self._of(name)[self._at(name)]) for name in names)

    def turn_to(self, frame: FrameContent) -> None:
        """Another frame; the chosen object stays where the frame has it, else the first that has grasps is chosen."""
        self._frame = frame
        names = [name for name, _, _ in frame.objects]
        if self.name not in names:
            self.name = next((name for name, _, rows in frame.objects if rows), names[0] if names else None)

    def pick(self, at: int) -> None:
        """Look at this grasp of the chosen object; beyond the last comes the first."""
        if self.name is not None and self.grasps:
            row = self.grasps[at % len(self.grasps)]
            self._library_rows[self.name] = int(self._content.library_rows(range(row, row + 1))[0])

    def step(self, by: int) -> None:
        """Look at the next grasp of the chosen object, or the one before."""
        self.pick(self.at + by)

    def _of(self, name: str | None) -> range:
        objects = () if self._frame is None else self._frame.objects
        return next((rows for other, _, rows in objects if other == name), range(0))

    def _at(self, name: str | None) -> int:
        rows = self._of(name)
        if name not in self._library_rows or not rows:
            return 0
        distance = np.abs(self._content.library_rows(rows).astype(np.int64) - self._library_rows[name])
        return int(distance.argmin())
