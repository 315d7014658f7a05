"""What was measured of the contents of files, in columns: an object for each would take many times the memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from polars import DataFrame

from groundlint.engine.features import Feature, file_features
from groundlint.engine.tables import IMAGE_VALUES
from groundlint.images.cache import Crop, Facts

SIDES = ("left", "top", "width", "height")
"""Columns that say where a crop lies, in pixels."""

_AT_ONCE = 512
"""Contents that are held as objects before they become columns."""

_FACTS = pl.Schema(
    {
        "content": pl.Int32(),
        "bytes": pl.Int64(),
        "format": pl.String(),
        "mode": pl.String(),
        "width": pl.Int32(),
        "height": pl.Int32(),
        "animated": pl.Boolean(),
        "fault": pl.String(),
        "detail": pl.String(),
    }
)
_CROPS = pl.Schema({"content": pl.Int32(), **dict.fromkeys(SIDES, pl.Float64()), "sampled": pl.Boolean()})


class Contents:
    """Facts and values by the digest of a file, as far as the features of a run ask for them."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._of_images = [feature for feature in features if feature.of == "images" and feature.dtype]
        self._of_crops = [feature for feature in features if feature.of == "crops" and feature.dtype]
        self._of_files = file_features(features)
        self.numbers: dict[str, int] = {}
        self._labelled: set[int] = set()
        self._faulty: set[int] = set()
        self._is_doubled = False
        self._new_facts: dict[int, Facts] = {}
        self._new_crops: list[tuple[int, Crop]] = []
        self._facts = [DataFrame(schema=_FACTS).with_columns(_column(feature, []) for feature in self._of_images)]
        self._crops = [DataFrame(schema=_CROPS).with_columns(_column(feature, []) for feature in self._of_crops)]

    def recall(self, digest: str, facts: Facts, crops: Iterable[Crop]) -> None:
        """Take what was remembered of a content, if it is all that is wanted."""
        if self._has(facts, labelled=False):
            wanted = {feature.key for feature in self._of_crops if not feature.only_sampled}
            whole = [crop for crop in crops if wanted <= crop.values.keys()]
            self.add(digest, facts, whole, labelled=self._has(facts, labelled=True))

    def add(self, digest: str, facts: Facts, crops: Iterable[Crop], *, labelled: bool) -> None:
        """Take what was measured of a content, of an image with or without a label of its own."""
        self._is_doubled |= digest in self.numbers
        number = self.numbers.setdefault(digest, len(self.numbers))
        if labelled:
            self._labelled.add(number)
        if facts.fault:
            self._faulty.add(number)
        self._new_facts[number] = facts
        self._new_crops += [(number, crop) for crop in crops]
        if len(self._new_facts) >= _AT_ONCE:
            self._settle()

    def knows(self, digest: str | None, *, labelled: bool) -> bool:
        """Whether a content needs no look for what is wanted of an image, with or without a label of its own."""
        number = self.numbers.get(digest or "")
        return number is not None and (not labelled or number in self._labelled or number in self._faulty)

    def is_faulty(self, digest: str | None) -> bool:
        """Whether a content is known to be no picture that can be measured."""
        return self.numbers.get(digest or "") in self._faulty

    def facts(self) -> DataFrame:
        """Each content, by its number `content`, with the facts and values of the picture."""
        self._settle()
        rows = pl.concat(self._facts)
        # What was measured once more, for a label, comes after what was known.
        return rows.unique("content", keep="last") if self._is_doubled else rows

    def crops(self) -> DataFrame:
        """Each crop by `content` and place, with its values; `sampled` where those of sampled crops are among them."""
        self._settle()
        rows = pl.concat(self._crops)
        if self._is_doubled:
            rows = rows.sort("sampled", maintain_order=True).unique(["content", *SIDES], keep="last")
        return rows

    def _has(self, facts: Facts, *, labelled: bool) -> bool:
        """Whether all that is wanted is known: of a picture with a fault, all that needs no picture."""
        wanted = (feature for feature in self._of_images if labelled or not feature.only_labeled)
        if facts.fault:
            wanted = (feature for feature in wanted if facts.format and feature.name in self._of_files)
        return all(feature.key in facts.values for feature in wanted)

    def _settle(self) -> None:
        """Turn what is held as objects into columns."""
        if self._new_facts:
            rows = [(number, *facts.of_file) for number, facts in self._new_facts.items()]
            values = [facts.values for facts in self._new_facts.values()]
            columns = (_column(feature, values) for feature in self._of_images)
            self._facts.append(DataFrame(rows, schema=_FACTS, orient="row", strict=False).with_columns(columns))
            self._new_facts = {}
        if self._new_crops:
            dear = {feature.key for feature in self._of_crops if feature.only_sampled}
            rows = [(number, *crop.box, dear <= crop.values.keys()) for number, crop in self._new_crops]
            values = [crop.values for _, crop in self._new_crops]
            columns = (_column(feature, values) for feature in self._of_crops)
            self._crops.append(DataFrame(rows, schema=_CROPS, orient="row").with_columns(columns))
            self._new_crops = []


def _column(feature: Feature, values: Iterable[dict[str, Any]]) -> pl.Series:
    # A value of another type, from a hostile cache, is none.
    assert feature.dtype is not None
    cells = [value if feature.accepts(value := row.get(feature.key)) else None for row in values]
    return pl.Series(feature.name, cells, dtype=IMAGE_VALUES[feature.dtype], strict=False)
