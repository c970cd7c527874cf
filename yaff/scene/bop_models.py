"""Which model frame a BOP tree's poses are in: YCB-Video's, or one at the middle of each model's bounding box."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from yaff.errors import FormatError
from yaff.objects.catalogue import Catalogue

Array = np.ndarray

_CENTRED = 0.2
"""Millimetres within which the middle of a box is the origin."""


def model_offsets(root: Path) -> dict[int, Float[Array, "3"]]:
    """Offset of each BOP model by object index, metres: BOP's frame = object frame + offset; empty where they are one.

    Decided by ``models_info.json`` of the dataset: models whose boxes are all centred at their origin are BOP's edition
    of YCB-Video. A tree without models is taken to be in the YCB-Video frame.

    Args:
        root: the dataset, or one of its splits.

    Raises:
        FormatError: a ``models_info.json`` that is not one.
    """
    places = [place / name / "models_info.json" for place in (root, root.parent) for name in ("models", "models_eval")]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        return {}
    try:
        models = json.loads(path.read_bytes()).values()
        offsets = [abs(m[f"min_{a}"] + 0.5 * m[f"size_{a}"]) for m in models for a in "xyz"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"not a table of models ({error!r})", where=path, remedy="copy it again") from None
    if not offsets or max(offsets) > _CENTRED:
        return {}
    known = Catalogue.load()
    return {known[name].index: known[name].bop_offset for name in known.names}
