"""Sequences of numbered files that may be the frames of films."""

from __future__ import annotations

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import table

_SEQUENCE = ("data_set", "sequence")

_MIN_IMAGES = 10
"""Images of a sequence below which nothing is concluded from their names."""

_MIN_RECORDINGS = 3
"""Sequences with numbers of their own from which names without a telling word count as recordings."""

_FILM = r"(?i)(^|[^a-z])(frames?|frm|video|vid|clip|seq|sequence|cam|camera|mp4|avi|mov|mkv)([^a-z]|$)"
"""Words by which tools that extract frames, and people who record them, name files and folders."""

_SPLIT_FOLDER = r"(?i)/(train|training|test|testing|val|valid|validation)/"

_EXPORTED = r"[_.](?:jpe?g|png)\.rf\.[0-9a-f]+(\.[a-z]+)$"
"""What Roboflow adds to the name of a file."""


@table()
def frame_sequences(lines: LazyFrame) -> LazyFrame:
    """One image in a sequence of numbered files that may be frames of a film.

    `sequence` is the source-ref without the number, and `number` the last number in it. A sequence has 10 images or
    more. Its file names or its folder say that it is a film (such as frame_0012 or clip3/0012), or it is one of at
    least three sequences that have numbers of their own and zero-padded consecutive numbers (0419_000012).
    `neighbor` is the training image before or after a test image, at most twice the usual distance away.
    """
    named = lines.filter(col("source_ref").is_not_null(), col("split").is_in(["train", "test"]))
    # A folder of each split does not part a sequence.
    plain = col("source_ref").str.replace(_SPLIT_FOLDER, "/").str.replace(_EXPORTED, "${1}")
    parts = plain.str.extract_groups(
        r"^(?<before>.*?)(?<digits>[0-9]{1,18})(?<after>[^0-9/]*?)(?<extension>\.[^./]*)?$"
    )
    files = (
        named.select("data_set", "split", "source_ref", parts=parts)
        .unnest("parts")
        .filter(col("digits").is_not_null())
        .with_columns(
            sequence=pl.concat_str("before", lit("#"), "after", pl.coalesce("extension", lit(""))),
            number=col("digits").cast(pl.Int64),
        )
    )
    prefix = col("before").first().str.extract(r"([^/]*/?[^/]*)$")
    is_padded = (col("digits").str.len_bytes().n_unique() == 1) & col("digits").str.starts_with("0").any()
    is_film, is_numbered = prefix.str.contains(_FILM), prefix.str.contains("[0-9]") & is_padded
    # Sorting takes most of the time, and in most data sets no name is that of a film.
    candidates = (
        files.group_by(_SEQUENCE)
        .agg(count=pl.len(), is_candidate=is_film | is_numbered)
        .filter(col("is_candidate"), col("count") >= _MIN_IMAGES)
    )
    numbered = (
        files.join(candidates, on=_SEQUENCE, how="semi")
        # An image in both splits is a leak of its own.
        .sort("split", "source_ref")
        .unique([*_SEQUENCE, "number"], keep="first")
        .sort(*_SEQUENCE, "number")
        .with_columns(
            gap=col("number").diff().over(_SEQUENCE),
            before_split=col("split").shift().over(_SEQUENCE),
            before_ref=col("source_ref").shift().over(_SEQUENCE),
            after_gap=col("number").diff().shift(-1).over(_SEQUENCE),
            after_split=col("split").shift(-1).over(_SEQUENCE),
            after_ref=col("source_ref").shift(-1).over(_SEQUENCE),
        )
        .with_columns(usual=col("gap").median().over(_SEQUENCE))
    )
    is_consecutive = (col("gap") == col("usual")).mean() >= 0.5
    sequences = (
        numbered.group_by(_SEQUENCE)
        .agg(
            images=pl.len(),
            is_film=is_film,
            is_recording=is_numbered & is_consecutive,
        )
        .filter(col("images") >= _MIN_IMAGES)
        .with_columns(recordings=col("is_recording").sum().over("data_set"))
        .filter(col("is_film") | (col("is_recording") & (col("recordings") >= _MIN_RECORDINGS)))
    )
    before, after = (
        pl.when(col(split) == "train", col(gap) <= 2 * col("usual")).then(col(ref))
        for split, gap, ref in (("before_split", "gap", "before_ref"), ("after_split", "after_gap", "after_ref"))
    )
    neighbor = pl.when(col("split") == "test").then(pl.coalesce(before, after))
    return (
        numbered.join(sequences, on=_SEQUENCE, how="semi")
        .select(*_SEQUENCE, "split", "source_ref", "number", neighbor=neighbor)
        .sort(*_SEQUENCE, "number")
    )
