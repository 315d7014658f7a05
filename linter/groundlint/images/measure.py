"""Measuring one image: read once, decoded once, and all wanted features from that."""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from PIL import Image, ImageFile

from groundlint.engine.features import Feature, file_features
from groundlint.images.record import MAX_PIXELS, Fault, Measured, Rectangle, Task

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "AVIF")
"""Formats that are told by their content, an MPO by being a JPEG; others are no image to us."""

LONG_SIDE = {"pixels": 160, "detail": 320}
"""Pixels of the longer side of the reduced pictures, at most; at least half of it, where the image has so many.

A JPEG is decoded at a half, a quarter or an eighth; all else is reduced by a whole factor. Either costs next to
nothing, which cannot be said of other scales.
"""

MAX_BYTES = 256 * 1024 * 1024

_LFS = b"version https://git-lfs.github.com/spec/"


class Context(NamedTuple):
    """A box with what is round it: an RGB picture, and the box in it as left, top, right, bottom."""

    picture: Image.Image
    box: tuple[int, int, int, int]


class Unusable(Exception):
    """The image cannot be measured; `fault` is a value of `Fault`, `size` the bytes of a file too big to be read."""

    def __init__(self, fault: str, detail: str, size: int | None = None) -> None:
        super().__init__(detail)
        self.fault = fault
        self.size = size


class Measurer:
    """Measures features and steps that are given by name, in whatever order they need each other."""

    def __init__(self, features: Sequence[Feature], *, max_pixels: int = MAX_PIXELS) -> None:
        # The limit is ours, by the header; a warning on the way would only cost time.
        Image.MAX_IMAGE_PIXELS = None
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        warnings.simplefilter("ignore")
        self._features = {feature.name: feature for feature in features}
        self._max_pixels = max_pixels
        self._wants_detail = any("detail" in feature.inputs for feature in features)
        self._of_files = file_features(features)
        self._of = {
            table: [feature for feature in features if feature.of == table and feature.dtype]
            for table in ("images", "crops")
        }

    def measure(self, task: Task) -> Measured:
        """All that is wanted of one image. Whatever a decoder raises becomes a fault of that image."""
        measured = Measured(task.number)
        try:
            data = read(task.path)
            measured.bytes = len(data)
            measured.digest = hashlib.sha256(data).hexdigest()
            self._measure(data, task, measured)
        except Unusable as error:
            measured.fault, measured.detail = error.fault, str(error)
            measured.bytes = measured.bytes or error.size
        except MemoryError:
            measured.fault, measured.detail = Fault.TOO_BIG, "it needs more memory than a worker may take"
        return measured

    def _measure(self, data: bytes, task: Task, measured: Measured) -> None:
        if data.startswith(_LFS):
            raise Unusable(Fault.NOT_FETCHED, "the file is a Git LFS pointer; run `git lfs pull`")
        try:
            header = Image.open(io.BytesIO(data), formats=FORMATS)
        # Decoders raise all kinds of exceptions on hostile files, SyntaxError among them.
        except Exception as error:  # noqa: BLE001
            raise Unusable(Fault.NO_IMAGE, _named(data) or _told(error)) from None
        measured.format, measured.mode = header.format, header.mode
        measured.width, measured.height = header.size
        measured.animated = _is_animated(header)
        picture = _Picture(header, self._max_pixels)
        inputs = {"data": lambda: data, "header": lambda: header}
        inputs |= {name: partial(picture.reduced, longest) for name, longest in LONG_SIDE.items()}
        features = [feature for feature in self._of["images"] if task.labelled or not feature.only_labeled]
        try:
            # It is decoded once: what is wanted largest comes first, and the rest is made from it.
            if task.boxes and self._of["crops"]:
                picture.whole()
            elif any(feature.name not in self._of_files for feature in features):
                picture.reduced(LONG_SIDE["detail" if self._wants_detail else "pixels"])
        except Unusable as error:
            # The file is still known.
            measured.fault, measured.detail = error.fault, str(error)
            files = [feature for feature in features if feature.name in self._of_files]
            measured.values = self._values(files, inputs, measured)
            return
        measured.values = self._values(features, inputs, measured)
        for box, is_sampled in zip(task.boxes, task.sampled, strict=True) if self._of["crops"] else ():
            crop = {"crop": lambda box=box: picture.crop(box), "context": lambda box=box: picture.context(box)}
            features = [feature for feature in self._of["crops"] if is_sampled or not feature.only_sampled]
            measured.crops.append(self._values(features, crop, measured))

    def _values(self, features: Sequence[Feature], inputs: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
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
                value = of(feature.name)
            except MemoryError:
                raise
            # A feature is somebody's code: its fault must not be taken for the image's.
            except Exception as error:  # noqa: BLE001
                measured.raised.append(f"the feature {feature.name} failed: {type(error).__name__}: {error}")
                continue
            values[feature.key] = None if isinstance(value, float) and math.isnan(value) else value
        return values


class _Picture:
    """The decoded picture: the header's, decoded once, at the size that is asked for first."""

    def __init__(self, header: Image.Image, max_pixels: int) -> None:
        self._header = header
        self._max_pixels = max_pixels
        self._picture: Image.Image | None = None
        self._fault: Unusable | None = None

    def reduced(self, longest: int) -> Image.Image:
        """The picture in RGB, at most so long; never scaled up, and not larger than what was asked for first."""
        if self._picture is None:
            scales = (scale for scale in (1, 2, 4, 8) if max(self._header.size) <= scale * longest)
            self._picture = self._decoded(next(scales, 8))
        factor = -(-max(self._picture.size) // longest)
        return self._picture if factor == 1 else self._picture.reduce(factor)

    def whole(self) -> Image.Image:
        """The picture in RGB at full size."""
        return self.reduced(max(self._header.size))

    def crop(self, box: Rectangle) -> Image.Image:
        """What lies in a box; one pixel at least."""
        return self.whole().crop(self._clipped(box, 0))

    def context(self, box: Rectangle) -> Context:
        """A box with a quarter of its sides round it."""
        inner = self._clipped(box, 0)
        outer = self._clipped(box, 0.25)
        left, top = outer[:2]
        place = (inner[0] - left, inner[1] - top, inner[2] - left, inner[3] - top)
        return Context(self.whole().crop(outer), place)

    def _clipped(self, box: Rectangle, grown: float) -> tuple[int, int, int, int]:
        left, top, width, height = box
        x, y = grown * width, grown * height
        most = self._header.size
        start = (min(max(0, int(left - x)), most[0] - 1), min(max(0, int(top - y)), most[1] - 1))
        end = (math.ceil(left + width + x), math.ceil(top + height + y))
        return (*start, *(min(max(s + 1, e), m) for s, e, m in zip(start, end, most, strict=True)))  # type: ignore[return-value] # four numbers

    def _decoded(self, scale: int) -> Image.Image:
        if self._fault:
            raise self._fault
        header = self._header
        width, height = header.size
        # A JPEG is decoded at a fraction of its size; what would be decoded whole must fit.
        if header.format in ("JPEG", "MPO") and scale > 1:
            header.draft(None, (width // scale, height // scale))
        if math.prod(header.size) > self._max_pixels:
            limit = f"{self._max_pixels // 1_000_000} megapixels"
            self._fault = Unusable(Fault.TOO_BIG, f"it has {width:,} x {height:,} pixels, more than {limit}")
            raise self._fault
        try:
            header.load()
            return _rgb(header)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            text = _told(error)
            is_cut = isinstance(error, OSError) and ("truncated" in text or "broken data stream" in text)
            self._fault = Unusable(Fault.TRUNCATED if is_cut else Fault.UNREADABLE, text)
            raise self._fault from None


def read(path: str) -> bytes:
    """The bytes of a regular file.

    Raises:
        Unusable: it is none, or cannot be read, or is too big.
    """
    # Without O_NONBLOCK a pipe that nobody writes to would hold the worker up for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise Unusable(Fault.REFUSED, f"the file cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(Fault.REFUSED, "it is no regular file")
        if status.st_size > MAX_BYTES:
            raise Unusable(Fault.TOO_BIG, f"the file has {status.st_size:,} bytes", status.st_size)
        try:
            # No more is asked for than there is: the memory for it would be fetched first.
            return stream.read(status.st_size)
        except OSError as error:
            raise Unusable(Fault.REFUSED, f"the file cannot be read: {error.strerror}") from None


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode.startswith("I") or picture.mode == "F":
        # Sixteen bits: the upper eight, which a plain conversion would clip to white.
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    return picture.convert("RGB")


def _is_animated(header: Image.Image) -> bool | None:
    try:
        # Several pictures in one JPEG file, as phones write them, are no film.
        return header.format != "MPO" and bool(getattr(header, "is_animated", False))
    except Exception:  # noqa: BLE001 - it reads on in a hostile file
        return None


def _named(data: bytes) -> str | None:
    """What the content is, if it is known and merely not read here."""
    if data[4:8] == b"ftyp" and (data[8:10] == b"he" or data[8:12] in (b"mif1", b"msf1")):
        return "it is HEIF (HEIC); convert it to JPEG"
    return None if data else "it is empty"


def _told(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if "BytesIO" not in text else "the content is of no known image format"
