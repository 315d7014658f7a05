"""From the bytes of a file to pixels: its header, the reduced image, and the boxes in it."""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
import warnings
from collections.abc import Iterable
from typing import IO, NamedTuple, cast

from PIL import Image, ImageFile

from groundlint.images import jpeg
from groundlint.images.beginning import Beginning
from groundlint.images.limits import MAX_FILE_BYTES, MAX_PIXELS
from groundlint.images.record import MAX_RECORDED_SIDE, ImageFault, Rectangle
from groundlint.pointers import pointer
from groundlint.processes.messages import encodable

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF")
"""Formats that are recognized by their content, MPO as JPEG; anything else does not count as an image."""

LONG_SIDE = {"pixels": 160, "detail": 320}
"""Largest size of the longer side of the reduced images, in pixels; at least half of it, if the image is that large.

A JPEG is decoded at a half, a quarter or an eighth; other formats are reduced by a whole factor. Both cost next to
nothing, unlike other scales.
"""

CROP_SIDE = 128
"""Shorter side, in pixels, that a box keeps if it is cut out of the reduced image: features of crops need no more."""

_JPEG = ("JPEG", "MPO")

_MAX_PIXELS_PER_BYTE = 10_000
"""More than any file of bounded compression holds: a PNG file of one bit per pixel has at most 8,256."""

_UNBOUNDED = ("WEBP", "AVIF")
"""Formats in which a large flat area takes next to no bytes."""

_MAX_REASON = 200
"""Characters of what a decoder says of a file, which it may quote."""


class Context(NamedTuple):
    """A box with its surroundings: an RGB image, and the box in it as left, top, right, bottom."""

    image: Image.Image
    box: tuple[int, int, int, int]

    def crop(self) -> Image.Image:
        """Return the box alone."""
        return self.image.crop(self.box)


class UnusableImage(Exception):
    """The image cannot be measured; the text says why. `size` is the number of bytes of a file too big to be read."""

    def __init__(self, fault: ImageFault, detail: str, size: int | None = None) -> None:
        super().__init__(detail)
        self.fault = fault
        self.size = size


def prepare_pillow() -> None:
    """Set Pillow up for a process that decodes images."""
    # We check the limit ourselves, by the header; Pillow's warning would only cost time.
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    warnings.simplefilter("ignore")


class DecodedImage:
    """The pixels of an image, decoded at most twice: reduced, and at full size where a small box or a feature needs it.

    Of a JPEG with too many pixels, the largest scale that may be decoded stands for the full size.

    What is reduced is the same whether the image is also needed at full size or not, and a box is cut out of the same
    pixels whatever other boxes there are: measurements depend on the image and the box alone.

    Attributes:
        header: The image as Pillow has it, decoded at the first of the sizes that were needed.
    """

    def __init__(self, data: bytes, header: Image.Image, max_pixels: int) -> None:
        """Take an image whose header was read.

        Args:
            data: The bytes of the file.
            header: The image as `opened` returns it; it is used up.
            max_pixels: Pixels above which an image is not decoded.
        """
        self._data = data
        self.header = header
        self._size = header.size
        self._max_pixels = max_pixels
        self._pixels: dict[int, Image.Image] = {}
        self._error: UnusableImage | None = None
        most = max(LONG_SIDE.values())
        self._is_jpeg = header.format in _JPEG
        # A side that is shorter than the scale cannot be reduced by it.
        scales = [scale for scale in (1, 2, 4, 8) if scale <= min(header.size)] if self._is_jpeg else [1]
        self._scales = scales
        width, height = header.size
        reduced = (scale for scale in scales if max(width, height) <= scale * most)
        self._reduced_scale = next(reduced, scales[-1])
        full = (scale for scale in scales if -(-width // scale) * -(-height // scale) <= max_pixels)
        self._full_scale = min(next(full, scales[-1]), self._reduced_scale)

    def reduced(self, long_side: int) -> Image.Image:
        """Return the image in RGB, no longer than this, which is at most the largest of `LONG_SIDE`; never enlarged.

        Raises:
            UnusableImage: It cannot be decoded.
        """
        pixels = self._at(self._reduced_scale)
        factor = -(-max(pixels.size) // long_side)
        return pixels if factor <= 1 else pixels.reduce(factor)

    def whole(self) -> Image.Image:
        """Return the image in RGB at full size; a JPEG of more than `max_pixels`, at the largest size below that.

        Raises:
            UnusableImage: It cannot be decoded.
        """
        return self._at(self._full_scale)

    def at_least(self, long_side: float) -> Image.Image:
        """Return the image in RGB, a JPEG at the smallest scale whose longer side is not below this; never enlarged.

        Raises:
            UnusableImage: It cannot be decoded.
        """
        large_enough = (scale for scale in reversed(self._scales) if max(self._size) >= scale * long_side)
        return self._at(max(next(large_enough, 1), self._full_scale))

    def decode_for(self, boxes: Iterable[Rectangle]) -> None:
        """Decode what boxes are cut out of.

        Raises:
            UnusableImage: The image cannot be decoded.
        """
        for scale in {self._scale_of(box) for box in boxes}:
            self._at(scale)

    def context(self, box: Rectangle) -> Context:
        """Return a box with a quarter of its size around it, each at least one pixel.

        It is at full resolution, or reduced like the image if its shorter side keeps `CROP_SIDE` pixels.

        Raises:
            UnusableImage: The image cannot be decoded.
        """
        scale = self._scale_of(box)
        pixels = self._at(scale)
        left, top, width, height = (side / scale for side in box)
        inner = _clipped((left, top, left + width, top + height), pixels.size)
        x, y = width / 4, height / 4
        outer = _clipped((left - x, top - y, left + width + x, top + height + y), pixels.size)
        place = (inner[0] - outer[0], inner[1] - outer[1], inner[2] - outer[0], inner[3] - outer[1])
        return Context(pixels.crop(outer), place)

    def _scale_of(self, box: Rectangle) -> int:
        return self._reduced_scale if min(box[2:]) >= CROP_SIDE * self._reduced_scale else self._full_scale

    def _at(self, scale: int) -> Image.Image:
        if self._error:
            raise self._error
        if scale not in self._pixels:
            try:
                # A decoder can be used once.
                self._pixels[scale] = self._decoded(opened(self._data) if self._pixels else self.header, scale)
            except UnusableImage as error:
                self._error = error
                raise
        return self._pixels[scale]

    def _decoded(self, header: Image.Image, scale: int) -> Image.Image:
        try:
            # A JPEG is decoded at a fraction of its size; what would be decoded whole must fit.
            if scale > 1:
                header.draft(None, (self._size[0] // scale, self._size[1] // scale))
            self._check_size(header)
            header.load()
            image = _rgb(header)
        except (MemoryError, UnusableImage):
            raise
        # Decoders raise all kinds of exceptions on hostile files.
        except Exception as error:  # noqa: BLE001
            if not self._close():
                raise _undecodable(error, self._data, header.format) from None
            self.header = opened(self._data)
            return self._decoded(self.header, scale)
        if not self._pixels:
            self._check_for_zeros()
        return image

    def _check_size(self, header: Image.Image) -> None:
        if math.prod(header.size) > self._max_pixels:
            width, height = self._size
            limit = f"{self._max_pixels // 1_000_000} megapixels"
            raise UnusableImage(ImageFault.TOO_BIG, f"it has {width:,} x {height:,} px, more than {limit}")

    def _close(self) -> bool:
        """Add the end marker to a JPEG file that lacks nothing else, and return whether it is one."""
        whole = None
        if self._can_be_examined():
            with contextlib.suppress(Exception):
                whole = jpeg.closed(self._data, _at_full_size)
        self._data = whole or self._data
        return whole is not None

    def _check_for_zeros(self) -> None:
        """Raise `UnusableImage` if zeros stand in the place of image data, which libjpeg decodes without an error."""
        zeros = 0
        if self._can_be_examined():
            with contextlib.suppress(Exception):
                zeros = jpeg.zeroed_bytes(self._data, _at_full_size)
        if zeros:
            detail = f"{zeros:,} bytes of its image data are zeros"
            raise UnusableImage(ImageFault.TRUNCATED, detail)

    def _can_be_examined(self) -> bool:
        """Whether it is a JPEG file that can be decoded at full size."""
        return self._is_jpeg and math.prod(self._size) <= self._max_pixels


def read(path: str) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        UnusableImage: It is not a regular file, cannot be read, or is too big.
    """
    # Without O_NONBLOCK a pipe to which nobody writes would block the worker forever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise UnusableImage(ImageFault.REFUSED, f"the file cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableImage(ImageFault.REFUSED, "it is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise UnusableImage(ImageFault.TOO_BIG, f"the file has {status.st_size:,} bytes", status.st_size)
        try:
            # Python reserves memory for as many bytes as are asked for: not more than there are.
            return stream.read(status.st_size)
        except OSError as error:
            raise UnusableImage(ImageFault.REFUSED, f"the file cannot be read: {error.strerror}") from None


def opened(data: bytes) -> Image.Image:
    """Return the image with its header read and nothing decoded.

    Raises:
        UnusableImage: The content is not an image, or its header claims more pixels than a table or the file can hold.
    """
    try:
        header = Image.open(io.BytesIO(data), formats=FORMATS)
    # Decoders raise all kinds of exceptions on hostile files, SyntaxError among them.
    except Exception as error:  # noqa: BLE001
        raise _unopened(error, data) from None
    _check_header(header, len(data))
    return header


def opened_beginning(beginning: Beginning) -> Image.Image | None:
    """Return the image with its header read from the beginning of its file; None where that does not suffice.

    What is wrong with a file, only the whole file says.
    """
    try:
        header = Image.open(cast("IO[bytes]", beginning), formats=FORMATS)
        _check_header(header, beginning.size)
    # As above.
    except Exception:  # noqa: BLE001
        return None
    return header


def _check_header(header: Image.Image, size: int) -> None:
    """Raise `UnusableImage` if the header of a file of so many bytes claims what cannot be."""
    width, height = header.size
    if min(width, height) < 1:
        raise UnusableImage(ImageFault.NO_IMAGE, f"its header says {width:,} x {height:,} px")
    pixels = width * height
    is_forged = pixels > max(MAX_PIXELS, size * _MAX_PIXELS_PER_BYTE) and header.format not in _UNBOUNDED
    if max(width, height) > MAX_RECORDED_SIDE or is_forged:
        detail = f"its header says {width:,} x {height:,} px, but the file has {size:,} bytes"
        raise UnusableImage(ImageFault.TOO_BIG, detail)


def is_animated(header: Image.Image) -> bool | None:
    """Return whether a file holds an animation; None if its frames cannot be counted."""
    try:
        # Several images in one JPEG file, as phones write them, are not an animation.
        return header.format != "MPO" and bool(getattr(header, "is_animated", False))
    except Exception:  # noqa: BLE001 - it reads on in a hostile file
        return None


def _clipped(edges: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Whole pixels that hold a rectangle (left, top, right, bottom) as far as it lies in the image, at least one."""
    width, height = size
    left, top = min(max(0, int(edges[0])), width - 1), min(max(0, int(edges[1])), height - 1)
    return left, top, min(max(left + 1, math.ceil(edges[2])), width), min(max(top + 1, math.ceil(edges[3])), height)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        # 16 bits: the upper eight, which a plain conversion would clip to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return image.convert("RGB")


def _at_full_size(data: bytes) -> Image.Image:
    image = opened(data)
    image.load()
    return image


def _unopened(error: Exception, data: bytes) -> UnusableImage:
    """Return why a file is not read, if possible better than Pillow says it."""
    from groundlint.images import filetype

    if elsewhere := pointer(data):
        return UnusableImage(ImageFault.NOT_FETCHED, elsewhere)
    image_format, text = filetype.format_of(data), _reason(error)
    if image_format is None:
        return UnusableImage(ImageFault.NO_IMAGE, filetype.description(data) or text)
    if filetype.is_cut(data, image_format) or "truncated" in text.lower():
        return UnusableImage(ImageFault.TRUNCATED, f"the {image_format} file ends too early")
    return UnusableImage(ImageFault.NO_IMAGE, f"a damaged {image_format} file whose header cannot be read")


def _undecodable(error: Exception, data: bytes, image_format: str | None) -> UnusableImage:
    from groundlint.images import filetype

    text = _reason(error)
    # Pillow speaks of a broken data stream also where a byte in the middle is wrong.
    is_cut = "truncated" in text.lower() or filetype.is_cut(data, image_format)
    return UnusableImage(ImageFault.TRUNCATED if is_cut else ImageFault.UNREADABLE, text)


def _reason(error: Exception) -> str:
    text = encodable(str(error)) or type(error).__name__
    return "the content is not a known image format" if "BytesIO" in text else text[:_MAX_REASON]
