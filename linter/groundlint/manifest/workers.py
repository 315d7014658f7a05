"""Reads a large manifest in parts, each in its own process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from groundlint.manifest.part import Manner, Part
from groundlint.manifest.worker import PartReceiver, PartTask, read_task
from groundlint.processes.process import WorkerError, WorkerProcess, ready

_POLL = 0.2
"""Seconds until a signal is handled: polars handles Ctrl-C before Python does and restarts what it interrupts."""


class _PartWorker(WorkerProcess):
    """A process that reads a part, and what it has sent so far."""

    def __init__(self, task: PartTask) -> None:
        super().__init__("groundlint.manifest.worker")
        self.receiver = PartReceiver()
        self.error: WorkerError | None = None
        self.send(msgspec.msgpack.encode(task))

    def advance(self) -> bool:
        """Take the next message and return whether more will come."""
        try:
            message = self.receive()
        except WorkerError as error:
            self.error = error
            return False
        if message is None:
            return False
        self.receiver.take(message)
        return self.receiver.part is None


def read_parts(path: Path, ranges: Sequence[tuple[int, int | None]], manner: Manner) -> list[Part]:
    """Read parts of a file in worker processes and return them in order.

    If a process cannot be started or ends before it has sent everything, for lack of memory for example, this process
    reads its part.

    Args:
        path: The manifest.
        ranges: Positions in the file at which each part begins and stops.
        manner: How lines are read.

    Raises:
        OSError: The file cannot be opened or read.
    """
    tasks = [PartTask(os.fsencode(path), start, stop, manner) for start, stop in ranges]
    with contextlib.ExitStack() as stack:
        workers = [_started(task, stack) for task in tasks]
        running = [worker for worker in workers if worker]
        while running:
            ended = [worker for worker in ready(running, _POLL) if not worker.advance()]
            running = [worker for worker in running if worker not in ended]
    return [_part(task, worker) for task, worker in zip(tasks, workers, strict=True)]


def _started(task: PartTask, stack: contextlib.ExitStack) -> _PartWorker | None:
    """Start a process that ends with the stack; None if that fails."""
    try:
        worker = _PartWorker(task)
    except OSError:
        return None
    stack.callback(worker.stop)
    return worker


def _part(task: PartTask, worker: _PartWorker | None) -> Part:
    if worker and worker.receiver.part:
        return worker.receiver.part
    try:
        return read_task(task)
    except OSError:
        raise
    except Exception as error:
        # The traceback of the worker says more than that of the second attempt if they differ.
        raise error from (worker.error if worker else None)
