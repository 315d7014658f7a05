"""What tells a picture again: its perceptual hash, and the small grey picture for a second look."""

from __future__ import annotations

import zlib
from functools import cache
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
def thumbnail(grey: Image) -> NDArray[np.uint8]:
    """The picture as a grey square of 32 pixels, its sides' ratio given up: (32, 32)."""
    import numpy as np

    # As two products of matrices it takes a fifth of the time of Pillow's `resize`, of which the weights are.
    square = _weights(grey.height).T @ np.asarray(grey, np.float32) @ _weights(grey.width)
    shades: NDArray[np.uint8] = np.clip(np.rint(square), 0, 255).astype(np.uint8)
    return shades


@feature(of="images", dtype=bytes, version=2)
def small_picture(thumbnail: NDArray[np.uint8]) -> bytes:
    """The grey square, row by row: 1,024 bytes."""
    return thumbnail.tobytes()


@feature(of="images", dtype=bytes, version=2)
def phash(thumbnail: NDArray[np.uint8]) -> bytes:
    """Perceptual hash, 8 bytes: which of the 64 lowest frequencies lie above their median (imagehash.phash)."""
    import imagehash
    import numpy as np
    from PIL import Image as Pillow

    return np.packbits(imagehash.phash(Pillow.fromarray(thumbnail)).hash).tobytes()


@feature(of="images", dtype=int)
def pixel_digest(channels: NDArray[np.uint8]) -> int:
    """A checksum of the decoded small picture: equal for equal pixels in other bytes."""
    return zlib.crc32(channels.data)


@cache
def _weights(side: int) -> NDArray[np.float32]:
    """What each pixel of a side counts for in each of the square's: (side, 32), by Lanczos' filter."""
    import numpy as np
    from PIL import Image as Pillow

    pixels = Pillow.fromarray(np.eye(side, dtype=np.float32))
    return np.asarray(pixels.resize((SIDE, side), Pillow.Resampling.LANCZOS))
