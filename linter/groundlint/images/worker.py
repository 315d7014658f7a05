"""The worker process that decodes and measures images.

A hostile file may crash a decoder or let it hang; here that ends one worker and costs one image.
"""

from __future__ import annotations

import importlib
import time
from typing import TYPE_CHECKING

import msgspec

from groundlint.engine.features import Feature, FeaturePlace
from groundlint.images.record import Answer, ImageTask, MeasuredImage

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY = b"ready"
"""The first message of a worker, sent once it can measure."""

_MAX_DELAY = 0.1
"""Seconds for which measured images may be held back."""


class Start(msgspec.Struct, array_like=True):
    """The first message to a worker: the features and the limits.

    `max_memory` is the size of its address space in bytes.
    """

    features: list[FeaturePlace]
    max_pixels: int
    max_memory: int


def serve(connection: Connection) -> None:
    """Measure the images of each message, which is a list of tasks, and send an `Answer` to each, or several."""
    # The parent imports this module for its messages, and needs no decoder.
    from groundlint.images.measure import Measurer
    from groundlint.processes.limits import limit_memory
    from groundlint.processes.messages import requests

    start = msgspec.msgpack.decode(connection.recv_bytes(), type=Start)
    measurer = Measurer([feature_at(place) for place in start.features], max_pixels=start.max_pixels)
    limit_memory(start.max_memory)
    connection.send_bytes(READY)
    decoder = msgspec.msgpack.Decoder(list[ImageTask])

    def send(measured: list[MeasuredImage]) -> None:
        connection.send_bytes(msgspec.msgpack.encode(Answer(measured, measurer.seconds)))
        measurer.seconds.clear()

    for request in requests(connection):
        # Several at once: waking the parent for each takes up to a tenth of the time of measuring.
        measured: list[MeasuredImage] = []
        since = time.monotonic()
        for task in decoder.decode(request):
            measured.append(measurer.measure(task))
            if time.monotonic() - since > _MAX_DELAY:
                send(measured)
                measured, since = [], time.monotonic()
        if measured:
            send(measured)


def feature_at(place: FeaturePlace) -> Feature:
    """The feature or step of a module.

    Raises:
        ImportError: There is no such module.
        AttributeError: It has nothing of this name.
        TypeError: What it has is not a feature, or is another version of it.
    """
    found = getattr(importlib.import_module(place.module), place.name)
    if not isinstance(found, Feature):
        raise TypeError(f"{place.module}.{place.name} is not a feature")
    # Another machine may have another version of the package.
    if found.key != place.key:
        raise TypeError(f"{found.key} instead of {place.key}: install the same version everywhere")
    return found
