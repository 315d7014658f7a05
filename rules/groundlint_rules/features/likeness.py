"""What tells a picture again: its perceptual hash, and the small grey picture for a second look."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from groundlint.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 32


@step(of="images")
def grey(pixels: Image) -> Image:
    """The small picture in shades of grey."""
    return pixels.convert("L")


@step(of="images")
def thumbnail(grey: Image) -> Image:
    """The picture as a grey square of 32 pixels, its sides' ratio given up."""
    from PIL import Image as Pillow

    return grey.resize((SIDE, SIDE), Pillow.Resampling.LANCZOS, reducing_gap=2.0)


@feature(of="images", dtype=bytes)
def small_picture(thumbnail: Image) -> bytes:
    """The grey square, row by row: 1,024 bytes."""
    return thumbnail.tobytes()


@feature(of="images", dtype=bytes)
def phash(thumbnail: Image) -> bytes:
    """Perceptual hash, 8 bytes: which of the 64 lowest frequencies lie above their median (imagehash.phash)."""
    import imagehash
    import numpy as np

    return np.packbits(imagehash.phash(thumbnail).hash).tobytes()


@feature(of="images", dtype=int)
def pixel_digest(channels: NDArray[np.uint8]) -> int:
    """A checksum of the decoded small picture: equal for equal pixels in other bytes."""
    return zlib.crc32(channels)
