"""Measures one image: reads it once, decodes it once, and computes all wanted features from that."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import traceback
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from PIL import Image, ImageFile

from groundlint.engine.features import Feature, file_features
from groundlint.images.limits import MAX_FILE_BYTES, MAX_PIXELS
from groundlint.images.record import (
    MAX_RECORDED_SIDE,
    CropRecord,
    ImageFault,
    ImageRecord,
    ImageTask,
    MeasuredImage,
    RaisedError,
    Rectangle,
    Values,
)
from groundlint.processes.messages import encodable

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF")
"""Formats that are recognized by their content, MPO as JPEG; anything else does not count as an image."""

LONG_SIDE = {"pixels": 160, "detail": 320}
"""Largest size of the longer side of the reduced images, in pixels; at least half of it, if the image is that large.

A JPEG is decoded at a half, a quarter or an eighth; other formats are reduced by a whole factor. Both cost next to
nothing, unlike other scales.
"""

_LFS = b"version https://git-lfs.github.com/spec/"


class Context(NamedTuple):
    """A box with its surroundings: an RGB image, and the box in it as left, top, right, bottom."""

    image: Image.Image
    box: tuple[int, int, int, int]


class UnusableImage(Exception):
    """The image cannot be measured; the text says why. `size` is the number of bytes of a file too big to be read."""

    def __init__(self, fault: ImageFault, detail: str, size: int | None = None) -> None:
        super().__init__(detail)
        self.fault = fault
        self.size = size


class Measurer:
    """Measures features, and the steps that they share, in the order in which they need each other."""

    def __init__(self, features: Sequence[Feature], *, max_pixels: int = MAX_PIXELS) -> None:
        """Prepare Pillow and the features.

        Args:
            features: The features, with the steps that they need.
            max_pixels: Pixels above which an image is not decoded.
        """
        # We check the limit ourselves, by the header; Pillow's warning would only cost time.
        Image.MAX_IMAGE_PIXELS = None
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        warnings.simplefilter("ignore")
        self._features = {feature.name: feature for feature in features}
        self._max_pixels = max_pixels
        self._of_files = file_features(features)
        self._of = {
            table: [feature for feature in features if feature.of == table and feature.dtype]
            for table in ("images", "crops")
        }

    def measure(self, task: ImageTask) -> MeasuredImage:
        """Measure one image. Whatever a decoder raises becomes a fault of that image."""
        record = ImageRecord()
        measured = MeasuredImage(task.number, record)
        try:
            data = read(task.path)
            record.bytes = len(data)
            record.digest = hashlib.sha256(data).hexdigest()
            self._measure(data, task, measured)
        except UnusableImage as error:
            record.fault, record.detail = error.fault, str(error)
            record.bytes = record.bytes or error.size
        except MemoryError:
            record.fault, record.detail = ImageFault.TOO_BIG, "it needs more memory than a worker process may use"
        return measured

    def _measure(self, data: bytes, task: ImageTask, measured: MeasuredImage) -> None:
        record = measured.record
        header = _opened(data)
        record.format, record.mode = header.format, header.mode
        record.width, record.height = header.size
        record.animated = _is_animated(header)
        image = _DecodedImage(data, header, self._max_pixels)
        inputs = {"data": lambda: data, "header": lambda: header}
        inputs |= {name: partial(image.reduced, long_side) for name, long_side in LONG_SIDE.items()}
        features = [feature for feature in self._of["images"] if task.labeled or not feature.only_labeled]
        try:
            if task.boxes and self._of["crops"]:
                image.whole()
            if any(feature.name not in self._of_files for feature in features):
                image.reduced(max(LONG_SIDE.values()))
        except UnusableImage as error:
            record.fault, record.detail = error.fault, str(error)
            features = [feature for feature in features if feature.name in self._of_files]
            record.values = self._values(features, inputs, measured)
            return
        record.values = self._values(features, inputs, measured)
        for box, is_sampled in zip(task.boxes, task.sampled, strict=True) if self._of["crops"] else ():
            crop = {"crop": lambda box=box: image.crop(box), "context": lambda box=box: image.context(box)}
            features = [feature for feature in self._of["crops"] if is_sampled or not feature.only_sampled]
            measured.crops.append(CropRecord(box, self._values(features, crop, measured)))

    def _values(self, features: Sequence[Feature], inputs: Mapping[str, Any], measured: MeasuredImage) -> Values:
        known: dict[str, Any] = {}

        def of(name: str) -> Any:
            if name not in known:
                if name in inputs:
                    known[name] = inputs[name]()
                else:
                    feature = self._features[name]
                    known[name] = feature.function(**{needed: of(needed) for needed in feature.inputs})
            return known[name]

        values = {}
        for feature in features:
            try:
                values[feature.key] = _checked(of(feature.name), feature)
            except MemoryError:
                raise
            # A feature may be a plugin's code: its error must not be taken for a fault of the image.
            except Exception as error:  # noqa: BLE001
                _add_error(measured, f"feature {feature.name}", error)
        return values


class _DecodedImage:
    """The pixels of an image, decoded at most twice: at full size and reduced.

    What is reduced is the same whether the image is also needed at full size or not: measurements of an image do not
    depend on its boxes, and not on the rules of the run.
    """

    def __init__(self, data: bytes, header: Image.Image, max_pixels: int) -> None:
        self._data = data
        self._header = header
        self._size = header.size
        self._max_pixels = max_pixels
        self._pixels: dict[int, Image.Image] = {}
        self._error: UnusableImage | None = None

    def reduced(self, long_side: int) -> Image.Image:
        """Return the image in RGB, no longer than this, which is at most the largest of `LONG_SIDE`; never enlarged."""
        most = max(LONG_SIDE.values())
        scale = next((scale for scale in (1, 2, 4, 8) if max(self._size) <= scale * most), 8)
        pixels = self._at(scale if self._header.format in ("JPEG", "MPO") else 1)
        factor = -(-max(pixels.size) // long_side)
        return pixels if factor == 1 else pixels.reduce(factor)

    def whole(self) -> Image.Image:
        """Return the image in RGB at full size."""
        return self._at(1)

    def _at(self, scale: int) -> Image.Image:
        if scale not in self._pixels:
            # A decoder can be used once.
            header = _opened(self._data) if self._pixels else self._header
            self._pixels[scale] = self._decoded(header, scale)
        return self._pixels[scale]

    def crop(self, box: Rectangle) -> Image.Image:
        """Return the pixels of a box, at least one."""
        return self.whole().crop(self._clipped(box, 0))

    def context(self, box: Rectangle) -> Context:
        """Return a box with a quarter of its size around it."""
        inner = self._clipped(box, 0)
        outer = self._clipped(box, 0.25)
        left, top = outer[:2]
        place = (inner[0] - left, inner[1] - top, inner[2] - left, inner[3] - top)
        return Context(self.whole().crop(outer), place)

    def _clipped(self, box: Rectangle, grown: float) -> tuple[int, int, int, int]:
        left, top, width, height = box
        x, y = grown * width, grown * height
        most = self._size
        start = (min(max(0, int(left - x)), most[0] - 1), min(max(0, int(top - y)), most[1] - 1))
        end = (math.ceil(left + width + x), math.ceil(top + height + y))
        return (*start, *(min(max(s + 1, e), m) for s, e, m in zip(start, end, most, strict=True)))  # type: ignore[return-value] # four numbers

    def _decoded(self, header: Image.Image, scale: int) -> Image.Image:
        if self._error:
            raise self._error
        width, height = self._size
        # A JPEG is decoded at a fraction of its size; what would be decoded whole must fit.
        if scale > 1:
            header.draft(None, (width // scale, height // scale))
        if math.prod(header.size) > self._max_pixels:
            limit = f"{self._max_pixels // 1_000_000} megapixels"
            self._error = UnusableImage(ImageFault.TOO_BIG, f"it has {width:,} x {height:,} px, more than {limit}")
            raise self._error
        try:
            header.load()
            return _rgb(header)
        except MemoryError:
            raise
        # Decoders raise all kinds of exceptions on hostile files.
        except Exception as error:  # noqa: BLE001
            text = _reason(error)
            is_cut = isinstance(error, OSError) and ("truncated" in text or "broken data stream" in text)
            self._error = UnusableImage(ImageFault.TRUNCATED if is_cut else ImageFault.UNREADABLE, text)
            raise self._error from None


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


def _opened(data: bytes) -> Image.Image:
    """Return the image with its header read and nothing decoded."""
    if data.startswith(_LFS):
        raise UnusableImage(ImageFault.NOT_FETCHED, "the file is a Git LFS pointer; run `git lfs pull`")
    try:
        header = Image.open(io.BytesIO(data), formats=FORMATS)
    # Decoders raise all kinds of exceptions on hostile files, SyntaxError among them.
    except Exception as error:  # noqa: BLE001
        raise UnusableImage(ImageFault.NO_IMAGE, _content_reason(data) or _reason(error)) from None
    width, height = header.size
    if max(width, height) > MAX_RECORDED_SIDE:
        raise UnusableImage(ImageFault.TOO_BIG, f"its header says {width:,} x {height:,} px")
    return header


def _checked(value: Any, feature: Feature) -> Any:
    """Return the value of a feature as a message can hold it, NaN as null.

    Raises:
        TypeError: It has another type or length than the feature declares.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    assert feature.dtype is not None
    if not feature.accepts(value):
        length = f" of length {feature.length}" if feature.length else ""
        raise TypeError(f"it returned {type(value).__name__}, not {feature.dtype.__name__}{length}")
    # Values of numpy are subclasses of float that messages do not hold.
    return value if type(value) is feature.dtype else feature.dtype(value)


def _add_error(measured: MeasuredImage, what: str, error: Exception) -> None:
    # Of the boxes of an image, the first is enough.
    if any(raised.what == what for raised in measured.raised):
        return
    text = encodable(f"{type(error).__name__}: {error}")
    trace = encodable("".join(traceback.format_exception(error)))
    measured.raised.append(RaisedError(what, text, trace))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        # 16 bits: the upper eight, which a plain conversion would clip to white.
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return image.convert("RGB")


def _is_animated(header: Image.Image) -> bool | None:
    try:
        # Several images in one JPEG file, as phones write them, are not an animation.
        return header.format != "MPO" and bool(getattr(header, "is_animated", False))
    except Exception:  # noqa: BLE001 - it reads on in a hostile file
        return None


def _content_reason(data: bytes) -> str | None:
    """Return why a content is not read, if that is known better than Pillow says it."""
    if data[4:8] == b"ftyp" and (data[8:10] == b"he" or data[8:12] in (b"mif1", b"msf1")):
        return "it is HEIF (HEIC), not JPEG"
    return None if data else "the file is empty"


def _reason(error: Exception) -> str:
    text = encodable(str(error)) or type(error).__name__
    return "the content is not a known image format" if "BytesIO" in text else text
