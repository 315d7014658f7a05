"""Measurements as files: `groundlint measure` writes the images of a part, and `--measurements` judges by them.

A file has one row for each source-ref: what is known of the image, and the list of its boxes. Its metadata names the
features that were measured, each with its version, so that files of different versions are not mixed.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, col, lit

from groundlint.config.data_sets import UsageError
from groundlint.engine.base_tables import BASE, IMAGE_VALUES, RECTANGLE
from groundlint.engine.features import Feature
from groundlint.images.record import FACTS
from groundlint.images.wide_values import AT_ONCE, beside, is_wide

_FORM = "1"
"""Form of a file; the number changes with the meaning of its columns."""

_FEATURES, _VERSION, _PROCESSOR = "groundlint.features", "groundlint.form", "groundlint.processor"

_ROWS = {"source_ref": pl.String(), "found": pl.Boolean(), "labeled": pl.Boolean()}
_FACTS = {name: BASE["images"].schema[name] for name in FACTS}
_PLACE = {**dict.fromkeys(RECTANGLE, pl.Float64()), "sampled": pl.Boolean()}


class Part(NamedTuple):
    """A part of the images, numbered from 1. Which one an image is in depends on its source-ref alone."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read a part given as "2/8".

        Raises:
            UsageError: It is not one.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(f"--part: {text!r} is not a part; write I/N with I from 1 to N, such as 2/8")
        return cls(int(number), int(of))

    def has(self, source_ref: str) -> bool:
        """Whether an image is in this part."""
        digest = blake2b(source_ref.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(digest) % self.of == self.number - 1


@dataclass(frozen=True)
class MeasuredParts:
    """What files say about images, each source-ref once.

    Attributes:
        images: source_ref, `found`, `labeled` (whether the features of labeled images were measured), the facts of
            `record.FACTS` and the values of the wanted features that are not wide; `file` and `row` say where it is.
        crops: source_ref, place, `sampled` and the values of the wanted features.
        files: The files.
        processors: The types of processors that measured, as "x86_64". The last digits of some values depend on it.
    """

    images: DataFrame
    crops: DataFrame
    files: Sequence[Path] = ()
    processors: frozenset[str] = frozenset()

    def wide(self, rows: DataFrame, names: Sequence[str]) -> Iterator[DataFrame]:
        """Read the wide values of some rows of `images`, some thousands at a time.

        Args:
            rows: The rows, sorted by `file` and `row`; a row may come several times.
            names: The features.

        Yields:
            The source_ref and the values of the next rows.

        Raises:
            UsageError: A file cannot be read any more.
        """
        columns = pl.Schema(dict.fromkeys(names, pl.Binary()))
        for (number,), of_file in rows.group_by("file", maintain_order=True):
            file = self.files[int(number)]
            for (block,), part in of_file.group_by(col("row") // AT_ONCE, maintain_order=True):
                start = int(block) * AT_ONCE
                with _reading(file):
                    values = pl.scan_parquet(file, glob=False).select(names).slice(start, AT_ONCE).cast(columns)
                    yield part.select("source_ref").hstack(values.collect()[part["row"] - start])


class PartTables(NamedTuple):
    """What was measured of a part of the images, each source-ref once, sorted by it.

    Attributes:
        images: As `MeasuredParts.images`, without places in files.
        wide: The wide values of these images.
        crops: As in `MeasuredParts`.
        files: Removes the temporary files of `wide` when nothing refers to it any more.
    """

    images: DataFrame
    wide: LazyFrame
    crops: DataFrame
    files: object = None


def write(file: Path, part: PartTables, features: Sequence[Feature]) -> None:
    """Write a file.

    Args:
        file: The file.
        part: What was measured.
        features: The features that were measured.
    """
    lists = part.crops.group_by("source_ref").agg(crops=pl.struct(pl.exclude("source_ref")))
    images = part.images.join(lists, on="source_ref", how="left", maintain_order="left")
    rows = beside(images, part.wide)
    values = [feature.name for feature in features if feature.of == "images" and feature.dtype]
    keys = json.dumps(sorted(feature.key for feature in features if feature.dtype))
    metadata = {_FEATURES: keys, _VERSION: _FORM, _PROCESSOR: platform.machine()}
    rows.select(*_ROWS, *_FACTS, *values, "crops").sink_parquet(file, metadata=metadata, row_group_size=AT_ONCE)


def read(patterns: Iterable[str], features: Sequence[Feature]) -> MeasuredParts:
    """Read files, in any order and with any overlap.

    Args:
        patterns: Paths and globs.
        features: The features of which values are wanted.

    Raises:
        UsageError: There is no such file, one was not written by `groundlint measure`, they were written by versions
            that measure differently, a wanted feature was not measured, or two files describe different contents of
            one image.
    """
    files = _files(patterns)
    _check(files, features)
    read_parts = [_contents(number, file, features) for number, file in enumerate(files)]
    images = pl.concat(part.images for part in read_parts)
    if (twice := _contradicting(images)) is not None:
        raise UsageError(
            f"--measurements: the files describe different contents of {twice}: it changed meanwhile; measure again"
        )
    # Of an image or box that is in several files, the row that has most is the last one.
    images = images.sort("source_ref", "found", "labeled", "detail")
    crops = pl.concat(part.crops for part in read_parts).sort("source_ref", *RECTANGLE, "sampled")
    return MeasuredParts(
        images.unique("source_ref", keep="last", maintain_order=True),
        crops.unique(["source_ref", *RECTANGLE], keep="last", maintain_order=True),
        files,
        frozenset(pl.read_parquet_metadata(file).get(_PROCESSOR, "") for file in files),
    )


def _files(patterns: Iterable[str]) -> list[Path]:
    files: set[str] = set()
    for pattern in patterns:
        found = [pattern] if os.path.isfile(pattern) else glob.glob(pattern)  # noqa: PTH113,PTH207 - nothing raises on odd names
        if not found:
            raise UsageError(f"--measurements {pattern}: there is no such file")
        files.update(found)
    return [Path(name) for name in sorted(files)]


def _check(files: Sequence[Path], features: Sequence[Feature]) -> None:
    """Refuse files that cannot be used together, or that lack what is wanted."""
    first, measured = files[0], _measured(files[0])
    for file in files[1:]:
        if other := sorted(measured.items() ^ _measured(file).items()):
            name = other[0][0]
            raise UsageError(
                f"--measurements: {first} and {file} were measured by different versions of groundlint or of its "
                f"plugins: {name} differs; measure with one version"
            )
    for feature in features:
        if feature.dtype and measured.get(feature.name) != feature.key:
            has = f"it has {measured[feature.name]}" if feature.name in measured else "it was not measured"
            raise UsageError(
                f"--measurements: {first} lacks {feature.key}, which a rule needs: {has}; measure with the version and "
                "the plugins that judge"
            )


def _measured(file: Path) -> dict[str, str]:
    """The features of a file: name and version, by name."""
    try:
        metadata = pl.read_parquet_metadata(file)
        keys = json.loads(metadata.get(_FEATURES, "null"))
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"--measurements {file}: the file cannot be read: {error}") from error
    if not isinstance(keys, list) or metadata.get(_VERSION) != _FORM:
        raise UsageError(f"--measurements {file}: this version of `groundlint measure` did not write it; measure again")
    return {key.partition("@")[0]: key for key in keys if isinstance(key, str)}


def _contents(number: int, file: Path, features: Sequence[Feature]) -> MeasuredParts:
    """What a file says, with the values of the wanted features only, and of these without the wide ones."""
    of = {
        table: {
            each.name: IMAGE_VALUES[each.dtype]
            for each in features
            if each.of == table and each.dtype and not is_wide(each)
        }
        for table in ("images", "crops")
    }
    image = pl.Schema({**_ROWS, **_FACTS, **of["images"]})
    crop = pl.Schema({"source_ref": pl.String(), **_PLACE, **of["crops"]})
    with _reading(file):
        rows = pl.read_parquet(file, columns=[*image, "crops"], glob=False)
        lists = rows.select("source_ref", "crops").drop_nulls()
        crops = lists.explode("crops", empty_as_null=False).unnest("crops")
        places = {"file": lit(number, pl.Int32), "row": pl.int_range(pl.len(), dtype=pl.Int64)}
        images = rows.select(*image).cast(image).with_columns(**places)
        return MeasuredParts(images, crops.select(*crop).cast(crop))


@contextlib.contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Let a file that cannot be read be the user's error.

    Raises:
        UsageError: Reading failed.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"--measurements {file}: the file cannot be read: {error}") from error


def _contradicting(rows: DataFrame) -> str | None:
    """The source-ref of an image that has two contents; None if there is no such image."""
    several = rows.filter("found").group_by("source_ref").agg(col("digest").n_unique()).filter(col("digest") > 1)
    return None if several.is_empty() else str(several["source_ref"].min())


NOTHING = MeasuredParts(
    DataFrame(schema={**_ROWS, **_FACTS, "file": pl.Int32(), "row": pl.Int64()}),
    DataFrame(schema={"source_ref": pl.String(), **_PLACE}),
)
"""No measurements."""
