"""The program of every worker process: `python -m groundlint.processes.child MODULE DESCRIPTOR`.

Calls `MODULE.serve(connection)`, where `connection` leads to the parent through the inherited file descriptor. An
exception that `serve` does not handle is reported to the parent with its traceback.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection

import msgspec

from groundlint.processes.messages import FAILURE_FOLLOWS, Failure, encodable


def main() -> None:
    """Serve until the parent closes the connection."""
    module, descriptor = sys.argv[1], int(sys.argv[2])
    # A process that a plugin starts must not keep the connection open after this one has died.
    os.set_inheritable(descriptor, False)
    # Ctrl-C reaches all processes of the terminal; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(descriptor) as connection:
        try:
            importlib.import_module(module).serve(connection)
        # A plugin may raise anything, and a panic of polars is not an Exception.
        except BaseException as error:  # noqa: BLE001
            failure = Failure(encodable(f"{type(error).__name__}: {error}"), encodable(traceback.format_exc()))
            with contextlib.suppress(OSError):
                connection.send_bytes(FAILURE_FOLLOWS)
                connection.send_bytes(msgspec.msgpack.encode(failure))


if __name__ == "__main__":
    main()
