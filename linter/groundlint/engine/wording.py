"""Sentences made of columns."""

from __future__ import annotations

import re

import polars as pl
from polars import Expr, lit


def worded(template: str, *values: str | Expr) -> Expr:
    """A template with columns or expressions in the places of its `{}`, one sentence a row; null where a value is.

    What `pl.format` does, which in polars 2.1 panics on a column that lies in several pieces of memory.

    Raises:
        ValueError: there are not as many values as places.
    """
    texts = re.split(r"\{\}", template)
    if len(texts) != len(values) + 1:
        raise ValueError(f"{template!r} has {len(texts) - 1} places for {len(values)} values")
    parts = [lit(texts[0])]
    for value, text in zip(values, texts[1:], strict=True):
        parts += [pl.col(value) if isinstance(value, str) else value, lit(text)]
    return pl.concat_str(parts)
