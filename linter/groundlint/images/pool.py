"""Workers: processes that measure images, replaced when one dies or hangs, so that a file costs itself only."""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, cast

import msgspec

from groundlint.engine.features import Feature
from groundlint.images.record import MAX_PIXELS, Fault, Measured, Task
from groundlint.images.worker import Ready, Start
from groundlint.processes.messages import LENGTH, send

BATCH = 16
"""Tasks that a worker is sent at once."""

MAX_MEMORY = 2 * 1024**3
"""Address space of a worker, in bytes; what it really holds is far less."""

TIMEOUT = 30.0
"""Seconds that one image may take."""

START_TIMEOUT = 120.0

# Several threads of linear algebra on a busy machine fell to a tenth of the speed of one.
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_ENVIRONMENT = dict.fromkeys(_THREADS, "1")


class PoolError(Exception):
    """No worker can be started; the text says why."""


class _Worker:
    """A process, what it was sent and has not answered, and the part of an answer that is read."""

    def __init__(self, start: bytes) -> None:
        command = [sys.executable, "-P", "-m", "groundlint.images.worker"]
        self.process = subprocess.Popen(  # noqa: S603 - this very package
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
        self.open: deque[Task] = deque()
        self.buffer = bytearray()
        self.is_ready = False
        self.since = time.monotonic()
        self.send(start)

    @property
    def answers(self) -> BinaryIO:
        """Where its answers come from."""
        return cast("BinaryIO", self.process.stdout)

    def send(self, message: bytes) -> None:
        """Send a message; a dead worker is found when it is read from."""
        with contextlib.suppress(BrokenPipeError):
            send(cast("BinaryIO", self.process.stdin), message)

    def messages(self) -> list[bytes] | None:
        """The whole messages that have come; None when the worker has ended."""
        data = os.read(self.answers.fileno(), 1 << 20)
        if not data:
            return None
        self.buffer += data
        found = []
        while len(self.buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self.buffer)[0]
            if len(self.buffer) < end:
                break
            found.append(bytes(self.buffer[LENGTH.size : end]))
            del self.buffer[:end]
        return found

    def end(self) -> int:
        """Stop it; its exit status."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        return self.process.wait()


def measure(
    tasks: Iterable[Task],
    features: Sequence[Feature],
    *,
    jobs: int,
    max_pixels: int = MAX_PIXELS,
    timeout: float = TIMEOUT,
) -> Iterator[Measured]:
    """Measure images in worker processes, in any order.

    Args:
        tasks: the images; taken one by one, as workers become free.
        features: what is measured, with the steps that they need.
        jobs: how many processes.
        max_pixels: pixels of an image beyond which it is not decoded.
        timeout: seconds that one image may take.

    Raises:
        PoolError: no worker can be started.
    """
    start = msgspec.msgpack.encode(Start([feature.place for feature in features], max_pixels, MAX_MEMORY))
    remaining = iter(tasks)
    first = deque(itertools.islice(remaining, jobs * BATCH))
    pool = _Pool(first, remaining, start, timeout)
    try:
        for _ in range(max(1, -(-len(first) // BATCH))):
            pool.begin()
        while pool.is_busy:
            yield from pool.answers()
            yield from pool.overdue()
    finally:
        pool.end()


class _Pool:
    """The workers of a run, and the tasks that no one has been given: those `waiting`, and those to come after.

    A worker that dies or hangs leaves several tasks without an answer. Each becomes a suspect and is given once more,
    alone; what then takes its worker down is guilty, and nothing else.
    """

    def __init__(self, waiting: deque[Task], remaining: Iterator[Task], start: bytes, timeout: float) -> None:
        self._waiting = waiting
        self._remaining = remaining
        self._start = start
        self._timeout = timeout
        self._selector = selectors.DefaultSelector()
        self._decoder = msgspec.msgpack.Decoder(list[Measured])
        self._suspects: set[int] = set()

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting) or any(worker.open for worker in self._workers())

    def begin(self) -> None:
        """Start one more worker."""
        worker = _Worker(self._start)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def answers(self) -> Iterator[Measured]:
        """What the workers have to say, with new tasks for them in return."""
        for key, _ in self._selector.select(timeout=0.5):
            worker: _Worker = key.data
            messages = worker.messages()
            if messages is None:
                yield from self._bury(worker)
                continue
            for message in messages:
                if worker.is_ready:
                    for measured in self._decoder.decode(message):
                        worker.open.popleft()
                        self._suspects.discard(measured.number)
                        yield measured
                elif error := msgspec.msgpack.decode(message, type=Ready).error:
                    raise PoolError(f"images cannot be measured: {error}")
                worker.is_ready = True
                worker.since = time.monotonic()
            if len(worker.open) < BATCH:
                self._give(worker)

    def overdue(self) -> Iterator[Measured]:
        """End the workers that take too long; each costs the image that it is at."""
        now = time.monotonic()
        for worker in self._workers():
            if not worker.is_ready and now - worker.since > START_TIMEOUT:
                raise PoolError("a worker process that measures images does not begin")
            if worker.open and now - worker.since > self._timeout:
                culprit = worker.open.popleft() if len(worker.open) == 1 else None
                self._drop(worker)
                self.begin()
                if culprit:
                    detail = f"it takes more than {self._timeout:g} s"
                    yield Measured(culprit.number, fault=Fault.TIMED_OUT, detail=detail)

    def end(self) -> None:
        """Stop all workers."""
        for worker in self._workers():
            worker.end()
        self._selector.close()

    def _workers(self) -> list[_Worker]:
        return [key.data for key in self._selector.get_map().values()]

    def _give(self, worker: _Worker) -> None:
        if worker.open and worker.open[0].number in self._suspects:
            return
        batch: list[Task] = []
        while self._waiting and len(batch) < BATCH:
            is_suspect = self._waiting[0].number in self._suspects
            if is_suspect and (batch or worker.open):
                break
            batch.append(self._waiting.popleft())
            if is_suspect:
                break
        if not self._waiting:
            self._waiting.extend(itertools.islice(self._remaining, BATCH))
        if batch:
            worker.open.extend(batch)
            worker.send(msgspec.msgpack.encode(batch))

    def _bury(self, worker: _Worker) -> Iterator[Measured]:
        """Replace a worker that has died."""
        if not worker.is_ready:
            self._drop(worker)
            # It would most likely die again: the others do its work.
            if not self._workers():
                raise PoolError("a worker process that measures images ends before it begins")
            return
        # What died at its first try gets a second: somebody else may have ended the process.
        is_guilty = len(worker.open) == 1 and worker.open[0].number in self._suspects
        culprit = worker.open.popleft() if is_guilty else None
        status = self._drop(worker)
        self.begin()
        if culprit:
            detail = f"decoding it ended the process twice (status {status})"
            yield Measured(culprit.number, fault=Fault.CRASHED, detail=detail)

    def _drop(self, worker: _Worker) -> int:
        """End a worker and take back its tasks, as suspects; its exit status."""
        self._selector.unregister(worker.answers)
        status = worker.end()
        self._suspects.update(task.number for task in worker.open)
        self._waiting.extendleft(reversed(worker.open))
        return status
