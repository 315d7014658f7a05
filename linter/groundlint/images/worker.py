"""The process that decodes: tasks come in on standard input, what was measured goes out on standard output.

A hostile file may crash or hang a decoder; here it takes down one worker and costs one image.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import time

import msgspec

from groundlint.engine.features import Feature
from groundlint.images.record import Measured, Task
from groundlint.processes.messages import receive, send

PERIOD = 0.1
"""Seconds for which what is measured may be held back."""


class Start(msgspec.Struct):
    """What a worker is told first: which features, by module and name, and its limits."""

    features: list[tuple[str, str]]
    max_pixels: int
    max_memory: int


class Ready(msgspec.Struct):
    """What a worker answers first: nothing, or why it cannot work."""

    error: str | None = None


def main() -> None:
    """Measure until standard input ends."""
    # The parent imports this module for its messages, and needs no decoder.
    from groundlint.images.measure import Measurer

    # What a library prints must not get among the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    requests = sys.stdin.buffer
    start = msgspec.msgpack.decode(receive(requests) or b"", type=Start)
    try:
        measurer = Measurer([_feature(*place) for place in start.features], max_pixels=start.max_pixels)
    except Exception as error:  # noqa: BLE001 - a plugin's import may raise anything; the parent tells of it
        send(answers, msgspec.msgpack.encode(Ready(f"{type(error).__name__}: {error}")))
        return
    _limit_memory(start.max_memory)
    send(answers, msgspec.msgpack.encode(Ready()))
    decoder = msgspec.msgpack.Decoder(list[Task])
    while message := receive(requests):
        # Several at once: to wake the other side for each takes it as long as a tenth of the measuring.
        done: list[Measured] = []
        since = time.monotonic()
        for task in decoder.decode(message):
            done.append(measurer.measure(task))
            if time.monotonic() - since > PERIOD:
                send(answers, msgspec.msgpack.encode(done))
                done, since = [], time.monotonic()
        if done:
            send(answers, msgspec.msgpack.encode(done))


def _feature(module: str, name: str) -> Feature:
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, Feature):
        raise TypeError(f"{module}.{name} is no feature")
    return found


def _limit_memory(most: int) -> None:
    """Let what asks for gigabytes fail instead of the machine."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
