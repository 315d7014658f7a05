"""Sentences made of columns: correct values and plurals, however the columns are chunked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlint import counted, worded
from groundlint.engine.wording import Sentence
from groundlint.phrases import first_of, number_of

PIECES = st.lists(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=3) | st.none()), max_size=3), max_size=4)
SCHEMA = {"number": pl.Int64, "word": pl.String}


@given(pieces=PIECES, least=st.integers(0, 9))
def test_each_row_gets_its_own_values(pieces: list[list[tuple[int, str | None]]], least: int) -> None:
    frames = [pl.DataFrame(rows, schema=SCHEMA, orient="row") for rows in [[], *pieces]]
    whole = pl.concat(frames, rechunk=False).filter(pl.col("number") >= least)
    said = whole.select(said=worded("{} of {}!", "number", pl.col("word")))["said"].to_list()
    rows = [row for piece in pieces for row in piece if row[0] >= least]
    assert said == [None if word is None else f"{number} of {word}!" for number, word in rows]


def test_the_number_of_values_must_be_that_of_places() -> None:
    with pytest.raises(ValueError, match="has 2 places for 1 values"):
        worded("{} of {}", "number")


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "image", "1 image"),
        (0, "image", "0 images"),
        (17, "box", "17 boxes"),
        (2000, "class", "2,000 classes"),
        (2, "test box", "2 test boxes"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(count: int, noun: str, text: str) -> None:
    assert number_of(count, noun) == text
    assert Sentence(f"{{n:# {noun}}}").texts([{"n": count}], {}) == [text]


def test_a_count_may_be_an_expression() -> None:
    frame = pl.DataFrame({"n": [1, 2, None]})
    assert frame.select(said=counted("n", "box"))["said"].to_list() == ["1 box", "2 boxes", None]
    assert frame.select(said=counted(pl.col("n") - 1, "box"))["said"].to_list() == ["0 boxes", "1 box", None]


def test_a_sentence_keeps_braces_conversions_and_formats() -> None:
    sentence = Sentence("{{x}} {label!r}: {share:.0%} of {n:# image}, {n} > {most}")
    assert sentence.fields == {"label", "share", "n", "most"}
    (text,) = sentence.texts([{"label": "a", "share": 0.5, "n": 1}], {"most": 0})
    assert text == "{x} 'a': 50% of 1 image, 1 > 0"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["a"], "a"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d"], "a, b, c and 1 other"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 others"),
    ],
)
def test_only_the_first_of_many_names_are_listed(names: list[str], text: str) -> None:
    assert first_of(names) == text
