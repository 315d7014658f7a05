"""Search for a part of an image elsewhere in the same image, such as a logo that is printed twice.

The part is compared with all places at several scales, by the maximum of the normalized cross-correlation (Lewis, "Fast
Normalized Cross-Correlation", 1995). The image is a small gray square, which distorts an object and its repetition
alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIN_SIDE = 9
"""Shorter side of a part, in px of the small image, below which too little is seen of it."""

_SCALES = (0.8, 0.9, 1.0, 1.1, 1.25)
"""Sides of the repetition, relative to those of the part."""

_MIN_DEVIATION = 6.0
"""Standard deviation of gray levels below which a part is nearly flat and correlates with anything."""

_MAX_COVERED = 0.1
"""Share of the width and height of a place that a box may cover."""

Edges = tuple[int, int, int, int]


class Place(NamedTuple):
    """Where a part is found again: `edges` are left, top, right, bottom, in px of the small image."""

    correlation: float
    edges: Edges


def repetition(gray: NDArray[np.uint8], part: Edges, boxes: Sequence[Edges]) -> Place | None:
    """The place outside of all boxes that correlates most with a part of the image; None if there is none.

    Args:
        gray: (height, width), 0 to 255.
        part: Left, top, right and bottom of the part.
        boxes: The places that do not count, that of the part included.
    """
    left, top, right, bottom = part
    content = gray[top:bottom, left:right]
    best: Place | None = None
    for scale in _SCALES:
        width, height = round((right - left) * scale), round((bottom - top) * scale)
        if width >= gray.shape[1] or height >= gray.shape[0]:
            continue
        sought = np.asarray(Image.fromarray(content).resize((width, height), Image.Resampling.BILINEAR), np.float32)
        if sought.std() < _MIN_DEVIATION:
            continue
        found = _correlations(gray.astype(np.float32), sought)
        for box in boxes:
            columns = _covered(box[0], box[2], width)
            found[_covered(box[1], box[3], height), columns] = 0
        y, x = (int(place) for place in np.unravel_index(found.argmax(), found.shape))
        if not best or found[y, x] > best.correlation:
            best = Place(round(float(found[y, x]), 6), (x, y, x + width, y + height))
    return best


def _covered(start: int, end: int, side: int) -> slice:
    """Where a window of a side starts if more than a tenth of it lies between start and end."""
    return slice(max(0, int(start - side * (1 - _MAX_COVERED))), max(0, int(end - side * _MAX_COVERED)))


def _correlations(gray: NDArray[np.float32], sought: NDArray[np.float32]) -> NDArray[np.float32]:
    """The normalized cross-correlation at each place; 0 where it is nearly flat."""
    windows = np.lib.stride_tricks.sliding_window_view(gray, sought.shape)
    pattern = (sought - sought.mean()) / (sought.std() * sought.size)
    deviations = windows.std(axis=(2, 3))
    products = np.einsum("yxij,ij->yx", windows, pattern)
    return np.where(deviations < _MIN_DEVIATION, 0, products / np.maximum(deviations, _MIN_DEVIATION))
