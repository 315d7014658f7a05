"""A pool of worker processes that measure images; one that dies or hangs is replaced, and costs one image."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from groundlint.engine.features import FeaturePlace
from groundlint.errors import GroundlintError
from groundlint.images.limits import MAX_PIXELS, MAX_WORKER_MEMORY
from groundlint.images.record import Answer, ImageFault, ImageRecord, ImageTask, MeasuredImage, RaisedError
from groundlint.images.worker import Start
from groundlint.processes.process import WorkerError, WorkerProcess, ready

BATCH = 16
"""Tasks that a worker is sent at once."""

TASKS_OF_WORKER = 32
"""Tasks for which one more worker is started: starting it takes as long as measuring them."""

TIMEOUT = 30.0
"""Seconds that one image may take."""

_START_TIMEOUT = 120.0

_POLL = 0.5
"""Seconds between looks for workers that take too long."""

_SHORT_POLL = 0.01
"""Seconds between looks for tasks, where images come slower than they are measured."""

_MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of images that a worker is sent at once, unless one image has more."""

_WORKER = "worker for images"


class PoolError(GroundlintError):
    """Images cannot be measured; the text says why. `raised` is the exception, if a worker raised one."""

    def __init__(self, text: str, raised: RaisedError | None = None) -> None:
        super().__init__(text)
        self.raised = raised


class _ImageWorker(WorkerProcess):
    """A worker, the tasks that it was sent and has not answered, and when it was last heard of."""

    def __init__(self, start: bytes) -> None:
        super().__init__("groundlint.images.worker")
        self.tasks: deque[ImageTask] = deque()
        self.is_ready = False
        self.since = time.monotonic()
        self.send(start)


class Pool:
    """The workers of a run, and the tasks that no worker has been given.

    A worker that dies or hangs leaves several tasks unanswered. Each of them becomes a suspect and is given once more,
    alone: only a task that then ends its worker is recorded as the cause.

    Attributes:
        seconds: CPU time that the workers took for each feature, and for reading and decoding.
    """

    def __init__(
        self, features: Sequence[FeaturePlace], *, jobs: int, max_pixels: int = MAX_PIXELS, timeout: float = TIMEOUT
    ) -> None:
        """Prepare a pool without workers.

        Args:
            features: What is measured, with the steps that the features need.
            jobs: Most processes to start.
            max_pixels: Pixels above which an image is not decoded.
            timeout: Seconds that one image may take.
        """
        self.seconds: dict[str, float] = defaultdict(float)
        start = Start(list(features), max_pixels, MAX_WORKER_MEMORY)
        self._start = msgspec.msgpack.encode(start)
        self._jobs = jobs
        self._timeout = timeout
        self._waiting: deque[ImageTask] = deque()
        self._remaining: Iterator[ImageTask | None] = iter(())
        self._is_exhausted = True
        self._workers: list[_ImageWorker] = []
        self._decoder = msgspec.msgpack.Decoder(Answer)
        self._suspects: set[int] = set()

    def start(self, tasks: int) -> None:
        """Start the workers that so many tasks are worth, at most `jobs`. Those that are already there count.

        Raises:
            PoolError: No worker can be started.
        """
        while len(self._workers) < min(self._jobs, -(-tasks // TASKS_OF_WORKER)):
            count = len(self._workers)
            self._start_worker()
            if len(self._workers) == count:
                return

    def measure(self, tasks: Iterable[ImageTask | None]) -> Iterator[MeasuredImage]:
        """Measure images, and yield the results in any order. The workers wait for more, until `close`.

        Args:
            tasks: The images; taken one by one as workers become free. None says that the next is not there yet.

        Raises:
            PoolError: No worker can be started.
        """
        self._remaining, self._is_exhausted = iter(tasks), False
        try:
            self._take(self._jobs * TASKS_OF_WORKER)
            self.start(len(self._waiting))
            if not self._is_exhausted:
                self.start(1)
            while self._is_busy:
                yield from self._answers()
                yield from self._overdue()
                self._distribute()
        except BaseException:
            # They are still at work.
            self.close()
            raise

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()
        self._workers = []

    @property
    def _is_busy(self) -> bool:
        return not self._is_exhausted or bool(self._waiting) or any(worker.tasks for worker in self._workers)

    def _take(self, most: int) -> None:
        """Have so many tasks waiting, as far as they are there."""
        while not self._is_exhausted and len(self._waiting) < most:
            try:
                task = next(self._remaining)
            except StopIteration:
                self._is_exhausted = True
                return
            if task is None:
                return
            self._waiting.append(task)

    def _start_worker(self) -> None:
        try:
            self._workers.append(_ImageWorker(self._start))
        except OSError as error:
            if not self._workers:
                raise PoolError(f"no worker process can be started to measure images: {error.strerror}") from error

    def _answers(self) -> Iterator[MeasuredImage]:
        """Wait for messages of workers and yield the measured images in them."""
        for worker in ready(self._workers, _POLL if self._is_exhausted or self._waiting else _SHORT_POLL):
            failure: WorkerError | None = None
            message: bytes | None = None
            try:
                message = worker.receive()
            except WorkerError as error:
                failure = error
            if message is None:
                yield from self._replace(worker, failure)
                continue
            if worker.is_ready:
                answer = self._decoder.decode(message)
                for what, seconds in answer.seconds.items():
                    self.seconds[what] += seconds
                for measured in answer.measured:
                    worker.tasks.popleft()
                    self._suspects.discard(measured.number)
                    yield measured
            worker.is_ready = True
            worker.since = time.monotonic()

    def _overdue(self) -> Iterator[MeasuredImage]:
        """Replace workers that take too long, and yield the images on which they did so when alone."""
        now = time.monotonic()
        for worker in list(self._workers):
            if not worker.is_ready and now - worker.since > _START_TIMEOUT:
                raise PoolError(f"a worker process that measures images did not start within {_START_TIMEOUT:g} s")
            if worker.tasks and now - worker.since > self._timeout:
                culprit = worker.tasks.popleft() if len(worker.tasks) == 1 else None
                self._drop(worker)
                self._start_worker()
                if culprit:
                    detail = f"measuring it takes more than {self._timeout:g} s"
                    yield _unmeasured(culprit, ImageFault.TIMED_OUT, detail)

    def _distribute(self) -> None:
        """Give tasks to workers that will soon have none."""
        for worker in self._workers:
            if worker.is_ready and len(worker.tasks) < BATCH:
                self._give(worker)

    def _give(self, worker: _ImageWorker) -> None:
        if worker.tasks and worker.tasks[0].number in self._suspects:
            return
        if not self._waiting:
            self._take(BATCH)
        batch: list[ImageTask] = []
        size = 0
        while self._waiting and len(batch) < BATCH and size < _MAX_BATCH_BYTES:
            is_suspect = self._waiting[0].number in self._suspects
            if is_suspect and (batch or worker.tasks):
                break
            batch.append(self._waiting.popleft())
            size += len(batch[-1].data or b"")
            if is_suspect:
                break
        if not self._waiting:
            self._take(BATCH)
        if batch:
            if not worker.tasks:
                worker.since = time.monotonic()
            worker.tasks.extend(batch)
            worker.send(msgspec.msgpack.encode(batch))

    def _replace(self, worker: _ImageWorker, failure: WorkerError | None) -> Iterator[MeasuredImage]:
        """Replace a worker that has ended, by itself or with an exception."""
        if not worker.is_ready:
            self._drop(worker)
            if failure:
                raise PoolError(f"images cannot be measured: {failure}", _raised(failure)) from failure
            # A new one would most likely end as well: the others do its work.
            if not self._workers:
                raise PoolError("every worker process that measures images ended before it was ready")
            return
        # The first time, it may have been somebody else who ended the process.
        is_alone = len(worker.tasks) == 1 and worker.tasks[0].number in self._suspects
        culprit = worker.tasks.popleft() if is_alone else None
        status = self._drop(worker)
        self._start_worker()
        if culprit:
            reason = str(failure) if failure else f"status {status}"
            measured = _unmeasured(culprit, ImageFault.CRASHED, f"measuring it ended the process twice ({reason})")
            if failure:
                measured.raised.append(_raised(failure))
            yield measured

    def _drop(self, worker: _ImageWorker) -> int:
        """End a worker and take back its tasks, as suspects; return its exit status."""
        self._workers.remove(worker)
        status = worker.stop()
        self._suspects.update(task.number for task in worker.tasks)
        self._waiting.extendleft(reversed(worker.tasks))
        return status


def _unmeasured(task: ImageTask, fault: ImageFault, detail: str) -> MeasuredImage:
    return MeasuredImage(task.number, ImageRecord(fault=fault, detail=detail))


def _raised(failure: WorkerError) -> RaisedError:
    return RaisedError(_WORKER, str(failure), failure.traceback)
