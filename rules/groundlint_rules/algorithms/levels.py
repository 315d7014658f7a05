"""Shades below which a share of a picture's pixels lies."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def counted(grey: Image) -> list[int]:
    """How many pixels have each of the 256 shades, or a lower one."""
    return list(accumulate(grey.histogram()))


def below(counts: list[int], share: float) -> int:
    """The shade below which a share of the pixels lies, 0 to 255."""
    return bisect_left(counts, share * counts[-1])
