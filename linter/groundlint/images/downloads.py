"""Downloads from S3: many requests at once, repeated where they fail, within limits of memory and of the run."""

from __future__ import annotations

import hashlib
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

import msgspec

from groundlint.config.s3_access import SCHEME, S3Access, is_uri
from groundlint.images.limits import MAX_FILE_BYTES
from groundlint.images.places import Place, Stamp
from groundlint.images.record import ImageFault, ImageTask
from groundlint.images.request_limits import Limiter, Window
from groundlint.images.s3 import S3
from groundlint.images.s3_errors import Refusal, S3Error
from groundlint.phrases import number_of

_Result = TypeVar("_Result")

MAX_REQUESTS = 64
"""Requests at once."""

HEADER_BYTES = 16 * 1024
"""Bytes of an object that are requested where its header is enough."""

_LONG_HEADER_BYTES = 256 * 1024
"""Bytes that are requested next, where the object has at least `_FEW_PARTS` times as many; else all."""

_FEW_PARTS = 4

_GROUP = 1000
"""Objects whose headers are read before others are requested, where bytes are limited: each may need more."""

_MAX_BATCH_BYTES = 64 * 1024 * 1024
"""Bytes of objects that are fetched at once where their order matters, unless one has more."""

_WITHOUT_HEADER = (".webp", ".avif")
"""Ends of keys of formats that are decoded from the whole file, also for their size."""

WINDOW = 256 * 1024 * 1024
"""Bytes of images that have come and are not measured yet, at most, unless one image has more."""

_ATTEMPTS = 7
_FIRST_DELAY, _MAX_DELAY = 0.1, 5.0
"""Seconds before a request is repeated; they double each time."""

_MAX_FAILURES = 8
"""Objects of a bucket that fail in a row, after all attempts, before nothing more is requested from it."""

_PAGE = 1000
"""Objects of a page of a listing."""

_REQUESTS_PER_PAGE = 50
"""Requests for single objects that take as long as listing a page, because they run at once."""


class Downloads:
    """Fetches the objects of a run.

    Attributes:
        stamps: The stamps of objects that were fetched or looked up, by URI.
        failed: Why objects have no bytes, by URI.
        parts: How many bytes of an object are fetched, from its beginning, by URI; all of those that are not named.
        too_big: The sizes of objects that are too big to be fetched, in bytes, by URI.
        left_out: How many objects a limit left out.
        bytes: How many bytes have come.
    """

    def __init__(
        self,
        s3: S3,
        access: S3Access,
        *,
        window: int = WINDOW,
        first_delay: float = _FIRST_DELAY,
    ) -> None:
        """Prepare downloads, without a request.

        Args:
            s3: The client.
            access: The limits.
            window: Bytes that may be held at once.
            first_delay: Seconds before a request is repeated for the first time.
        """
        self.stamps: dict[str, Stamp] = {}
        self.failed: dict[str, Place] = {}
        self.parts: dict[str, int] = {}
        self.too_big: dict[str, int] = {}
        self.left_out = 0
        self.bytes = 0
        self._s3 = s3
        self._access = access
        self._limiter = Limiter(MAX_REQUESTS)
        self._window = Window(window)
        self._first_delay = first_delay
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()
        self._hopeless: dict[str, S3Error] = {}
        self._excused: set[str] = set()
        self._held: dict[str, int] = {}
        self._chosen: set[str] = set()
        self._chosen_bytes = 0

    @property
    def unread(self) -> list[str]:
        """Sentences on what kept images from being read that is no fault of theirs."""
        read = {_bucket(uri) for uri in self.stamps}
        counts: Counter[tuple[str, str]] = Counter()
        for uri, place in self.failed.items():
            if place.fault == ImageFault.INACCESSIBLE and (uri in self._excused or _bucket(uri) not in read):
                counts[_bucket(uri), place.detail or ""] += 1
        return [
            f"{SCHEME}{bucket}: {number_of(count, 'image')} could not be read: {why}"
            for (bucket, why), count in sorted(counts.items())
        ]

    def look_up(self, uris: Collection[str]) -> None:
        """Learn the stamps of objects without fetching them.

        Objects that were not measured before need no look: their stamps come with their bytes.

        Args:
            uris: The objects. Those of one folder are listed, where that takes less time than asking for each.
        """
        wanted = frozenset(uris)
        folders = Counter((_bucket(uri), uri[len(SCHEME) :].partition("/")[2].rpartition("/")[0]) for uri in wanted)
        with ThreadPoolExecutor(MAX_REQUESTS) as threads:
            list(threads.map(lambda folder: self._list(folder, wanted, folders[folder]), sorted(folders)))
            list(threads.map(self._look_up, sorted(wanted - self.stamps.keys())))

    def groups(self, uris: Collection[str]) -> list[list[str]]:
        """Return objects as they are fetched one group after the other; together, where that is no matter.

        A limit of bytes must not be reached with headers alone, of which each needs the rest of its object.
        """
        if self._access.max_bytes is None or self.parts.keys().isdisjoint(uris):
            return [list(uris)]
        ordered = sorted(uris, key=_digest)
        return [ordered[start : start + _GROUP] for start in range(0, len(ordered), _GROUP)]

    def choose(self, uris: Collection[str]) -> None:
        """Decide which objects are fetched within the limits of the run; the others are `failed`.

        They are an even sample, which depends on the URIs alone and not on their order. Bytes that are fetched again
        count again.
        """
        access = self._access
        if access.max_images is None and access.max_bytes is None:
            return
        if access.max_bytes is not None:
            self.look_up([uri for uri in uris if uri not in self.stamps])
        for uri in sorted(uris, key=_digest):
            if not self._is_within_limits(uri):
                self.left_out += 1
                detail = f"the limit of --max-download {access.limit} was reached"
                self.failed[uri] = Place(None, fault=ImageFault.NOT_FETCHED, detail=detail)

    def loaded(self, tasks: Iterable[ImageTask]) -> Iterator[ImageTask | None]:
        """Yield the tasks with the bytes of their objects, in any order; None where none has come yet.

        Tasks whose file is on this machine are yielded as they are, those without bytes not at all. The bytes of a
        task count as held until `release`.

        Args:
            tasks: The tasks.
        """
        remaining = iter(tasks)
        ready: SimpleQueue[ImageTask | Exception | None] = SimpleQueue()
        is_stopped = threading.Event()

        def work() -> None:
            try:
                while not is_stopped.is_set():
                    with self._lock:
                        task = next(remaining, None)
                    if task is None:
                        return
                    if not is_uri(task.path):
                        ready.put(task)
                    elif (data := self._fetched(task.path)) is not None:
                        size = self.stamps[task.path].size
                        ready.put(msgspec.structs.replace(task, data=data, size=size if len(data) < size else None))
            # It is raised where the tasks are taken.
            except Exception as error:  # noqa: BLE001
                ready.put(error)
            finally:
                ready.put(None)

        for _ in range(MAX_REQUESTS):
            threading.Thread(target=work, daemon=True).start()
        at_work = MAX_REQUESTS
        try:
            while at_work:
                try:
                    task = ready.get_nowait()
                except Empty:
                    yield None
                    continue
                if task is None:
                    at_work -= 1
                elif isinstance(task, Exception):
                    raise task
                else:
                    yield task
        finally:
            is_stopped.set()

    def content(self, uri: str) -> bytes:
        """Return the bytes of an object that is not an image, of whatever size.

        Raises:
            S3Error: It cannot be read.
        """
        return self._repeated(uri, lambda: self._s3.get(uri).read())

    def write(self, uri: str, data: bytes) -> None:
        """Write an object as a whole.

        Raises:
            S3Error: It cannot be written.
        """
        self._repeated(uri, lambda: self._s3.put(uri, data))

    def release(self, uri: str) -> None:
        """Say that the bytes of an object are no longer held."""
        self._window.release(self._held.pop(uri))

    def fetch_header(self, uris: Iterable[str]) -> None:
        """Have only the beginnings of objects fetched, of those formats whose header is there."""
        self.parts |= {uri: HEADER_BYTES for uri in uris if not uri.lower().endswith(_WITHOUT_HEADER)}

    def fetch_more(self, uri: str) -> None:
        """Have more of an object fetched than before, from its beginning: it may be another one meanwhile."""
        is_first = self.parts.pop(uri) == HEADER_BYTES
        if is_first and self.stamps[uri].size >= _FEW_PARTS * _LONG_HEADER_BYTES:
            self.parts[uri] = _LONG_HEADER_BYTES

    def in_order(self, uris: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of whole objects in this order, some of them fetched at once.

        None stands for one that the limits leave out, that cannot be read, or that has changed since it was measured.

        Args:
            uris: The objects.
        """
        self.parts.clear()
        self.look_up([uri for uri in uris if uri not in self.stamps])
        batch: list[str] = []
        for uri in uris:
            batch.append(uri)
            size = sum(self._length(each) for each in batch)
            if len(batch) == MAX_REQUESTS or size >= _MAX_BATCH_BYTES or uri == uris[-1]:
                wanted = [each if self._is_within_limits(each) else None for each in batch]
                with ThreadPoolExecutor(MAX_REQUESTS) as threads:
                    found = list(threads.map(lambda each: self._unchanged(each) if each else None, wanted))
                yield from found
                batch = []

    def _unchanged(self, uri: str) -> bytes | None:
        """The bytes of an object as it was when its stamp became known; None if they cannot be had."""
        try:
            return self._repeated(uri, lambda: self._bytes_with_stamp(uri, self.stamps.get(uri)))
        except S3Error:
            return None

    def _bytes_with_stamp(self, uri: str, stamp: Stamp | None) -> bytes | None:
        found = self._s3.get(uri)
        if found.stamp != stamp or found.length > MAX_FILE_BYTES:
            return None
        data = found.read()
        with self._lock:
            self.bytes += found.length
        return data

    def _is_within_limits(self, uri: str) -> bool:
        """Count an object that is to be fetched, and return whether it may be."""
        access = self._access
        self._chosen.add(uri)
        self._chosen_bytes += self._length(uri)
        most_images = math.inf if access.max_images is None else access.max_images
        most_bytes = math.inf if access.max_bytes is None else access.max_bytes
        return len(self._chosen) <= most_images and self._chosen_bytes <= most_bytes

    def _length(self, uri: str) -> int:
        """How many bytes of an object are fetched, as far as its size is known."""
        size = self.stamps[uri].size if uri in self.stamps else 0
        return min(size, self.parts.get(uri, size))

    def _list(self, folder: tuple[str, str], wanted: Collection[str], count: int) -> None:
        """List a folder, as far as that takes less time than asking for so many single objects."""
        listed = 0
        try:
            for page in self._s3.list(*folder):
                self.stamps.update((uri, stamp) for uri, stamp in page if uri in wanted)
                listed += len(page)
                if listed >= _PAGE * (1 + count // _REQUESTS_PER_PAGE):
                    return
        except S3Error:
            # Many may read objects and not list them.
            return

    def _look_up(self, uri: str) -> None:
        try:
            self.stamps[uri] = self._repeated(uri, lambda: self._s3.stamp(uri))
        except S3Error:
            # The request for its bytes says why.
            return

    def _fetched(self, uri: str) -> bytes | None:
        """The bytes of an object; None where there are none, and `failed` or `too_big` says why."""
        if uri in self.failed:
            return None
        try:
            return self._repeated(uri, lambda: self._bytes_of(uri))
        except S3Error as error:
            is_missing = error.refusal == Refusal.MISSING
            fault = ImageFault.NO_OBJECT if is_missing else ImageFault.INACCESSIBLE
            if not is_missing and error.refusal != Refusal.OBJECT:
                self._excused.add(uri)
            self.failed[uri] = Place(None, fault=fault, detail=str(error))
            return None

    def _bytes_of(self, uri: str) -> bytes | None:
        found = self._s3.get(uri, self.parts.get(uri))
        self.stamps[uri] = found.stamp
        size = found.stamp.size
        if size > MAX_FILE_BYTES:
            self.too_big[uri] = size
            return None
        self._window.take(found.length)
        try:
            data = found.read()
        except BaseException:
            self._window.release(found.length)
            raise
        with self._lock:
            self.bytes += found.length
            self._held[uri] = found.length
        return data

    def _repeated(self, uri: str, request: Callable[[], _Result]) -> _Result:
        """Send a request until it succeeds or is refused.

        Raises:
            S3Error: It was refused, or failed too often, or others failed in a way that says that it will too.
        """
        bucket = _bucket(uri)
        delay = self._first_delay
        attempt = 0
        while True:
            attempt += 1
            if hopeless := self._hopeless.get(bucket):
                raise hopeless
            number = self._limiter.enter()
            failure: S3Error | None = None
            try:
                result = request()
            except S3Error as error:
                failure = error
            finally:
                self._limiter.leave(number, is_busy=failure is not None and failure.refusal == Refusal.SLOW_DOWN)
            if failure is None:
                self._failures[bucket] = 0
                return result
            if failure.refusal == Refusal.BUCKET:
                self._hopeless[bucket] = failure
            if not failure.is_transient:
                raise failure
            if attempt == _ATTEMPTS:
                self._give_up(bucket, failure)
                raise failure
            # As long for all would make them come back together.
            time.sleep(min(delay, _MAX_DELAY) * random.uniform(0.5, 1))  # noqa: S311 - no secret
            delay *= 2

    def _give_up(self, bucket: str, failure: S3Error) -> None:
        with self._lock:
            self._failures[bucket] += 1
            if self._failures[bucket] >= _MAX_FAILURES:
                self._hopeless[bucket] = failure


def contents(uris: Iterable[str], access: S3Access) -> dict[str, bytes | OSError]:
    """Return the bytes of a few objects, such as manifests, or why they cannot be read.

    Args:
        uris: The objects. The user named them, so their buckets need not be allowed.
        access: Whether requests are anonymous.
    """
    downloads = Downloads(S3(access), access)
    found: dict[str, bytes | OSError] = {}
    for uri in uris:
        try:
            found[uri] = downloads.content(uri)
        except S3Error as error:
            found[uri] = OSError(str(error))
    return found


def write_object(uri: str, data: bytes) -> None:
    """Write an object as a whole, with the user's credentials.

    Raises:
        S3Error: It cannot be written.
    """
    access = S3Access()
    Downloads(S3(access), access).write(uri, data)


def _digest(uri: str) -> bytes:
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass")).digest()


def _bucket(uri: str) -> str:
    return uri[len(SCHEME) :].partition("/")[0]
