"""Measures one image: reads it once, decodes it at most twice, and computes all wanted features from that."""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from groundlint.engine.features import Feature, file_features
from groundlint.images import decoding
from groundlint.images.beginning import HEAD, Beginning
from groundlint.images.decoding import LONG_SIDE, DecodedImage, UnusableImage
from groundlint.images.limits import MAX_PIXELS
from groundlint.images.record import (
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

if TYPE_CHECKING:
    from PIL.Image import Image

READING, DECODING, CUTTING = "reading files", "decoding images", "cutting out boxes"
"""Names under which the CPU time that belongs to no feature is counted."""

_REMEMBERED = 500
"""Contents of one size whose measurements are remembered."""

Inputs = Mapping[str, Callable[[], Any]]


class _Content(NamedTuple):
    """What was measured of a file: of the image, and of its boxes."""

    record: ImageRecord
    crops: dict[Rectangle, Values]


class Measurer:
    """Measures features, and the steps that they share, in the order in which they need each other.

    Cheap features are measured before costly ones. Of files of equal bytes that follow each other, and of boxes that
    are in one place, each feature is measured once.

    Attributes:
        seconds: CPU time of each feature and step, without the steps that it needs, and of what comes before them.
    """

    def __init__(self, features: Sequence[Feature], *, max_pixels: int = MAX_PIXELS) -> None:
        """Prepare Pillow and the features.

        Args:
            features: The features, with the steps that they need.
            max_pixels: Pixels above which an image is not decoded.
        """
        decoding.prepare_pillow()
        self.seconds: dict[str, float] = defaultdict(float)
        self._features = {feature.name: feature for feature in features}
        self._max_pixels = max_pixels
        self._of_files = file_features(features)
        by_cost = sorted((feature for feature in features if feature.dtype), key=lambda feature: feature.is_costly)
        self._of = {table: [feature for feature in by_cost if feature.of == table] for table in ("images", "crops")}
        self._contents: dict[str, _Content] = {}
        self._size = 0

    def measure(self, task: ImageTask) -> MeasuredImage:
        """Measure one image. Whatever a decoder raises becomes a fault of that image."""
        if task.size is not None:
            return self._measured_by_beginning(task, Beginning(task.data or b"", task.size))
        measured = MeasuredImage(task.number, ImageRecord())
        try:
            start = time.process_time()
            data = decoding.read(task.path) if task.data is None else task.data
            content = self._content(hashlib.sha256(data).hexdigest(), len(data))
            self.seconds[READING] += time.process_time() - start
            measured.record = content.record
            self._measure(data, task, content, measured)
        except UnusableImage as error:
            measured.record.fault, measured.record.detail = error.fault, str(error)
            measured.record.bytes = measured.record.bytes or error.size
        except MemoryError:
            detail = "it needs more memory than a worker process may use"
            measured.record.fault, measured.record.detail = ImageFault.TOO_BIG, detail
        return measured

    def _measured_by_beginning(self, task: ImageTask, beginning: Beginning) -> MeasuredImage:
        """Measure one image as the whole file would be, or say that the beginning does not suffice."""
        start = time.process_time()
        measured = MeasuredImage(task.number, ImageRecord(bytes=beginning.size))
        header = decoding.opened_beginning(beginning)
        self.seconds[READING] += time.process_time() - start
        with contextlib.suppress(MemoryError):
            if header:
                _add_facts(measured.record, header)
                inputs: Inputs = {"head": lambda: (task.data or b"")[:HEAD], "header": lambda: header}
                measured.record.values = self._values(self._wanted_of_image(task), inputs, measured)
                # Whatever came of an exception of the stream is not what the whole file would give.
                if not beginning.is_exceeded:
                    return measured
        return MeasuredImage(task.number, ImageRecord(), needs_more=True)

    def _wanted_of_image(self, task: ImageTask) -> list[Feature]:
        return [feature for feature in self._of["images"] if task.labeled or not feature.only_labeled]

    def _content(self, digest: str, size: int) -> _Content:
        """What is known of a content so far; it is remembered until a file of another size comes."""
        # Files come in the order of their size, so that no other size is needed again.
        if size != self._size:
            self._size, self._contents = size, {}
        if digest not in self._contents:
            # Uncompressed images may all be of one size.
            if len(self._contents) >= _REMEMBERED:
                del self._contents[next(iter(self._contents))]
            self._contents[digest] = _Content(ImageRecord(bytes=size, digest=digest), {})
        return self._contents[digest]

    def _measure(self, data: bytes, task: ImageTask, content: _Content, measured: MeasuredImage) -> None:
        record = content.record
        features = [feature for feature in self._wanted_of_image(task) if feature.key not in record.values]
        of_boxes = {
            box: [
                feature
                for feature in self._of["crops"]
                if (is_sampled or not feature.only_sampled) and feature.key not in content.crops.get(box, ())
            ]
            for box, is_sampled in zip(task.boxes, task.sampled, strict=True)
        }
        if not record.fault and (features or any(of_boxes.values()) or record.format is None):
            self._measure_missing(data, features, of_boxes, content, measured)
        if not record.fault and self._of["crops"]:
            measured.crops = [CropRecord(box, content.crops.get(box, {})) for box in of_boxes]

    def _measure_missing(
        self,
        data: bytes,
        features: Sequence[Feature],
        of_boxes: Mapping[Rectangle, Sequence[Feature]],
        content: _Content,
        measured: MeasuredImage,
    ) -> None:
        record = content.record
        header = decoding.opened(data)
        _add_facts(record, header)
        image = DecodedImage(data, header, self._max_pixels)
        inputs: dict[str, Callable[[], Any]] = {
            "data": lambda: data,
            "head": lambda: data[:HEAD],
            "header": lambda: image.header,
        }
        inputs |= {name: partial(image.reduced, long_side) for name, long_side in LONG_SIDE.items()}
        inputs["whole"] = partial(self._whole, image)
        start = time.process_time()
        try:
            if any(feature.name not in self._of_files for feature in features):
                image.reduced(max(LONG_SIDE.values()))
            image.decode_for(box for box, wanted in of_boxes.items() if wanted)
        except UnusableImage as error:
            record.fault, record.detail = error.fault, str(error)
            features = [feature for feature in features if feature.name in self._of_files]
        self.seconds[DECODING] += time.process_time() - start
        record.values |= self._values(features, inputs, measured)
        if record.fault:
            return
        for box, wanted in of_boxes.items():
            values = content.crops.setdefault(box, {})
            if wanted:
                values |= self._values_of_box(wanted, image, box, measured)

    def _whole(self, image: DecodedImage) -> Image:
        start = time.process_time()
        whole = image.whole()
        self.seconds[DECODING] += time.process_time() - start
        return whole

    def _values_of_box(
        self, features: Sequence[Feature], image: DecodedImage, box: Rectangle, measured: MeasuredImage
    ) -> Values:
        start = time.process_time()
        context = image.context(box)
        self.seconds[CUTTING] += time.process_time() - start
        return self._values(features, {"context": lambda: context, "crop": context.crop}, measured)

    def _values(self, features: Sequence[Feature], inputs: Inputs, measured: MeasuredImage) -> Values:
        known: dict[str, Any] = {}

        def of(name: str) -> Any:
            if name not in known:
                if name in inputs:
                    known[name] = inputs[name]()
                else:
                    known[name] = self._value(self._features[name], of)
            return known[name]

        values = {}
        for feature in features:
            try:
                values[feature.key] = _checked(of(feature.name), feature)
            # Decoding at full size may meet what decoding at a reduced size did not.
            except (MemoryError, UnusableImage):
                raise
            # A feature may be a plugin's code: its error must not be taken for a fault of the image.
            except Exception as error:  # noqa: BLE001
                _add_error(measured, f"feature {feature.name}", error)
        return values

    def _value(self, feature: Feature, of: Callable[[str], Any]) -> Any:
        """The value of a feature or step; None if it is not wanted for this image or crop."""
        if feature.when and not feature.when(**{name: of(name) for name in feature.condition_inputs}):
            return None
        arguments = {name: of(name) for name in feature.inputs}
        start = time.process_time()
        value = feature.function(**arguments)
        self.seconds[feature.name] += time.process_time() - start
        return value


def _add_facts(record: ImageRecord, header: Image) -> None:
    record.format, record.mode = header.format, header.mode
    record.width, record.height = header.size
    record.animated = decoding.is_animated(header)


def _checked(value: Any, feature: Feature) -> Any:
    """Return the value of a feature as a message can hold it, NaN as null.

    Raises:
        TypeError: It has another type or length than the feature declares, or no column can hold it.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    assert feature.dtype is not None
    if objection := feature.objection(value):
        length = f" of length {feature.length}" if feature.length else ""
        raise TypeError(f"it returned {objection}, not {feature.dtype.__name__}{length}")
    # Values of numpy are subclasses of float that messages do not hold.
    return value if type(value) is feature.dtype else feature.dtype(value)


def _add_error(measured: MeasuredImage, what: str, error: Exception) -> None:
    # Of the boxes of an image, the first is enough.
    if any(raised.what == what for raised in measured.raised):
        return
    text = encodable(f"{type(error).__name__}: {error}")
    trace = encodable("".join(traceback.format_exception(error)))
    measured.raised.append(RaisedError(what, text, trace))
