"""EXIF orientation: from the rectangles of an image as the file holds it to those of the upright image."""

from __future__ import annotations

from groundlint.images.record import Rectangle

UPRIGHT = 1
"""The orientation of an image that is shown as the file holds it."""


def has_swapped_sides(orientation: int) -> bool:
    """Whether the width of the file is the height of the upright image."""
    return orientation >= 5


def upright(box: Rectangle, size: tuple[int, int], orientation: int) -> Rectangle:
    """A rectangle in the upright image.

    Args:
        box: Left, top, width and height in the image as the file holds it, in pixels.
        size: Width and height of the image as the file holds it.
        orientation: The EXIF orientation, 1 to 8.
    """
    left, top, width, height = box
    right, bottom = size[0] - left - width, size[1] - top - height
    return {
        2: (right, top, width, height),
        3: (right, bottom, width, height),
        4: (left, bottom, width, height),
        5: (top, left, height, width),
        6: (bottom, left, height, width),
        7: (bottom, right, height, width),
        8: (top, right, height, width),
    }.get(orientation, box)
