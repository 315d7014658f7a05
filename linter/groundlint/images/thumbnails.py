"""Thumbnails of images and boxes, for reports: encoded again, so that nothing but pixels leaves the file.

They are made in a process of its own, as measurements are: a hostile file may crash it, and costs its own thumbnail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import msgspec

from groundlint.config.s3_access import is_uri
from groundlint.images.record import Rectangle
from groundlint.processes.process import WorkerError, WorkerProcess, ready

LONG_SIDE = 240
"""Longer side of a thumbnail, in pixels; less if the image or the box has fewer. Nothing is enlarged."""

TIMEOUT = 20.0
"""Seconds that one thumbnail may take."""

_START_TIMEOUT = 60.0

_MAX_LOST = 5
"""Processes that may crash or hang before no further thumbnail is made."""


class View(msgspec.Struct, array_like=True, frozen=True):
    """What is to be shown: a whole image, or a box of it with its surroundings.

    Attributes:
        path: The image file, as the table `images` has it: whatever it names is opened. Else the URI of an object.
        boxes: Boxes of the image that will be drawn, in pixels: left, top, width and height.
        crop: The position in `boxes` of the one to show; None shows the whole image.
        image_size: Width and height that the manifest declares for the boxes. It says whether they were drawn on the
            upright image or on the image as the file holds it, where EXIF has it rotated by a quarter turn.
        long_side: Longer side of the thumbnail, in pixels.
        data: The bytes of an object, with the first of the views of it that follow each other.
    """

    path: str
    boxes: tuple[Rectangle, ...] = ()
    crop: int | None = None
    image_size: tuple[int, int] | None = None
    long_side: int = LONG_SIDE
    data: bytes | None = None


class Thumbnail(msgspec.Struct, array_like=True):
    """A small version of an image or of a part of it, upright.

    Attributes:
        webp: A WebP file without metadata.
        size: Width and height of the thumbnail, in its own pixels.
        region: What it shows of the upright image: left, top, width and height in pixels of the image.
        boxes: The boxes of the view in pixels of the upright image.
    """

    webp: bytes
    size: tuple[int, int]
    region: Rectangle
    boxes: list[Rectangle]


def render(
    views: Sequence[View],
    *,
    max_bytes: int,
    contents: Callable[[Sequence[str]], Iterator[bytes | None]] | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Thumbnail | None]:
    """Return the thumbnail of each view; None where the image cannot be shown, and once there is no room left.

    The result depends on the views and the files alone.

    Args:
        views: What to show, the most important first. Views of the same file that follow each other are decoded once.
        max_bytes: Bytes that all thumbnails together may have.
        contents: Yields the bytes of objects, of which it is given the URIs, None where there are none. It is asked for
            each as its thumbnail is made.
        on_progress: Called now and then with a sentence.
    """
    thumbnails: list[Thumbnail | None] = []
    worker = _Renderer()
    uris = [path for path, _ in groupby(view.path for view in views) if is_uri(path)]
    objects = contents(uris) if contents and uris else iter(())
    try:
        for number, view in enumerate(views):
            if not number % 50:
                on_progress(f"making thumbnails: {number:,} of {len(views):,}")
            is_first = number == 0 or views[number - 1].path != view.path
            data = next(objects, None) if is_first and is_uri(view.path) else None
            thumbnail = worker.render(msgspec.structs.replace(view, data=data) if data else view)
            max_bytes -= len(thumbnail.webp) if thumbnail else 0
            if max_bytes < 0:
                break
            thumbnails.append(thumbnail)
    finally:
        worker.stop()
    return thumbnails + [None] * (len(views) - len(thumbnails))


class _Renderer:
    """The process that makes thumbnails, replaced when it crashes or hangs."""

    def __init__(self) -> None:
        self._process: WorkerProcess | None = None
        self._lost = 0
        self._decoder = msgspec.msgpack.Decoder(Thumbnail | None)

    def render(self, view: View) -> Thumbnail | None:
        """Return the thumbnail of a view, None if there is none."""
        if self._lost >= _MAX_LOST:
            return None
        try:
            is_new, self._process = self._process is None, self._process or self._started()
        except OSError:
            self._lost = _MAX_LOST
            return None
        self._process.send(msgspec.msgpack.encode(view))
        message = None
        if _is_ready(self._process, TIMEOUT + (_START_TIMEOUT if is_new else 0)):
            try:
                message = self._process.receive()
            except WorkerError:
                message = None
        if message is None:
            self._lost += 1
            self.stop()
            return None
        thumbnail: Thumbnail | None = self._decoder.decode(message)
        return thumbnail

    def stop(self) -> None:
        """End the process."""
        if self._process:
            self._process.stop()
        self._process = None

    def _started(self) -> WorkerProcess:
        return WorkerProcess("groundlint.images.thumbnail_worker")


def _is_ready(process: WorkerProcess, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while (left := end - time.monotonic()) > 0:
        if ready([process], left):
            return True
    return False
