"""Measurements by content, in columns: an object for each image would take many times the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from polars import DataFrame, Series

from groundlint.engine.base_tables import BASE, IMAGE_VALUES, RECTANGLE
from groundlint.engine.features import Feature, file_features
from groundlint.images.record import FACTS, CropRecord, ImageRecord
from groundlint.images.wide_values import WideValues, is_wide

_MAX_OBJECTS = 512
"""Contents that are held as objects before they become columns."""

_FACTS = pl.Schema({name: BASE["images"].schema[name] for name in FACTS if name != "digest"})
_NUMBERS = pl.Schema({"digest": pl.String(), "content": pl.Int32()})
_CONTENTS = pl.Schema({"content": pl.Int32(), **_FACTS})
_IMAGES = pl.Schema({**_CONTENTS, "record": pl.Int32()})
_CROPS = pl.Schema({"content": pl.Int32(), **dict.fromkeys(RECTANGLE, pl.Float64()), "sampled": pl.Boolean()})


class Measurements:
    """What is known of contents, each identified by the digest of its bytes and, in the tables, by a number.

    Attributes:
        numbers: The numbers of contents, by digest.
        wide: The wide values of contents; `images` names their records.
    """

    def __init__(self, features: Sequence[Feature]) -> None:
        """Start without any content.

        Args:
            features: The features of the run. Only their values are kept.
        """
        self._of_images = [feature for feature in features if feature.of == "images" and feature.dtype]
        self._wide = [feature for feature in self._of_images if is_wide(feature)]
        self._light = [feature for feature in self._of_images if not is_wide(feature)]
        self._of_crops = [feature for feature in features if feature.of == "crops" and feature.dtype]
        self._of_files = file_features(features)
        self.numbers: dict[str, int] = {}
        self.wide = WideValues(self._wide)
        self._labeled: set[int] = set()
        self._faulty: set[int] = set()
        self._has_repeats = False
        self._new_images: dict[int, ImageRecord] = {}
        self._new_crops: list[tuple[int, CropRecord]] = []
        self._images = [DataFrame(schema=_IMAGES).with_columns(_column(feature, []) for feature in self._light)]
        self._crops = [DataFrame(schema=_CROPS).with_columns(_column(feature, []) for feature in self._of_crops)]

    def recall(self, digest: str, record: ImageRecord, crops: Iterable[CropRecord]) -> None:
        """Add a content from the cache, if the values of all wanted features are known."""
        if self._is_complete(record, labeled=False):
            wanted = {feature.key for feature in self._of_crops if not feature.only_sampled}
            complete = [crop for crop in crops if wanted <= crop.values.keys()]
            self.add(digest, record, complete, labeled=self._is_complete(record, labeled=True))

    def add(self, digest: str, record: ImageRecord, crops: Iterable[CropRecord], *, labeled: bool) -> None:
        """Add a content, or replace what is known of it.

        Args:
            digest: Identifies the content.
            record: Its facts and values.
            crops: The values of its boxes.
            labeled: Whether the features of labeled images were measured.
        """
        self._has_repeats |= digest in self.numbers
        number = self.numbers.setdefault(digest, len(self.numbers))
        if labeled:
            self._labeled.add(number)
        if record.fault:
            self._faulty.add(number)
        if labeled or number not in self._labeled:
            self._new_images[number] = record
        self._new_crops += [(number, crop) for crop in crops]
        if len(self._new_images) >= _MAX_OBJECTS:
            self._make_columns()

    def extend(self, images: DataFrame, wide: Iterable[DataFrame], crops: DataFrame) -> None:
        """Add contents in columns.

        Args:
            images: `digest`, `labeled`, facts and values that are not wide; a content may have several rows.
            wide: The wide values of these rows, in parts.
            crops: `digest`, place, `sampled` and values.
        """
        self._make_columns()
        for digest in images["digest"].unique(maintain_order=True):
            self.numbers.setdefault(digest, len(self.numbers))
        numbers = DataFrame({"digest": [*self.numbers], "content": [*self.numbers.values()]}, schema=_NUMBERS)
        # Of a content, the row with the features of labeled images is the last one.
        records = pl.concat([Series("record", dtype=pl.Int32), *(self.wide.add(part) for part in wide)])
        rows = images.with_columns(records).join(numbers, on="digest").sort("labeled", maintain_order=True)
        self._labeled.update(rows.filter("labeled")["content"])
        self._faulty.update(rows.drop_nulls("fault")["content"])
        self._has_repeats = True
        self._images.append(rows.select(self._images[0].columns))
        self._crops.append(crops.join(numbers, on="digest").select(self._crops[0].columns))

    def has(self, digest: str | None, *, labeled: bool) -> bool:
        """Return whether an image with this content, with or without a label of its own, need not be measured."""
        number = self.numbers.get(digest or "")
        return number is not None and (not labeled or number in self._labeled or number in self._faulty)

    def is_faulty(self, digest: str | None) -> bool:
        """Return whether a content is known to be one that cannot be measured."""
        return self.numbers.get(digest or "") in self._faulty

    def images(self) -> DataFrame:
        """Return one row for each content: its number `content`, its facts but the digest, `record`, and its values.

        `record` is the number of its wide values, which are not among the columns.
        """
        self._make_columns()
        rows = pl.concat(self._images)
        # A content that was measured again, for the features of labeled images, has a second, later row.
        return rows.unique("content", keep="last") if self._has_repeats else rows

    def crops(self) -> DataFrame:
        """Return one row for each box of a content: `content`, its place, and its values.

        `sampled` says whether the values of features with `only_sampled` are known.
        """
        self._make_columns()
        rows = pl.concat(self._crops)
        if self._has_repeats:
            rows = rows.sort("sampled", maintain_order=True).unique(["content", *RECTANGLE], keep="last")
        return rows

    def _is_complete(self, record: ImageRecord, *, labeled: bool) -> bool:
        """Return whether all wanted values are known; of an image with a fault, those that need no decoding."""
        wanted = (feature for feature in self._of_images if labeled or not feature.only_labeled)
        if record.fault:
            wanted = (feature for feature in wanted if record.format and feature.name in self._of_files)
        return all(feature.key in record.values for feature in wanted)

    def _make_columns(self) -> None:
        if self._new_images:
            records = self._new_images.values()
            facts = {name: [getattr(record, name) for record in records] for name in _FACTS}
            values = [record.values for record in records]
            rows = DataFrame({"content": list(self._new_images), **facts}, schema=_CONTENTS)
            wide = rows.select("content").with_columns(_column(feature, values) for feature in self._wide)
            columns = (_column(feature, values) for feature in self._light)
            self._images.append(rows.with_columns(self.wide.add(wide), *columns))
            self._new_images = {}
        if self._new_crops:
            sampled = {feature.key for feature in self._of_crops if feature.only_sampled}
            places = [(number, *crop.box, sampled <= crop.values.keys()) for number, crop in self._new_crops]
            columns = (_column(feature, [crop.values for _, crop in self._new_crops]) for feature in self._of_crops)
            self._crops.append(DataFrame(places, schema=_CROPS, orient="row").with_columns(columns))
            self._new_crops = []


def _column(feature: Feature, values: Iterable[dict[str, Any]]) -> Series:
    # A hostile cache may hold values of another type: they count as null.
    assert feature.dtype is not None
    cells = [value if feature.accepts(value := row.get(feature.key)) else None for row in values]
    return Series(feature.name, cells, dtype=IMAGE_VALUES[feature.dtype], strict=False)
