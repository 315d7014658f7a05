"""Measuring on a Dask cluster: batches of images as futures, with the answers of the local pool.

Workers read files themselves. Objects of S3 are sent to them, so that they need neither credentials nor the network.

A Dask worker decodes nothing itself. It owns a local pool of one process, so that a hostile file costs one image there
too, and results are those of one machine.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from groundlint.engine.features import FeaturePlace
from groundlint.images.pool import Pool, PoolError
from groundlint.images.record import Answer, ImageTask, MeasuredImage

BATCH = 64
"""Images of a future."""

_MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of objects of a future, unless one has more."""

_POLL = 0.01
"""Seconds between looks for answers, where objects come slower than they are measured."""

_QUIET = {"distributed.admin.large-graph-warning-threshold": "1 GB"}
"""Dask advises against sending data with a task; this data is needed once, by the one worker that has the task."""

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
            self._config: Any = importlib.import_module("dask.config")
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
            tasks: The images; taken as threads become free. None says that the next is not there yet.

        Raises:
            PoolError: A worker cannot measure what this machine would, or the cluster lost too many workers.
        """
        remaining = iter(tasks)
        threads = max(sum(self._client.nthreads().values()), 1)
        most = threads * _BATCHES_OF_THREAD
        futures = self._dask.as_completed([], loop=self._client.loop)
        batch: list[ImageTask] = []
        is_exhausted = False
        while True:
            while not is_exhausted and futures.count() < most:
                try:
                    task = next(remaining)
                except StopIteration:
                    is_exhausted = True
                    break
                if task is None:
                    break
                batch.append(task)
                if len(batch) == BATCH or sum(len(each.data or b"") for each in batch) >= _MAX_BATCH_BYTES:
                    futures.add(self._submitted(batch))
                    batch = []
            # A thread that has nothing to do is worth more than a full batch.
            if batch and futures.count() < (most if is_exhausted else threads):
                futures.add(self._submitted(batch))
                batch = []
            if not futures.count() and is_exhausted:
                return
            done = futures.next_batch(block=is_exhausted or futures.count() >= most)
            for future in done:
                yield from self._answer(future)
            if not done:
                time.sleep(_POLL)

    def close(self) -> None:
        """End the processes that measure, and leave the cluster as it was."""
        # The scheduler may be gone.
        with suppress(Exception):
            self._client.run(close_pool, self._run)
        self._client.close()

    def _answer(self, future: Any) -> list[MeasuredImage]:
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
        return answer.measured

    def _submitted(self, batch: list[ImageTask]) -> Any:
        content = msgspec.msgpack.encode(batch)
        with self._config.set(_QUIET):
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
        if task.data is None and not os.path.exists(task.path):  # noqa: PTH110 - thousands of paths
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
