"""A large manifest read by several processes at once, a part each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from groundlint.manifest.part import Manner, Part
from groundlint.manifest.worker import Task, read_task, receive_part
from groundlint.processes.messages import send

# There are as many processes as the user allows; one more thread for each would be twice as many.
_ENVIRONMENT = {"POLARS_MAX_THREADS": "1"}

_PATIENCE = 0.2
"""Seconds until a signal is seen."""


def read_parts(path: Path, ranges: Sequence[tuple[int, int | None]], manner: Manner) -> list[Part]:
    """The parts of a file that lie in ranges of its bytes, in their order.

    Where a process ends before it has answered, for want of memory or because no process can be started, its part is
    read here.

    Raises:
        OSError: the file cannot be opened or read.
    """
    tasks = [Task(os.fsencode(path), start, stop, manner) for start, stop in ranges]
    with contextlib.ExitStack() as stack:
        answers = [_started(task, stack) for task in tasks]
        with ThreadPoolExecutor(len(tasks)) as threads:
            received = [threads.submit(_received, answer) for answer in answers]
            # Polars handles Ctrl-C before we do, and restarts what it breaks into: a wait without end would last.
            while wait(received, timeout=_PATIENCE).not_done:
                pass
    return [part.result() or read_task(task) for task, part in zip(tasks, received, strict=True)]


def _received(answer: BinaryIO | None) -> Part | None:
    return receive_part(answer) if answer else None


def _started(task: Task, stack: contextlib.ExitStack) -> BinaryIO | None:
    """Where a new process answers a task; it does not outlive the stack. None if it does not start."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "groundlint.manifest.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
    except OSError:
        return None
    stack.enter_context(process)
    stack.callback(process.kill)
    with contextlib.suppress(BrokenPipeError), cast("BinaryIO", process.stdin) as requests:
        send(requests, msgspec.msgpack.encode(task))
    return cast("BinaryIO", process.stdout)
