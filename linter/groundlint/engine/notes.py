"""Notes: what limited a check, as rows of a query. They are not findings, because nothing is wrong with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Note:
    """A query whose rows say what rules could not judge. Its name in kebab case is the `kind`."""

    function: Callable[..., pl.LazyFrame | pl.DataFrame]
    rules: tuple[str, ...]
    message: str

    @property
    def kind(self) -> str:
        """The kind of the note, in kebab case."""
        return self.function.__name__.replace("_", "-")


def note(*, rules: tuple[str, ...], message: str) -> Callable[[Callable[..., pl.LazyFrame | pl.DataFrame]], Note]:
    """Declare a function as a note on what rules could not judge.

    Its parameters name the tables that it needs. Each row that it returns is one note: `data_set` or `manifest` says
    where, `count` how many items are concerned; all columns may be used in `message`.

    Args:
        rules: Names of the rules that it concerns; it is made only if one of them is selected.
        message: Format string over the columns of a row.
    """
    return lambda function: Note(function, rules, message)
