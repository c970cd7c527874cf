"""Image files of a dataset: read, and refused with their name where they are not what the dataset says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image, UnidentifiedImageError

from yaff.errors import FrameError

Array = np.ndarray

_COPY_AGAIN = "copy the file again from the dataset"


def read_image(
    path: Path, mode: str | None, size: tuple[int, int], *, where: str
) -> Shaped[Array, "height width *channels"]:
    """The pixels of an image file.

    Args:
        path: the file.
        mode: what to convert to, such as ``RGB``; None for one channel as it is.
        size: width and height it must have.
        where: file and frame, for messages.

    Returns:
        Row 0 is the top one, column 0 the left one. ``RGB`` gives (h, w, 3) uint8; None gives (h, w) in the type of
        the file: uint8 of a label image, uint16 or int32 of a depth image.

    Raises:
        FrameError: it cannot be decoded, or has another size or more channels.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image if mode is None else image.convert(mode))
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise FrameError(f"the image cannot be read ({error})", where=where, remedy=_COPY_AGAIN) from error
    found = (pixels.shape[1], pixels.shape[0])
    if found != size or (mode is None and pixels.ndim != 2):
        raise FrameError(
            f"the image is {found[0]}x{found[1]} with {pixels.ndim} dimensions, expected {size[0]}x{size[1]}",
            where=where,
            remedy=_COPY_AGAIN,
        )
    return pixels


def image_size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file, without decoding it.

    Raises:
        FrameError: it is not an image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise FrameError(f"the image cannot be read ({error})", where=path, remedy=_COPY_AGAIN) from error
