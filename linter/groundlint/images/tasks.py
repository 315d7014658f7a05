"""The tasks of files, and the answers to them, with as much of each object in S3 as its answer needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from polars import DataFrame, col

from groundlint.config.s3_access import is_uri
from groundlint.engine.base_tables import RECTANGLE
from groundlint.images.record import ImageFault, ImageRecord, ImageTask, MeasuredImage

if TYPE_CHECKING:
    from groundlint.images.cluster import ClusterPool
    from groundlint.images.downloads import Downloads
    from groundlint.images.pool import Pool


def answers(
    rows: DataFrame, workers: Pool | ClusterPool, downloads: Downloads | None, *, reads_headers: bool
) -> Iterator[tuple[ImageTask, MeasuredImage]]:
    """Yield the task of each file that could be measured, and the answer to it.

    Args:
        rows: path, `labeled`, and lists of the sides and of `sampled` of the boxes to measure.
        workers: What measures.
        downloads: Fetches objects; None if all files are on this machine.
        reads_headers: Whether most answers need no more than the header of a file.

    Raises:
        PoolError: The workers cannot measure.
    """
    given: dict[int, ImageTask] = {}
    if not downloads:
        for measured in workers.measure(_tasks(rows, given)):
            yield given.pop(measured.number), measured
        return
    workers.start(rows.height)
    if reads_headers:
        downloads.fetch_header(path for path in rows["path"] if is_uri(path))
    for group in downloads.groups(rows["path"].to_list()):
        chosen = rows.filter(col("path").is_in(group)) if len(group) < rows.height else rows
        wanted: Iterable[ImageTask] = _tasks(chosen, given)
        paths = group
        while paths:
            downloads.choose([path for path in paths if is_uri(path)])
            incomplete = []
            for measured in workers.measure(downloads.loaded(wanted)):
                task = given.pop(measured.number)
                if is_uri(task.path):
                    downloads.release(task.path)
                if measured.needs_more:
                    incomplete.append(task)
                else:
                    yield task, measured
            yield from _too_big(given.values(), downloads)
            given.clear()
            for task in incomplete:
                downloads.fetch_more(task.path)
            paths = [task.path for task in incomplete]
            wanted = _noted(incomplete, given)


def _too_big(tasks: Iterable[ImageTask], downloads: Downloads) -> Iterator[tuple[ImageTask, MeasuredImage]]:
    """Yield the answers to tasks whose objects are too big to be fetched, as workers give them on files."""
    for task in tasks:
        if size := downloads.too_big.get(task.path):
            record = ImageRecord(bytes=size, fault=ImageFault.TOO_BIG, detail=f"the object has {size:,} bytes")
            yield task, MeasuredImage(task.number, record)


def _tasks(rows: DataFrame, given: dict[int, ImageTask]) -> Iterator[ImageTask]:
    """Yield the tasks of files one by one, and add those that were taken to `given`."""
    columns = ("path", "labeled", *RECTANGLE, "sampled")
    tasks = (
        ImageTask(number, path, list(zip(*sides, strict=True)) if sampled else [], sampled or [], labeled)
        for number, (path, labeled, *sides, sampled) in enumerate(rows.select(columns).iter_rows())
    )
    return _noted(tasks, given)


def _noted(tasks: Iterable[ImageTask], given: dict[int, ImageTask]) -> Iterator[ImageTask]:
    """Yield tasks, and add those that were taken to `given`."""
    for task in tasks:
        given[task.number] = task
        yield task
