"""What goes to a worker and comes back: the task of an image, and what was measured of it."""

from __future__ import annotations

from typing import Any

import msgspec

# The parent process imports this module and no decoder.

MAX_PIXELS = 50_000_000
"""Pixels of an image beyond which it is not decoded."""

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height, in pixels of the file's picture."""


class Fault:
    """What keeps an image from being measured."""

    REFUSED = "refused"
    NOT_FETCHED = "not-fetched"
    NO_IMAGE = "no-image"
    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    TOO_BIG = "too-big"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


class Task(msgspec.Struct, array_like=True):
    """An image to be measured, with the boxes whose crops are wanted, and whether it has a label of its own.

    `sampled` says of each box whether what is measured only on some of a label's boxes is wanted too.
    """

    number: int
    path: str
    boxes: list[Rectangle] = []
    sampled: list[bool] = []
    labelled: bool = False


class Measured(msgspec.Struct, array_like=True):
    """What was measured of an image: facts of the file, values by feature, and for each box its values."""

    number: int
    bytes: int | None = None
    digest: str | None = None
    format: str | None = None
    mode: str | None = None
    width: int | None = None
    height: int | None = None
    animated: bool | None = None
    fault: str | None = None
    detail: str | None = None
    values: dict[str, Any] = {}
    crops: list[dict[str, Any]] = []
    raised: list[str] = []
