"""Records of images that workers, cache and tables share, and the tasks and answers of workers.

The parent process and the cache import this module, so it imports no decoder.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec

Rectangle = tuple[float, float, float, float]
"""Left, top, width and height, in pixels of the image as the file holds it."""

Values = dict[str, Any]
"""Measured values by key of their feature. Their types are checked when they become columns."""

MAX_RECORDED_SIDE = 2**31 - 1
"""Pixels of a side that a table can hold; a larger one, which only a forged header has, is not recorded."""


class ImageFault(StrEnum):
    """Why an image could not be measured."""

    REFUSED = "refused"
    LEADS_OUTSIDE = "leads-outside"
    MISNAMED = "misnamed"
    NOT_FETCHED = "not-fetched"
    NO_OBJECT = "no-object"
    INACCESSIBLE = "inaccessible"
    NO_IMAGE = "no-image"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    TOO_BIG = "too-big"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


_Side = Annotated[int, msgspec.Meta(ge=0, le=MAX_RECORDED_SIDE)]


class ImageRecord(msgspec.Struct, array_like=True):
    """What is known of the content of an image file: facts, each a column of `images`, and values of features.

    A worker sends it, the cache stores it, and the tables have its fields as columns. Types are checked whenever it
    is decoded, because somebody else may have written into the cache.
    """

    bytes: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None
    digest: str | None = None
    format: str | None = None
    mode: str | None = None
    width: _Side | None = None
    height: _Side | None = None
    animated: bool | None = None
    fault: ImageFault | None = None
    detail: str | None = None
    values: Values = {}


FACTS = tuple(name for name in ImageRecord.__struct_fields__ if name != "values")
"""The fields of a record that are columns of `images`."""


class CropRecord(msgspec.Struct, array_like=True):
    """A box of an image, and the values measured on the pixels in it."""

    box: Rectangle
    values: Values = {}


class ImageTask(msgspec.Struct, array_like=True):
    """An image to be measured.

    Attributes:
        number: Identifies the task.
        path: The file.
        boxes: The boxes whose crops are measured.
        sampled: For each box, whether features with `only_sampled` are measured too.
        labeled: Whether the image has a label of its own, so that features with `only_labeled` are measured too.
        data: The bytes of the file, where the worker is not to read it.
        size: Size of the file in bytes, where `data` is only its beginning.
    """

    number: int
    path: str
    boxes: list[Rectangle] = []
    sampled: list[bool] = []
    labeled: bool = False
    data: bytes | None = None
    size: int | None = None


class RaisedError(msgspec.Struct, array_like=True):
    """An exception in code that measures: what raised it, as in "feature sharpness", its text and its traceback."""

    what: str
    error: str
    traceback: str


class MeasuredImage(msgspec.Struct, array_like=True):
    """The answer to an `ImageTask`.

    `needs_more` says that the beginning of the file does not suffice; then nothing else is said.
    """

    number: int
    record: ImageRecord
    crops: list[CropRecord] = []
    raised: list[RaisedError] = []
    needs_more: bool = False


class Answer(msgspec.Struct, array_like=True):
    """A message of a worker: images that it has measured, and what took how many seconds of CPU time meanwhile."""

    measured: list[MeasuredImage]
    seconds: dict[str, float] = {}
