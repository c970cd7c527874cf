"""Where the real meshes, poses and published grasps are that benchmarks are run on."""

from __future__ import annotations

import os
from pathlib import Path

from yaff.errors import MissingFileError


def real_data() -> Path:
    """The folder with the real data: ``YAFF_DATA``, or ``../shared/data``.

    Raises:
        MissingFileError: it is not there.
    """
    folder = Path(os.environ.get("YAFF_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        raise MissingFileError("no real data", where=folder, remedy="set YAFF_DATA to the folder that holds it")
    return folder
