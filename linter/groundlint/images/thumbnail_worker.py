"""The worker process that makes thumbnails of images that somebody else may have prepared."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import msgspec
from PIL import Image

from groundlint.config.s3_access import is_uri
from groundlint.images import decoding
from groundlint.images.decoding import DecodedImage
from groundlint.images.limits import MAX_PIXELS, MAX_WORKER_MEMORY
from groundlint.images.orientation import UPRIGHT, has_swapped_sides, upright
from groundlint.images.record import Rectangle
from groundlint.images.thumbnails import Thumbnail, View

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

QUALITY = 60
"""Quality of the WebP files: 240 px take 4 kB on average."""

_SURROUNDINGS = 0.2
"""Share of a box's longer side that is shown on each side of it."""

_MIN_REGION = 24
"""Least side of the part of an image that is shown, in pixels: a box of some pixels needs its surroundings."""

_ORIENTATION = 0x0112
_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def serve(connection: Connection) -> None:
    """Answer each message, a `View`, with a `Thumbnail` or nil."""
    from groundlint.processes.limits import limit_memory
    from groundlint.processes.messages import requests

    decoding.prepare_pillow()
    limit_memory(MAX_WORKER_MEMORY)
    decoder = msgspec.msgpack.Decoder(View)
    renderer = _LastImage()
    for request in requests(connection):
        connection.send_bytes(msgspec.msgpack.encode(renderer.thumbnail(decoder.decode(request))))


class _LastImage:
    """The image that was opened last: the views of a finding show the same one."""

    def __init__(self) -> None:
        self._path: str | None = None
        self._image: _UprightImage | None = None

    def thumbnail(self, view: View) -> Thumbnail | None:
        """Return the thumbnail of a view, None if the image cannot be shown."""
        try:
            if view.path != self._path:
                self._path, self._image = view.path, None
                # An object whose bytes came with a view that another process was sent has none here.
                if not is_uri(view.path) or view.data:
                    self._image = _UprightImage(view.data or decoding.read(view.path))
            return self._image.thumbnail(view) if self._image else None
        # Decoders raise all kinds of exceptions on hostile files, and Pillow may meet boxes that nobody expects.
        except Exception:  # noqa: BLE001
            return None


class _UprightImage:
    """An image that is turned as its EXIF data says."""

    def __init__(self, data: bytes) -> None:
        header = decoding.opened(data)
        self._size = header.size
        self._orientation = _orientation(header)
        self._decoded = DecodedImage(data, header, MAX_PIXELS)

    def thumbnail(self, view: View) -> Thumbnail:
        """Return the thumbnail of a view."""
        width, height = self._size[::-1] if has_swapped_sides(self._orientation) else self._size
        is_as_in_file = view.image_size in (None, self._size) or view.image_size != (width, height)
        boxes = [upright(box, self._size, self._orientation) if is_as_in_file else box for box in view.boxes]
        region = (0, 0, width, height) if view.crop is None else _around(boxes[view.crop], (width, height))
        # More pixels than needed, so that the reduced image is sharp.
        factor = view.long_side / max(region[2:])
        pixels = self._decoded.at_least(1.5 * factor * max(width, height))
        if self._orientation in _TRANSPOSED:
            pixels = pixels.transpose(_TRANSPOSED[self._orientation])
        scale_x, scale_y = pixels.width / width, pixels.height / height
        left, top = region[0] * scale_x, region[1] * scale_y
        corners = (left, top, left + region[2] * scale_x, top + region[3] * scale_y)
        size = (_pixels(region[2] * min(factor, 1)), _pixels(region[3] * min(factor, 1)))
        reduced = pixels.resize(size, Image.Resampling.LANCZOS, box=corners, reducing_gap=2.0)
        return Thumbnail(_webp(reduced), reduced.size, region, boxes)


def _orientation(header: Image.Image) -> int:
    try:
        value = header.getexif().get(_ORIENTATION, UPRIGHT)
    except Exception:  # noqa: BLE001 - metadata of hostile files
        return UPRIGHT
    return value if value in _TRANSPOSED else UPRIGHT


def _around(box: Rectangle, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of an image, in whole pixels, that shows a box and its surroundings."""
    left, top, width, height = box
    margin = max(_SURROUNDINGS * max(width, height), (_MIN_REGION - max(width, height)) / 2)
    spans = []
    for start, length, side in ((left, width, size[0]), (top, height, size[1])):
        # A box outside the image shows the nearest part of it.
        first = min(max(0, math.floor(start - margin)), max(0, side - _MIN_REGION))
        last = max(min(side, math.ceil(start + length + margin)), min(side, first + _MIN_REGION))
        spans.append((first, last - first))
    (x, region_width), (y, region_height) = spans
    return x, y, region_width, region_height


def _pixels(length: float) -> int:
    return max(1, round(length))


def _webp(image: Image.Image) -> bytes:
    # Pillow would write the color profile and other metadata of the original.
    image.info = {}
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=4)
    return stream.getvalue()
