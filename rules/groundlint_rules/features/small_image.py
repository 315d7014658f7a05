"""Features that recognize an image: a small gray version, of which hashes are made, and a digest of the pixels."""

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

MEDIUM_SIDE = 64
"""Side, in px, of the squares in which one image is looked for inside another."""

_JPEG = ("JPEG", "MPO")
_START_OF_SCAN = 0xDA
_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
"""Segments of a JPEG file on which its pixels do not depend: comments, and application data except JFIF and Adobe."""

_STRIP = 256
"""Rows of an image that are copied at once."""


@step(of="images")
def gray(pixels: Image) -> Image:
    """The image in gray levels, at most 160 px on its longer side."""
    return pixels.convert("L")


@step(of="images")
def thumbnail(gray: Image) -> NDArray[np.uint8]:
    """The image as a gray square, whatever its aspect ratio: (32, 32)."""
    return _square(gray, SIDE)


@feature(of="images", dtype=bytes, version=2, length=SIDE * SIDE)
def small_image(thumbnail: NDArray[np.uint8]) -> bytes:
    """The image as a gray square of 32 x 32 px, row by row: 1,024 bytes."""
    return thumbnail.tobytes()


@feature(of="images", dtype=bytes, costly=True, length=MEDIUM_SIDE * MEDIUM_SIDE)
def medium_image(gray: Image) -> bytes:
    """The image as a gray square of 64 x 64 px, row by row: 4,096 bytes."""
    return _square(gray, MEDIUM_SIDE).tobytes()


@feature(of="images", dtype=bytes, version=2, length=16)
def pixel_digest(data: bytes, header: Image, pixels: Image) -> bytes:  # noqa: ARG001 - `pixels` has the header's image decoded
    """Digest of the pixels at full size, 16 bytes: equal for files that hold the same pixels in other bytes.

    For a JPEG file, which is decoded at a reduced size, it is the digest of the file without its metadata.
    """
    parts = _without_metadata(data) if header.format in _JPEG else _strips(header)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()[:16]


def _without_metadata(data: bytes) -> Iterator[bytes]:
    """The parts of a JPEG file on which its pixels depend."""
    at = 2
    while data[at : at + 1] == b"\xff" and len(data) >= at + 4 and data[at + 1] != _START_OF_SCAN:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] == 0xE0:
            # The JFIF marker determines the colors; the resolution in dots per inch does not matter.
            yield data[at + 4 : at + 9]
        elif data[at + 1] not in _METADATA:
            yield data[at:end]
        at = end
    yield data[at:]


def _strips(image: Image) -> Iterator[bytes]:
    """The pixels of a decoded image, as RGB or RGBA for every mode of eight bits."""
    mode = image.mode
    if not mode.startswith(("I", "F")):
        mode = "RGBA" if image.has_transparency_data else "RGB"
    yield f"{mode} {image.width} {image.height}".encode()
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height)))
        yield strip.convert(mode).tobytes()


def _square(gray: Image, side: int) -> NDArray[np.uint8]:
    """The image as a gray square, whatever its aspect ratio: (side, side)."""
    import numpy as np

    # Two matrix products with the weights of Pillow's `resize` take a fifth of its time.
    square = _weights(gray.height, side).T @ np.asarray(gray, np.float32) @ _weights(gray.width, side)
    levels: NDArray[np.uint8] = np.clip(np.rint(square), 0, 255).astype(np.uint8)
    return levels


@cache
def _weights(side: int, reduced: int) -> NDArray[np.float32]:
    """Weight of each pixel of a side in each pixel of the square, by the Lanczos filter: (side, reduced)."""
    import numpy as np
    from PIL import Image as Pillow

    pixels = Pillow.fromarray(np.eye(side, dtype=np.float32))
    return np.asarray(pixels.resize((reduced, side), Pillow.Resampling.LANCZOS))
