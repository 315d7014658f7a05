"""The images of a data set as tables: found, measured or remembered, one row each."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from polars import DataFrame, col, lit

from groundlint.engine.features import Feature
from groundlint.engine.tables import BASE
from groundlint.images import pool
from groundlint.images.cache import Cache, Crop, Facts, Stamp
from groundlint.images.contents import SIDES, Contents
from groundlint.images.record import MAX_PIXELS, Fault, Measured, Task
from groundlint.images.store import Store

_AT_ONCE = 256
"""Measured images that are remembered together."""

_RECALLED = 2_000
"""Contents of which what is remembered is read together."""

MAX_SAMPLE, MAX_SAMPLES = 20_000, 200_000
"""Boxes of a label, and of all labels, on which is measured what is measured on some only."""

_LASTING = (Fault.NO_IMAGE, Fault.TRUNCATED, Fault.UNREADABLE, Fault.NOT_FETCHED)
"""Faults that are in the content: they come again. A process that died may have died of something else."""


def _lasts(measured: Measured) -> bool:
    """Whether the same would be measured again: a picture of too many pixels is so by its header."""
    pixels = (measured.width or 0) * (measured.height or 0)
    return measured.fault in (None, *_LASTING) or (measured.fault == Fault.TOO_BIG and pixels > MAX_PIXELS)


@dataclass
class ImageTables:
    """Finds and measures images; an image that several data sets name is measured once.

    `raised` says which features failed, each once.
    """

    store: Store
    cache: Cache
    features: Sequence[Feature]
    jobs: int
    on_progress: Callable[[str], None] = lambda _: None
    raised: list[str] = field(default_factory=list)
    opened: int = 0
    _digests: dict[str, str] = field(default_factory=dict)
    _contents: Contents = field(init=False)

    def __post_init__(self) -> None:
        self._contents = Contents(self.features)

    def tables(self, lines: DataFrame, boxes: DataFrame, labels: DataFrame) -> dict[str, DataFrame]:
        """The tables `images` and `crops` of all data sets.

        Of a data set of which not one image is found, only those that are refused have a row.
        """
        image = ["data_set", "source_ref"]
        named = lines.filter(col("source_ref").is_not_null()).unique(image, keep="first", maintain_order=True)
        rows = []
        for (data_set,), part in named.select(*image, "manifest").group_by("data_set", maintain_order=True):
            refs = part.select("source_ref", "manifest")
            # Usually the first is found; where none is, nothing is kept of a million.
            has_none = not any(self.store.find(*row).path for row in refs.iter_rows())
            for ref, manifest in refs.iter_rows():
                place = self.store.find(ref, manifest)
                if place.refused or not has_none:
                    rows.append((data_set, ref, place))
        self.cache.open()
        stamps = {place.path: place.stamp for _, _, place in rows if place.path and place.stamp}
        self._recall(stamps)
        found = DataFrame(
            [(data_set, ref, place.path, place.refused) for data_set, ref, place in rows],
            schema={"data_set": pl.Int32, "source_ref": pl.String, "path": pl.String, "refused": pl.String},
            orient="row",
        )
        with_label = labels.select(image).unique().with_columns(labelled=lit(True))
        found = found.join(with_label, on=image, how="left", maintain_order="left")
        found = found.with_columns(col("labelled").fill_null(False))
        files = found.drop_nulls("path")
        places_of_boxes = self._places(boxes, files)
        of_files = files.group_by("path", maintain_order=True).agg(col("labelled").any())
        self._measure(of_files, places_of_boxes, stamps)
        return {"images": self._images(found), "crops": self._crop_rows(boxes, files, places_of_boxes)}

    @property
    def _sees_crops(self) -> bool:
        return any(feature.of == "crops" for feature in self.features)

    def _recall(self, stamps: Mapping[str, Stamp]) -> None:
        """Take from the cache what it knows of files that have not changed."""
        new = {path: stamp for path, stamp in stamps.items() if path not in self._digests}
        digests = self.cache.digests(new)
        self._digests |= digests
        unknown = iter(set(digests.values()) - self._contents.numbers.keys())
        while part := list(itertools.islice(unknown, _RECALLED)):
            crops = self.cache.crops(part) if self._sees_crops else {}
            for digest, facts in self.cache.facts(part).items():
                self._contents.recall(digest, facts, crops.get(digest, ()))

    def _places(self, boxes: DataFrame, files: DataFrame) -> DataFrame:
        """Where boxes of found files lie, each place of a data set once, and whether a box there is `sampled`."""
        if not self._sees_crops:
            schema = {"data_set": pl.Int32, "path": pl.String, **dict.fromkeys(SIDES, pl.Float64)}
            return DataFrame(schema={**schema, "sampled": pl.Boolean})
        rows = (
            boxes.drop_nulls(SIDES)
            .filter(pl.min_horizontal("width", "height") > 0)
            .select("data_set", "source_ref", "attribute", "label", *SIDES)
            .join(files.select("data_set", "source_ref", "path"), on=["data_set", "source_ref"])
            # Evenly over a label's boxes, in an order that is not that of the lines.
            .sort("source_ref", *SIDES)
        )
        label = ("data_set", "attribute", "label")
        labels = rows.select(label).unique().group_by("data_set").len("labels")
        rows = rows.join(labels, on="data_set", how="left", maintain_order="left")
        most = pl.min_horizontal(lit(MAX_SAMPLE, pl.Int64), MAX_SAMPLES // col("labels").cast(pl.Int64))
        place, count = pl.int_range(pl.len()).over(label), pl.len().cast(pl.Int64).over(label)
        is_sampled = (place + 1) * most // count > place * most // count
        return rows.with_columns(sampled=is_sampled).group_by("data_set", "path", *SIDES).agg(col("sampled").any())

    def _content(self) -> pl.Expr:
        """The number of the content of each `path`; null where it is not known."""
        numbers = {path: self._contents.numbers.get(digest) for path, digest in self._digests.items()}
        return col("path").replace_strict(numbers, default=None, return_dtype=pl.Int32).alias("content")

    def _measure(self, files: DataFrame, places: DataFrame, stamps: Mapping[str, Stamp]) -> None:
        contents, digests = self._contents, [self._digests.get(path) for path in files["path"]]
        is_known = map(lambda digest, labelled: contents.knows(digest, labelled=labelled), digests, files["labelled"])
        state = DataFrame(
            {"is_known": is_known, "is_faulty": map(contents.is_faulty, digests)},
            schema={"is_known": pl.Boolean, "is_faulty": pl.Boolean},
        )
        known = contents.crops().select("content", *SIDES, known="sampled")
        new = (
            places.group_by("path", *SIDES)
            .agg(col("sampled").any())
            .with_columns(self._content())
            .join(known, on=["content", *SIDES], how="left")
            .filter(col("known").is_null() | (col("sampled") & ~col("known")))
        )
        of_file = new.group_by("path").agg(*SIDES, "sampled")
        tasks = (
            pl.concat([files, state], how="horizontal")
            .join(of_file, on="path", how="left", maintain_order="left")
            .filter(~col("is_known") | (col("sampled").is_not_null() & ~col("is_faulty")))
        )
        if tasks.is_empty():
            return
        start = time.monotonic()
        given: dict[int, Task] = {}
        pending: list[tuple[Task, Measured]] = []
        try:
            for done, measured in enumerate(pool.measure(_tasks(tasks, given), self.features, jobs=self.jobs), 1):
                self.opened += 1
                self.raised += [text for text in measured.raised if text not in self.raised]
                pending.append((given.pop(measured.number), measured))
                if len(pending) >= _AT_ONCE:
                    self._take(pending, stamps)
                    pending = []
                self._report(done, tasks.height, time.monotonic() - start)
        finally:
            # Also where the user breaks it off: what was measured need not be measured again.
            self._take(pending, stamps)

    def _report(self, done: int, count: int, seconds: float) -> None:
        rate = done / max(seconds, 1e-6)
        left = (count - done) / rate
        self.on_progress(f"measuring images: {done:,} of {count:,}, {rate:,.0f} a second, {left:,.0f} s left")

    def _take(self, pending: Sequence[tuple[Task, Measured]], stamps: Mapping[str, Stamp]) -> None:
        """Keep what was measured, and remember what will be the same next time."""
        files, of_files, of_boxes = [], {}, {}
        for task, m in pending:
            # What could not even be read has no digest: it is told by its path, for this run.
            digest = m.digest or task.path
            facts = Facts(m.bytes, m.format, m.mode, m.width, m.height, m.animated, m.fault, m.detail, m.values)
            crops = [Crop(box, values) for box, values in zip(task.boxes, m.crops, strict=False)]
            self._digests[task.path] = digest
            self._contents.add(digest, facts, crops, labelled=task.labelled)
            if m.digest and _lasts(m) and not m.raised:
                files.append((task.path, stamps[task.path], digest))
                of_files[digest], of_boxes[digest] = facts, crops
        self.cache.remember(files, of_files, of_boxes)

    def _images(self, found: DataFrame) -> DataFrame:
        features = [feature for feature in self.features if feature.of == "images" and feature.dtype]
        is_refused = col("refused").is_not_null() & col("path").is_null()
        digests = pl.Series([self._digests.get(path or "") for path in found["path"]], dtype=pl.String)
        rows = (
            found.with_columns(self._content(), digest=digests)
            .join(self._contents.facts(), on="content", how="left", maintain_order="left")
            .with_columns(
                fault=pl.when(is_refused).then(lit(Fault.REFUSED)).otherwise("fault"),
                detail=pl.when(is_refused).then("refused").otherwise("detail"),
                digest=pl.when(col("digest") != col("path")).then("digest"),
                found=col("path").is_not_null(),
                path=pl.Series([path and os.path.relpath(path) for path in found["path"]], dtype=pl.String),
            )
        )
        # Also where another data set had it measured: a table does not depend on what was run before.
        values = [
            pl.when("labelled").then(feature.name).alias(feature.name) if feature.only_labeled else feature.name
            for feature in features
        ]
        return rows.select(*(col(name).cast(dtype) for name, dtype in BASE["images"].schema.items()), *values)

    def _crop_rows(self, boxes: DataFrame, files: DataFrame, places: DataFrame) -> DataFrame:
        if not self._sees_crops:
            return BASE["crops"].empty()
        features = [feature for feature in self.features if feature.of == "crops" and feature.dtype]
        values = [
            pl.when("sampled").then(feature.name).alias(feature.name) if feature.only_sampled else feature.name
            for feature in features
        ]
        keys = list(BASE["crops"].schema)
        crops = self._contents.crops().drop("sampled")
        measured = places.with_columns(self._content()).join(crops, on=["content", *SIDES], how="left")
        return (
            boxes.select(*keys, *SIDES)
            .join(
                files.select("data_set", "source_ref", "path"),
                on=["data_set", "source_ref"],
                how="left",
                maintain_order="left",
            )
            .join(measured, on=["data_set", "path", *SIDES], how="left", maintain_order="left")
            .select(*keys, *values)
        )


def _tasks(rows: DataFrame, given: dict[int, Task]) -> Iterator[Task]:
    """The images to be measured, made one by one; `given` has those that were asked for."""
    columns = ("path", "labelled", *SIDES, "sampled")
    for number, (path, labelled, *sides, sampled) in enumerate(rows.select(columns).iter_rows()):
        boxes = list(zip(*sides, strict=True)) if sampled else []
        given[number] = Task(number, path, boxes, sampled or [], labelled)
        yield given[number]
