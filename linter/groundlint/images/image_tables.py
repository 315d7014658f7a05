"""The tables `images` and `crops`: every image found, and measured or taken from the cache."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint.config.data_sets import UsageError
from groundlint.config.s3_access import SCHEME, is_uri
from groundlint.engine.base_tables import BASE, RECTANGLE
from groundlint.engine.features import Feature, header_features
from groundlint.images.box_places import NOWHERE, boxes_in_files, places
from groundlint.images.cache import Cache
from groundlint.images.folders import image_files
from groundlint.images.limits import MAX_PIXELS
from groundlint.images.measurements import Measurements
from groundlint.images.parts import NOTHING, MeasuredParts, Part, PartTables
from groundlint.images.places import Stamp, as_text
from groundlint.images.record import CropRecord, ImageFault, ImageRecord, ImageTask, MeasuredImage, RaisedError
from groundlint.images.search import found_images, relative_paths, without_failed
from groundlint.images.storage import Storage
from groundlint.images.tasks import answers
from groundlint.images.wide_values import beside, is_wide

if TYPE_CHECKING:
    from groundlint.images.cluster import ClusterPool
    from groundlint.images.downloads import Downloads
    from groundlint.images.pool import Pool
    from groundlint.images.remote_images import RemoteImages

_STORED_TOGETHER = 256
"""Measured images that are written to the cache together."""

_STORED_EVERY = 2.0
"""Seconds after which measured images are written to the cache all the same."""

_READ_TOGETHER = 2_000
"""Contents that are read from the cache together."""

# Faults of the content itself, which it will have again. A process that ended may have ended for another reason.
_LASTING = (ImageFault.NO_IMAGE, ImageFault.TRUNCATED, ImageFault.UNREADABLE, ImageFault.NOT_FETCHED)

_IMAGE = ["data_set", "source_ref"]


_HEADER = "header "
"""What the key of a content in S3 begins with of which only the header was read."""


def _header_digest(uri: str, stamp: Stamp) -> str:
    """What stands for the digest of an object in S3 of which only the header was read."""
    return _HEADER + hashlib.sha256(f"{uri} {stamp.text}".encode("utf-8", "surrogatepass")).hexdigest()


def _is_lasting(record: ImageRecord) -> bool:
    """Return whether the content would give the same record again: it has no fault, or one that is its own."""
    pixels = (record.width or 0) * (record.height or 0)
    return record.fault in (None, *_LASTING) or (record.fault == ImageFault.TOO_BIG and pixels > MAX_PIXELS)


@dataclass
class ImageTables:
    """Finds and measures the images of all data sets; an image that several data sets name is measured once.

    Attributes:
        storage: Finds images.
        cache: What was measured before.
        features: What is measured, with the steps that the features need.
        jobs: Most worker processes.
        parts: What was measured before, perhaps on other machines. An image that was found there counts as found.
        cluster: Address of the scheduler of a Dask cluster that measures; on this machine if None.
        downloads: Fetches images from S3; None if that is not allowed.
        on_progress: Called with a text on what is being done.
        raised: The exceptions of features, the first of each.
        opened: Number of images that were measured and not taken from the cache.
        left_out: For each data set with more boxes than are sampled, the number of boxes on which costly features are
            not measured.
        unmeasured: Number of images that are not on this machine and that `parts` has without some box, or without
            what is measured on labeled images.
        wide: The tables of images with the columns that are too wide to be held in memory, by name.
    """

    storage: Storage
    cache: Cache
    features: Sequence[Feature]
    jobs: int
    parts: MeasuredParts = NOTHING
    cluster: str | None = None
    downloads: Downloads | None = None
    on_progress: Callable[[str], None] = lambda _: None
    raised: list[RaisedError] = field(default_factory=list)
    opened: int = 0
    left_out: Mapping[int, int] = field(default_factory=dict)
    unmeasured: int = 0
    wide: dict[str, LazyFrame] = field(default_factory=dict)
    _pool: Pool | ClusterPool | None = field(default=None, init=False)
    _digests: dict[str, str] = field(default_factory=dict)
    _measurements: Measurements = field(init=False)
    _reads_headers: bool = field(init=False)

    def __post_init__(self) -> None:
        self._measurements = Measurements(self.features)
        of_header = header_features(self.features)
        self._reads_headers = self.downloads is not None and all(each.name in of_header for each in self.features)

    @property
    def seconds(self) -> Mapping[str, float]:
        """CPU time of the workers for each feature, and for reading and decoding."""
        return self._pool.seconds if self._pool else {}

    @property
    def remote(self) -> RemoteImages | None:
        """The images that are in S3; None where that is not read."""
        if self.downloads is None:
            return None
        from groundlint.images.remote_images import RemoteImages

        return RemoteImages(self.storage, self.downloads)

    def prepare(self, tasks: int) -> None:
        """Start worker processes before it is known what they will measure: they take a while to be ready.

        Does nothing where the cache has measurements, because it may have all that are needed.

        Args:
            tasks: Number of images that there may be.
        """
        if tasks and self.features:
            self.cache.open()
            if self.cache.is_empty:
                self._workers().start(tasks)

    def close(self) -> None:
        """End the worker processes and close the cache."""
        if self._pool:
            self._pool.close()
        self.cache.close()
        self._measurements.wide.close()

    @property
    def files(self) -> object:
        """What removes the temporary files of `wide` when nothing refers to it any more."""
        return self._measurements.wide

    def tables(self, lines: DataFrame, boxes: DataFrame, labels: DataFrame) -> dict[str, DataFrame]:
        """Return the tables `images`, without wide columns, and `crops` of all data sets.

        A data set none of whose images is found has rows only for images of which more is known.

        Args:
            lines: The base table.
            boxes: The base table.
            labels: The base table.
        """
        found, stamps = self._find_labeled(lines, labels)
        found, of_boxes = self._know(found, boxes, stamps)
        files = found.drop_nulls("file")
        contents = self._contents()
        return {
            "images": self._with_wide("images", self._images(found, contents)),
            "crops": self._crops(boxes, files, of_boxes, contents),
        }

    def part(self, lines: DataFrame, boxes: DataFrame, labels: DataFrame, part: Part) -> PartTables:
        """Return what is known of the images of a part, with those that are faulty; none of those that are not here.

        Args:
            lines: The base table.
            boxes: The base table.
            labels: The base table.
            part: Which images.
        """
        found, stamps = self._find_labeled(lines, labels)
        found = found.filter(pl.Series([part.has(source_ref) for source_ref in found["source_ref"]], dtype=pl.Boolean))
        found, of_boxes = self._know(found, boxes, stamps)
        files = found.drop_nulls("file")
        contents = self._contents()
        images = (
            self._images(found, contents)
            .filter(col("found") | col("fault").is_not_null())
            # Data sets may share an image.
            .sort("labeled", descending=True, maintain_order=True)
            .unique("source_ref", keep="first", maintain_order=True)
            .drop("data_set")
            .sort("source_ref")
        )
        crops = (
            files.join(of_boxes, on=["data_set", "file"])
            .join(contents, on="file")
            .join(self._measurements.crops().drop("sampled"), on=["content", *RECTANGLE])
            .sort("sampled", descending=True, maintain_order=True)
            .unique(["source_ref", *RECTANGLE], keep="first", maintain_order=True)
            .select("source_ref", *RECTANGLE, "sampled", *self._values("crops", "sampled"))
        )
        wide = self._measurements.wide
        return PartTables(images.drop("record"), wide.columns(images["record"]), crops, wide)

    def _find_labeled(self, lines: DataFrame, labels: DataFrame) -> tuple[DataFrame, dict[str, Stamp]]:
        """Return what `found_images` returns, and whether an image is `labeled`: has a label of its own."""
        found, stamps = found_images(lines, self.storage, self.parts.images)
        with_label = labels.select(_IMAGE).unique().with_columns(labeled=lit(True))
        found = found.join(with_label, on=_IMAGE, how="left", maintain_order="left")
        return found.with_columns(col("labeled").fill_null(False)), stamps

    def reference_images(self, lines: DataFrame, folders: Sequence[tuple[int, Path]]) -> DataFrame:
        """Return the table `reference_images` of all data sets; images in folders are named by their path.

        Args:
            lines: The lines of reference manifests, with the columns of the base table.
            folders: Numbers of data sets, and folders of images.

        Raises:
            UsageError: A folder has no image.
        """
        found, stamps = found_images(lines, self.storage, self.parts.images)
        listed = [DataFrame(schema=found.schema)]
        for data_set, folder in folders:
            paths = image_files(folder)
            if not paths:
                raise UsageError(f"{folder}: the folder has no image")
            stamps |= paths
            names = [as_text(os.path.relpath(path)) for path in paths]
            rows = DataFrame({"source_ref": names, "path": [*paths]}).with_columns(data_set=lit(data_set, pl.Int32))
            listed.append(rows)
        found = pl.concat([found, *listed], how="diagonal").unique(_IMAGE, keep="first", maintain_order=True)
        found = found.with_columns(labeled=lit(False), file=pl.coalesce("file", "path"))
        found, _ = self._know(found, BASE["boxes"].empty(), stamps)
        return self._with_wide("reference_images", self._images(found, self._contents()))

    def _know(self, found: DataFrame, boxes: DataFrame, stamps: dict[str, Stamp]) -> tuple[DataFrame, DataFrame]:
        """Take images from the given measurements and from the cache, and measure those that these do not have.

        Returns:
            The images, as far as they could be fetched, and the places of boxes in their files.
        """
        files = found.drop_nulls("file")
        of_boxes = self._places(boxes, files)
        self._take(files)
        if unknown := files.filter(col("file") == col("path"))["path"].unique(maintain_order=True).to_list():
            self.cache.open()
            if self.downloads:
                self.downloads.look_up(self.cache.known(path for path in unknown if path not in stamps))
                stamps |= self.downloads.stamps
            self._recall({path: stamps[path] for path in unknown if path in stamps})
        of_files = files.group_by("file", maintain_order=True).agg(col("labeled").any(), col("path").first())
        sizes = [stamps[path].size if path in stamps else 0 for path in of_files["path"]]
        # Files of equal bytes follow each other, so that a worker knows them. The largest are measured first.
        of_files = of_files.with_columns(bytes=pl.Series(sizes, dtype=pl.Int64)).sort(
            "bytes", descending=True, maintain_order=True
        )
        self._measure(of_files, of_boxes, stamps)
        failed = self.downloads.failed if self.downloads else {}
        return without_failed(found, failed), of_boxes

    @property
    def _sees_crops(self) -> bool:
        return any(feature.of == "crops" for feature in self.features)

    def _take(self, files: DataFrame) -> None:
        """Take files from the given measurements."""
        named = files.select("source_ref", named="file").unique()
        rows = self.parts.images.filter("found").join(named, on="source_ref").sort("file", "row")
        # As in `_keep`, for a file that could not be read.
        rows = rows.with_columns(pl.coalesce("digest", "named").alias("digest"))
        if not rows.is_empty():
            self._digests |= dict(rows.select("named", "digest").iter_rows())
            wide = self.parts.wide(rows, self._measurements.wide.names)
            digests = rows.select("source_ref", "digest")
            self._measurements.extend(rows, wide, self.parts.crops.join(digests, on="source_ref"))

    def _recall(self, stamps: Mapping[str, Stamp]) -> None:
        """Take from the cache what it knows of files that have not changed."""
        digests = self.cache.digests(stamps)
        if not self._reads_headers:
            digests = {path: digest for path, digest in digests.items() if not digest.startswith(_HEADER)}
        self._digests |= digests
        unknown = iter(set(digests.values()) - self._measurements.numbers.keys())
        while part := list(itertools.islice(unknown, _READ_TOGETHER)):
            crops = self.cache.crops(part) if self._sees_crops else {}
            for digest, record in self.cache.images(part).items():
                self._measurements.recall(digest, record, crops.get(digest, {}).values())

    def _places(self, boxes: DataFrame, files: DataFrame) -> DataFrame:
        """Return where boxes are in the files, and count those on which costly features are not measured."""
        if not self._sees_crops:
            return NOWHERE
        rows = boxes_in_files(boxes, files)
        if any(feature.of == "crops" and feature.only_sampled for feature in self.features):
            left_out = rows.filter(~col("sampled")).group_by("data_set").len().sort("data_set")
            self.left_out = dict(left_out.iter_rows())
        return places(rows)

    def _contents(self) -> DataFrame:
        """Return the number of the `content` of each `file` whose content is known."""
        numbers = self._measurements.numbers
        known = [(file, numbers[digest]) for file, digest in self._digests.items() if digest in numbers]
        return DataFrame(known, schema={"file": pl.String, "content": pl.Int32}, orient="row")

    def _measure(self, files: DataFrame, of_boxes: DataFrame, stamps: dict[str, Stamp]) -> None:
        unknown = self._unknown(files, of_boxes)
        tasks = unknown.drop_nulls("path")
        self.unmeasured += unknown.height - tasks.height
        if tasks.is_empty():
            return
        from groundlint.images.pool import PoolError

        start = stored = time.monotonic()
        pending: list[tuple[ImageTask, MeasuredImage]] = []
        found = answers(tasks, self._workers(), self.downloads, reads_headers=self._reads_headers)
        try:
            for done, (task, measured) in enumerate(found, 1):
                self.opened += 1
                self._add_errors(measured.raised)
                if self.downloads and is_uri(task.path):
                    before, stamps[task.path] = stamps.get(task.path), self.downloads.stamps[task.path]
                    if measured.record.format and not measured.record.digest:
                        # What an earlier run measured of the whole object must stay known.
                        known = self._digests.get(task.path) if before == stamps[task.path] else None
                        measured.record.digest = known or _header_digest(task.path, stamps[task.path])
                pending.append((task, measured))
                now = time.monotonic()
                if len(pending) >= _STORED_TOGETHER or now - stored > _STORED_EVERY:
                    self._keep(pending, stamps)
                    pending, stored = [], now
                self._report(done, tasks.height, now - start)
        except PoolError as error:
            if error.raised is None:
                raise
            # As with a rule that raises, what does not need the images is still judged.
            self._add_errors([error.raised])
        finally:
            # What was measured before the user interrupted the run need not be measured again.
            self._keep(pending, stamps)

    def _workers(self) -> Pool | ClusterPool:
        # A run that finds everything in the cache starts no process, and need not import what starts them.
        if not self._pool and self.cluster:
            from groundlint.images.cluster import ClusterPool

            self._pool = ClusterPool([feature.place for feature in self.features], address=self.cluster)
        elif not self._pool:
            from groundlint.images.pool import Pool

            self._pool = Pool([feature.place for feature in self.features], jobs=self.jobs)
        return self._pool

    def _unknown(self, files: DataFrame, of_boxes: DataFrame) -> DataFrame:
        """Return the files that must be measured, with lists of the boxes in them that must be."""
        measurements = self._measurements
        digests = [self._digests.get(file) for file in files["file"]]
        is_known = [
            measurements.has(digest, labeled=labeled) for digest, labeled in zip(digests, files["labeled"], strict=True)
        ]
        files = files.with_columns(
            is_known=pl.Series(is_known, dtype=pl.Boolean),
            is_faulty=pl.Series([measurements.is_faulty(digest) for digest in digests], dtype=pl.Boolean),
        )
        known_crops = measurements.crops().select("content", *RECTANGLE, known="sampled")
        of_file = (
            of_boxes.group_by("file", *RECTANGLE)
            .agg(col("sampled").any())
            .join(self._contents(), on="file", how="left")
            .join(known_crops, on=["content", *RECTANGLE], how="left")
            .filter(col("known").is_null() | (col("sampled") & ~col("known")))
            .group_by("file")
            .agg(*RECTANGLE, "sampled")
        )
        has_new_boxes = col("sampled").is_not_null() & ~col("is_faulty")
        return files.join(of_file, on="file", how="left", maintain_order="left").filter(
            ~col("is_known") | has_new_boxes
        )

    def _add_errors(self, errors: Sequence[RaisedError]) -> None:
        known = {raised.what for raised in self.raised}
        self.raised += [raised for raised in errors if raised.what not in known]

    def _report(self, done: int, count: int, seconds: float) -> None:
        rate = done / max(seconds, 1e-6)
        left = (count - done) / rate
        text = f"measuring images: {done:,} of {count:,} ({rate:,.0f}/s, {left:,.0f} s left)"
        if self.downloads:
            size = self.downloads.bytes / 1e6
            text += f", {size:,.0f} MB from S3 ({size / max(seconds, 1e-6):,.1f} MB/s)"
        self.on_progress(text)

    def _keep(self, measured: Sequence[tuple[ImageTask, MeasuredImage]], stamps: Mapping[str, Stamp]) -> None:
        """Keep the measurements, and store those in the cache that will be the same next time."""
        files: list[tuple[str, Stamp, str]] = []
        records: dict[str, ImageRecord] = {}
        crops: dict[str, list[CropRecord]] = {}
        for task, answer in measured:
            record = answer.record
            # A file that could not be read has no digest; in this run, its path stands for its content.
            digest = record.digest or task.path
            self._digests[task.path] = digest
            self._measurements.add(digest, record, answer.crops, labeled=task.labeled)
            if record.digest and _is_lasting(record) and not answer.raised:
                files.append((task.path, stamps[task.path], digest))
                records[digest], crops[digest] = record, answer.crops
        self.cache.store(files, records, crops)

    def _with_wide(self, name: str, images: DataFrame) -> DataFrame:
        """Keep a table with its wide columns in `wide`, and return it without them."""
        light = images.drop("record", "labeled")
        order = [*BASE["images"].schema, *(feature.name for feature in self._values_of("images"))]
        self.wide[name] = beside(light, self._measurements.wide.columns(images["record"])).select(order)
        return light

    def _images(self, found: DataFrame, contents: DataFrame) -> DataFrame:
        """Return images without wide values, sorted, with the numbers of the records of these as `record`."""
        is_missing = col("file").is_null()
        is_object = col("path").str.starts_with(SCHEME).fill_null(False)
        digests = [self._digests.get(file or "") for file in found["file"]]
        rows = (
            found.with_columns(digest=pl.Series(digests, dtype=pl.String))
            .join(contents, on="file", how="left", maintain_order="left")
            .join(self._measurements.images(), on="content", how="left", maintain_order="left")
            .with_columns(
                fault=pl.when(is_missing).then("fault_of_search").otherwise("fault"),
                detail=pl.when(is_missing).then("detail_of_search").otherwise("detail"),
                # Whether an earlier run knew all bytes of an object must not matter.
                digest=pl.when(col("digest") != col("file"), ~lit(self._reads_headers) | ~is_object).then("digest"),
                found=~is_missing,
                path=pl.Series(relative_paths(found["path"]), dtype=pl.String),
            )
        )
        # Also if another data set had it measured: the rows of a data set do not depend on the others.
        values = self._values("images", "labeled")
        facts = (col(name).cast(dtype) for name, dtype in BASE["images"].schema.items())
        return rows.sort(_IMAGE).select(*facts, *values, "record", "labeled")

    def _values_of(self, table: str) -> list[Feature]:
        """Return the features that are columns of a table."""
        return [feature for feature in self.features if feature.of == table and feature.dtype]

    def _values(self, table: str, condition: str) -> list[pl.Expr]:
        """Return the values of the features of a table that are not wide; some only where a column is true."""
        return [
            pl.when(condition).then(feature.name).alias(feature.name)
            if feature.only_labeled or feature.only_sampled
            else col(feature.name)
            for feature in self._values_of(table)
            if not is_wide(feature)
        ]

    def _crops(self, boxes: DataFrame, files: DataFrame, of_boxes: DataFrame, contents: DataFrame) -> DataFrame:
        if not self._sees_crops:
            return BASE["crops"].empty()
        keys = list(BASE["crops"].schema)
        crops = self._measurements.crops().drop("sampled")
        measured = of_boxes.join(contents, on="file", how="left").join(crops, on=["content", *RECTANGLE], how="left")
        return (
            boxes.select(*keys, *RECTANGLE)
            # A box whose image was not found has no crop. In a large data set without images, these would be most rows.
            .join(files.select(*_IMAGE, "file"), on=_IMAGE, maintain_order="left")
            .join(measured, on=["data_set", "file", *RECTANGLE], how="left", maintain_order="left")
            .select(*keys, *self._values("crops", "sampled"))
        )
