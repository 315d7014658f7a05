"""The parent's side of a worker process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from multiprocessing.connection import Pipe, wait
from queue import SimpleQueue
from typing import TypeVar

import msgspec

from groundlint.processes.limits import ONE_THREAD
from groundlint.processes.messages import Failure

_CHILD = "groundlint.processes.child"

_JOIN_TIMEOUT = 1.0


class WorkerError(Exception):
    """An exception raised in a worker. `traceback` is the text of its traceback."""

    def __init__(self, error: str, traceback: str) -> None:
        super().__init__(error)
        self.traceback = traceback
        self.add_note(traceback)


class WorkerProcess:
    """A process that runs `serve` of a module and exchanges messages with this one."""

    def __init__(self, module: str) -> None:
        """Start the process.

        Args:
            module: Full name of a module with a function `serve(connection)`.

        Raises:
            OSError: The process cannot be started.
        """
        self.connection, theirs = Pipe()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-P", "-m", _CHILD, module, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, **ONE_THREAD},
                )
            except OSError:
                self.connection.close()
                raise
        self._outbox: SimpleQueue[bytes | None] = SimpleQueue()
        # A worker reads its next message only after it has sent what it made of the last. With large messages on both
        # sides, two processes that send and do not read would wait for each other forever.
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()

    def send(self, message: bytes) -> None:
        """Send a message without waiting for the worker; whether it is still alive shows when it is read from."""
        self._outbox.put(message)

    def receive(self) -> bytes | None:
        """Wait for the next message and return it; None when the process has ended.

        Raises:
            WorkerError: The worker reports an exception, after which it ends.
        """
        try:
            message = self.connection.recv_bytes()
            if message:
                return message
            failure = msgspec.msgpack.decode(self.connection.recv_bytes(), type=Failure)
        except (EOFError, OSError):
            return None
        raise WorkerError(failure.error, failure.traceback)

    def stop(self) -> int:
        """End the process and return its exit status, negative for a signal."""
        # A process that has ended by itself keeps its own status.
        self._process.kill()
        status = self._process.wait()
        self._outbox.put(None)
        self._sender.join(_JOIN_TIMEOUT)
        self.connection.close()
        return status

    def _send_all(self) -> None:
        while (message := self._outbox.get()) is not None:
            try:
                self.connection.send_bytes(message)
            except OSError:
                return


_Worker = TypeVar("_Worker", bound=WorkerProcess)


def ready(workers: Iterable[_Worker], timeout: float) -> list[_Worker]:
    """Wait until a worker has sent a message or has ended, and return all those that have.

    Args:
        workers: The workers to wait for.
        timeout: Seconds after which an empty list is returned.
    """
    waiting = list(workers)
    readable = set(wait([worker.connection for worker in waiting], timeout))
    return [worker for worker in waiting if worker.connection in readable]
