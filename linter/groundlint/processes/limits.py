"""Limits of a worker process: its threads and its memory."""

from __future__ import annotations

import contextlib

# On a busy machine, several threads of linear algebra were ten times slower than one. There are as many workers as the
# user allows, so polars gets one thread in each of them as well.
ONE_THREAD = dict.fromkeys(
    (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "POLARS_MAX_THREADS",
    ),
    "1",
)
"""Environment variables of a worker."""


def limit_memory(max_bytes: int) -> None:
    """Limit the address space of this process, so that a request for gigabytes fails here and harms nobody else.

    Does nothing where the system has no such limit.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
