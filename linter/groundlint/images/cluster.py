"""Measuring on a Dask cluster: batches of images as futures, with the answers of the local pool.

A Dask worker decodes nothing itself. It owns a local pool of one process, so that a hostile file costs one image there
too, and results are those of one machine.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import msgspec

from groundlint.engine.features import FeaturePlace
from groundlint.images.pool import Pool, PoolError
from groundlint.images.record import Answer, ImageTask, MeasuredImage

BATCH = 64
"""Images of a future."""

_BATCHES_OF_THREAD = 3
"""Futures that are submitted at once for each thread of the cluster."""

_CONNECT_TIMEOUT = 10

_pools: dict[int, tuple[str, Pool]] = {}
"""In a Dask worker: the pool of each of its threads, and the run that it is for."""

_lock = threading.Lock()


class NotHere(Exception):
    """A Dask worker does not see a file, or lacks a feature. The text names its machine."""


class ClusterPool:
    """Measures as `Pool` does, on an existing Dask cluster.

    Attributes:
        seconds: CPU time that the processes took for each feature, and for reading and decoding.
    """

    def __init__(self, features: Sequence[FeaturePlace], *, address: str) -> None:
        """Connect to a cluster.

        Args:
            features: What is measured, with the steps that the features need.
            address: The scheduler, such as tcp://scheduler:8786.

        Raises:
            PoolError: The package distributed is not installed, or nothing answers there.
        """
        try:
            self._dask: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise PoolError("--dask needs the package distributed: pip install 'groundlint[dask]'") from error
        self.seconds: dict[str, float] = defaultdict(float)
        self._features = features
        self._run = uuid.uuid4().hex
        try:
            self._client = self._dask.Client(address, timeout=_CONNECT_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise PoolError(f"--dask {address}: no scheduler can be reached there: {error}") from error

    def start(self, tasks: int) -> None:
        """Do nothing: the workers of the cluster are there already."""

    def measure(self, tasks: Iterable[ImageTask | None]) -> Iterator[MeasuredImage]:
        """Measure images, and yield the results in any order.

        Args:
            tasks: The images; taken as threads become free.

        Raises:
            PoolError: A worker cannot measure what this machine would, or the cluster lost too many workers.
        """
        remaining = (task for task in tasks if task)
        batches = iter(lambda: list(islice(remaining, BATCH)), [])
        threads = sum(self._client.nthreads().values())
        first = [self._submitted(batch) for batch in islice(batches, max(threads, 1) * _BATCHES_OF_THREAD)]
        futures = self._dask.as_completed(first, loop=self._client.loop)
        for future in futures:
            try:
                answer = msgspec.msgpack.decode(future.result(), type=Answer)
            except NotHere as error:
                raise PoolError(f"--dask: {error}") from error
            # Whatever else a worker raised is raised here.
            except Exception as error:
                raise PoolError(f"--dask: the cluster cannot measure: {type(error).__name__}: {error}") from error
            future.release()
            for what, seconds in answer.seconds.items():
                self.seconds[what] += seconds
            if batch := next(batches, None):
                futures.add(self._submitted(batch))
            yield from answer.measured

    def close(self) -> None:
        """End the processes that measure, and leave the cluster as it was."""
        # The scheduler may be gone.
        with suppress(Exception):
            self._client.run(close_pool, self._run)
        self._client.close()

    def _submitted(self, batch: list[ImageTask]) -> Any:
        content = msgspec.msgpack.encode(batch)
        return self._client.submit(measure_batch, self._run, self._features, content, pure=False)


def measure_batch(run: str, features: Sequence[FeaturePlace], batch: bytes) -> bytes:
    """Measure images in a Dask worker.

    Args:
        run: Identifies the run.
        features: What is measured, with the steps that the features need.
        batch: A list of `ImageTask`.

    Returns:
        An `Answer`.

    Raises:
        NotHere: The worker does not see a file, or lacks a feature or has another version of it.
    """
    tasks = msgspec.msgpack.decode(batch, type=list[ImageTask])
    for task in tasks:
        if not os.path.exists(task.path):  # noqa: PTH110 - thousands of paths
            raise NotHere(f"{socket.gethostname()} does not see {task.path}: all workers need the same file system")
    pool = _pool(run, features)
    try:
        measured = list(pool.measure(tasks))
    except PoolError as error:
        raise NotHere(f"on {socket.gethostname()}, {error}") from error
    seconds = dict(pool.seconds)
    pool.seconds.clear()
    return msgspec.msgpack.encode(Answer(measured, seconds))


def close_pool(run: str) -> None:
    """End the processes of a run in a Dask worker."""
    with _lock:
        for thread, (other, pool) in list(_pools.items()):
            if other == run:
                pool.close()
                del _pools[thread]


def _pool(run: str, features: Sequence[FeaturePlace]) -> Pool:
    """The pool of this thread. One that an earlier run left, which did not end properly, is closed."""
    thread = threading.get_ident()
    with _lock:
        if thread in _pools and _pools[thread][0] != run:
            _pools.pop(thread)[1].close()
        if thread not in _pools:
            _pools[thread] = run, Pool(features, jobs=1)
        return _pools[thread][1]
