"""Values of hundreds of bytes and more for each image, such as embeddings: of many images, they are kept in files.

The other columns of a million images take about a gigabyte, these would take six. They are written into one file as
they are measured, and then, in the order of a table, into parquet files, of which a query reads the columns and rows
that it needs.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from polars import DataFrame, LazyFrame, Series

from groundlint.engine.features import Feature
from groundlint.errors import GroundlintError
from groundlint.temporaries import temporaries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MIN_LENGTH = 256
"""Bytes of a value from which it is kept here."""

_MOST_IN_MEMORY = 128_000_000
"""Bytes of a table, and of all records, up to which no file is written."""

AT_ONCE = 16_384
"""Rows of a parquet file: the least that a query reads."""


_FIRST = "_first"
"""Name of a column of one byte a row. A query that needs none of the columns of a file reads its first one."""


def is_wide(feature: Feature) -> bool:
    """Return whether the values of a feature are kept here."""
    is_long = feature.dtype is bytes and feature.length is not None and feature.length >= _MIN_LENGTH
    return is_long and feature.of == "images" and not feature.only_labeled


def beside(rows: DataFrame, columns: LazyFrame) -> LazyFrame:
    """Return a table with what `WideValues.columns` returned for its rows."""
    if not columns.collect_schema():
        return rows.lazy()
    return pl.concat([rows.lazy(), columns], how="horizontal").drop(_FIRST, strict=False)


class WideValues:
    """Records of images, each with the wide values of one image, numbered in the order in which they were added.

    Files lie in the folder of the system for temporary files, and are removed with the object.

    Attributes:
        names: The features.
    """

    def __init__(self, features: Iterable[Feature], most_in_memory: int = _MOST_IN_MEMORY) -> None:
        """Start without records.

        Args:
            features: The features of the run, of which those that are not wide are left out.
            most_in_memory: Bytes of a table, and of all records, up to which no file is written.
        """
        lengths = {feature.name: feature.length or 0 for feature in features if is_wide(feature)}
        self.names = tuple(lengths)
        # A record starts with one byte for each value, which is 0 for null.
        ends = [*itertools.accumulate(lengths.values(), initial=len(lengths))]
        self._places = dict(zip(lengths, itertools.pairwise(ends), strict=True))
        self._width = ends[-1]
        self._count = 0
        self._most_in_memory = most_in_memory
        self._records = tempfile.SpooledTemporaryFile(max_size=most_in_memory)  # noqa: SIM115 - closed with the object
        weakref.finalize(self, self._records.close)
        self._folders = itertools.count()
        self._folder: Path | None = None

    def add(self, rows: DataFrame) -> Series:
        """Add records.

        Args:
            rows: With a column for each feature. Bytes of another length than the feature declares count as null.

        Returns:
            The numbers of the records, in a column `record`.

        Raises:
            GroundlintError: The temporary file cannot be written.
        """
        start, self._count = self._count, self._count + rows.height
        if self.names and rows.height:
            import numpy as np

            block = np.zeros((rows.height, self._width), np.uint8)
            for n, (name, (begin, end)) in enumerate(self._places.items()):
                known = (rows[name].bin.size() == end - begin).fill_null(False)
                values = np.frombuffer(b"".join(rows[name].filter(known)), np.uint8)
                block[known.to_numpy(), n] = 1
                block[known.to_numpy(), begin:end] = values.reshape(-1, end - begin)
            with _writing():
                self._records.seek(0, 2)
                self._records.write(block.data)
        return Series("record", range(start, self._count), dtype=pl.Int32)

    def columns(self, records: Series) -> LazyFrame:
        """The values of records, for `beside`: columns that a query reads as far as it needs them.

        Args:
            records: Their numbers, in any order; null for a row of nulls.

        Raises:
            GroundlintError: Temporary files cannot be written.
        """
        if not self.names or len(records) * self._width <= self._most_in_memory:
            return self._read(records).lazy()
        with _writing():
            if not self._folder:
                self._folder = Path(tempfile.mkdtemp(prefix="groundlint-"))
                temporaries.add(self._folder)
                weakref.finalize(self, _remove, self._folder)
            folder = self._folder / str(next(self._folders))
            folder.mkdir()
            for start in range(0, len(records), AT_ONCE):
                part = self._read(records[start : start + AT_ONCE])
                part = part.select(pl.lit(0, pl.Int8).alias(_FIRST), *self.names)
                part.write_parquet(folder / f"{start:010}.parquet", compression="uncompressed", statistics=False)
        return pl.scan_parquet(sorted(folder.iterdir()), glob=False)

    def close(self) -> None:
        """Forget the records. What `columns` returned remains."""
        self._records.close()

    def _read(self, records: Series) -> DataFrame:
        if not self.names:
            return DataFrame()
        import numpy as np

        known = records.is_not_null().to_numpy()
        numbers, places = np.unique(records.drop_nulls().to_numpy(), return_inverse=True)
        block = self._block(numbers)
        columns = []
        for n, (name, (begin, end)) in enumerate(self._places.items()):
            cells = np.full(len(records), None, object)
            values = np.array(_rows(block[:, begin:end]), object)
            values[block[:, n] == 0] = None
            cells[known] = values[places]
            columns.append(Series(name, cells.tolist(), pl.Binary))
        return DataFrame(columns)

    def _block(self, numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Some records, whose numbers ascend: (records, bytes)."""
        import numpy as np

        block = np.empty((len(numbers), self._width), np.uint8)
        # Records that follow each other are read together.
        starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
        for run in np.split(np.arange(len(numbers)), starts[1:]) if len(numbers) else ():
            self._records.seek(int(numbers[run[0]]) * self._width)
            read = self._records.read(len(run) * self._width)
            block[run[0] : run[-1] + 1] = np.frombuffer(read, np.uint8).reshape(-1, self._width)
        return block


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    temporaries.discard(folder)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Let a failure to write say what to do.

    Raises:
        GroundlintError: Something could not be written.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        folder = tempfile.gettempdir()
        raise GroundlintError(
            f"the folder for temporary files, {folder}, cannot be written: {error}; name another one in the "
            "environment variable TMPDIR"
        ) from error


def _rows(block: NDArray[np.uint8]) -> list[bytes]:
    """The rows of a block as bytes."""
    data, width = block.tobytes(), block.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)]
