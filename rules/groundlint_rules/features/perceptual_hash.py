"""What tells a picture again: its perceptual hash, and the small grey picture for a second look."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from groundlint.engine.features import feature, step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 32

_JPEG = ("JPEG", "MPO")
_START_OF_SCAN = 0xDA
_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
"""Segments of a JPEG file without a say in its pixels: comments, and applications' but JFIF's and Adobe's."""

_STRIP = 256
"""Rows of a picture that are copied at once."""


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


@feature(of="images", dtype=bytes, version=2, length=SIDE * SIDE)
def small_image(thumbnail: NDArray[np.uint8]) -> bytes:
    """The grey square, row by row: 1,024 bytes."""
    return thumbnail.tobytes()


@feature(of="images", dtype=bytes, version=2, length=8)
def phash(thumbnail: NDArray[np.uint8]) -> bytes:
    """Perceptual hash, 8 bytes: which of the 64 lowest frequencies lie above their median (imagehash.phash)."""
    import imagehash
    import numpy as np
    from PIL import Image as Pillow

    return np.packbits(imagehash.phash(Pillow.fromarray(thumbnail)).hash).tobytes()


@feature(of="images", dtype=bytes, version=2, length=16)
def pixel_digest(data: bytes, header: Image, pixels: Image) -> bytes:  # noqa: ARG001 - with the small picture all is decoded
    """A digest of the picture at full size, 16 bytes: equal for equal pixels in other bytes.

    Of a JPEG, of which a fraction is decoded, it is that of all that its pixels depend on: the file without metadata.
    """
    parts = _without_metadata(data) if header.format in _JPEG else _strips(header)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()[:16]


def _without_metadata(data: bytes) -> Iterator[bytes]:
    """The parts of a JPEG file that its pixels depend on."""
    at = 2
    while data[at : at + 1] == b"\xff" and len(data) >= at + 4 and data[at + 1] != _START_OF_SCAN:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] == 0xE0:
            # That it is JFIF tells the colours; how many pixels make an inch does not matter.
            yield data[at + 4 : at + 9]
        elif data[at + 1] not in _METADATA:
            yield data[at:end]
        at = end
    yield data[at:]


def _strips(picture: Image) -> Iterator[bytes]:
    """The pixels of a decoded picture; of all eight-bit pictures in one form."""
    mode = picture.mode
    if not mode.startswith(("I", "F")):
        mode = "RGBA" if picture.has_transparency_data else "RGB"
    yield f"{mode} {picture.width} {picture.height}".encode()
    for top in range(0, picture.height, _STRIP):
        strip = picture.crop((0, top, picture.width, min(top + _STRIP, picture.height)))
        yield strip.convert(mode).tobytes()


@cache
def _weights(side: int) -> NDArray[np.float32]:
    """What each pixel of a side counts for in each of the square's: (side, 32), by Lanczos' filter."""
    import numpy as np
    from PIL import Image as Pillow

    pixels = Pillow.fromarray(np.eye(side, dtype=np.float32))
    return np.asarray(pixels.resize((SIDE, side), Pillow.Resampling.LANCZOS))
