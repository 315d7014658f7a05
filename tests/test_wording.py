"""Sentences made of columns: what they say, however the columns lie in memory."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlint import worded

PIECES = st.lists(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3) | st.none()), max_size=3), max_size=4)
SCHEMA = {"number": pl.Int64, "word": pl.String}


@given(pieces=PIECES, least=st.integers(0, 9))
def test_each_row_has_its_own_values_in_the_places(pieces: list[list[tuple[int, str | None]]], least: int) -> None:
    frames = [pl.DataFrame(rows, schema=SCHEMA, orient="row") for rows in [[], *pieces]]
    whole = pl.concat(frames, rechunk=False).filter(pl.col("number") >= least)
    said = whole.select(said=worded("{} of {}!", "number", pl.col("word")))["said"].to_list()
    rows = [row for piece in pieces for row in piece if row[0] >= least]
    assert said == [None if word is None else f"{number} of {word}!" for number, word in rows]


def test_too_few_values_are_refused() -> None:
    with pytest.raises(ValueError, match="has 2 places for 1 values"):
        worded("{} of {}", "number")
