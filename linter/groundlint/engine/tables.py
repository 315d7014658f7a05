"""How tables are declared: the meaning of their rows, and the type, unit and meaning of their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl


class Column(NamedTuple):
    """One column: its type, what it holds, whether it may be null, and the value that completes rows of an example."""

    dtype: pl.DataType
    description: str
    default: Any = None
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table that is filled by reading or measuring.

    `row` says what one row is, `key` names the columns that identify it. Tables `of_run` hold what belongs to the run
    and not to one data set, and have no column `data_set`.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
    of_run: bool = False

    @property
    def schema(self) -> pl.Schema:
        """Column names and types, in order."""
        return pl.Schema({name: column.dtype for name, column in self.columns.items()})

    def empty(self) -> pl.DataFrame:
        """The table without rows."""
        return pl.DataFrame(schema=self.schema)


@dataclass(frozen=True)
class DerivedTable:
    """A table that a function computes from the tables named by its parameters. Its docstring says what a row is."""

    function: Callable[..., pl.LazyFrame | pl.DataFrame]
    features: tuple[str, ...]
    objects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the table, which is that of the function."""
        return self.function.__name__


def table(
    *, features: tuple[str, ...] = (), objects: tuple[str, ...] = ()
) -> Callable[[Callable[..., pl.LazyFrame | pl.DataFrame]], DerivedTable]:
    """Declare a function as a derived table.

    Its parameters name the tables that it is computed from. All data sets of a run share one set of tables: whatever
    aggregates, or compares rows of different lines, must group by `data_set`.

    Args:
        features: Measured columns that it needs in `images` or `crops`.
        objects: The base tables whose rows it describes: `images`, or `labels` and `boxes`. Exported, it has one row
            for each of them, with nulls where nothing is known.
    """
    return lambda function: DerivedTable(function, features, objects)
